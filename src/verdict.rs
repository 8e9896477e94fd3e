//! How a login ends: outcomes, reasons, the proofs a success is made of, and the PAM code of each.
//!
//! A [`Granted`] can be built from two proofs only, and both must belong to the same login. The
//! proofs have private fields and are made by one room each: [`directory`] (this password),
//! [`policy`] (sshd has proved one, or the settings say the stack has; a named exemption from the
//! code), [`code`] (this code, in time). So a wrong success does not compile. All names below are right,
//! and a login's number can be had, so each fails for its own reason:
//!
//! ```
//! use sms_otp::{
//!     code::{Code, CodeProof, Typed},
//!     deadline::Moment,
//!     directory::PasswordProof,
//!     id::LoginId,
//!     policy::{Exemption, SshProof},
//!     verdict::{First, Granted, Second},
//! };
//! let _ = LoginId([0; 4]);
//! fn proofs(code: &CodeProof, password: &PasswordProof) -> [LoginId; 2] {
//!     [code.login(), password.login()]
//! }
//! fn granted(login: LoginId, first: &First, second: Second) -> Option<Granted> {
//!     Granted::new(login, first, second)
//! }
//! fn earned(granted: &Granted, _: &SshProof) -> (LoginId, bool) {
//!     let exemption: Option<&Exemption> = granted.exemption();
//!     (granted.login(), exemption.is_some())
//! }
//! fn once(code: Code, typed: &Typed, now: Moment) -> bool {
//!     code.check(typed, now).is_ok()
//! }
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{code::CodeProof, id::LoginId};
//! // No room but `code` can say that a code was right.
//! let forged = CodeProof { login: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{directory::PasswordProof, id::LoginId};
//! // No room but `directory` can say that a password was right.
//! let forged = PasswordProof { login: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{policy::SshProof, id::LoginId};
//! // Only what sshd wrote makes this one.
//! let forged = SshProof { login: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{id::LoginId, policy::Exemption};
//! // Nor can an exemption be had without the policy that names it.
//! let forged = Exemption { login: LoginId([0; 4]), earned_by: LoginId([0; 4]) };
//! ```
//! ```compile_fail,E0451
//! use sms_otp::{id::LoginId, verdict::Granted};
//! // Nor can the success itself be written down.
//! let forged = Granted { login: LoginId([0; 4]), exemption: None };
//! ```
//! ```compile_fail,E0061
//! use sms_otp::{id::LoginId, verdict::{First, Granted}};
//! // One factor is not enough.
//! fn half(login: LoginId, first: &First) {
//!     let _ = Granted::new(login, first);
//! }
//! ```
//! ```compile_fail,E0382
//! use sms_otp::{code::{Code, Typed}, deadline::Moment};
//! // A code is used up by comparing it.
//! fn twice(code: Code, typed: &Typed, now: Moment) {
//!     let _ = code.check(typed, now);
//!     let _ = code.check(typed, now);
//! }
//! ```
#![forbid(unsafe_code)]

//!
//! [`directory`]: crate::directory
//! [`policy`]: crate::policy
//! [`code`]: crate::code

use protocol::Code as Pam;

use crate::{
    code::CodeProof,
    directory::PasswordProof,
    failure::{Failure, FailureKind},
    id::LoginId,
    policy::{Exemption, SshProof, StackProof},
};

/// A first factor, proved.
#[derive(Debug)]
#[must_use]
pub enum First {
    Password(PasswordProof),
    Ssh(SshProof),
    Stack(StackProof),
}

impl First {
    /// The name of [`First::Password`] in the log.
    pub const PASSWORD: &'static str = "password";

    const fn login(&self) -> LoginId {
        match self {
            Self::Password(proof) => proof.login(),
            Self::Ssh(proof) => proof.login(),
            Self::Stack(proof) => proof.login(),
        }
    }

    /// As `first=` names it in the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Password(_) => Self::PASSWORD,
            Self::Ssh(_) => "ssh",
            Self::Stack(_) => "stack",
        }
    }
}

