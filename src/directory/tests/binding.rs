use std::{sync::atomic::Ordering, time::Duration};

use super::*;
use crate::deadline::Moment;
use crate::directory::{
    Entry,
    ber::{Elements, OCTETS, SEQUENCE},
    ldap_server::{FakeDirectory, message, policy, result, settings, settings_with_bind},
};

fn kind(outcome: &Result<LoginId, PasswordError>) -> &'static str {
    match outcome {
        Ok(_) => "proof",
        Err(PasswordError::Wrong) => "wrong",
        Err(PasswordError::Expired(_)) => "expired",
        Err(PasswordError::Locked(_)) => "locked",
        Err(PasswordError::Failed(failure)) => failure.kind.reason(),
    }
}

#[test]
fn one_bind_as_the_entry_verifies_the_password() {
    let server = FakeDirectory::new(good);
    assert_eq!(
        login(&settings_with_bind(vec![server.uri()]), PASSWORD),
        Ok(LOGIN)
    );
    assert_eq!(server.operations(), [BIND, SEARCH, BIND]);
    let request = server.requests.lock().unwrap()[2].clone();
    let (dn, password) = request.credentials();
    assert_eq!((dn.as_str(), password.as_str()), (ALICE, PASSWORD));
    // The password policy control has a name, and neither criticality nor value.
    let mut controls = Elements::of(&request.controls);
    let mut control = Elements::of(controls.take(SEQUENCE).unwrap());
    assert_eq!(control.text(OCTETS), Ok("1.3.6.1.4.1.42.2.27.8.5.1"));
    assert_eq!((control.done(), controls.done()), (Ok(()), Ok(())));
    // Three messages on one connection: their ids are consecutive.
    let ids: Vec<u8> = server
        .requests
        .lock()
        .unwrap()
        .iter()
        .map(|a| a.id)
        .collect();
    assert_eq!(ids, [1, 2, 3]);
}

/// For servers that crash when they receive it.
#[test]
fn the_policy_control_can_be_disabled() {
    for wanted in [true, false] {
        let server = FakeDirectory::new(good);
        let mut settings = settings_with_bind(vec![server.uri()]);
        settings.password_policy = wanted;
        assert_eq!(login(&settings, PASSWORD), Ok(LOGIN));
        let request = server.requests.lock().unwrap();
        let binds = request.iter().filter(|request| request.operation == BIND);
        let with_controls: Vec<bool> = binds.map(|bind| !bind.controls.is_empty()).collect();
        assert_eq!(
            with_controls, [wanted; 2],
            "of the service account and of the user"
        );
        assert!(wanted || request.iter().all(|request| request.controls.is_empty()));
    }
}

#[test]
fn result_codes_and_controls_are_evaluated() {
    let cases: [(u8, &[u8], &str); 13] = [
        (0, b"", "proof"),
        (0, &[0x30, 5, 0xa0, 3, 0x80, 1, 60], "proof"),
        (0, &[0x30, 3, 0x81, 1, 2], "expired"),
        (0, &[0x30, 5, 0xa0, 3, 0x81, 1, 2], "proof"),
        (0, &[0x30, 8, 0xa0, 3, 0x81, 1, 2, 0x81, 1, 2], "expired"),
        (0, &[0x30, 9], "outage"),
        (49, b"", "wrong"),
        (49, &[0x30, 3, 0x81, 1, 1], "locked"),
        (53, b"", "locked"),
        (51, b"", "outage"),
        (10, b"", "refused"),
        (14, b"", "refused"),
        (32, b"", "refused"),
    ];
    for (code, control, expected) in cases {
        let first = FakeDirectory::new(with_bind(move |request| {
            let operation = result(0x61, code, "");
            Response::Send(message(request.id, &operation, &policy(control)))
        }));
        let second = FakeDirectory::new(good);
        let outcome = login(&settings(vec![first.uri(), second.uri()]), PASSWORD);
        assert_eq!(kind(&outcome), expected, "{code} {control:x?}: {outcome:?}");
        assert_eq!(first.operations(), [SEARCH, BIND]);
        assert!(
            second.operations().is_empty(),
            "no other server is asked once the bind was sent"
        );
    }
}

#[test]
fn an_empty_password_is_wrong_and_never_sent() {
    let server = FakeDirectory::new(good);
    assert_eq!(
        login(&settings(vec![server.uri()]), ""),
        Err(PasswordError::Wrong)
    );
    assert_eq!(server.operations(), [SEARCH]);
}

#[test]
fn an_entry_without_a_dn_is_never_bound_as() {
    let server = FakeDirectory::new(good);
    let settings = settings(vec![server.uri()]);
    let mut ldap = opened(&settings).unwrap();
    assert!(matches!(ldap.find("alice", in_time()), Ok(Found::One(_))));
    let no_dn = Entry::new(String::new(), vec![], vec![]);
    let password = Secret::new(PASSWORD.to_owned());
    let outcome = ldap.verify_password(&no_dn, &password, LOGIN, in_time());
    assert_eq!(
        kind(&outcome.map(|verified| verified.proof.login())),
        "refused"
    );
    assert_eq!(server.operations(), [SEARCH]);
}

