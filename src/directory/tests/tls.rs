use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::*;
use crate::deadline::Moment;
use crate::{
    config::Security,
    directory::ldap_server::{EXTENDED, FakeDirectory, message, result, settings},
    test_support::net_server::TestCa,
};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A directory with TLS whose certificate is for `name`.
fn server(ca: &TestCa, name: &str, from_beginning: bool) -> FakeDirectory {
    FakeDirectory::with_tls(
        V4,
        ca.server(name),
        from_beginning,
        |request| match request.operation {
            EXTENDED => Response::StartTls(message(request.id, &result(0x78, 0, ""), b"")),
            _ => good(request),
        },
    )
}

fn trusting(ca: &TestCa, uris: Vec<config::LdapUri>) -> config::Ldap {
    config::Ldap {
        ca_file: Some(ca.pem().into_bytes().into()),
        ..settings(uris)
    }
}

#[test]
fn ldaps_and_start_tls_by_name_and_by_address() {
    let ca = TestCa::new();
    for (security, from_beginning) in [(Security::Tls, true), (Security::StartTls, false)] {
        for name in ["localhost", "127.0.0.1"] {
            let server = server(&ca, name, from_beginning);
            let settings = trusting(&ca, vec![server.uri_with(name, security)]);
            assert_eq!(login(&settings, PASSWORD), Ok(LOGIN), "{name} {security:?}");
            let operations = server.operations();
            assert_eq!(operations[operations.len() - 2..], [SEARCH, BIND]);
            assert_eq!(operations.len(), if from_beginning { 2 } else { 3 });
        }
    }
}

#[test]
fn an_ipv6_address_is_checked_against_the_certificate() {
    let ca = TestCa::new();
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if std::net::TcpListener::bind((v6, 0)).is_err() {
        return; // a machine without IPv6
    }
    let server = FakeDirectory::with_tls(v6, ca.server("::1"), true, good);
    let settings = trusting(&ca, vec![server.uri_with("::1", Security::Tls)]);
    assert_eq!(login(&settings, PASSWORD), Ok(LOGIN));
    let other = FakeDirectory::with_tls(v6, ca.server("::2"), true, good);
    let found = find(&trusting(&ca, vec![other.uri_with("::1", Security::Tls)]));
    assert!(is_refused(&found), "{found:?}");
    assert!(found.unwrap_err().what.starts_with("ldaps://[::1]:"));
}

#[test]
fn an_invalid_certificate_is_refused_and_the_next_server_asked() {
    let (ours, theirs) = (TestCa::new(), TestCa::new());
    for (security, from_beginning) in [(Security::Tls, true), (Security::StartTls, false)] {
        for (ca, name) in [(&theirs, "localhost"), (&ours, "ldap.example.org")] {
            let bad = server(ca, name, from_beginning);
            let uri = bad.uri_with("localhost", security);
            let found = find(&trusting(&ours, vec![uri.clone()]));
            assert!(is_refused(&found), "{name} {security:?}: {found:?}");
            let remedy = found.unwrap_err().remedy;
            let of_the_issuer = name == "localhost";
            assert_eq!(remedy.contains("ca_file"), of_the_issuer, "{remedy}");
            assert!(
                !bad.operations().contains(&SEARCH),
                "no search was sent to it"
            );

            let next = server(&ours, "localhost", true);
            let next = next.uri_with("localhost", Security::Tls);
            let found = find(&trusting(&ours, vec![uri.clone(), next]));
            assert!(matches!(found, Ok(Found::One(_))), "{found:?}");

            // If the other server is down, the certificate is still what the administrator has to fix.
            let down = FakeDirectory::new(|_| Response::SendAndClose(vec![])).uri();
            let found = find(&trusting(&ours, vec![down, uri]));
            assert!(is_refused(&found), "{found:?}");
        }
    }
}

