//! What one decision of the ledger costs: measures all in one run, on one disk, and writes it down.
//! `bench [PEOPLE [DISK]]`: a million below /var/tmp, unless it is told otherwise.
//!
//! Nothing passes or fails by its time.
#![forbid(unsafe_code)]
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "it measures: it reads clocks and files"
)]

mod decisions;
mod fleet;
mod ground;
mod program;
mod sizes;
mod still;
mod storm;
mod table;

use ground::Ground;
use lab::machine;
use lab::scratch::Scratch;
use std::path::Path;
use table::{Table, thousands};

/// Those that keep something on this host, the one to compare with first.
pub const ENGINES: [&str; 4] = ["floor", "own", "lmdb", "sqlite"];
/// Most people, where nothing is said.
const MANY: u64 = 1_000_000;
/// How many people the storms are among.
const SOME: u64 = 1000;
/// Not below /tmp, which may be memory.
const DISK: &str = "/var/tmp";
const REPORT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/ledger-benchmarks.md"
);

fn main() {
    lab::interrupt::end_tidily().expect("a tidy end on Ctrl-C");
    let mut words = std::env::args().skip(1);
    let many = words.next();
    let many = many.map_or(MANY, |people| people.parse().expect("a number of people"));
    let disk = words.next().unwrap_or_else(|| DISK.to_owned());
    assert!(many > SOME, "more than {SOME} people are wanted");
    let scratch = Scratch::below(Path::new(&disk), "ledger-bench");
    let head = head(scratch.path(), many);
    println!("{head}");
    let mut tables = Vec::new();
    let mut show = |table: Table| {
        println!("{table}");
        tables.push(table);
    };
    let grounds = fill(many, scratch.path());
    decisions::measure(&grounds).into_iter().for_each(&mut show);
    let some: Vec<&Ground> = of(&grounds, SOME);
    show(storm::measure(&some));
    let traces = still::can_trace();
    if traces {
        show(still::measure(&some, scratch.path()));
    } else {
        println!("Rows that need strace are left out: it is not here, or may not trace.\n");
    }
    let small = grounds.iter().filter(|ground| ground.people < many);
    small.for_each(Ground::restore);
    show(sizes::on_disk(&grounds));
    show(sizes::in_memory(&some, traces, scratch.path()));
    match fleet::measure() {
        Some(table) => show(table),
        None => println!("The fleet's ledger is left out: there is no redis-server.\n"),
    }
    if many == MANY {
        write(&head, &tables);
    } else {
        println!(
            "docs/ledger-benchmarks.md stays as it is: it is about {} people.",
            thousands(MANY)
        );
    }
}

/// The head of the report.
fn head(disk: &Path, people: u64) -> String {
    let facts = machine::facts(&[
        ("file system", machine::file_system(disk)),
        ("known people", format!("up to {}", thousands(people))),
    ]);
    format!(
        "# Benchmarks of the ledger\n\nWhat one decision of the ledger costs, beside the usual engines. \
         Written by `make bench-ledger`, which measures all\nof it in one run on one disk; figures are \
         medians, and a ratio is against the same run.\n\n{facts}"
    )
}

/// Every engine with one person, some, and many.
fn fill(many: u64, disk: &Path) -> Vec<Ground> {
    let mut grounds = Vec::new();
    for people in [1, SOME, many] {
        for engine in ENGINES {
            eprintln!("filling {engine} with {}", thousands(people));
            grounds.push(Ground::fill(engine, people, disk, people < many));
        }
    }
    grounds
}

/// Those with so many people.
fn of(grounds: &[Ground], people: u64) -> Vec<&Ground> {
    let some = grounds.iter();
    some.filter(|ground| ground.people == people).collect()
}

fn write(head: &str, tables: &[Table]) {
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let choice = include_str!("choice.md");
    let text = format!("{head}\n{}\n{choice}", tables.join("\n"));
    std::fs::write(REPORT, text).expect("docs/ledger-benchmarks.md");
    println!("written to docs/ledger-benchmarks.md");
}
