//! The directory: finds the user's entry, verifies the password, reads the verified phone.
#![forbid(unsafe_code)]

mod ber;
mod bind_result;
mod client;
mod dn;
mod entry;
mod failover;
mod failures;
pub(crate) mod ldap;
#[cfg(test)]
#[path = "../tests/support/ldap_server.rs"]
mod ldap_server;
mod password_policy;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod query;
mod relay;
mod result_code;
mod sanitize;
mod service_account;
mod session;
#[cfg(test)]
mod tests;
mod validate;

pub(crate) use client::Client;
pub(crate) use dn::normalize as normalize_dn;
#[cfg(test)]
pub(crate) use entry::Value;
pub(crate) use entry::{Entry, NoPhone};

use crate::{deadline::Deadline, failure::Failure, id::LoginId, prefetch::Permit, secret::Secret};

/// A directory, as one login uses it.
pub(crate) trait Directory {
    /// Starts to search for a name in the background, if possible, and does not wait. The search ends
    /// at `by`.
    fn begin(&mut self, _name: &str, _by: Deadline, _permit: Permit) {}

    /// Closes a background connection whose result was not used yet.
    fn close(&mut self) {}

    /// Finds the entry of a name.
    ///
    /// # Errors
    /// No server gave an answer.
    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, Failure>;

    /// Verifies a password with one bind as this entry.
    ///
    /// # Errors
    /// The password is not verified.
    fn verify_password(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<VerifiedPassword, PasswordError>;
}

/// The result of a search for a user name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    None,
    /// No entry on this server; it refers to other servers that may hold one (search result references).
    /// Those are not asked.
    Elsewhere,
    One(Entry),
    /// More than one entry, so that the user is ambiguous.
    Several,
}

/// A proof that this login's password is the user's.
///
/// Only this module creates one, from a bind that succeeded.
///
/// ```compile_fail,E0451
/// use sms_otp::{directory::PasswordProof, id::LoginId};
/// let forged = PasswordProof { login: LoginId([0; 4]) };
/// ```
///
/// It cannot be used for a second login either.
///
/// ```compile_fail,E0599
/// fn twice(proof: sms_otp::directory::PasswordProof) {
///     let copy = proof.clone();
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct PasswordProof {
    login: LoginId,
}

impl PasswordProof {
    /// Returns the login whose password was verified.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }

    /// Returns a proof without a bind, for the tests of other modules.
    #[cfg(test)]
    pub(crate) const fn for_a_test(login: LoginId) -> Self {
        Self { login }
    }
}

/// A verified password, and what the directory reports beside it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VerifiedPassword {
    pub proof: PasswordProof,
    /// The password has expired, and this many logins remain.
    pub grace: Option<u32>,
}

/// Why a password is not verified. The texts give the reason, in one printable line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PasswordError {
    Wrong,
    /// The password is right, but has expired or must be changed first.
    Expired(String),
    /// The directory refuses the user, for ever or at this time or place.
    Locked(String),
    Failed(Failure),
}