#[test]
fn an_interrupted_bind_is_an_outage_and_not_repeated() {
    let cuts: [fn(&Request) -> Response; 4] = [
        |_| Response::SendAndClose(vec![]),
        |request| {
            let whole = message(request.id, &result(0x61, 0, ""), b"");
            Response::SendAndClose(whole[..whole.len() - 1].to_vec())
        },
        |request| Response::Send(message(request.id + 1, &result(0x61, 0, ""), b"")),
        |_| Response::Send(message(0, &result(0x78, 52, "bye"), b"")),
    ];
    for cut in cuts {
        let (first, second) = (FakeDirectory::new(with_bind(cut)), FakeDirectory::new(good));
        let mut settings = settings(vec![first.uri(), second.uri()]);
        settings.timeout = Duration::from_millis(300);
        let outcome = login(&settings, PASSWORD);
        assert!(is_password_outage(&outcome), "{outcome:?}");
        assert_eq!(first.operations(), [SEARCH, BIND]);
        assert!(second.operations().is_empty());
    }
}

#[test]
fn a_slow_bind_ends_with_its_timeout_or_the_deadline() {
    let server = FakeDirectory::new(with_bind(|_| Response::Silence));
    let mut settings = settings(vec![server.uri()]);
    settings.timeout = Duration::from_millis(200);
    let start = Moment::now();
    assert!(is_password_outage(&login(&settings, PASSWORD)));
    assert!(
        Moment::now().since(start) < Duration::from_secs(2),
        "{:?}",
        Moment::now().since(start)
    );

    settings.timeout = Duration::from_secs(30);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", in_time()) else {
        panic!("not one");
    };
    let password = Secret::new(PASSWORD.to_owned());
    let by = Deadline::within(Duration::from_millis(200));
    let start = Moment::now();
    assert!(is_password_outage(
        &ldap.verify_password(&entry, &password, LOGIN, by)
    ));
    assert!(
        Moment::now().since(start) < Duration::from_secs(2),
        "{:?}",
        Moment::now().since(start)
    );
}

#[test]
fn a_connection_verifies_one_password() {
    let server = FakeDirectory::new(with_bind(|request| request.result(49)));
    let settings = settings(vec![server.uri()]);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", in_time()) else {
        panic!("not one");
    };
    let password = Secret::new(PASSWORD.to_owned());
    let mut verify = || {
        ldap.verify_password(&entry, &password, LOGIN, in_time())
            .map(|verified| verified.proof.login())
    };
    assert_eq!(verify(), Err(PasswordError::Wrong));
    assert_eq!(kind(&verify()), "local");
    assert_eq!(server.operations(), [SEARCH, BIND]);
}

#[test]
fn connections_are_closed_when_not_needed() {
    let closes = |server: &FakeDirectory| {
        let deadline = in_time();
        while server.open.load(Ordering::SeqCst) > 0 {
            assert!(!deadline.is_over(), "still open");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let (empty, busy) = (
        FakeDirectory::new(|request| request.entries(&[])),
        FakeDirectory::new(|request| request.result(51)),
    );
    let server = FakeDirectory::new(with_bind(|request| request.result(49)));
    let settings = settings(vec![busy.uri(), server.uri()]);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", in_time()) else {
        panic!("not one");
    };
    closes(&busy);
    assert_eq!(server.open.load(Ordering::SeqCst), 1, "for the bind");
    let password = Secret::new(PASSWORD.to_owned());
    let outcome = ldap.verify_password(&entry, &password, LOGIN, in_time());
    assert_eq!(outcome, Err(PasswordError::Wrong));
    closes(&server);

    let settings = crate::directory::ldap_server::settings(vec![empty.uri()]);
    let mut ldap = opened(&settings).unwrap();
    assert_eq!(ldap.find("alice", in_time()), Ok(Found::None));
    closes(&empty);
}

#[test]
fn no_bind_is_sent_after_the_deadline() {
    let server = FakeDirectory::new(good);
    let settings = settings(vec![server.uri()]);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", in_time()) else {
        panic!("not one");
    };
    let password = Secret::new(PASSWORD.to_owned());
    let over = Deadline::within(Duration::ZERO);
    assert!(is_password_outage(
        &ldap.verify_password(&entry, &password, LOGIN, over)
    ));
    assert_eq!(server.operations(), [SEARCH]);
}

#[test]
fn the_password_is_not_repeated_in_any_text() {
    for code in [19, 53, 80, 52] {
        let server = FakeDirectory::new(with_bind(move |request| {
            let (_, password) = request.credentials();
            let text = format!("your password is {password}");
            Response::Send(message(request.id, &result(0x61, code, &text), b""))
        }));
        let outcome = login(&settings(vec![server.uri()]), PASSWORD);
        assert!(!format!("{outcome:?}").contains(PASSWORD), "{outcome:?}");
    }
}

#[test]
fn long_and_unusual_passwords_are_sent_unchanged() {
    for password in ["p\u{e4}ss w\u{f6}rd\0\"\\*", &"x".repeat(40_000)] {
        let server = FakeDirectory::new(good);
        assert_eq!(login(&settings(vec![server.uri()]), password), Ok(LOGIN));
        let request = server.requests.lock().unwrap()[1].clone();
        assert_eq!(request.credentials().1, password);
    }
}
