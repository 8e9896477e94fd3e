//! Tables of results, readable as text and as Markdown. Ratios come before absolute values.
#![forbid(unsafe_code)]
#![allow(clippy::cast_precision_loss, reason = "three digits are printed")]

use std::fmt::{self, Write};
use std::time::Duration;

/// A table with a title and an explanation of its rows.
#[derive(Debug)]
pub struct Table {
    pub title: &'static str,
    pub caption: String,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &'static str, caption: &str, head: &[&str]) -> Self {
        Self {
            title,
            caption: caption.to_owned(),
            rows: vec![head.iter().map(ToString::to_string).collect()],
        }
    }

    pub fn row(&mut self, what: &str, cells: impl IntoIterator<Item = String>) {
        let row = std::iter::once(what.to_owned()).chain(cells);
        self.rows.push(row.collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## {}\n\n{}\n", self.title, wrapped(&self.caption))?;
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (place, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "| {cell:width$} ")?;
            }
            writeln!(f, "{line}|")?;
            if place == 0 {
                let rules = widths
                    .iter()
                    .map(|width| format!("| {} ", "-".repeat(*width)));
                writeln!(f, "{}|", rules.collect::<String>())?;
            }
        }
        Ok(())
    }
}

/// Wraps a text at 100 characters.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 100;
    let mut lines = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count() + 1;
        if length > 0 {
            let over = length + more > WIDTH;
            lines.push(if over { '\n' } else { ' ' });
            length = if over { 0 } else { length };
        }
        lines.push_str(word);
        length += more;
    }
    lines
}

/// Returns the median.
pub fn median<T: Copy + Ord>(mut all: Vec<T>) -> T {
    all.sort_unstable();
    all[all.len() / 2]
}

/// Formats `1.3 × (0.42 ms)`: relative to another time of the same run.
pub fn ratio(time: Duration, to: Duration) -> String {
    let ratio = time.as_secs_f64() / to.as_secs_f64();
    format!("{} × ({})", digits(ratio), ms(time))
}

pub fn ms(time: Duration) -> String {
    format!("{} ms", digits(time.as_secs_f64() * 1000.0))
}

pub fn bytes(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    if kib < 10_000.0 {
        format!("{} KiB", digits(kib))
    } else {
        format!("{} MiB", digits(kib / 1024.0))
    }
}

/// Formats a number with about three significant digits.
pub fn digits(number: f64) -> String {
    let places = match number {
        number if number >= 100.0 => 0,
        number if number >= 10.0 => 1,
        number if number >= 0.1 || number <= 0.0 => 2,
        _ => 4,
    };
    format!("{number:.places$}")
}

/// `1,000,000`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
