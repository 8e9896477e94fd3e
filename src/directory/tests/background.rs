//! Searches in the background.
#![forbid(unsafe_code)]

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

use super::*;
use crate::{
    config::Security,
    directory::{
        Client, Directory,
        ldap_server::{FakeDirectory, message, result, settings, settings_with_bind},
    },
    prefetch::Permit,
    test_support::net_server::TestCa,
};

fn client(settings: config::Ldap) -> Client {
    Client::new(Arc::new(settings))
}

/// Waits until a condition is true that another thread brings about.
fn until(what: &str, is_true: impl Fn() -> bool) {
    let by = in_time();
    while !is_true() {
        assert!(!by.is_over(), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether the search has ended and its connection is closed.
fn is_over(server: &FakeDirectory, client: &Client) -> bool {
    server.open.load(Ordering::SeqCst) == 0 && client.is_idle()
}

fn verify(client: &mut Client, found: Result<Found, Failure>) -> Result<LoginId, PasswordError> {
    let Ok(Found::One(entry)) = found else {
        panic!("not one entry: {found:?}");
    };
    let password = Secret::new(PASSWORD.to_owned());
    client
        .verify_password(&entry, &password, LOGIN, in_time())
        .map(|verified| verified.proof.login())
}

/// Responds to the n-th search, counted from 0, with `response`.
fn searches(
    response: impl Fn(usize, &Request) -> Response + Send + Sync,
) -> impl Fn(&Request) -> Response + Send {
    let count = AtomicUsize::new(0);
    move |request| match request.operation {
        SEARCH => response(count.fetch_add(1, Ordering::SeqCst), request),
        _ => good(request),
    }
}

/// Responds to a search with the entry of Alice, and closes the connection.
fn found_and_closed(request: &Request, then: &[u8]) -> Response {
    let Response::Send(mut bytes) = request.entries(&[alice()]) else {
        panic!("not a response");
    };
    bytes.extend(then);
    Response::SendAndClose(bytes)
}

#[test]
fn only_one_bind_is_left_for_after_the_prompt() {
    let server = FakeDirectory::new(good);
    let mut client = client(settings_with_bind(vec![server.uri()]));
    client.begin("alice", in_time(), Permit::for_a_test());
    until("the search is made", || {
        server.operations() == [BIND, SEARCH]
    });
    let found = client.find("alice", in_time());
    assert_eq!(verify(&mut client, found), Ok(LOGIN));
    assert_eq!(server.operations(), [BIND, SEARCH, BIND]);
    // On one connection: their ids are consecutive.
    let ids: Vec<u8> = server
        .requests
        .lock()
        .unwrap()
        .iter()
        .map(|a| a.id)
        .collect();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn a_running_search_is_waited_for_and_not_repeated() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let server = FakeDirectory::new(searches(move |_, request| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(5));
        good(request)
    }));
    let mut client = client(settings(vec![server.uri()]));
    client.begin("alice", in_time(), Permit::for_a_test());
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        release.send(())
    });
    let found = client.find("alice", in_time());
    late.join().unwrap().unwrap();
    assert_eq!(verify(&mut client, found), Ok(LOGIN));
    assert_eq!(server.operations(), [SEARCH, BIND]);
}

#[test]
fn begin_does_not_wait() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let uri = config::LdapUri::Tcp {
        host: String::from("127.0.0.1"),
        port: silent.local_addr().unwrap().port(),
        security: Security::Loopback,
    };
    let mut client = client(settings(vec![uri]));
    client.begin("alice", in_time(), Permit::for_a_test());
    // It is connected and gets no response: the deadline of the waiting caller counts.
    let taken = silent.accept().unwrap();
    let found = client.find("alice", Deadline::within(Duration::from_millis(50)));
    assert!(is_outage(&found), "{found:?}");
    drop(taken);
}

/// The end of an idle connection is noticed before the bind is sent, whatever was received at the end.
#[test]
fn a_closed_connection_is_replaced_and_the_bind_sent_once() {
    let notice = message(0, &result(0x78, 52, "bye"), b"");
    for last_bytes in [&b""[..], &notice, b"\x30\x84garbage"] {
        let last_bytes = last_bytes.to_vec();
        let server = FakeDirectory::new(searches(move |count, request| match count {
            0 => found_and_closed(request, &last_bytes),
            _ => good(request),
        }));
        let mut client = client(settings_with_bind(vec![server.uri()]));
        client.begin("alice", in_time(), Permit::for_a_test());
        until("it is closed", || {
            server.operations() == [BIND, SEARCH] && is_over(&server, &client)
        });
        let found = client.find("alice", in_time());
        assert_eq!(verify(&mut client, found), Ok(LOGIN));
        assert_eq!(server.operations(), [BIND, SEARCH, BIND, SEARCH, BIND]);
    }
}

