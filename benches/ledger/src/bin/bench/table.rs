//! Tables with a row for each engine.

pub use lab::table::{bytes, digits, median, ms, ratio, thousands};

use std::fmt;

/// A table whose rows are engines.
pub struct Table(pub lab::table::Table);

impl Table {
    pub fn new(title: &'static str, caption: &str, head: &[&str]) -> Self {
        Self(lab::table::Table::new(title, caption, head))
    }

    pub fn row(&mut self, engine: &str, cells: impl IntoIterator<Item = String>) {
        self.0.row(title(engine), cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns the name of an engine in a table.
fn title(engine: &str) -> &str {
    match engine {
        "noop" => "process without a store",
        "floor" => "floor: one record",
        "own" => "**this ledger**",
        "lmdb" => "LMDB",
        "sqlite" => "SQLite",
        other => other,
    }
}
