//! Who this is: one entry, its password proved, its verified phone.
//!
//! The room says what it found; what becomes of a login is for the story to say.
#![forbid(unsafe_code)]

mod answer;
mod ber;
mod dn;
mod entry;
mod gate;
pub mod ldap;
mod miss;
mod passwordpolicy;
mod phonebook;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod query;
mod relay;
mod said;
mod service_account;
mod session;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod tests;

use std::fmt;

pub use dn::normal as normal_dn;
pub use entry::{Entry, NoPhone, Value};
pub use phonebook::Phonebook;

use crate::{deadline::Deadline, id::LoginId, prefetch::Permit, secret::Secret};

/// A directory, as one login uses it.
pub trait Directory {
    /// Starts to search for a name in the background, if possible, and does not wait. The search ends
    /// at `by`.
    fn begin(&mut self, _name: &str, _by: Deadline, _permit: Permit) {}

    /// Closes a background connection whose result was not used yet.
    fn close(&mut self) {}

    /// Finds the entry of a name.
    ///
    /// # Errors
    /// No server gave an answer.
    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, Error>;

    /// Verifies a password with one bind as this entry.
    ///
    /// # Errors
    /// The password is not verified.
    fn prove(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<Proved, Unproved>;
}

/// Whom a name stands for in the directory.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nobody.
    None,
    /// Nobody here; the server names others that may hold the entry (search result references), and
    /// those are not asked.
    Elsewhere,
    /// This one.
    One(Entry),
    /// More than one: no telling who it is.
    Several,
}

/// This login's password is the person's own: the directory has said so.
///
/// Only this room makes one, out of a bind that succeeded.
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
    /// Whose password: the login's that asked.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }

    /// A proof out of thin air, for the tests of other rooms.
    #[cfg(test)]
    pub const fn for_a_test(login: LoginId) -> Self {
        Self { login }
    }
}

/// A verified password, and what the directory says beside it.
#[derive(Debug, PartialEq, Eq)]
pub struct Proved {
    pub proof: PasswordProof,
    /// The password has expired, and this many more logins are left.
    pub grace: Option<u32>,
}

/// Why the directory did not answer the question. The texts are one printable line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Out of reach, refused the connection, too slow, cut off, overloaded, or not LDAP.
    Outage(String),
    /// A server refuses us (not the person), or its certificate does not verify.
    Refused {
        /// What happened.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// Something is wrong on this machine.
    Local(String),
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Outage(_) => {
                "Check that the servers in [ldap] uris run, and that this host reaches them."
            }
            Self::Refused { remedy, .. } => remedy,
            Self::Local(_) => {
                "Check ca_file and filter in [ldap], memory and open files of this host."
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outage(what) | Self::Refused { what, .. } | Self::Local(what) => {
                f.write_str(what)
            }
        }
    }
}

impl std::error::Error for Error {}

/// Why a password is not proved. The texts say how we know, in one printable line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproved {
    /// It is not this person's password.
    Wrong,
    /// It is right, and has expired or must be changed first.
    Expired(String),
    /// The directory lets this person in no more, or not here and now.
    Locked(String),
    /// Nobody knows: the directory did not answer the question.
    Error(Error),
}
