//! What is a host, a port and a URL, and what is not.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn hosts_and_ports() {
    for (text, host, port) in [
        ("ldap.example.org", "ldap.example.org", None),
        ("ldap1:6636", "ldap1", Some(6636)),
        ("ldap1/", "ldap1", None),
        ("192.0.2.7:65535/", "192.0.2.7", Some(65535)),
        ("[2001:DB8::1]", "2001:db8::1", None),
        ("[::1]:389", "::1", Some(389)),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
        ("dc_1.example", "dc_1.example", None),
    ] {
        assert_eq!(authority(text), Ok((host.to_owned(), port)), "{text}");
    }
    for text in [
        "",
        "/",
        ":636",
        "a:",
        "a:0",
        "a:65536",
        "a:+1",
        "a:6 ",
        "a//",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        "u:p@a",
        "::1",
        "2001:db8::1",
        "[::1",
        "[::1]x",
        "[::1]:",
        "[fe80::1%eth0]",
        "[192.0.2.7]",
        "a b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a-",
        "bücher.example",
        "a%41",
        "127.1",
        "1.2.3.4.5",
        "0x7f.1",
        "a.0x1",
        "256.1.1.1",
        "192.0.2.07",
        "2130706433",
        "a\n",
    ] {
        assert!(authority(text).is_err(), "{text:?}");
    }
    assert!(authority(&"a".repeat(64)).is_err());
    assert!(authority(&["a"; 128].join(".")).is_err());
}

#[test]
fn loopback() {
    for host in ["localhost", "LocalHost", "127.0.0.1", "127.8.9.10", "::1"] {
        assert!(is_loopback(host), "{host}");
    }
    for host in [
        "localhost.example.org",
        "128.0.0.1",
        "::2",
        "0.0.0.0",
        "::",
        "::ffff:127.0.0.1",
    ] {
        assert!(!is_loopback(host), "{host}");
    }
}

#[test]
fn twilio() {
    let url = |text: &str| ApiUrl::check(text.into());
    let api = |tls, host: &str, port| {
        Ok(ApiUrl {
            tls,
            host: host.into(),
            port,
        })
    };
    assert_eq!(
        url("https://api.twilio.com"),
        api(true, "api.twilio.com", 443)
    );
    assert_eq!(
        url("HTTPS://api.twilio.com:8443/"),
        api(true, "api.twilio.com", 8443)
    );
    assert_eq!(url("http://[::1]:8080"), api(false, "::1", 8080));
    assert_eq!(url("http://localhost"), api(false, "localhost", 80));
    for text in [
        "api.twilio.com",
        "http://api.twilio.com",
        "https://api.twilio.com/2010-04-01",
        "https://u:p@api.twilio.com",
        "ftp://localhost",
        "https://",
        "https:/",
        "é",
    ] {
        assert!(url(text).is_err(), "{text}");
    }
}

#[test]
fn proxies() {
    let proxy = |text: &str| Proxy::check(text.into());
    let expected = Proxy {
        host: "proxy.example.org".into(),
        port: 3128,
    };
    assert_eq!(proxy("http://proxy.example.org:3128/"), Ok(expected));
    assert_eq!(proxy("http://u:p@proxy:3128"), Err(USERINFO));
    assert_eq!(proxy("http://proxy"), Err(Why("it has no port")));
    assert!(proxy("https://proxy:3128").is_err());
    assert!(proxy("proxy:3128").is_err());
}

#[test]
fn directories() {
    let tls = |host: &str, port| {
        Ok(LdapAddress::Ldaps {
            host: host.into(),
            port,
        })
    };
    assert_eq!(ldap_address("ldaps://a"), tls("a", 636));
    assert_eq!(ldap_address("LDAPS://a:1636/"), tls("a", 1636));
    assert_eq!(
        ldap_address("ldap://[::1]"),
        Ok(LdapAddress::Ldap {
            host: "::1".into(),
            port: 389
        })
    );
    for uri in [
        "ldapi://%2Frun%2fslapd%2Fldapi",
        "ldapi://%2Frun%2Fslapd%2Fldapi/",
    ] {
        let path = PathBuf::from("/run/slapd/ldapi");
        assert_eq!(ldap_address(uri), Ok(LdapAddress::Ldapi(path)));
    }
    for uri in [
        "a",
        "a:636",
        "ldap:a",
        "https://a",
        "ldaps://",
        "ldaps://a/dc=example",
        "ldaps://a?x",
        "ldaps://u@a",
        "ldapi://",
        "ldapi:///",
        "ldapi:///run/ldapi",
        "ldapi://run%2Fldapi",
        "ldapi://%2",
        "ldapi://%2Frun%zz",
        "ldapi://%2Frun%00",
        "ldapi://%2Fr%+1",
        "ldapi://%ff",
        "ldapi://u@%2Frun",
    ] {
        assert!(ldap_address(uri).is_err(), "{uri}");
    }
    assert!(ldap_address(&format!("ldapi://%2F{}", "x".repeat(106))).is_ok());
    assert!(ldap_address(&format!("ldapi://%2F{}", "x".repeat(107))).is_err());
}
