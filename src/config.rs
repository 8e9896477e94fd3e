//! What the administrator has settled: the settings file, for one PAM service.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::{phone::Region, secret::Secret};

/// Everything that one login is governed by. Defaults, file, `[service.X]` and the PAM line's
/// arguments have been put together; every value is in its range.
#[derive(Debug)]
pub struct Settings {
    /// How long a person waits for us in one login, added up.
    pub deadline: Duration,
    pub twilio: Twilio,
    pub ldap: Ldap,
    pub password: Password,
    pub code: Code,
    pub messages: Messages,
    pub policy: Policy,
}

/// `[twilio]`
#[derive(Debug)]
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
    pub ca_file: Option<Vec<u8>>,
    /// `http://host:port` of a proxy that knows CONNECT.
    pub proxy: Option<Proxy>,
    pub timeout: Duration,
}

/// Who the SMS comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sender {
    /// `from_number`: E.164, a short code or an alphanumeric sender id.
    Number(String),
    /// `messaging_service_sid`: `MG…`
    Service(String),
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
#[derive(Debug)]
pub struct Ldap {
    /// In the order in which they are tried; never empty.
    pub uris: Vec<LdapUri>,
    /// PEM bundle; `None`: the system's.
    pub ca_file: Option<Vec<u8>>,
    pub timeout: Duration,
    /// Service account; `None`: anonymous search.
    pub bind: Option<(String, Secret)>,
    pub base: String,
    /// With `{user}`.
    pub filter: String,
    pub verified_attribute: String,
    pub phone_attributes: Vec<String>,
    pub default_region: Option<Region>,
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

/// `[messages]`: every text a person sees. `{…}` are filled in by [`Messages`]' user.
#[derive(Debug)]
pub struct Messages {
    pub sms: String,
    pub password: String,
    pub code: String,
    pub sent: String,
    pub resent: String,
    pub wrong: String,
    pub expired: String,
    pub not_a_code: String,
    pub no_resend: String,
    pub wait: String,
    pub too_many: String,
    pub too_late: String,
    pub not_verified: String,
    pub not_sent: String,
    pub later: String,
}

/// `[policy]`
#[derive(Debug)]
pub struct Policy {
    /// Names that NSS knows with a lower uid are never the directory's.
    pub min_uid: u32,
    pub subject: Subject,
}

/// Whose phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `PAM_USER`'s.
    User,
    /// That of the person who calls (the host's real uid).
    Caller,
}
