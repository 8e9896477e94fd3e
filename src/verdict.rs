//! How a login ends: outcomes, reasons, the proofs that a success requires, and the PAM code of each.
//!
//! [`Granted`] is built from two proofs, and both must belong to the same login. The proofs have private
//! fields, and one module each creates them: [`directory`] (this password), [`policy`] (what sshd has
//! verified, or that the settings select `stack`; a named exemption from the code), [`code`] (this code,
//! before it expires). So a wrong success does not compile. All names in the following example are
//! correct, and a login's id is public, so that each failing example fails for its own reason:
//!
//! ```
//! use sms_otp::{
//!     code::{Code, CodeProof, TypedCode},
//!     deadline::Moment,
//!     directory::PasswordProof,
//!     id::LoginId,
//!     policy::{Exemption, SshProof},
//!     verdict::{FirstFactor, Granted, SecondFactor},
//! };
//! let _ = LoginId([0; 4]);
//! fn proofs(code: &CodeProof, password: &PasswordProof) -> [LoginId; 2] {
//!     [code.login(), password.login()]
//! }
//! fn granted(login: LoginId, first: &FirstFactor, second: SecondFactor) -> Option<Granted> {
//!     Granted::new(login, first, second)
//! }
//! fn exempt(granted: &Granted, _: &SshProof) -> (LoginId, bool) {
//!     let exemption: Option<&Exemption> = granted.exemption();
//!     (granted.login(), exemption.is_some())
//! }
//! fn once(code: Code, typed: &TypedCode, now: Moment) -> bool {
//!     code.check(typed, now).is_ok()
//! }
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{code::CodeProof, id::LoginId};
//! // Only `code` creates the proof of a correct code.
//! let forged = CodeProof { login: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{directory::PasswordProof, id::LoginId};
//! // Only `directory` creates the proof of a correct password.
//! let forged = PasswordProof { login: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{policy::SshProof, id::LoginId};
//! // Only what sshd reports creates this proof.
//! let forged = SshProof { login: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{id::LoginId, policy::Exemption};
//! // Only a policy creates an exemption.
//! let forged = Exemption { login: LoginId([0; 4]), earned_by: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{id::LoginId, verdict::Granted};
//! // Nor can a success be created directly.
//! let forged = Granted { login: LoginId([0; 4]), exemption: None };
//! ```
//! ```compile_fail,E0061
//! use sms_otp::{id::LoginId, verdict::{FirstFactor, Granted}};
//! // One factor is not enough.
//! fn half(login: LoginId, first: &FirstFactor) {
//!     let _ = Granted::new(login, first);
//! }
//! ```
//! ```compile_fail,E0382
//! use sms_otp::{code::{Code, TypedCode}, deadline::Moment};
//! // Comparing a code consumes it.
//! fn twice(code: Code, typed: &TypedCode, now: Moment) {
//!     let _ = code.check(typed, now);
//!     let _ = code.check(typed, now);
//! }
//! ```
//!
//! [`directory`]: crate::directory
//! [`policy`]: crate::policy
//! [`code`]: crate::code
#![forbid(unsafe_code)]

use std::time::Duration;

use protocol::Code as Pam;

use crate::{
    code::CodeProof,
    config::Subject,
    directory::PasswordProof,
    failure::{Failure, FailureKind},
    id::LoginId,
    policy::{Exemption, SshProof, StackProof},
};

/// A verified first factor.
#[derive(Debug)]
#[must_use]
pub enum FirstFactor {
    Password(PasswordProof),
    Ssh(SshProof),
    Stack(StackProof),
}

impl FirstFactor {
    /// The name of [`FirstFactor::Password`] in the log.
    pub(crate) const PASSWORD: &'static str = "password";

    const fn login(&self) -> LoginId {
        match self {
            Self::Password(proof) => proof.login(),
            Self::Ssh(proof) => proof.login(),
            Self::Stack(proof) => proof.login(),
        }
    }

    /// Returns the value of `first=` in the log.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => Self::PASSWORD,
            Self::Ssh(_) => "ssh",
            Self::Stack(_) => "stack",
        }
    }
}

/// A second factor, verified or not required.
#[derive(Debug)]
#[must_use]
pub enum SecondFactor {
    Code(CodeProof),
    Exempt(Exemption),
}

/// Both factors are verified: the only value that becomes `PAM_SUCCESS`.
#[derive(Debug)]
#[must_use]
pub struct Granted {
    login: LoginId,
    exemption: Option<Exemption>,
}

impl Granted {
    /// Combines two proofs. `None` if one of them belongs to another login (the correct code of one
    /// login does not grant another), or if this product has verified neither: `stack` with an exemption
    /// is not a success.
    #[must_use]
    pub fn new(login: LoginId, first: &FirstFactor, second: SecondFactor) -> Option<Self> {
        let (second_login, exemption) = match (first, second) {
            (FirstFactor::Stack(_), SecondFactor::Exempt(_)) => return None,
            (_, SecondFactor::Code(proof)) => (proof.login(), None),
            (_, SecondFactor::Exempt(exemption)) => (exemption.login(), Some(exemption)),
        };
        (first.login() == login && second_login == login).then_some(Self { login, exemption })
    }

    /// The login that is granted.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }

