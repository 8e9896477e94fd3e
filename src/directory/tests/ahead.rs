//! What is asked before anybody waits for it.
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
        stage::{Authority, Stage, message, result, settings, with_service},
    },
    prefetch::Permit,
};

fn client(settings: config::Ldap) -> Client {
    Client::new(Arc::new(settings))
}

/// Until something is so that another thread does.
fn until(what: &str, so: impl Fn() -> bool) {
    let by = soon();
    while !so() {
        assert!(!by.is_over(), "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The connection is closed, and what was found lies there.
fn is_over(stage: &Stage, client: &Client) -> bool {
    stage.open.load(Ordering::SeqCst) == 0 && client.is_idle()
}

fn prove(client: &mut Client, found: Result<Found, Failure>) -> Result<LoginId, Unproved> {
    let Ok(Found::One(entry)) = found else {
        panic!("not one entry: {found:?}");
    };
    let password = Secret::new(PASSWORD.to_owned());
    client
        .prove(&entry, &password, LOGIN, soon())
        .map(|proved| proved.proof.login())
}

/// A directory whose n-th search, counted from 0, is answered so.
fn searches(play: impl Fn(usize, &Asked) -> Play + Send + Sync) -> impl Fn(&Asked) -> Play + Send {
    let count = AtomicUsize::new(0);
    move |asked| match asked.operation {
        SEARCH => play(count.fetch_add(1, Ordering::SeqCst), asked),
        _ => good(asked),
    }
}

/// The answer to a search for Alice, after which the connection is closed.
fn found_and_cut(asked: &Asked, then: &[u8]) -> Play {
    let Play::Say(mut bytes) = asked.found(&[alice()]) else {
        panic!("it says something");
    };
    bytes.extend(then);
    Play::SayAndCut(bytes)
}

#[test]
fn everything_but_one_bind_is_done_before_anybody_waits() {
    let stage = Stage::new(good);
    let mut client = client(with_service(vec![stage.uri()]));
    client.begin("alice", soon(), Permit::for_a_test());
    until("the search is made", || {
        stage.operations() == [BIND, SEARCH]
    });
    let found = client.find("alice", soon());
    assert_eq!(prove(&mut client, found), Ok(LOGIN));
    assert_eq!(stage.operations(), [BIND, SEARCH, BIND]);
    // On one connection: their ids count on.
    let ids: Vec<u8> = stage.asked.lock().unwrap().iter().map(|a| a.id).collect();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn what_is_not_there_yet_is_waited_for_and_not_asked_twice() {
    let (answer, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let stage = Stage::new(searches(move |_, asked| {
        let _ = held.lock().unwrap().recv_timeout(Duration::from_secs(5));
        good(asked)
    }));
    let mut client = client(settings(vec![stage.uri()]));
    client.begin("alice", soon(), Permit::for_a_test());
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        answer.send(())
    });
    let found = client.find("alice", soon());
    late.join().unwrap().unwrap();
    assert_eq!(prove(&mut client, found), Ok(LOGIN));
    assert_eq!(stage.operations(), [SEARCH, BIND]);
}

#[test]
fn it_begins_without_waiting_for_anybody() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let uri = config::LdapUri::Tcp {
        host: String::from("127.0.0.1"),
        port: silent.local_addr().unwrap().port(),
        security: Security::Loopback,
    };
    let mut client = client(settings(vec![uri]));
    client.begin("alice", soon(), Permit::for_a_test());
    // It is connected, and nobody answers: the patience of whoever waits is what counts.
    let taken = silent.accept().unwrap();
    let found = client.find("alice", Deadline::within(Duration::from_millis(50)));
    assert!(is_outage(&found), "{found:?}");
    drop(taken);
}

/// An idle connection that ends in any way is noticed before the bind is written, and replaced.
#[test]
fn a_connection_that_died_meanwhile_is_replaced_and_the_bind_sent_once() {
    let goodbye = message(0, &result(0x78, 52, "bye"), b"");
    for last_words in [&b""[..], &goodbye, b"\x30\x84garbage"] {
        let last_words = last_words.to_vec();
        let stage = Stage::new(searches(move |count, asked| match count {
            0 => found_and_cut(asked, &last_words),
            _ => good(asked),
        }));
        let mut client = client(with_service(vec![stage.uri()]));
        client.begin("alice", soon(), Permit::for_a_test());
        until("it is closed", || {
            stage.operations() == [BIND, SEARCH] && is_over(&stage, &client)
        });
        let found = client.find("alice", soon());
        assert_eq!(prove(&mut client, found), Ok(LOGIN));
        assert_eq!(stage.operations(), [BIND, SEARCH, BIND, SEARCH, BIND]);
    }
}

#[test]
fn under_tls_its_end_is_noticed_as_well() {
    let authority = Authority::new();
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let script = searches(|count, asked| match count {
        0 => found_and_cut(asked, b""),
        _ => good(asked),
    });
    let stage = Stage::secure(address, authority.server("127.0.0.1"), true, script);
    let uri = stage.uri_with("127.0.0.1", Security::Tls);
    let mut client = client(config::Ldap {
        ca_file: Some(authority.pem().into()),
        ..settings(vec![uri])
    });
    client.begin("alice", soon(), Permit::for_a_test());
    until("it is closed", || {
        stage.operations() == [SEARCH] && is_over(&stage, &client)
    });
    let found = client.find("alice", soon());
    assert_eq!(prove(&mut client, found), Ok(LOGIN));
    assert_eq!(stage.operations(), [SEARCH, SEARCH, BIND]);
}

#[test]
fn what_is_found_anew_counts() {
    const MOVED: &str = "uid=alice,ou=moved,dc=example,dc=org";
    let stage = Stage::new(searches(|count, asked| match count {
        0 => found_and_cut(asked, b""),
        _ => asked.found(&[entry(MOVED, &[])]),
    }));
    let mut client = client(settings(vec![stage.uri()]));
    client.begin("alice", soon(), Permit::for_a_test());
    until("it is closed", || {
        stage.operations() == [SEARCH] && is_over(&stage, &client)
    });
    let found = client.find("alice", soon());
    assert_eq!(prove(&mut client, found), Ok(LOGIN));
    let asked = stage.asked.lock().unwrap()[2].clone();
    assert_eq!(asked.credentials().0, MOVED);
}

#[test]
fn once_the_bind_is_written_it_is_never_sent_again() {
    let dies = Stage::new(with_bind(|_| Play::SayAndCut(vec![])));
    let other = Stage::new(good);
    let mut client = client(settings(vec![dies.uri(), other.uri()]));
    client.begin("alice", soon(), Permit::for_a_test());
    until("the search is made", || client.is_idle());
    let found = client.find("alice", soon());
    let outcome = prove(&mut client, found);
    assert!(is_unproved_outage(&outcome), "{outcome:?}");
    // Not even if somebody asked for it.
    let alice = Entry::new(ALICE.to_owned(), vec![], vec![]);
    let password = Secret::new(PASSWORD.to_owned());
    assert!(client.prove(&alice, &password, LOGIN, soon()).is_err());
    assert_eq!(dies.operations(), [SEARCH, BIND]);
    assert!(other.operations().is_empty());
}

/// Down while he began to type, and up when he had done so: he gets in as if nothing had been begun.
#[test]
fn a_failure_from_before_is_asked_about_anew() {
    let stage = Stage::new(searches(|count, asked| match count {
        0 => asked.answer(51),
        _ => good(asked),
    }));
    let mut client = client(settings(vec![stage.uri()]));
    client.begin("alice", soon(), Permit::for_a_test());
    until("it has failed", || {
        stage.operations() == [SEARCH] && is_over(&stage, &client)
    });
    let found = client.find("alice", soon());
    assert_eq!(prove(&mut client, found), Ok(LOGIN));
    assert_eq!(stage.operations(), [SEARCH, SEARCH, BIND]);
}

#[test]
fn nobody_is_nobody_without_being_asked_for_twice() {
    let stage = Stage::new(|asked| asked.found(&[]));
    let mut client = client(settings(vec![stage.uri()]));
    client.begin("nobody", soon(), Permit::for_a_test());
    until("the search is made", || client.is_idle());
    assert_eq!(client.find("nobody", soon()), Ok(Found::None));
    assert_eq!(stage.operations(), [SEARCH]);
}

#[test]
fn an_entry_counts_for_the_name_that_it_was_found_by() {
    let stage = Stage::new(good);
    let mut client = client(settings(vec![stage.uri()]));
    client.begin("mallory", soon(), Permit::for_a_test());
    until("the search is made", || client.is_idle());
    let found = client.find("alice", soon());
    assert_eq!(prove(&mut client, found), Ok(LOGIN));
    assert_eq!(stage.operations(), [SEARCH, SEARCH, BIND]);
}
