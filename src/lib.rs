//! A second factor by SMS: everything that runs outside of the PAM host.
//!
//! ```text
//!  bin/sms-otp-helper         bin/sms-otp
//!        │                        │
//!      helper                   admin          who runs: a login's process, the command
//!        └───────────┬────────────┘
//!                  login                       the story of one login
//!                    │
//!                 verdict                      outcomes, and the proofs that a success is made of
//!    ┌───────┬───────┬─┴─────┬───────┬───────┐
//!  policy directory ledger code     sms   auth_log  each knows one thing; none knows another
//!    └───────┴───────┴─┬─────┴───────┴───────┘
//!  phone config net prefetch sys deadline failure secret id  the ground: facts and tools without opinions
//! ```
//!
//! Imports run down this picture only, and `tests/drift.rs` reads the `use` lines to see that
//! they do. The auth log alone also imports the verdict, the ledger and the SMS: it writes their
//! names and results.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        reason = "a test that panics is a test that fails"
    )
)]

/// The administrator's command.
pub mod admin;
/// The log of one login: what is logged, and what never is.
pub mod auth_log;
/// A one-time code: drawn, compared, wiped.
pub mod code;
/// What the administrator has settled.
pub mod config;
/// One budget of time, handed down.
pub mod deadline;
/// Who this is: one entry, its password proved, its verified phone.
pub mod directory;
/// Why something could not be done.
pub mod failure;
/// One login's process.
pub mod helper;
/// One login's number.
pub mod id;
/// What was sent and tried.
pub mod ledger;
/// The story of one login.
pub mod login;
/// Connections and TLS roots.
pub mod net;
/// A number: E.164 for the carrier, masked for everyone else.
pub mod phone;
/// Who is to prove himself, and whether something before us has proved a factor.
pub mod policy;
/// Connections that are opened while the user types.
pub mod prefetch;
/// Bytes that print nothing and wipe themselves.
pub mod secret;
/// Carries a text to a phone.
pub mod sms;
/// System calls.
pub mod sys;
/// How a login ends.
pub mod verdict;

/// Seeds of the fuzzers and what small damage makes of them: the properties that each room states.
#[cfg(test)]
#[path = "../fuzz/mutation.rs"]
mod mutation;

/// Fake servers and models for the unit tests.
#[cfg(test)]
#[path = "../tests/support"]
mod test_support {
    pub(crate) mod net_server;
}
