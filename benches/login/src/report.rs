//! What is left of a run: `docs/benchmarks.md`, and the picture beside it.

use lab::machine;
use lab::table::Table;

const REPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks.md");
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/benchmarks.svg");

/// The report's beginning.
pub fn head() -> String {
    format!(
        "# Benchmarks\n\nWhat one login costs, beside other modules. Written by `make bench`, which \
         measures all of it in one run,\non the same servers; figures are medians where nothing else \
         is said, and a ratio is against\nthe same run. What the ledger costs by itself is in \
         [ledger-benchmarks.md](ledger-benchmarks.md).\n\n{}",
        machine::facts(&[])
    )
}

pub fn write(tables: &[Table], picture: &str) {
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let text = format!(
        "{}\n![Wait for the code prompt, by distance to the servers](benchmarks.svg)\n\n{}",
        head(),
        tables.join("\n")
    );
    std::fs::write(PICTURE, picture).expect("docs/benchmarks.svg");
    std::fs::write(REPORT, text).expect("docs/benchmarks.md");
    println!("written to docs/benchmarks.md");
}
