//! Tables of engines.

pub use lab::table::{bytes, digits, median, ms, ratio, thousands};

use std::fmt;

/// A table whose rows are engines.
pub struct Table(pub lab::table::Table);

impl Table {
    pub fn new(title: &'static str, says: &str, head: &[&str]) -> Self {
        Self(lab::table::Table::new(title, says, head))
    }

    pub fn row(&mut self, engine: &str, cells: impl IntoIterator<Item = String>) {
        self.0.row(called(engine), cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an engine is called in a table.
fn called(engine: &str) -> &str {
    match engine {
        "nothing" => "a process alone",
        "floor" => "floor: one record",
        "own" => "**this ledger**",
        "lmdb" => "LMDB",
        "sqlite" => "SQLite",
        other => other,
    }
}
