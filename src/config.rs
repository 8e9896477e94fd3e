//! What the administrator has settled: the settings file, for one PAM service.
#![forbid(unsafe_code)]

mod address;
mod draft;
mod error;
mod file;
mod filter;
mod keys;
mod messages;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod reach;
mod settle;
#[cfg(test)]
mod tests;
mod trust;
mod values;

use std::{fmt, sync::Arc, time::Duration};

pub use draft::LOGIN_SHELLS;
pub use error::{Error, Fault};
pub use filter::comparisons;
pub use keys::{Part, keys};
pub use messages::{Field, Messages, Text, a_while, guesses_made, logins_left, tries_left};
pub use trust::{Content, Disk, Files, Kernel, Role, Unsafe};

use crate::{phone::Plain, secret::Secret};

/// Reads the settings at `path` that count for a login at `service`. `source` is the PAM line's
/// `password=`, which beats what the file says.
pub fn load(
    files: &dyn Files,
    path: &str,
    service: &str,
    source: Option<Source>,
) -> Result<Settings, Error> {
    settle::load(files, path, service, source)
}

/// Everything that one login is governed by. Defaults, file, `[service.X]` and the PAM line's
/// arguments have been put together; every value is in its range.
#[derive(Debug)]
pub struct Settings {
    /// How long a person waits for us in one login, added up.
    pub deadline: Duration,
    pub twilio: Twilio,
    /// Shared with the thread that asks ahead.
    pub ldap: Arc<Ldap>,
    pub password: Password,
    pub code: Code,
    pub messages: Messages,
    pub limits: Limits,
    pub ledger: Ledger,
    pub policy: Policy,
}

/// `[twilio]`
pub struct Twilio {
    /// `AC…`, in the path of each request.
    pub account_sid: String,
    /// User part of basic auth: the account (`AC…`) or an API key (`SK…`).
    pub auth_user: String,
    /// Its token or secret.
    pub auth_secret: Secret,
    pub sender: Sender,
    /// `https://…` without a path, or `http://` on a loopback host.
    pub api_url: ApiUrl,
    /// PEM bundle; `None`: the system's.
    pub ca_file: Option<Arc<[u8]>>,
    /// `http://host:port` of a proxy that knows CONNECT.
    pub proxy: Option<Proxy>,
    pub timeout: Duration,
    /// Whether to connect while the person still types his password.
    pub preconnect: bool,
}

/// Who the SMS comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Sender {
    /// `from_number`: E.164, a short code or an alphanumeric sender id.
    Number(String),
    /// `messaging_service_sid`: `MG…`
    Service(String),
}

/// A whole number is never shown, not even ours.
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

impl fmt::Debug for Twilio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Twilio")
            .field("account_sid", &self.account_sid)
            .field("auth_user", &self.auth_user)
            .field("auth_secret", &self.auth_secret)
            .field("sender", &self.sender)
            .field("api_url", &self.api_url)
            .field("ca_file_bytes", &self.ca_file.as_ref().map(|pem| pem.len()))
            .field("proxy", &self.proxy)
            .field("timeout", &self.timeout)
            .field("preconnect", &self.preconnect)
            .finish()
    }
}

/// Where Twilio is.
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

/// `[ldap]`
#[cfg_attr(test, derive(Clone))]
pub struct Ldap {
    /// In the order in which they are tried; never empty.
    pub uris: Vec<LdapUri>,
    /// PEM bundle; `None`: the system's.
    pub ca_file: Option<Arc<[u8]>>,
    pub timeout: Duration,
    /// Service account; `None`: anonymous search.
    pub bind: Option<(String, Secret)>,
    pub base: String,
    /// With `{user}`.
    pub filter: String,
    pub verified_attribute: String,
    pub phone_attributes: Vec<String>,
    /// How numbers without `+` are read.
    pub plain_numbers: Plain,
    /// Domains that are taken off names, all of the one domain that this directory holds.
    pub strip_domains: Vec<String>,
    pub grace: Grace,
    /// Whether binds carry the password policy request control.
    pub password_policy: bool,
}

impl Ldap {
    /// The name that the directory is searched for: without the last `@domain` or the first
    /// `DOMAIN\`, once, where it is one of `strip_domains`, whatever its case.
    #[must_use]
    pub fn search_name<'a>(&self, user: &'a str) -> &'a str {
        let is_ours = |domain: &str| {
            let mut domains = self.strip_domains.iter();
            domains.any(|ours| ours.eq_ignore_ascii_case(domain))
        };
        let behind = user.rsplit_once('@');
        let behind = behind.filter(|(name, domain)| !name.is_empty() && is_ours(domain));
        if let Some((name, _)) = behind {
            return name;
        }
        let before = user.split_once('\\');
        let before = before.filter(|(domain, name)| !name.is_empty() && is_ours(domain));
        before.map_or(user, |(_, name)| name)
    }
}

/// What becomes of a bind with an expired password that the directory still allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    Allow,
    Deny,
}

