//! Valid and invalid hosts, ports and URLs.
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
    let url = |text: &str| ApiUrl::parse(text.into());
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
    let proxy = |text: &str| Proxy::parse(text.into());
    let expected = Proxy {
        host: "proxy.example.org".into(),
        port: 3128,
    };
    assert_eq!(proxy("http://proxy.example.org:3128/"), Ok(expected));
    assert_eq!(proxy("http://u:p@proxy:3128"), Err(USERINFO));
    assert_eq!(
        proxy("http://proxy"),
        Err(Invalid("the address has no port"))
    );
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

mod redis {
    use super::*;
    use crate::config::RedisSite::{self, Cluster, Single};

    fn parse(url: &str) -> Result<RedisAddress, Invalid> {
        RedisAddress::parse(url.into())
    }

    fn hosts(names: &[(&str, u16)]) -> Vec<(String, u16)> {
        let hosts = names.iter().map(|(host, port)| ((*host).to_owned(), *port));
        hosts.collect()
    }

    #[test]
    fn servers() {
        let of = |names, tls, database| {
            Ok(RedisAddress {
                site: Single,
                hosts: hosts(names),
                tls,
                database,
            })
        };
        assert_eq!(
            parse("rediss://a.example"),
            of(&[("a.example", 6379)], true, 0)
        );
        assert_eq!(parse("REDISS://a/"), of(&[("a", 6379)], true, 0));
        assert_eq!(parse("rediss://a:1/7"), of(&[("a", 1)], true, 7));
        assert_eq!(parse("rediss://a/7/"), of(&[("a", 6379)], true, 7));
        assert_eq!(
            parse("rediss://a,[2001:DB8::1]:2/3"),
            of(&[("a", 6379), ("2001:db8::1", 2)], true, 3)
        );
        assert_eq!(
            parse("redis://localhost,127.0.0.1:2,[::1]"),
            of(
                &[("localhost", 6379), ("127.0.0.1", 2), ("::1", 6379)],
                false,
                0
            )
        );
    }

    #[test]
    fn sentinels_and_clusters() {
        let sentinel = |names, ports: &[u16], tls, database| {
            Ok(RedisAddress {
                site: RedisSite::Sentinel {
                    master: "my.login_1-x".into(),
                    ports: ports.to_vec(),
                },
                hosts: hosts(names),
                tls,
                database,
            })
        };
        assert_eq!(
            parse("rediss+sentinel://a,b:1/my.login_1-x"),
            sentinel(&[("a", 26379), ("b", 1)], &[6379], true, 0)
        );
        assert_eq!(
            parse("redis+Sentinel://localhost/my.login_1-x/4/"),
            sentinel(&[("localhost", 26379)], &[6379], false, 4)
        );
        assert_eq!(
            parse("rediss+sentinel://a/my.login_1-x:6380,6381/4"),
            sentinel(&[("a", 26379)], &[6380, 6381], true, 4)
        );
        let cluster = |names, tls| {
            Ok(RedisAddress {
                site: Cluster,
                hosts: hosts(names),
                tls,
                database: 0,
            })
        };
        assert_eq!(
            parse("rediss+cluster://a,b:7000/"),
            cluster(&[("a", 6379), ("b", 7000)], true)
        );
        assert_eq!(
            parse("redis+cluster://[::1]:7000"),
            cluster(&[("::1", 7000)], false)
        );
    }

    #[test]
    fn a_local_socket() {
        let local = parse("redis+UNIX:///run/redis-1/redis_server.sock").unwrap();
        let path = "/run/redis-1/redis_server.sock".into();
        assert_eq!(local.site, RedisSite::Local(path));
        assert!(local.hosts.is_empty() && !local.tls && local.database == 0);
        for url in [
            "redis+unix://",
            "redis+unix://run/redis",
            "redis+unix:///",
            "redis+unix:///run/redis/",
            "redis+unix:///run/redis?db=1",
            "redis+unix:///run/a b",
            "redis+unix:///run/%2F",
            "redis+unix://localhost/run/redis",
            "rediss+unix:///run/redis",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
        let of = |length: usize| format!("redis+unix:///{}", "x".repeat(length - 1));
        assert!(parse(&of(107)).is_ok() && parse(&of(108)).is_err());
    }

    #[test]
    fn invalid_addresses() {
        for url in [
            "",
            "a",
            "a:6379",
            "rediss:a",
            "rediss:///0",
            "rediss://",
            "rediss://a,",
            "rediss://,a",
            "rediss://a,,b",
            "rediss://a, b",
            "rediss://a//0",
            "rediss://a/0/1",
            "rediss://a/x",
            "rediss://a/-1",
            "rediss://a/4294967296",
            "rediss://a?x",
            "rediss://a/0#x",
            "rediss+unix:///run/redis",
            "unix:///run/redis",
            "redis://a",
            "redis://127.0.0.1,a",
            "redis+cluster://a",
            "redis+sentinel://a/m",
            "rediss+sentinel://a",
            "rediss+sentinel://a/",
            "rediss+sentinel://a//0",
            "rediss+sentinel://a/m/x",
            "rediss+sentinel://a/m/0/1",
            "rediss+sentinel://a/m n",
            "rediss+sentinel://a/é",
            "rediss+sentinel://a/m:",
            "rediss+sentinel://a/m:0",
            "rediss+sentinel://a/m:+1",
            "rediss+sentinel://a/m:1,",
            "rediss+sentinel://a/m:1:2",
            "rediss+sentinel://a/m:65536",
            "rediss+sentinel://a/:1",
            "rediss+cluster://a/0",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
        for url in ["rediss://u:p@a", "rediss://a,:p@b", "redis://u@localhost"] {
            assert_eq!(parse(url), Err(USERINFO), "{url}");
        }
        let long = "m".repeat(256);
        assert!(parse(&format!("rediss+sentinel://a/{long}")).is_err());
    }
}
