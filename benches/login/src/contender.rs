//! One login method that is measured: a PAM stack, and the answers to its prompts.

use crate::testbed::{TestUser, Testbed};

/// Returns what the user types at a prompt.
pub type Answer = fn(&Testbed, &TestUser, prompt: &str) -> String;

/// A login method. Its stack is a file in the testbed's directory.
#[derive(Clone, Debug)]
pub struct Contender {
    /// The name in tables.
    pub name: &'static str,
    /// The PAM service.
    pub service: &'static str,
    pub answer: Answer,
    /// Whether a code is sent by SMS, so that there is a wait to measure.
    pub by_sms: bool,
    /// Whether a login takes so much processor time that a rate needs fewer logins.
    pub slow: bool,
}
