//! What is wrong with the settings, where, and what to do: in words that never repeat a value,
//! because a value may be the token.
#![forbid(unsafe_code)]

use std::fmt;

use super::{Part, Unsafe};

/// Why there are no settings. One line each: [`Display`](fmt::Display) says what happened,
/// [`Error::remedy`] what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Path of the settings.
    pub file: String,
    /// Where in it.
    pub line: Option<usize>,
    /// The key's whole name, empty if it is about no single key.
    pub key: String,
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The settings file is not read.
    Unread(Unsafe),
    /// It holds a secret and others can read it.
    Exposed {
        mode: u32,
    },
    NotUtf8,
    NotToml {
        column: usize,
    },
    /// A key or section stands twice.
    Twice {
        column: usize,
    },
    /// No such key.
    Unknown {
        nearest: Option<String>,
    },
    /// A section is something else.
    NotASection,
    /// A section of a service that cannot be PAM's name for one.
    NotAService,
    /// The key exists, but not for a single service.
    NotPerService,
    /// This version does not honour it yet.
    Later(Part),
    /// The value is not what the key allows.
    Value {
        /// What is wrong with it; may be empty.
        why: &'static str,
        allowed: &'static str,
    },
    Missing {
        allowed: &'static str,
    },
    /// It excludes another key that is there.
    Beside {
        other: String,
    },
    /// It says nothing without another key.
    Without {
        other: &'static str,
    },
    /// The file that it names is not read.
    File(Unsafe),
    /// The file that it names holds something else.
    Content {
        path: String,
        why: &'static str,
        allowed: &'static str,
    },
    /// `ldap://` to another machine without TLS.
    InTheClear,
    /// `ldap://` without TLS on a port of this machine that a local user may take.
    UnprivilegedPort {
        /// Ports below this one are root's.
        below: u16,
    },
    /// A proxy on another machine, for a plain `http://`.
    ProxyInTheClear,
    /// `start_tls` without an `ldap://`.
    NothingToProtect,
    /// The caller's code for this service, with a first factor that is not the stack's.
    CallerWithoutStack {
        service: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.escape_debug())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unread(why) => why.fmt(f),
            Self::Exposed { mode } => write!(
                f,
                "a secret stands here, and others can read the file (mode {mode:04o}); allowed is \
                 0600, or 0640 if it belongs to root"
            ),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotToml { column } => write!(f, "column {column}: not valid TOML"),
            Self::Twice { column } => {
                write!(f, "column {column}: this key or section stands twice")
            }
            Self::Unknown { nearest: None } => f.write_str("unknown key"),
            Self::Unknown {
                nearest: Some(nearest),
            } => write!(f, "unknown key; the nearest known one is {nearest}"),
            Self::NotASection => f.write_str("a section, not a value; allowed is [name], once"),
            Self::NotAService => f.write_str(
                "not a PAM service; allowed is [service.NAME] with the name of a file in \
                 /etc/pam.d, once",
            ),
            Self::NotPerService => f.write_str(
                "cannot differ by service; allowed are keys of password, code, messages, \
                 limits and policy",
            ),
            Self::Later(part) => write!(
                f,
                "this version does not honour it yet; it comes with the {part} part"
            ),
            Self::Value { why: "", allowed } => write!(f, "not allowed; allowed is {allowed}"),
            Self::Value { why, allowed } => write!(f, "{why}; allowed is {allowed}"),
            Self::Missing { allowed } => write!(f, "missing; allowed is {allowed}"),
            Self::Beside { other } => {
                write!(f, "stands beside {other}; allowed is one of them")
            }
            Self::Without { other } => {
                write!(f, "stands without {other}; allowed only beside that")
            }
            Self::File(why) => write!(f, "the file it names is not read: {why}"),
            Self::Content { path, why, allowed } => {
                let path = path.escape_debug();
                write!(f, "the file it names, {path}: {why}; allowed is {allowed}")
            }
            Self::InTheClear => f.write_str(
                "ldap:// would show passwords to everybody on the way; without start_tls = true \
                 it is allowed for loopback hosts only",
            ),
            Self::UnprivilegedPort { below } => write!(
                f,
                "a local user could listen on this port and receive passwords; ldap:// without \
                 start_tls = true is allowed on loopback ports below {below} only"
            ),
            Self::ProxyInTheClear => f.write_str(
                "would be shown token and codes, as twilio.api_url is http://; with that it is \
                 allowed on loopback hosts only",
            ),
            Self::NothingToProtect => {
                f.write_str("true protects nothing: none of ldap.uris begins with ldap://")
            }
            Self::CallerWithoutStack { service } => without_stack(f, service),
        }
    }
}

fn without_stack(f: &mut fmt::Formatter<'_>, service: &str) -> fmt::Result {
    write!(
        f,
        "\"caller\" is allowed only with password.source = \"stack\", which service {} does not have",
        service.escape_debug()
    )
}

impl Error {
    /// Whether the settings may be right, and this machine could not read them.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        match &self.fault {
            Fault::Unread(why) | Fault::File(why) => why.is_local(),
            _ => false,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        match &self.fault {
            Fault::Unread(why) | Fault::File(why) => why.remedy(),
            Fault::Exposed { .. } => format!(
                "chmod 0600 {}, or keep the secret in a file of its own ({}_file); and change it: \
                 others could read it",
                self.file.escape_debug(),
                self.key
            ),
            Fault::NotUtf8 => "save the file as UTF-8".into(),
            Fault::NotToml { .. } => {
                "write key = value, one a line, texts in quotes, below [section]; see \
                 sms_otp.toml(5)"
                    .into()
            }
            Fault::Twice { .. } => "keep one of the two".into(),
            Fault::Unknown { .. } => "correct its name or remove it; see sms_otp.toml(5)".into(),
            Fault::NotASection => "write [name] on a line and its keys below it".into(),
            Fault::NotAService => "correct the name or remove the section".into(),
            Fault::NotPerService => "move it to its own section: it counts for all".into(),
            Fault::Later(_) => "remove it".into(),
            Fault::Value { .. } => "correct the value; see sms_otp.toml(5)".into(),
            Fault::Missing { .. } => "add it; see sms_otp.toml(5)".into(),
            Fault::Beside { .. } => "remove one of them".into(),
            Fault::Without { other } => format!("add {other} or remove this"),
            Fault::Content { .. } => "correct that file, or name another".into(),
            Fault::InTheClear => "write ldaps://, or start_tls = true".into(),
            Fault::UnprivilegedPort { .. } => {
                "write ldapi:// (a socket in a folder of root's), ldaps://, or start_tls = true"
                    .into()
            }
            Fault::ProxyInTheClear => "write https:// in twilio.api_url, or remove it".into(),
            Fault::NothingToProtect => "remove it: ldaps:// is protected without it".into(),
            Fault::CallerWithoutStack { service } => format!(
                "set password.source = \"stack\" in [service.{}], or policy.subject = \"user\"",
                service.escape_debug()
            ),
        }
    }
}
