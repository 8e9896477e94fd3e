//! Formats that the pages of `status` share.
#![forbid(unsafe_code)]

use std::{fmt::Write as _, time::Duration};

use serde_json::Value;

/// One ledger's part of the report, as text and as JSON.
pub struct Page {
    pub text: String,
    pub json: Value,
}

/// Adds a line of a name and a value.
pub fn add_line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<18}{value}");
}

/// Whole seconds, rounded up: after that time the wait is over.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0))
}
