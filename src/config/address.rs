//! Where servers are: URLs, of which only scheme, host and port are allowed.
#![forbid(unsafe_code)]

mod redis;
#[cfg(test)]
mod tests;

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

pub(super) use redis::RedisAddress;

use super::{
    ApiUrl, Proxy,
    values::{Leaf, Why},
};

const USERINFO: Why = Why("user and password do not belong in it");

/// One of `ldap.uris`, before it is known whether `start_tls` protects it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LdapAddress {
    Ldaps { host: String, port: u16 },
    Ldap { host: String, port: u16 },
    Ldapi(PathBuf),
}

/// `ldap.uris`
#[derive(Clone)]
pub(super) struct LdapAddresses(pub Vec<LdapAddress>);

impl Leaf for LdapAddresses {
    type Raw = Vec<String>;

    fn check(raw: Vec<String>) -> Result<Self, Why> {
        if raw.is_empty() {
            return Err(Why("the list is empty"));
        }
        raw.iter()
            .map(|uri| ldap_address(uri))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn ldap_address(uri: &str) -> Result<LdapAddress, Why> {
    if let Some(path) = behind("ldapi://", uri) {
        return socket(path).map(LdapAddress::Ldapi);
    }
    if let Some(rest) = behind("ldaps://", uri) {
        let (host, port) = authority(rest)?;
        let port = port.unwrap_or(636);
        return Ok(LdapAddress::Ldaps { host, port });
    }
    if let Some(rest) = behind("ldap://", uri) {
        let (host, port) = authority(rest)?;
        let port = port.unwrap_or(389);
        return Ok(LdapAddress::Ldap { host, port });
    }
    Err(Why("it begins with none of ldaps://, ldap:// and ldapi://"))
}

impl ApiUrl {
    /// Where Twilio is, unless the settings know better.
    pub(super) fn twilio() -> Self {
        Self {
            tls: true,
            host: "api.twilio.com".into(),
            port: 443,
        }
    }
}

impl Leaf for ApiUrl {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if let Some(rest) = behind("https://", &raw) {
            let (host, port) = authority(rest)?;
            let port = port.unwrap_or(443);
            return Ok(Self {
                tls: true,
                host,
                port,
            });
        }
        if let Some(rest) = behind("http://", &raw) {
            let (host, port) = authority(rest)?;
            if !is_loopback(&host) {
                return Err(Why(
                    "http:// would show token and codes to everybody on the way",
                ));
            }
            let port = port.unwrap_or(80);
            return Ok(Self {
                tls: false,
                host,
                port,
            });
        }
        Err(Why("it begins with neither https:// nor http://"))
    }
}

impl Leaf for Proxy {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        let rest = behind("http://", &raw).ok_or(Why("it does not begin with http://"))?;
        let (host, port) = authority(rest)?;
        let port = port.ok_or(Why("it has no port"))?;
        Ok(Self { host, port })
    }
}

/// What stands behind a scheme (which is written in capitals or not, RFC 3986 §3.1).
fn behind<'a>(scheme: &str, url: &'a str) -> Option<&'a str> {
    let (head, rest) = url.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Host and port, with nothing but one slash behind them.
fn authority(text: &str) -> Result<(String, Option<u16>), Why> {
    if text.contains('@') {
        return Err(USERINFO);
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.contains(['/', '?', '#']) {
        return Err(Why("nothing may follow host and port"));
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or(Why("an IPv6 address stands between [ and ]"))?;
        let address: Ipv6Addr = host.parse().map_err(|_| Why("its IPv6 address is none"))?;
        (address.to_string(), rest)
    } else {
        let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        if rest.matches(':').count() > 1 {
            return Err(Why("an IPv6 address stands between [ and ]"));
        }
        if !is_host(host) {
            return Err(Why("its host is neither a name nor an address"));
        }
        (host.to_owned(), rest)
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let port = port
        .strip_prefix(':')
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|port| *port != 0)
        .ok_or(Why("its port is no number from 1 to 65535"))?;
    Ok((host, Some(port)))
}

/// A name (letters, digits, `-`, `_` and dots) or an IPv4 address in its one usual form. Whatever
/// ends in a number is an address or nothing: the resolver would take `127.1` for one.
fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let ends_in_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || hexadecimal.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if ends_in_number {
        return host.parse::<Ipv4Addr>().is_ok();
    }
    host.len() <= 253 && host.split('.').all(is_label)
}

/// Whether a host is this machine, without asking anybody: 127.0.0.0/8, `::1`, `localhost`.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || host.parse() == Ok(Ipv6Addr::LOCALHOST)
}

/// The path in an `ldapi://` URI, in which slashes are percent-encoded.
fn socket(text: &str) -> Result<PathBuf, Why> {
    const SHAPE: Why = Why(
        "ldapi:// is followed by an absolute path with %2F for each slash, of at most 107 bytes",
    );
    if text.contains('@') {
        return Err(USERINFO);
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    let mut path = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        path.push(match byte {
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let value = digit(bytes.next())
                    .zip(digit(bytes.next()))
                    .map(|(high, low)| high.wrapping_mul(16).wrapping_add(low));
                value
                    .and_then(|value| u8::try_from(value).ok())
                    .ok_or(SHAPE)?
            }
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => byte,
            _ => return Err(SHAPE),
        });
    }
    // sun_path of `unix(7)` has 108 bytes, the last of them NUL.
    let path = String::from_utf8(path).map_err(|_| SHAPE)?;
    if path.starts_with('/') && path.len() <= 107 && !path.chars().any(char::is_control) {
        Ok(path.into())
    } else {
        Err(SHAPE)
    }
}
