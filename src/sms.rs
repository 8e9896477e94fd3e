//! Sends texts to phone numbers. Users are unknown here.
#![forbid(unsafe_code)]

mod segments;
pub mod twilio;

use std::time::Duration;

use crate::{deadline::Deadline, failure::Failure, phone::Phone, prefetch::Permit, secret::Secret};

pub use segments::segments;

/// A provider that delivers texts, as one login uses it.
pub trait Carrier {
    /// Starts to connect in the background, if possible, and does not wait. Nothing is sent: the first
    /// factor is not verified yet.
    fn begin(&mut self, _permit: Permit) {}

    /// Closes a background connection that was not used yet.
    fn close(&mut self) {}

    /// Sends a text, which the provider may discard after `validity`.
    ///
    /// # Errors
    /// The provider did not accept it, or gave no answer ([`SendError::may_be_sent`]).
    fn send(
        &mut self,
        to: &Phone,
        text: &Secret,
        validity: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError>;
}

/// A text that the provider has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The provider's identifier of the message. `None`: the text was accepted, but the response
    /// contains no readable identifier.
    pub sid: Option<String>,
    /// How long sending took, waits included.
    pub took: Duration,
}

/// Why a text was not accepted. The provider's own words are never repeated in it: they may contain
/// the phone number, the text or a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendError {
    pub failure: Failure,
    /// Whether the text may be delivered all the same: at least a part of the request was sent, and no
    /// response refuses it. If `false`, it is certain that it is not delivered.
    pub may_be_sent: bool,
}

impl SendError {
    /// A failure after which it is certain that the text is not delivered.
    pub(crate) const fn not_sent(failure: Failure) -> Self {
        Self {
            failure,
            may_be_sent: false,
        }
    }

    /// A failure that leaves open whether the text is delivered.
    pub(crate) const fn unknown(failure: Failure) -> Self {
        Self {
            failure,
            may_be_sent: true,
        }
    }
}
