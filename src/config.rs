//! The settings file, resolved for one PAM service.
//!
//! [`table`] defines every key. `parse` checks the file against it, and `resolve` makes [`Settings`]:
//! `[service.X]`, defaults, keys that depend on each other, and the files that they name.
#![forbid(unsafe_code)]

mod address;
mod error;
mod filter;
mod parse;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod reach;
#[cfg(test)]
mod reference;
mod resolve;
mod table;
mod template;
#[cfg(test)]
mod tests;
mod trust;
mod value_types;

use std::{fmt, sync::Arc, time::Duration};

pub use error::Error;
use error::Fault;
pub(crate) use filter::comparisons;
pub use resolve::LOGIN_SHELLS;
pub use table::{Code, Ldap, Ledger, Limits, Messages, Password, Policy, Twilio};
pub(crate) use template::{
    Placeholder, Template, guesses_made, human_duration, logins_left, tries_left,
};
pub(crate) use trust::Kernel;
pub use trust::{Content, Disk, Files, Role, Unsafe};

use crate::secret::Secret;

/// Loads the settings at `path` for a login at `service`. `source` is the argument `password=` of the PAM
/// line, which overrides the file.
pub fn load(
    files: &dyn Files,
    path: &str,
    service: &str,
    source: Option<Source>,
) -> Result<Settings, Error> {
    resolve::load(files, path, service, source)
}

/// The settings of one login: defaults, file, `[service.X]` and the arguments of the PAM line. Each value
/// is in its range. The fields of each section are those of the [`table`].
#[derive(Debug)]
pub struct Settings {
    pub deadline: Duration,
    pub twilio: Twilio,
    /// Shared with the thread that connects in advance.
    pub ldap: Arc<Ldap>,
    pub password: Password,
    pub code: Code,
    pub messages: Messages,
    pub limits: Limits,
    pub ledger: Ledger,
    pub policy: Policy,
}

/// The sender of the SMS.
#[derive(Clone, PartialEq, Eq)]
pub enum Sender {
    /// `from_number`: E.164, a short code or an alphanumeric sender ID.
    Number(String),
    /// `messaging_service_sid`: `MG…`
    Service(String),
}

/// Shows no complete phone number, not even that of the sender.
impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => {
                let end = number.len().saturating_sub(2);
                write!(f, "Number(…{})", number.get(end..).unwrap_or_default())
            }
            Self::Service(sid) => f.debug_tuple("Service").field(sid).finish(),
        }
    }
}

/// The address of Twilio's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl {
    pub tls: bool,
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
}

impl Ldap {
    /// Returns the defaults with these servers and this base, for tests.
    #[cfg(any(test, fuzzing))]
    #[allow(clippy::expect_used, reason = "for tests only")]
    pub(crate) fn defaults(uris: Vec<LdapUri>, base: &str) -> Self {
        let plain_numbers = crate::phone::Plain::National(None);
        table::LdapKeys::default()
            .build(uris, None, None, base.to_owned(), plain_numbers)
            .expect("valid defaults")
    }

    /// Returns the name to search the directory for: without the last `@domain` or the first `DOMAIN\`,
    /// once, if that is one of `strip_domains` in any case.
    #[must_use]
    pub(crate) fn search_name<'a>(&self, user: &'a str) -> &'a str {
        let is_stripped = |domain: &str| {
            let mut domains = self.strip_domains.iter();
            domains.any(|stripped| stripped.eq_ignore_ascii_case(domain))
        };
        let suffixed = user.rsplit_once('@');
        let suffixed = suffixed.filter(|(name, domain)| !name.is_empty() && is_stripped(domain));
        if let Some((name, _)) = suffixed {
            return name;
        }
        let prefixed = user.split_once('\\');
        let prefixed = prefixed.filter(|(domain, name)| !name.is_empty() && is_stripped(domain));
        prefixed.map_or(user, |(_, name)| name)
    }
}

/// What happens if the directory still allows a bind with an expired password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    Allow,
    Deny,
}

/// One directory server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LdapUri {
    Tcp {
        /// Name or address, IPv6 without brackets.
        host: String,
        port: u16,
        security: Security,
    },
    /// `ldapi://%2Frun%2Fslapd%2Fldapi`
    Unix(std::path::PathBuf),
}

/// How a TCP connection to the directory is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// `ldaps://`
    Tls,
    /// `ldap://` with `start_tls = true`
    StartTls,
    /// `ldap://` without TLS, on a loopback host.
    Loopback,
}

/// Where the first factor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Ldap,
    Ssh,
    Auto,
    Stack,
}

impl Limits {
    /// Returns the defaults, for tests that set some of the limits.
    #[cfg(any(test, fuzzing))]
    #[allow(clippy::expect_used, reason = "for tests only")]
    pub(crate) fn defaults() -> Self {
        table::LimitsKeys::default()
            .build()
            .expect("valid defaults")
    }

    /// Whether this number of wrong codes in a row locks until an administrator unlocks.
    #[must_use]
    pub(crate) const fn disable(&self, failures: u32) -> bool {
        failures >= self.disable_after
    }
}

/// At most `most` in any period of the length `within`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub most: u32,
    pub within: Duration,
}

/// Formats a rule as in the settings: `5/15m`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.within.as_secs();
        let units = [(86400, "d"), (3600, "h"), (60, "m")];
        let whole = units
            .iter()
            .find(|(unit, _)| seconds > 0 && seconds.checked_rem(*unit) == Some(0));
        let (number, unit) = match whole {
            Some((unit, name)) => (seconds.checked_div(*unit).unwrap_or(seconds), *name),
            None => (seconds, "s"),
        };
        write!(f, "{}/{number}{unit}", self.most)
    }
}

/// Redis or Valkey.
#[derive(Debug)]
pub struct Redis {
    pub site: RedisSite,
    /// In the order in which they are tried, IPv6 addresses without brackets. Empty only with a local
    /// socket.
    pub hosts: Vec<(String, u16)>,
    pub tls: bool,
    /// A PEM bundle; `None`: the system's.
    pub ca_file: Option<Arc<[u8]>>,
    /// The number of the database; 0 in a cluster.
    pub database: u32,
    /// ACL user (`None`: the default user) and password.
    pub login: Option<(Option<String>, Secret)>,
    /// The key with which all hosts hash names and phone numbers.
    pub key: Secret,
    pub timeout: Duration,
    pub unreachable: Unreachable,
}

/// How the servers are organized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisSite {
    /// Each host is a server, of which the master is used.
    Single,
    /// The hosts are Sentinels, which report the address of the master of this name, on one of these
    /// ports.
    Sentinel { master: String, ports: Vec<u16> },
    /// The path of a local socket.
    Local(std::path::PathBuf),
    /// The hosts are nodes of one cluster, whose other nodes use the same ports.
    Cluster,
}

impl Redis {
    /// Returns the ports that a server may have.
    #[must_use]
    pub(crate) fn ports(&self) -> Vec<u16> {
        let named = self.hosts.iter().map(|(_, port)| *port);
        let masters = match &self.site {
            RedisSite::Sentinel { ports, .. } => ports.as_slice(),
            RedisSite::Single | RedisSite::Cluster | RedisSite::Local(_) => &[],
        };
        named.chain(masters.iter().copied()).collect()
    }
}

/// What happens with a login while the shared ledger is unreachable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// The host counts on its own.
    Local,
    /// The login is refused.
    Deny,
}

/// Whose phone receives the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// That of `PAM_USER`.
    User,
    /// That of the caller (the real uid of the host process).
    Caller,
}
