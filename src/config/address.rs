//! Addresses of servers: URLs that consist of scheme, host and port.
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
    value_types::{Invalid, ValueType},
};

const USERINFO: Invalid = Invalid("user and password are not allowed in an address");

/// An address of `ldap.uris`. Whether `start_tls` protects it is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LdapAddress {
    Ldaps { host: String, port: u16 },
    Ldap { host: String, port: u16 },
    Ldapi(PathBuf),
}

/// `ldap.uris`
pub enum LdapAddresses {}

impl ValueType for LdapAddresses {
    type Raw = Vec<String>;
    type Value = Vec<LdapAddress>;

    fn allowed() -> String {
        "a list in brackets of ldaps://HOST[:PORT], ldap://HOST[:PORT] or ldapi://%2FPATH".into()
    }

    fn parse(raw: Vec<String>) -> Result<Vec<LdapAddress>, Invalid> {
        if raw.is_empty() {
            return Err(Invalid("the list is empty"));
        }
        raw.iter().map(|uri| ldap_address(uri)).collect()
    }
}

fn ldap_address(uri: &str) -> Result<LdapAddress, Invalid> {
    if let Some(path) = strip_scheme("ldapi://", uri) {
        return socket(path).map(LdapAddress::Ldapi);
    }
    if let Some(rest) = strip_scheme("ldaps://", uri) {
        let (host, port) = authority(rest)?;
        let port = port.unwrap_or(636);
        return Ok(LdapAddress::Ldaps { host, port });
    }
    if let Some(rest) = strip_scheme("ldap://", uri) {
        let (host, port) = authority(rest)?;
        let port = port.unwrap_or(389);
        return Ok(LdapAddress::Ldap { host, port });
    }
    Err(Invalid(
        "the address begins with none of ldaps://, ldap:// and ldapi://",
    ))
}

impl ValueType for ApiUrl {
    type Raw = String;
    type Value = Self;

    fn allowed() -> String {
        "https://HOST or https://HOST:PORT in quotes (http:// for loopback hosts only)".into()
    }

    fn parse(raw: String) -> Result<Self, Invalid> {
        if let Some(rest) = strip_scheme("https://", &raw) {
            let (host, port) = authority(rest)?;
            let port = port.unwrap_or(443);
            return Ok(Self {
                tls: true,
                host,
                port,
            });
        }
        if let Some(rest) = strip_scheme("http://", &raw) {
            let (host, port) = authority(rest)?;
            if !is_loopback(&host) {
                return Err(Invalid("http:// would send token and codes unencrypted"));
            }
            let port = port.unwrap_or(80);
            return Ok(Self {
                tls: false,
                host,
                port,
            });
        }
        Err(Invalid(
            "the address begins with neither https:// nor http://",
        ))
    }
}

impl ValueType for Proxy {
    type Raw = String;
    type Value = Self;

    fn allowed() -> String {
        "http://HOST:PORT in quotes, without user and password".into()
    }

    fn parse(raw: String) -> Result<Self, Invalid> {
        let rest = strip_scheme("http://", &raw)
            .ok_or(Invalid("the address does not begin with http://"))?;
        let (host, port) = authority(rest)?;
        let port = port.ok_or(Invalid("the address has no port"))?;
        Ok(Self { host, port })
    }
}

/// Returns what follows a scheme, which is not case-sensitive (RFC 3986 §3.1).
fn strip_scheme<'a>(scheme: &str, url: &'a str) -> Option<&'a str> {
    let (head, rest) = url.split_at_checked(scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then_some(rest)
}

/// Parses host and port, which one slash may follow.
fn authority(text: &str) -> Result<(String, Option<u16>), Invalid> {
    if text.contains('@') {
        return Err(USERINFO);
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.contains(['/', '?', '#']) {
        return Err(Invalid("nothing is allowed after host and port"));
    }
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest
            .split_once(']')
            .ok_or(Invalid("an IPv6 address must be between [ and ]"))?;
        let address: Ipv6Addr = host.parse().map_err(|_| Invalid("invalid IPv6 address"))?;
        (address.to_string(), rest)
    } else {
        let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
        if rest.matches(':').count() > 1 {
            return Err(Invalid("an IPv6 address must be between [ and ]"));
        }
        if !is_host(host) {
            return Err(Invalid("the host is neither a name nor an address"));
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
        .ok_or(Invalid("the port is not a number from 1 to 65535"))?;
    Ok((host, Some(port)))
}

/// Whether a text is a name (letters, digits, `-`, `_` and dots) or an IPv4 address in dotted-decimal form.
/// A text that ends in a number must be an address: the resolver would accept `127.1` as one.
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

/// Whether a host is a loopback address or `localhost`. No name is looked up.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: Ipv4Addr| address.is_loopback())
        || host.parse() == Ok(Ipv6Addr::LOCALHOST)
}

/// Parses the path in an `ldapi://` URI, in which slashes are percent-encoded.
fn socket(text: &str) -> Result<PathBuf, Invalid> {
    const SHAPE: Invalid = Invalid(
        "after ldapi://, an absolute path is required, with %2F for each slash and at most 107 bytes",
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
