//! Measures the cost of one decision of the ledger, all in one run on one disk, and writes the report.
//! `bench [USERS [DISK]]`: by default a million users, with files below /var/tmp.
//!
//! No time makes the benchmark fail.
#![forbid(unsafe_code)]
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "it measures: it reads clocks and files"
)]

mod data_dir;
mod decisions;
mod program;
mod redis;
mod sizes;
mod stopped;
mod storm;
mod table;

use data_dir::DataDir;
use lab::scratch::Scratch;
use lab::system_info;
use std::path::Path;
use table::{Table, thousands};

/// The engines that store data on this host; the first one is the one to compare with.
pub const ENGINES: [&str; 4] = ["floor", "own", "lmdb", "sqlite"];
/// The largest number of users, by default.
const DEFAULT_USERS: u64 = 1_000_000;
/// The number of known users in the test with many processes.
const STORM_USERS: u64 = 1000;
/// Not below /tmp, which may be a tmpfs.
const DISK: &str = "/var/tmp";
const REPORT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/ledger-benchmarks.md"
);

fn main() {
    lab::interrupt::end_tidily().expect("a handler of SIGINT");
    let mut args = std::env::args().skip(1);
    let max = args.next();
    let max = max.map_or(DEFAULT_USERS, |users| {
        users.parse().expect("a number of users")
    });
    let disk = args.next().unwrap_or_else(|| DISK.to_owned());
    assert!(
        max > STORM_USERS,
        "the number of users must be larger than {STORM_USERS}"
    );
    let scratch = Scratch::below(Path::new(&disk), "ledger-bench");
    let head = head(scratch.path(), max);
    println!("{head}");
    let mut tables = Vec::new();
    let mut show = |table: Table| {
        println!("{table}");
        tables.push(table);
    };
    let data_dirs = fill(max, scratch.path());
    decisions::measure(&data_dirs)
        .into_iter()
        .for_each(&mut show);
    let storm: Vec<&DataDir> = of(&data_dirs, STORM_USERS);
    show(storm::measure(&storm));
    let can_trace = stopped::can_trace();
    if can_trace {
        show(stopped::measure(&storm, scratch.path()));
    } else {
        println!("Rows that need strace are left out: strace is missing or may not trace.\n");
    }
    let small = data_dirs.iter().filter(|data_dir| data_dir.users < max);
    small.for_each(DataDir::restore);
    show(sizes::on_disk(&data_dirs));
    show(sizes::in_memory(&storm, can_trace, scratch.path()));
    match redis::measure() {
        Some(table) => show(table),
        None => println!("The shared ledger is left out: redis-server is not installed.\n"),
    }
    if max == DEFAULT_USERS {
        write(&head, &tables);
    } else {
        println!(
            "docs/ledger-benchmarks.md is unchanged: it needs a run with {} users.",
            thousands(DEFAULT_USERS)
        );
    }
}

/// Returns the head of the report.
fn head(disk: &Path, users: u64) -> String {
    let facts = system_info::facts(&[
        ("file system", system_info::file_system(disk)),
        ("known users", format!("up to {}", thousands(users))),
    ]);
    format!(
        "# Benchmarks of the ledger\n\nThe cost of one decision of the ledger, compared with general storage engines. \
         `make bench-ledger` writes this\nfile and measures all of it in one run on one disk. Figures are \
         medians; a ratio compares with the same run.\n\n{facts}"
    )
}

/// Fills every engine with one user, the users of the storm, and the maximum.
fn fill(max: u64, disk: &Path) -> Vec<DataDir> {
    let mut data_dirs = Vec::new();
    for users in [1, STORM_USERS, max] {
        for engine in ENGINES {
            eprintln!("filling {engine} with {}", thousands(users));
            data_dirs.push(DataDir::fill(engine, users, disk, users < max));
        }
    }
    data_dirs
}

/// Returns the data directories with this number of users.
fn of(data_dirs: &[DataDir], users: u64) -> Vec<&DataDir> {
    let some = data_dirs.iter();
    some.filter(|data_dir| data_dir.users == users).collect()
}

fn write(head: &str, tables: &[Table]) {
    let tables: Vec<String> = tables.iter().map(ToString::to_string).collect();
    let choice = include_str!("choice.md");
    let text = format!("{head}\n{}\n{choice}", tables.join("\n"));
    std::fs::write(REPORT, text).expect("docs/ledger-benchmarks.md");
    println!("written to docs/ledger-benchmarks.md");
}
