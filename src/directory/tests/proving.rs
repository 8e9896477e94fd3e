use std::{sync::atomic::Ordering, time::Duration};

use super::*;
use crate::deadline::Moment;
use crate::directory::{
    Entry,
    ber::{Elements, OCTETS, SEQUENCE},
    stage::{Stage, message, policy, result, settings, with_service},
};

fn kind(outcome: &Result<LoginId, Unproved>) -> &'static str {
    match outcome {
        Ok(_) => "proof",
        Err(Unproved::Wrong) => "wrong",
        Err(Unproved::Expired(_)) => "expired",
        Err(Unproved::Locked(_)) => "locked",
        Err(Unproved::Failed(failure)) => failure.kind.reason(),
    }
}

#[test]
fn one_bind_as_the_entry_on_the_same_connection_is_a_proof() {
    let stage = Stage::new(good);
    assert_eq!(login(&with_service(vec![stage.uri()]), PASSWORD), Ok(LOGIN));
    assert_eq!(stage.operations(), [BIND, SEARCH, BIND]);
    let asked = stage.asked.lock().unwrap()[2].clone();
    let (dn, password) = asked.credentials();
    assert_eq!((dn.as_str(), password.as_str()), (ALICE, PASSWORD));
    // The password policy control: its name, and neither criticality nor value.
    let mut controls = Elements::of(&asked.controls);
    let mut control = Elements::of(controls.take(SEQUENCE).unwrap());
    assert_eq!(control.text(OCTETS), Ok("1.3.6.1.4.1.42.2.27.8.5.1"));
    assert_eq!((control.done(), controls.done()), (Ok(()), Ok(())));
    // Three messages on one connection: their ids count on.
    let ids: Vec<u8> = stage.asked.lock().unwrap().iter().map(|a| a.id).collect();
    assert_eq!(ids, [1, 2, 3]);
}

/// For servers that end themselves when they get it.
#[test]
fn the_policy_control_can_be_left_out() {
    for wanted in [true, false] {
        let stage = Stage::new(good);
        let mut settings = with_service(vec![stage.uri()]);
        settings.password_policy = wanted;
        assert_eq!(login(&settings, PASSWORD), Ok(LOGIN));
        let asked = stage.asked.lock().unwrap();
        let binds = asked.iter().filter(|asked| asked.operation == BIND);
        let with_controls: Vec<bool> = binds.map(|bind| !bind.controls.is_empty()).collect();
        assert_eq!(
            with_controls, [wanted; 2],
            "of the service account and of the user"
        );
        assert!(wanted || asked.iter().all(|asked| asked.controls.is_empty()));
    }
}

#[test]
fn result_codes_and_controls_arrive() {
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
        let first = Stage::new(with_bind(move |asked| {
            let operation = result(0x61, code, "");
            Play::Say(message(asked.id, &operation, &policy(control)))
        }));
        let second = Stage::new(good);
        let outcome = login(&settings(vec![first.uri(), second.uri()]), PASSWORD);
        assert_eq!(kind(&outcome), expected, "{code} {control:x?}: {outcome:?}");
        assert_eq!(first.operations(), [SEARCH, BIND]);
        assert!(
            second.operations().is_empty(),
            "once it has left, nobody else is asked"
        );
    }
}

#[test]
fn an_empty_password_is_wrong_and_never_leaves() {
    let stage = Stage::new(good);
    assert_eq!(
        login(&settings(vec![stage.uri()]), ""),
        Err(Unproved::Wrong)
    );
    assert_eq!(stage.operations(), [SEARCH]);
}

#[test]
fn an_entry_without_a_name_is_never_bound_as() {
    let stage = Stage::new(good);
    let settings = settings(vec![stage.uri()]);
    let mut ldap = opened(&settings).unwrap();
    assert!(matches!(ldap.find("alice", soon()), Ok(Found::One(_))));
    let nobody = Entry::new(String::new(), vec![], vec![]);
    let password = Secret::new(PASSWORD.to_owned());
    let outcome = ldap.prove(&nobody, &password, LOGIN, soon());
    assert_eq!(kind(&outcome.map(|proved| proved.proof.login())), "refused");
    assert_eq!(stage.operations(), [SEARCH]);
}

#[test]
fn a_bind_that_is_cut_off_is_an_outage_and_not_repeated() {
    let cuts: [fn(&Asked) -> Play; 4] = [
        |_| Play::SayAndCut(vec![]),
        |asked| {
            let whole = message(asked.id, &result(0x61, 0, ""), b"");
            Play::SayAndCut(whole[..whole.len() - 1].to_vec())
        },
        |asked| Play::Say(message(asked.id + 1, &result(0x61, 0, ""), b"")),
        |_| Play::Say(message(0, &result(0x78, 52, "bye"), b"")),
    ];
    for cut in cuts {
        let (first, second) = (Stage::new(with_bind(cut)), Stage::new(good));
        let mut settings = settings(vec![first.uri(), second.uri()]);
        settings.timeout = Duration::from_millis(300);
        let outcome = login(&settings, PASSWORD);
        assert!(is_unproved_outage(&outcome), "{outcome:?}");
        assert_eq!(first.operations(), [SEARCH, BIND]);
        assert!(second.operations().is_empty());
    }
}

