//! Where servers are.

use std::{fmt::Write, net::Ipv4Addr, os::unix::ffi::OsStrExt};

use rustls_pki_types::ServerName;

use crate::config::{
    ApiUrl, Proxy, RedisSite,
    address::{LdapAddress, LdapAddresses, RedisAddress, is_loopback},
    values::Leaf,
};

/// An address is refused, or read into a host that a certificate can be for and nothing can be hidden
/// in, and written down again it is the same one. In the clear it leads to this machine only.
pub fn addresses(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(LdapAddresses(all)) = LdapAddresses::check(vec![text.to_owned()]) {
        for address in all {
            let again = match &address {
                LdapAddress::Ldaps { host, port } => format!("ldaps://{}", sound(host, *port)),
                LdapAddress::Ldap { host, port } => format!("LDAP://{}/", sound(host, *port)),
                LdapAddress::Ldapi(path) => {
                    let path = path.as_os_str().as_bytes();
                    assert!(path.starts_with(b"/") && path.len() <= 107 && !path.contains(&0));
                    path.iter().fold("ldapi://".to_owned(), |mut uri, byte| {
                        let _ = write!(uri, "%{byte:02X}");
                        uri
                    })
                }
            };
            let read = LdapAddresses::check(vec![again]).map(|read| read.0);
            assert_eq!(read, Ok(vec![address]));
        }
    }
    if let Ok(url) = ApiUrl::check(text.to_owned()) {
        assert!(url.tls || is_loopback(&url.host));
        let scheme = if url.tls { "https" } else { "http" };
        let again = format!("{scheme}://{}", sound(&url.host, url.port));
        assert_eq!(ApiUrl::check(again), Ok(url));
    }
    if let Ok(proxy) = Proxy::check(text.to_owned()) {
        let again = format!("http://{}", sound(&proxy.host, proxy.port));
        assert_eq!(Proxy::check(again), Ok(proxy));
    }
    if let Ok(redis) = RedisAddress::check(text.to_owned()) {
        match &redis.site {
            RedisSite::Local(path) => assert!(path.is_absolute() && redis.hosts.is_empty()),
            _ => assert!(!redis.hosts.is_empty()),
        }
        for (host, port) in &redis.hosts {
            assert!(redis.tls || is_loopback(host));
            sound(host, *port);
        }
    }
}

/// Writes host and port as they stand in a URL.
fn sound(host: &str, port: u16) -> String {
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
    // What the resolver would take for a short form of an address (inet_aton(3)).
    let last = host.rsplit('.').next().unwrap_or_default();
    let number = match last.get(..2) {
        Some("0x" | "0X") => last.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit()),
        _ => last.bytes().all(|byte| byte.is_ascii_digit()),
    };
    assert!(!number || host.parse::<Ipv4Addr>().is_ok(), "{host}");
    format!("{host}:{port}")
}