/// A second factor, proved or not needed.
#[derive(Debug)]
#[must_use]
pub enum Second {
    Code(CodeProof),
    Exempt(Exemption),
}

/// Both factors are proved: the only thing that becomes `PAM_SUCCESS`.
#[derive(Debug)]
#[must_use]
pub struct Granted {
    login: LoginId,
    exemption: Option<Exemption>,
}

impl Granted {
    /// Puts two proofs together. `None` if they are not both of this login (one login's right
    /// code does not open another), or if neither of them is ours: what the settings say of a
    /// stack and an exemption make no success.
    #[must_use]
    pub fn new(login: LoginId, first: &First, second: Second) -> Option<Self> {
        let (of, exemption) = match (first, second) {
            (First::Stack(_), Second::Exempt(_)) => return None,
            (_, Second::Code(proof)) => (proof.login(), None),
            (_, Second::Exempt(exemption)) => (exemption.login(), Some(exemption)),
        };
        (first.login() == login && of == login).then_some(Self { login, exemption })
    }

    /// The login that is granted.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }

    /// Why no code was asked for, if none was.
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
    /// No code is needed after a first factor that the stack has proved: the stack decides.
    LeftToStack(Exemption),
    /// The person is refused.
    Denied(Denied),
    /// We could not do our work.
    Failed(Failure),
}

/// Why a person is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    WrongPassword,
    PasswordExpired,
    DirectoryLocked,
    /// Not in the directory.
    NoSuchUser(Whose),
    /// Known to NSS as one of the system's own.
    SystemUser(Whose),
    /// Another spelling of such a name, or a name beside one in its entry.
    SystemAlias,
    /// More than one entry.
    Ambiguous,
    /// sshd has proved none.
    NoFirstFactor,
    NotVerified,
    NoNumber,
    /// Its number is outside of `allowed_prefixes`.
    Prefix,
    /// Its number has not been his for long enough.
    NewPhone,
    /// Tries used up.
    WrongCode,
    /// The code's life is over and no SMS is left.
    ExpiredCode,
    /// Three answers that were no code.
    NoCode,
    /// Hung up after the SMS.
    Abandoned,
    /// Hung up before it.
    Cancelled,
    /// No SMS is left: on this handle, or by a limit of the ledger's.
    Limited,
    /// The first SMS of a further call on this handle comes too soon after the last one.
    Paused,
    /// Too many wrong codes, over all logins.
    Locked,
}

/// Whose name was asked for: a caller without an entry is refused, where an unknown user is left
/// to other modules (`user_unknown=ignore`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    User,
    Caller,
}

impl Outcome {
    /// What PAM is told.
    #[must_use]
    pub const fn pam(&self) -> Pam {
        match self {
            Self::Granted(_) => Pam::Success,
            Self::LeftToStack(_) => Pam::Ignore,
            Self::Denied(denied) => denied.pam(),
            Self::Failed(failed) => failed.kind.pam(),
        }
    }
}

impl Denied {
    /// What PAM is told.
    #[must_use]
    pub const fn pam(self) -> Pam {
        match self {
            Self::WrongPassword
            | Self::DirectoryLocked
            | Self::NoSuchUser(Whose::Caller)
            | Self::SystemUser(Whose::Caller)
            | Self::SystemAlias
            | Self::Ambiguous
            | Self::NoFirstFactor => Pam::AuthErr,
            Self::NoSuchUser(Whose::User) | Self::SystemUser(Whose::User) => Pam::UserUnknown,
            // What the same input would reach again: asked once more, many clients send the same.
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

    /// As `reason=` names it in the log.
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
    /// What PAM is told. Only what is wrong elsewhere is an outage: administrators write
    /// `authinfo_unavail=ignore`, and a caller can break things here.
    #[must_use]
    pub const fn pam(self) -> Pam {
        match self {
            Self::Outage => Pam::AuthinfoUnavail,
            Self::NumberRefused | Self::Limited => Pam::MaxTries,
            Self::BadSettings | Self::Refused | Self::Local | Self::Helper => Pam::ServiceErr,
        }
    }
}
