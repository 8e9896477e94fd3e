//! What a command prints.
#![forbid(unsafe_code)]

use crate::{failure::Failure, ledger::Backend};

/// The reason why a command did nothing, in one line.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandError(pub String);

/// The output of a command: text for stdout, and errors of what failed for stderr.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub text: String,
    pub errors: Vec<String>,
}

impl Report {
    /// A report without errors.
    pub const fn of(text: String) -> Self {
        let errors = Vec::new();
        Self { text, errors }
    }

    /// Adds the failure of one ledger.
    pub fn add_failure(&mut self, backend: Backend, failure: &Failure) {
        self.errors.push(format!("{backend}: {}", failure.detail()));
    }
}
