//! Writes the report of a run: `docs/benchmarks.md` and its chart.

use lab::system_info;
use lab::table::Table;

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks.md");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks.svg");

/// Returns the head of the report.
pub fn head() -> String {
    format!(
        "# Benchmarks\n\nThe cost of one login, compared with other modules. `make bench` writes this file and \
         measures all of it in one\nrun on the same servers. Figures are medians unless the text states \
         otherwise; a ratio compares with the same run.\nThe ledger is measured separately in \
         [ledger-benchmarks.md](ledger-benchmarks.md).\n\n{}",
        system_info::facts(&[])
    )
}

pub fn write(tables: &[Table], chart: &str) {
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let text = format!(
        "{}\n![Wait for the code prompt, by distance to the servers](benchmarks.svg)\n\n{}",
        head(),
        tables.join("\n")
    );
    std::fs::write(CHART, chart).expect("docs/benchmarks.svg");
    std::fs::write(REPORT, text).expect("docs/benchmarks.md");
    println!("written to docs/benchmarks.md");
}