#[test]
fn refused_start_tls_is_never_skipped() {
    let ca = TestCa::new();
    for code in [1, 2, 53, 52] {
        let server = FakeDirectory::new(move |request| match request.operation {
            EXTENDED => Response::Send(message(request.id, &result(0x78, code, ""), b"")),
            _ => good(request),
        });
        let uri = server.uri_with("localhost", Security::StartTls);
        let found = find(&trusting(&ca, vec![uri]));
        assert_eq!(is_outage(&found), code == 52, "{found:?}");
        assert_eq!(is_refused(&found), code != 52, "{found:?}");
        assert_eq!(server.operations(), [EXTENDED]);
    }
}

#[test]
fn data_injected_before_tls_ends_the_connection() {
    let ca = TestCa::new();
    let injected = FakeDirectory::with_tls(V4, ca.server("localhost"), false, |request| {
        match request.operation {
            EXTENDED => {
                let answer = message(request.id, &result(0x78, 0, ""), b"");
                let search = message(1, &result(0x65, 0, ""), b"");
                Response::StartTls([answer, search].concat())
            }
            _ => good(request),
        }
    });
    let uri = injected.uri_with("localhost", Security::StartTls);
    let found = find(&trusting(&ca, vec![uri]));
    assert!(is_outage(&found), "{found:?}");

    for odd in [
        message(7, &result(0x78, 0, ""), b""),
        message(0, &result(0x78, 0, ""), b""),
        message(1, &result(0x61, 0, ""), b""),
        b"220 mail.example.org ESMTP\r\n".to_vec(),
        vec![0x30, 0x84, 0x40, 0, 0, 0],
    ] {
        let server = FakeDirectory::new(move |_| Response::Send(odd.clone()));
        let uri = server.uri_with("localhost", Security::StartTls);
        let found = find(&trusting(&ca, vec![uri]));
        assert!(is_outage(&found), "{found:?}");
    }
}

#[test]
fn a_server_without_tls_is_an_outage() {
    let ca = TestCa::new();
    let plain = FakeDirectory::new(|_| Response::Send(b"hello".to_vec()));
    let uri = plain.uri_with("localhost", Security::Tls);
    let mut settings = trusting(&ca, vec![uri]);
    settings.timeout = Duration::from_millis(300);
    let found = find(&settings);
    assert!(is_outage(&found), "{found:?}");
}

#[test]
fn a_silent_handshake_times_out() {
    let ca = TestCa::new();
    let listener = std::net::TcpListener::bind((V4, 0)).unwrap();
    let mut settings = trusting(
        &ca,
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
fn dropping_does_not_wait() {
    let ca = TestCa::new();
    let server = server(&ca, "localhost", true);
    let settings = trusting(&ca, vec![server.uri_with("localhost", Security::Tls)]);
    let mut ldap = opened(&settings).unwrap();
    assert!(matches!(ldap.find("alice", in_time()), Ok(Found::One(_))));
    let start = Moment::now();
    drop(ldap);
    assert!(
        Moment::now().since(start) < Duration::from_millis(100),
        "{:?}",
        Moment::now().since(start)
    );
}

#[test]
fn a_server_that_requires_a_client_certificate_refuses_the_connection() {
    // TLS 1.3 reports this only after the handshake, in place of the first response.
    let ca = TestCa::new();
    let tls = ca.demanding("localhost");
    let server = FakeDirectory::with_tls(V4, tls, true, good);
    let uri = server.uri_with("localhost", Security::Tls);
    let found = find(&trusting(&ca, vec![uri]));
    assert!(is_refused(&found), "{found:?}");
    let text = found.unwrap_err().what;
    assert!(text.contains("requires a client certificate"), "{text}");
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
        crate::directory::ldap_server::serve(&mut stream, &(Arc::new(good) as _), &seen);
    });
    let outcome = login(&settings(vec![config::LdapUri::Unix(path)]), PASSWORD);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(outcome, Ok(LOGIN));
    assert_eq!(log.lock().unwrap().len(), 2);
}