impl fmt::Debug for Ldap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ldap")
            .field("uris", &self.uris)
            .field("ca_file_bytes", &self.ca_file.as_ref().map(|pem| pem.len()))
            .field("timeout", &self.timeout)
            .field("bind", &self.bind)
            .field("base", &self.base)
            .field("filter", &self.filter)
            .field("verified_attribute", &self.verified_attribute)
            .field("phone_attributes", &self.phone_attributes)
            .field("plain_numbers", &self.plain_numbers)
            .field("strip_domains", &self.strip_domains)
            .field("grace", &self.grace)
            .field("password_policy", &self.password_policy)
            .finish()
    }
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
    /// `ldap://` on a loopback host only.
    Loopback,
}

/// `[password]`
#[derive(Debug)]
pub struct Password {
    pub source: Source,
    /// When a refusal leaves that comes before the first factor is proved, after Enter.
    pub refuse_after: Duration,
}

/// Where the first factor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Ldap,
    Ssh,
    Auto,
    Stack,
}

/// `[code]`
#[derive(Debug)]
pub struct Code {
    /// 6 to 10.
    pub digits: u8,
    pub lifetime: Duration,
    /// Wrong codes that end a login.
    pub tries: u32,
    /// SMS beyond the first.
    pub resends: u32,
    /// Whether the code is seen while it is typed.
    pub echo: bool,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// SMS per person, and per phone.
    pub sms: Vec<Rule>,
    /// SMS of the whole ledger.
    pub sms_total: Option<Rule>,
    /// Between two SMS of one login.
    pub pause: Duration,
    /// Wrong codes since the last success that lock.
    pub failures: u32,
    /// For so long; doubled with each further wrong code, up to a day.
    pub lock: Duration,
    /// Wrong codes since the last success after which only an administrator unlocks.
    pub disable_after: u32,
    /// Numbers begin with one of these. Empty: with anything.
    pub allowed_prefixes: Vec<String>,
}

impl Limits {
    /// Whether so many wrong codes in a row lock until an administrator unlocks.
    #[must_use]
    pub const fn disable(&self, failures: u32) -> bool {
        failures >= self.disable_after
    }
}

/// At most so many in any span of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub most: u32,
    pub within: Duration,
}

/// As it is written in the settings: `5/15m`.
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

/// `[ledger]`
#[derive(Debug)]
pub struct Ledger {
    /// The folder of this host's own.
    pub path: String,
    /// One for a fleet.
    pub redis: Option<Redis>,
}

/// Redis or Valkey.
pub struct Redis {
    pub site: RedisSite,
    /// In the order in which they are tried; empty only with a local socket. IPv6 without brackets.
    pub hosts: Vec<(String, u16)>,
    pub tls: bool,
    /// PEM bundle; `None`: the system's.
    pub ca_file: Option<Arc<[u8]>>,
    /// The number of the database; 0 in a cluster.
    pub database: u32,
    /// ACL user (`None`: the default one) and password.
    pub login: Option<(Option<String>, Secret)>,
    /// What all hosts of the fleet hash with.
    pub key: Secret,
    pub timeout: Duration,
    pub unreachable: Unreachable,
}

/// How the servers hang together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisSite {
    /// Any of the hosts, if it is a master.
    Single,
    /// The hosts are Sentinels that know where the master of this name is, at one of these ports.
    Sentinel { master: String, ports: Vec<u16> },
    /// No host, but a local socket.
    Local(std::path::PathBuf),
    /// The hosts are nodes of one cluster, whose other nodes have the ports of these.
    Cluster,
}

impl Redis {
    /// The ports at which a server may be, whoever tells of it.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        let named = self.hosts.iter().map(|(_, port)| *port);
        let told = match &self.site {
            RedisSite::Sentinel { ports, .. } => ports.as_slice(),
            RedisSite::Single | RedisSite::Cluster | RedisSite::Local(_) => &[],
        };
        named.chain(told.iter().copied()).collect()
    }
}

/// What becomes of a login while the fleet's ledger is out of reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// This host's own counts.
    Local,
    /// It is refused.
    Deny,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("site", &self.site)
            .field("hosts", &self.hosts)
            .field("tls", &self.tls)
            .field("ca_file_bytes", &self.ca_file.as_ref().map(|pem| pem.len()))
            .field("database", &self.database)
            .field("login", &self.login)
            .field("key", &self.key)
            .field("timeout", &self.timeout)
            .field("unreachable", &self.unreachable)
            .finish()
    }
}

/// `[policy]`
#[derive(Debug)]
pub struct Policy {
    /// Names that NSS knows with a lower uid are never the directory's.
    pub min_uid: u32,
    pub subject: Subject,
    /// The same person, target and service need no new code from the same origin for so long.
    pub remember: Option<Duration>,
    /// A number that is new for its person waits so long. Nothing: it does not wait.
    pub new_phone: Duration,
}

/// Whose phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `PAM_USER`'s.
    User,
    /// That of the person who calls (the host's real uid).
    Caller,
}