#[test]
fn a_slow_bind_ends_with_its_step_or_the_deadline() {
    let stage = Stage::new(with_bind(|_| Play::Silence));
    let mut settings = settings(vec![stage.uri()]);
    settings.timeout = Duration::from_millis(200);
    let start = Moment::now();
    assert!(is_unproved_outage(&login(&settings, PASSWORD)));
    assert!(
        Moment::now().since(start) < Duration::from_secs(2),
        "{:?}",
        Moment::now().since(start)
    );

    settings.timeout = Duration::from_secs(30);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", soon()) else {
        panic!("not one");
    };
    let password = Secret::new(PASSWORD.to_owned());
    let by = Deadline::within(Duration::from_millis(200));
    let start = Moment::now();
    assert!(is_unproved_outage(
        &ldap.prove(&entry, &password, LOGIN, by)
    ));
    assert!(
        Moment::now().since(start) < Duration::from_secs(2),
        "{:?}",
        Moment::now().since(start)
    );
}

#[test]
fn a_connection_is_good_for_one_password() {
    let stage = Stage::new(with_bind(|asked| asked.answer(49)));
    let settings = settings(vec![stage.uri()]);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", soon()) else {
        panic!("not one");
    };
    let password = Secret::new(PASSWORD.to_owned());
    let mut prove = || {
        ldap.prove(&entry, &password, LOGIN, soon())
            .map(|proved| proved.proof.login())
    };
    assert_eq!(prove(), Err(Unproved::Wrong));
    assert_eq!(kind(&prove()), "local");
    assert_eq!(stage.operations(), [SEARCH, BIND]);
}

#[test]
fn connections_are_closed_once_they_are_of_no_more_use() {
    let closes = |stage: &Stage| {
        let deadline = soon();
        while stage.open.load(Ordering::SeqCst) > 0 {
            assert!(!deadline.is_over(), "still open");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let (empty, busy) = (
        Stage::new(|asked| asked.found(&[])),
        Stage::new(|asked| asked.answer(51)),
    );
    let stage = Stage::new(with_bind(|asked| asked.answer(49)));
    let settings = settings(vec![busy.uri(), stage.uri()]);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", soon()) else {
        panic!("not one");
    };
    closes(&busy);
    assert_eq!(stage.open.load(Ordering::SeqCst), 1, "for the bind");
    let password = Secret::new(PASSWORD.to_owned());
    let outcome = ldap.prove(&entry, &password, LOGIN, soon());
    assert_eq!(outcome, Err(Unproved::Wrong));
    closes(&stage);

    let settings = crate::directory::stage::settings(vec![empty.uri()]);
    let mut ldap = opened(&settings).unwrap();
    assert_eq!(ldap.find("alice", soon()), Ok(Found::None));
    closes(&empty);
}

#[test]
fn without_time_to_wait_for_the_answer_nothing_is_sent() {
    let stage = Stage::new(good);
    let settings = settings(vec![stage.uri()]);
    let mut ldap = opened(&settings).unwrap();
    let Ok(Found::One(entry)) = ldap.find("alice", soon()) else {
        panic!("not one");
    };
    let password = Secret::new(PASSWORD.to_owned());
    let over = Deadline::within(Duration::ZERO);
    assert!(is_unproved_outage(
        &ldap.prove(&entry, &password, LOGIN, over)
    ));
    assert_eq!(stage.operations(), [SEARCH]);
}

#[test]
fn the_password_is_not_repeated_in_any_text() {
    for code in [19, 53, 80, 52] {
        let stage = Stage::new(with_bind(move |asked| {
            let (_, password) = asked.credentials();
            let text = format!("your password is {password}");
            Play::Say(message(asked.id, &result(0x61, code, &text), b""))
        }));
        let outcome = login(&settings(vec![stage.uri()]), PASSWORD);
        assert!(!format!("{outcome:?}").contains(PASSWORD), "{outcome:?}");
    }
}

#[test]
fn long_and_odd_passwords_arrive_whole() {
    for password in ["p\u{e4}ss w\u{f6}rd\0\"\\*", &"x".repeat(40_000)] {
        let stage = Stage::new(good);
        assert_eq!(login(&settings(vec![stage.uri()]), password), Ok(LOGIN));
        let asked = stage.asked.lock().unwrap()[1].clone();
        assert_eq!(asked.credentials().1, password);
    }
}
