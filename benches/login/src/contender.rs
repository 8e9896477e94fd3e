//! One way to log in that is measured: a PAM stack, and what a person types at its prompts.

use crate::ground::{Ground, Who};

/// What a person types at this prompt.
pub type Types = fn(&Ground, &Who, prompt: &str) -> String;

/// A way to log in. Its stack is a file of its own in the ground's folder.
#[derive(Clone, Debug)]
pub struct Contender {
    /// In tables.
    pub name: &'static str,
    /// The PAM service.
    pub service: &'static str,
    pub types: Types,
    /// Whether a code comes by SMS, so that there is a wait to be measured.
    pub by_sms: bool,
    /// Whether a storm of it would take the bench long.
    pub slow: bool,
}