    /// Why no code was required, if none was.
    #[must_use]
    pub const fn exemption(&self) -> Option<&Exemption> {
        self.exemption.as_ref()
    }
}

/// How a login ends.
#[derive(Debug)]
#[must_use]
pub enum Outcome {
    Granted(Granted),
    /// No code is required after a first factor that the stack has verified: the stack decides.
    LeftToStack(Exemption),
    Denied(Refusal),
    /// The product could not do its work.
    Failed(Failure),
}

/// A refusal of the user, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Denied,
    /// After which time the user may try again, if that is known.
    pub wait: Option<Duration>,
    /// What the administrator needs to know in addition to the reason.
    pub detail: Option<String>,
}

impl Refusal {
    /// A refusal with one of several causes of its reason.
    pub(crate) fn new(reason: Denied, detail: impl Into<String>) -> Self {
        Self {
            reason,
            wait: None,
            detail: Some(detail.into()),
        }
    }

    /// Sets after which time the user may try again.
    pub(crate) fn with_wait(self, wait: Option<Duration>) -> Self {
        Self { wait, ..self }
    }
}

impl From<Denied> for Refusal {
    fn from(reason: Denied) -> Self {
        Self {
            reason,
            wait: None,
            detail: None,
        }
    }
}

/// Why a user is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    WrongPassword,
    PasswordExpired,
    DirectoryLocked,
    /// Not in the directory. A caller without an entry is refused; an unknown user is left to other
    /// modules (`user_unknown=ignore`).
    NoSuchUser(Subject),
    /// A system user of this machine.
    SystemUser(Subject),
    /// Another spelling of a system user's name, or an entry that also has such a name.
    SystemAlias,
    /// More than one entry.
    Ambiguous,
    /// sshd has verified none.
    NoFirstFactor,
    NotVerified,
    NoNumber,
    /// The number is outside of `allowed_prefixes`.
    Prefix,
    /// The number has not been the user's for long enough.
    NewPhone,
    /// All tries used.
    WrongCode,
    /// The code has expired, and no SMS is left.
    ExpiredCode,
    /// Three inputs that are not a code.
    NoCode,
    /// Disconnected after the SMS.
    Abandoned,
    /// Disconnected before the SMS.
    Cancelled,
    /// No SMS is left on this handle, or by a limit of the ledger.
    Limited,
    /// The first SMS of a further call on this handle comes too soon after the previous one.
    Paused,
    /// Too many wrong codes in several logins.
    Locked,
}

impl Outcome {
    /// Returns the PAM code.
    #[must_use]
    pub const fn pam(&self) -> Pam {
        match self {
            Self::Granted(_) => Pam::Success,
            Self::LeftToStack(_) => Pam::Ignore,
            Self::Denied(refusal) => refusal.reason.pam(),
            Self::Failed(failure) => failure.kind.pam(),
        }
    }
}

impl Denied {
    /// Returns the PAM code.
    const fn pam(self) -> Pam {
        match self {
            Self::WrongPassword
            | Self::DirectoryLocked
            | Self::NoSuchUser(Subject::Caller)
            | Self::SystemUser(Subject::Caller)
            | Self::SystemAlias
            | Self::Ambiguous
            | Self::NoFirstFactor => Pam::AuthErr,
            Self::NoSuchUser(Subject::User) | Self::SystemUser(Subject::User) => Pam::UserUnknown,
            // What the same input would reach again: many clients send the same input when they are
            // prompted again.
            Self::PasswordExpired
            | Self::NotVerified
            | Self::NoNumber
            | Self::Prefix
            | Self::NewPhone
            | Self::NoCode
            | Self::WrongCode
            | Self::ExpiredCode
            | Self::Limited
            | Self::Locked => Pam::MaxTries,
            Self::Paused => Pam::MaxTriesForNow,
            Self::Abandoned | Self::Cancelled => Pam::ConvErr,
        }
    }

    /// Returns the value of `reason=` in the log.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::WrongPassword => "wrong-password",
            Self::PasswordExpired => "password-expired",
            Self::DirectoryLocked => "directory-locked",
            Self::NoSuchUser(_) => "no-such-user",
            Self::SystemUser(_) | Self::SystemAlias => "system-user",
            Self::Ambiguous => "ambiguous",
            Self::NoFirstFactor => "no-first-factor",
            Self::NotVerified => "not-verified",
            Self::NoNumber => "no-number",
            Self::Prefix => "prefix",
            Self::NewPhone => "new-phone",
            Self::WrongCode => "wrong-code",
            Self::ExpiredCode => "expired-code",
            Self::NoCode => "no-code",
            Self::Abandoned => "abandoned",
            Self::Cancelled => "cancelled",
            Self::Limited | Self::Paused => "limited",
            Self::Locked => "locked",
        }
    }
}

impl FailureKind {
    /// Returns the PAM code. Only a problem of another machine is an outage: administrators write
    /// `authinfo_unavail=ignore`, and a caller can cause problems of this machine.
    const fn pam(self) -> Pam {
        match self {
            Self::Outage => Pam::AuthinfoUnavail,
            Self::NumberRefused | Self::Limited => Pam::MaxTries,
            Self::BadSettings | Self::Refused | Self::Local | Self::Helper => Pam::ServiceErr,
        }
    }
}
