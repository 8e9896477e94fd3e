//! Second factor by SMS: everything that runs outside of the PAM host process.
//!
//! ```text
//!  bin/sms-otp-helper         bin/sms-otp
//!        │                        │
//!      helper                   admin          entry points: the process of one login, the command
//!        └───────────┬────────────┘
//!                  login                       the sequence of one login
//!                    │
//!                auth_log                      the log of one login
//!                    │
//!                 verdict                      outcomes, and the proofs that a success requires
//!    ┌───────┬───────┴─┬───────┐
//!  policy directory ledger code sms            one subject each; they do not import each other
//!    └───────┴───────┬─┴───────┘
//!  config phone net prefetch sys deadline failure secret id    types and tools
//! ```
//!
//! Imports run down this picture only. A test reads the `use` lines (`tests/drift/imports.rs`), also
//! between the files of one module.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        reason = "a test that panics fails"
    )
)]

/// The administrator's command.
pub mod admin;
/// The log of one login: what is logged, and what never is.
pub(crate) mod auth_log;
/// One-time codes: generated, compared, wiped.
pub mod code;
/// Settings.
pub mod config;
/// The clock, and deadlines.
pub mod deadline;
/// The directory: finds the user's entry, verifies the password, reads the verified phone number.
pub mod directory;
/// Failures: what happened, and what the administrator can do.
pub(crate) mod failure;
/// The process of one login.
pub mod helper;
/// The id of a login.
pub mod id;
/// The ledger: which SMS were sent, which codes were attempted, which logins are remembered.
pub mod ledger;
/// The sequence of one login.
pub mod login;
/// Connections and TLS.
pub mod net;
/// Phone numbers: E.164 for the SMS provider, masked for everything else.
pub mod phone;
/// Who has to authenticate, and who needs a code.
pub mod policy;
/// Connections that are opened while the user types.
pub mod prefetch;
/// Secret texts: not printable, and wiped.
pub mod secret;
/// SMS delivery.
pub mod sms;
/// System calls.
pub mod sys;
/// How a login ends.
pub mod verdict;

/// Seeds of the fuzzers and small changes of them, for the tests of properties.
#[cfg(test)]
#[path = "../fuzz/mutation.rs"]
mod mutation;

/// Fake servers and models for the unit tests.
#[cfg(test)]
#[path = "../tests/support"]
mod test_support {
    pub(crate) mod net_server;
}
