//! Failures: where, of which kind, what happened, and what the administrator can do.
//!
//! Every module that works with servers, files or this system returns a [`Failure`], and the login ends
//! with it. The text of a failure and its remedy are side by side in the code, where the failure is
//! recognized.
#![forbid(unsafe_code)]

use std::borrow::Cow;

/// Why something failed. All texts are one line of printable ASCII, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub stage: Stage,
    pub kind: FailureKind,
    /// The error number of the SMS provider.
    pub code: Option<u32>,
    /// What happened.
    pub what: String,
    /// What the administrator can do about it. Empty if nothing is known to help.
    pub remedy: Cow<'static, str>,
}

impl Failure {
    pub fn new(
        stage: Stage,
        kind: FailureKind,
        what: impl Into<String>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            stage,
            kind,
            code: None,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    /// Returns what happened and what to do, for `detail=` in the log.
    #[must_use]
    pub fn detail(&self) -> String {
        if self.remedy.is_empty() {
            return self.what.clone();
        }
        format!("{}: {}", self.what, self.remedy)
    }
}

/// Where a login failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Settings,
    Policy,
    Directory,
    Ledger,
    Code,
    Twilio,
    Helper,
}

impl Stage {
    /// Returns the value of `stage=` in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Policy => "policy",
            Self::Directory => "directory",
            Self::Ledger => "ledger",
            Self::Code => "code",
            Self::Twilio => "twilio",
            Self::Helper => "helper",
        }
    }
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    BadSettings,
    /// A server cannot be reached or does not work.
    Outage,
    /// A server refuses this host, or its certificate does not verify.
    Refused,
    /// The SMS provider refuses this phone number.
    NumberRefused,
    /// The SMS provider allows no more requests now.
    Limited,
    /// This machine lacks something.
    Local,
    /// A fault of the helper itself.
    Helper,
}

impl FailureKind {
    /// Returns the value of `reason=` in the log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadSettings => "bad-settings",
            Self::Outage => "outage",
            Self::Refused => "refused",
            Self::NumberRefused => "number-refused",
            Self::Limited => "limited",
            Self::Local => "local",
            Self::Helper => "helper",
        }
    }
}