#[test]
fn a_closed_tls_connection_is_replaced() {
    let ca = TestCa::new();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let script = searches(|count, request| match count {
        0 => found_and_closed(request, b""),
        _ => good(request),
    });
    let server = FakeDirectory::with_tls(address, ca.server("127.0.0.1"), true, script);
    let uri = server.uri_with("127.0.0.1", Security::Tls);
    let mut client = client(config::Ldap {
        ca_file: Some(ca.pem().into_bytes().into()),
        ..settings(vec![uri])
    });
    client.begin("alice", in_time(), Permit::for_a_test());
    until("it is closed", || {
        server.operations() == [SEARCH] && is_over(&server, &client)
    });
    let found = client.find("alice", in_time());
    assert_eq!(verify(&mut client, found), Ok(LOGIN));
    assert_eq!(server.operations(), [SEARCH, SEARCH, BIND]);
}

#[test]
fn the_newer_result_is_used() {
    const MOVED: &str = "uid=alice,ou=moved,dc=example,dc=org";
    let server = FakeDirectory::new(searches(|count, request| match count {
        0 => found_and_closed(request, b""),
        _ => request.entries(&[entry(MOVED, &[])]),
    }));
    let mut client = client(settings(vec![server.uri()]));
    client.begin("alice", in_time(), Permit::for_a_test());
    until("it is closed", || {
        server.operations() == [SEARCH] && is_over(&server, &client)
    });
    let found = client.find("alice", in_time());
    assert_eq!(verify(&mut client, found), Ok(LOGIN));
    let request = server.requests.lock().unwrap()[2].clone();
    assert_eq!(request.credentials().0, MOVED);
}

#[test]
fn a_bind_is_never_sent_twice() {
    let closing = FakeDirectory::new(with_bind(|_| Response::SendAndClose(vec![])));
    let other = FakeDirectory::new(good);
    let mut client = client(settings(vec![closing.uri(), other.uri()]));
    client.begin("alice", in_time(), Permit::for_a_test());
    until("the search is made", || client.is_idle());
    let found = client.find("alice", in_time());
    let outcome = verify(&mut client, found);
    assert!(is_password_outage(&outcome), "{outcome:?}");
    // Not even if the caller asks for it.
    let alice = Entry::new(ALICE.to_owned(), vec![], vec![]);
    let password = Secret::new(PASSWORD.to_owned());
    assert!(
        client
            .verify_password(&alice, &password, LOGIN, in_time())
            .is_err()
    );
    assert_eq!(closing.operations(), [SEARCH, BIND]);
    assert!(other.operations().is_empty());
}

/// The server was down when the user began to type and is up when they have finished.
#[test]
fn a_failed_search_is_repeated() {
    let server = FakeDirectory::new(searches(|count, request| match count {
        0 => request.result(51),
        _ => good(request),
    }));
    let mut client = client(settings(vec![server.uri()]));
    client.begin("alice", in_time(), Permit::for_a_test());
    until("it has failed", || {
        server.operations() == [SEARCH] && is_over(&server, &client)
    });
    let found = client.find("alice", in_time());
    assert_eq!(verify(&mut client, found), Ok(LOGIN));
    assert_eq!(server.operations(), [SEARCH, SEARCH, BIND]);
}

#[test]
fn a_search_without_a_result_is_not_repeated() {
    let server = FakeDirectory::new(|request| request.entries(&[]));
    let mut client = client(settings(vec![server.uri()]));
    client.begin("unknown", in_time(), Permit::for_a_test());
    until("the search is made", || client.is_idle());
    assert_eq!(client.find("unknown", in_time()), Ok(Found::None));
    assert_eq!(server.operations(), [SEARCH]);
}

#[test]
fn a_result_is_used_only_for_its_name() {
    let server = FakeDirectory::new(good);
    let mut client = client(settings(vec![server.uri()]));
    client.begin("mallory", in_time(), Permit::for_a_test());
    until("the search is made", || client.is_idle());
    let found = client.find("alice", in_time());
    assert_eq!(verify(&mut client, found), Ok(LOGIN));
    assert_eq!(server.operations(), [SEARCH, SEARCH, BIND]);
}
