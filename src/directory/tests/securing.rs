use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::deadline::Moment;
use crate::{
    config::Security,
    directory::stage::{Authority, EXTENDED, Stage, message, result, settings},
};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A directory behind TLS whose certificate is for `name`.
fn stage(authority: &Authority, name: &str, at_once: bool) -> Stage {
    Stage::secure(V4, authority.server(name), at_once, |asked| {
        match asked.operation {
            EXTENDED => Play::StartTls(message(asked.id, &result(0x78, 0, ""), b"")),
            _ => good(asked),
        }
    })
}

fn trusting(authority: &Authority, uris: Vec<config::LdapUri>) -> config::Ldap {
    config::Ldap {
        ca_file: Some(authority.pem().into()),
        ..settings(uris)
    }
}

#[test]
fn ldaps_and_start_tls_by_name_and_by_address() {
    let authority = Authority::new();
    for (security, at_once) in [(Security::Tls, true), (Security::StartTls, false)] {
        for name in ["localhost", "127.0.0.1"] {
            let stage = stage(&authority, name, at_once);
            let settings = trusting(&authority, vec![stage.uri_with(name, security)]);
            assert_eq!(login(&settings, PASSWORD), Ok(LOGIN), "{name} {security:?}");
            let operations = stage.operations();
            assert_eq!(operations[operations.len() - 2..], [SEARCH, BIND]);
            assert_eq!(operations.len(), if at_once { 2 } else { 3 });
        }
    }
}

#[test]
fn an_ipv6_address_is_a_name_like_any_other() {
    let authority = Authority::new();
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if std::net::TcpListener::bind((v6, 0)).is_err() {
        return; // a machine without IPv6
    }
    let stage = Stage::secure(v6, authority.server("::1"), true, good);
    let settings = trusting(&authority, vec![stage.uri_with("::1", Security::Tls)]);
    assert_eq!(login(&settings, PASSWORD), Ok(LOGIN));
    let other = Stage::secure(v6, authority.server("::2"), true, good);
    let found = find(&trusting(
        &authority,
        vec![other.uri_with("::1", Security::Tls)],
    ));
    assert!(is_refused(&found), "{found:?}");
    assert!(found.unwrap_err().what.starts_with("ldaps://[::1]:"));
}

#[test]
fn a_certificate_that_does_not_verify_is_refused_and_the_next_is_asked() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (security, at_once) in [(Security::Tls, true), (Security::StartTls, false)] {
        for (authority, name) in [(&theirs, "localhost"), (&ours, "ldap.example.org")] {
            let bad = stage(authority, name, at_once);
            let uri = bad.uri_with("localhost", security);
            let found = find(&trusting(&ours, vec![uri.clone()]));
            assert!(is_refused(&found), "{name} {security:?}: {found:?}");
            let remedy = found.unwrap_err().remedy;
            let of_the_issuer = name == "localhost";
            assert_eq!(remedy.contains("ca_file"), of_the_issuer, "{remedy}");
            assert!(
                !bad.operations().contains(&SEARCH),
                "nothing was said to it"
            );

            let next = stage(&ours, "localhost", true);
            let next = next.uri_with("localhost", Security::Tls);
            let found = find(&trusting(&ours, vec![uri.clone(), next]));
            assert!(matches!(found, Ok(Found::One(_))), "{found:?}");

            // With the next one down too, the certificate is what somebody must see to.
            let down = Stage::new(|_| Play::SayAndCut(vec![])).uri();
            let found = find(&trusting(&ours, vec![down, uri]));
            assert!(is_refused(&found), "{found:?}");
        }
    }
}

#[test]
fn start_tls_that_is_refused_is_never_done_without() {
    let authority = Authority::new();
    for code in [1, 2, 53, 52] {
        let stage = Stage::new(move |asked| match asked.operation {
            EXTENDED => Play::Say(message(asked.id, &result(0x78, code, ""), b"")),
            _ => good(asked),
        });
        let uri = stage.uri_with("localhost", Security::StartTls);
        let found = find(&trusting(&authority, vec![uri]));
        assert_eq!(is_outage(&found), code == 52, "{found:?}");
        assert_eq!(is_refused(&found), code != 52, "{found:?}");
        assert_eq!(stage.operations(), [EXTENDED]);
    }
}

