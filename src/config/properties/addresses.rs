//! Addresses of servers.

use std::{fmt::Write, net::Ipv4Addr, os::unix::ffi::OsStrExt};

use rustls_pki_types::ServerName;

use crate::config::{
    ApiUrl, Proxy, RedisSite,
    address::{LdapAddress, LdapAddresses, RedisAddress, is_loopback},
    value_types::ValueType,
};

/// An address is refused, or parsed into a host for which there can be a certificate; written again, it is
/// parsed to the same. Without TLS, it is a loopback address.
pub fn addresses(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(all) = LdapAddresses::parse(vec![text.to_owned()]) {
        for address in all {
            let again = match &address {
                LdapAddress::Ldaps { host, port } => format!("ldaps://{}", written(host, *port)),
                LdapAddress::Ldap { host, port } => format!("LDAP://{}/", written(host, *port)),
                LdapAddress::Ldapi(path) => {
                    let path = path.as_os_str().as_bytes();
                    assert!(path.starts_with(b"/") && path.len() <= 107 && !path.contains(&0));
                    path.iter().fold("ldapi://".to_owned(), |mut uri, byte| {
                        let _ = write!(uri, "%{byte:02X}");
                        uri
                    })
                }
            };
            let parsed = LdapAddresses::parse(vec![again]);
            assert_eq!(parsed, Ok(vec![address]));
        }
    }
    if let Ok(url) = ApiUrl::parse(text.to_owned()) {
        assert!(url.tls || is_loopback(&url.host));
        let scheme = if url.tls { "https" } else { "http" };
        let again = format!("{scheme}://{}", written(&url.host, url.port));
        assert_eq!(ApiUrl::parse(again), Ok(url));
    }
    if let Ok(proxy) = Proxy::parse(text.to_owned()) {
        let again = format!("http://{}", written(&proxy.host, proxy.port));
        assert_eq!(Proxy::parse(again), Ok(proxy));
    }
    if let Ok(redis) = RedisAddress::parse(text.to_owned()) {
        match &redis.site {
            RedisSite::Local(path) => assert!(path.is_absolute() && redis.hosts.is_empty()),
            _ => assert!(!redis.hosts.is_empty()),
        }
        for (host, port) in &redis.hosts {
            assert!(redis.tls || is_loopback(host));
            written(host, *port);
        }
    }
}

/// Writes host and port as in a URL.
fn written(host: &str, port: u16) -> String {
    assert!(port > 0);
    assert!(
        ServerName::try_from(host).is_ok(),
        "no certificate is for {host}"
    );
    if host.contains(':') {
        return format!("[{host}]:{port}");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    assert!(host.bytes().all(plain), "{host}");
    // The resolver would accept a short form of an address (inet_aton(3)).
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = match last.get(..2) {
        Some("0x" | "0X") => last.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit()),
        _ => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    assert!(!number || host.parse::<Ipv4Addr>().is_ok(), "{host}");
    format!("{host}:{port}")
}
