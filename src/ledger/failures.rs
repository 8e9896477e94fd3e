//! How a ledger fails.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use crate::failure::{Failure, FailureKind, Stage};

/// A failure of a ledger. Kind outage: the shared ledger cannot be reached or does not work. Refused:
/// it refuses this host, or its certificate does not verify. Local: something is wrong on this machine.
pub(super) fn failure(
    kind: FailureKind,
    what: impl Into<String>,
    remedy: impl Into<Cow<'static, str>>,
) -> Failure {
    Failure::new(Stage::Ledger, kind, what, remedy)
}
