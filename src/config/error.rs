//! Errors in the settings: what is wrong, where, and what to do. No text repeats a value, because a
//! value may be a secret.
#![forbid(unsafe_code)]

use std::fmt;

use super::Unsafe;

/// Why there are no settings. [`Display`](fmt::Display) gives what happened, and [`Error::remedy`] what
/// to do, in one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// The path of the settings.
    pub file: String,
    pub line: Option<usize>,
    /// The full path of the key; empty if the error is not about a single key.
    pub key: String,
    pub fault: Fault,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The settings file cannot be used.
    Unread(Unsafe),
    /// The settings file contains a secret, and others can read it.
    Exposed {
        mode: u32,
    },
    NotUtf8,
    NotToml {
        column: usize,
    },
    Duplicate {
        column: usize,
    },
    /// No such key.
    Unknown {
        nearest: Option<String>,
    },
    /// A value in place of a section.
    NotASection,
    /// The name of a section cannot be that of a PAM service, or is a duplicate.
    NotAService,
    /// The key cannot be set per service.
    NotPerService,
    /// The key does not allow the value.
    Value {
        why: &'static str,
        allowed: String,
    },
    Missing {
        allowed: String,
    },
    /// Another key that is set excludes it.
    Conflict {
        other: String,
    },
    /// It has no effect without another key.
    Requires {
        other: &'static str,
    },
    /// The file that the key names cannot be used.
    File(Unsafe),
    /// The file that the key names has invalid content.
    Content {
        path: String,
        why: &'static str,
        allowed: &'static str,
    },
    /// `ldap://` to another host without TLS.
    Unencrypted,
    /// `ldap://` without TLS on a port of this host that a local user can bind.
    UnprivilegedPort {
        /// Ports below this one are reserved for root.
        below: u16,
    },
    /// A proxy on another host, with `http://` to Twilio.
    UnencryptedProxy,
    /// `start_tls` without an `ldap://`.
    NothingToProtect,
    /// The caller's code for this service, although the first factor is not the stack's.
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
                "this is a secret, and others can read the file (mode {mode:04o}); allowed: 0600, or \
                 0640 if root owns the file"
            ),
            Self::NotUtf8 => f.write_str("not UTF-8"),
            Self::NotToml { column } => write!(f, "column {column}: not valid TOML"),
            Self::Duplicate { column } => write!(f, "column {column}: duplicate key or section"),
            Self::Unknown { nearest: None } => f.write_str("unknown key"),
            Self::Unknown {
                nearest: Some(nearest),
            } => write!(f, "unknown key; the nearest known key is {nearest}"),
            Self::NotASection => f.write_str("not a section; allowed: [name], once"),
            Self::NotAService => f.write_str(
                "invalid or duplicate PAM service; allowed: [service.NAME], once, with the name of a \
                 file in /etc/pam.d",
            ),
            Self::NotPerService => f.write_str(
                "cannot be set per service; allowed: keys of password, code, messages, limits and policy",
            ),
            Self::Value { why, allowed } => write!(f, "{why}; allowed: {allowed}"),
            Self::Missing { allowed } => write!(f, "required but not set; allowed: {allowed}"),
            Self::Conflict { other } => write!(f, "conflicts with {other}; set only one"),
            Self::Requires { other } => write!(f, "requires {other}"),
            Self::File(why) => write!(f, "cannot use this file: {why}"),
            Self::Content { path, why, allowed } => {
                let path = path.escape_debug();
                write!(f, "invalid content of {path}: {why}; allowed: {allowed}")
            }
            Self::Unencrypted => f.write_str(
                "ldap:// would send passwords unencrypted; without start_tls = true it is allowed for \
                 loopback hosts only",
            ),
            Self::UnprivilegedPort { below } => write!(
                f,
                "a local user could listen on this port and receive passwords; ldap:// without \
                 start_tls = true is allowed on loopback ports below {below} only"
            ),
            Self::UnencryptedProxy => f.write_str(
                "twilio.api_url is http://, so token and codes would pass this proxy unencrypted; with \
                 http:// the proxy must be on a loopback host",
            ),
            Self::NothingToProtect => {
                f.write_str("true has no effect: none of ldap.uris begins with ldap://")
            }
            Self::CallerWithoutStack { service } => {
                let service = service.escape_debug();
                write!(
                    f,
                    "\"caller\" requires password.source = \"stack\" for service {service}"
                )
            }
        }
    }
}

impl Error {
    /// Whether the settings may be valid, and this host could not read them.
    #[must_use]
    pub(crate) const fn is_local(&self) -> bool {
        match &self.fault {
            Fault::Unread(why) | Fault::File(why) => why.is_local(),
            _ => false,
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub(crate) fn remedy(&self) -> String {
        match &self.fault {
            Fault::Unread(why) | Fault::File(why) => why.remedy(),
            Fault::Exposed { .. } => format!(
                "chmod 0600 {}, or move the secret to a file of its own ({}_file); and change the \
                 secret: others could read it",
                self.file.escape_debug(),
                self.key
            ),
            Fault::NotUtf8 => "save the file as UTF-8".into(),
            Fault::NotToml { .. } => {
                "write one key = value per line, texts in quotes, below [section]; see \
                 sms_otp.toml(5)"
                    .into()
            }
            Fault::Duplicate { .. } => "remove one of the two".into(),
            Fault::Unknown { .. } => {
                "correct the name or remove the key; see sms_otp.toml(5)".into()
            }
            Fault::NotASection => "write [name] on a line and its keys below it".into(),
            Fault::NotAService => "correct the name or remove the section".into(),
            Fault::NotPerService => {
                "move it to its own section, where it applies to all services".into()
            }
            Fault::Value { .. } => "correct the value; see sms_otp.toml(5)".into(),
            Fault::Missing { .. } => "add it; see sms_otp.toml(5)".into(),
            Fault::Conflict { .. } => "remove one of them".into(),
            Fault::Requires { other } => format!("add {other} or remove this key"),
            Fault::Content { .. } => "correct that file, or name another".into(),
            Fault::Unencrypted => "write ldaps://, or set start_tls = true".into(),
            Fault::UnprivilegedPort { .. } => {
                "write ldapi:// (a socket in a directory that root owns) or ldaps://, or set \
                 start_tls = true"
                    .into()
            }
            Fault::UnencryptedProxy => "write https:// in twilio.api_url, or remove it".into(),
            Fault::NothingToProtect => "remove it: ldaps:// is protected without it".into(),
            Fault::CallerWithoutStack { service } => format!(
                "set password.source = \"stack\" in [service.{}], or policy.subject = \"user\"",
                service.escape_debug()
            ),
        }
    }
}
