//! Carries a text to a phone, knowing nothing of users.
#![forbid(unsafe_code)]

mod segments;
pub mod twilio;

use std::{fmt, time::Duration};

pub use segments::segments;

/// A text that the carrier has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The carrier's own number for it. `None`: it was taken, but what was said about it could not
    /// be read.
    pub sid: Option<String>,
    /// How long that took, waiting included.
    pub took: Duration,
}

/// Whose fault it is that a text was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The carrier is out of reach, or not itself.
    Outage,
    /// The carrier refuses us, or cannot prove who it is: a matter of settings and accounts.
    Refused,
    /// The carrier refuses this phone number.
    NumberRefused,
    /// Too many texts.
    Limited,
    /// Something is wrong on this machine.
    Local,
}

/// Why a text was not taken. Everything in it is one line of printable ASCII, and without number,
/// text or token: the carrier's own words, which may hold all three, are never repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Whose fault it is.
    pub kind: Kind,
    /// The carrier's number for it.
    pub code: Option<u32>,
    what: String,
    remedy: String,
    may_be_sent: bool,
}

impl Error {
    /// Puts one together, of a text that may be sent: whoever knows better says so.
    pub(crate) fn new(
        kind: Kind,
        code: Option<u32>,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            code,
            what: what.into(),
            remedy: remedy.into(),
            may_be_sent: true,
        }
    }

    /// The same of a text that surely was not sent.
    pub(crate) fn not_sent(self) -> Self {
        Self {
            may_be_sent: false,
            ..self
        }
    }

    /// Whether the text may be on its way all the same: it was handed over, at least in part, and
    /// no answer says that it was refused. Of `false` it is certain that nobody gets it.
    #[must_use]
    pub const fn may_be_sent(&self) -> bool {
        self.may_be_sent
    }

    /// What an administrator can do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        &self.remedy
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Error {}