#[test]
fn what_somebody_puts_behind_the_answer_in_clear_ends_it() {
    let authority = Authority::new();
    let injected = Stage::secure(
        V4,
        authority.server("localhost"),
        false,
        |asked| match asked.operation {
            EXTENDED => {
                let answer = message(asked.id, &result(0x78, 0, ""), b"");
                let search = message(1, &result(0x65, 0, ""), b"");
                Play::StartTls([answer, search].concat())
            }
            _ => good(asked),
        },
    );
    let uri = injected.uri_with("localhost", Security::StartTls);
    let found = find(&trusting(&authority, vec![uri]));
    assert!(is_outage(&found), "{found:?}");

    for odd in [
        message(7, &result(0x78, 0, ""), b""),
        message(0, &result(0x78, 0, ""), b""),
        message(1, &result(0x61, 0, ""), b""),
        b"220 mail.example.org ESMTP\r\n".to_vec(),
        vec![0x30, 0x84, 0x40, 0, 0, 0],
    ] {
        let stage = Stage::new(move |_| Play::Say(odd.clone()));
        let uri = stage.uri_with("localhost", Security::StartTls);
        let found = find(&trusting(&authority, vec![uri]));
        assert!(is_outage(&found), "{found:?}");
    }
}

#[test]
fn a_server_that_does_not_speak_tls_is_an_outage() {
    let authority = Authority::new();
    let plain = Stage::new(|_| Play::Say(b"hello".to_vec()));
    let uri = plain.uri_with("localhost", Security::Tls);
    let mut settings = trusting(&authority, vec![uri]);
    settings.timeout = Duration::from_millis(300);
    let found = find(&settings);
    assert!(is_outage(&found), "{found:?}");
}

#[test]
fn a_handshake_that_hangs_ends_with_its_step() {
    let authority = Authority::new();
    let listener = std::net::TcpListener::bind((V4, 0)).unwrap();
    let mut settings = trusting(
        &authority,
        vec![config::LdapUri::Tcp {
            host: String::from("localhost"),
            port: listener.local_addr().unwrap().port(),
            security: Security::Tls,
        }],
    );
    settings.timeout = Duration::from_millis(200);
    let start = Moment::now();
    assert!(is_outage(&find(&settings)));
    assert!(
        Moment::now().since(start) < Duration::from_secs(2),
        "{:?}",
        Moment::now().since(start)
    );
}

#[test]
fn dropping_waits_for_nobody() {
    let authority = Authority::new();
    let stage = stage(&authority, "localhost", true);
    let settings = trusting(&authority, vec![stage.uri_with("localhost", Security::Tls)]);
    let mut ldap = opened(&settings).unwrap();
    assert!(matches!(ldap.find("alice", soon()), Ok(Found::One(_))));
    let start = Moment::now();
    drop(ldap);
    assert!(
        Moment::now().since(start) < Duration::from_millis(100),
        "{:?}",
        Moment::now().since(start)
    );
}

#[test]
fn a_server_that_wants_a_certificate_of_ours_refuses_us() {
    // TLS 1.3 says so only after the handshake, in the place of the first answer.
    let authority = Authority::new();
    let tls = authority.demanding("localhost");
    let stage = Stage::secure(V4, tls, true, good);
    let uri = stage.uri_with("localhost", Security::Tls);
    let found = find(&trusting(&authority, vec![uri]));
    assert!(is_refused(&found), "{found:?}");
    let text = found.unwrap_err().what;
    assert!(text.contains("demands a client certificate"), "{text}");
}

#[test]
fn a_local_socket_needs_no_tls() {
    let folder = std::path::PathBuf::from(format!("/tmp/sms-otp-ldapi-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("ldapi");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&log);
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        crate::directory::stage::converse(&mut stream, &(Arc::new(good) as _), &seen);
    });
    let outcome = login(&settings(vec![config::LdapUri::Unix(path)]), PASSWORD);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(outcome, Ok(LOGIN));
    assert_eq!(log.lock().unwrap().len(), 2);
}
