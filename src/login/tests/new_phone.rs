//! New phone numbers: announced, and kept waiting by `new_phone`.
#![forbid(unsafe_code)]

use protocol::Code as Pam;

use super::{
    ledger::{REMEMBER, login, seconds},
    scenario::{Observed, PASSWORD, Reply, Scenario, run},
};
use crate::{
    config::Settings,
    ledger::model::{Model, disk_full, outage},
};

const WAIT: fn(&mut Settings) = |settings| settings.policy.new_phone = seconds(86400);

/// Runs a login of the user after the number has changed.
fn moved(ledger: &Model, scenario: Scenario) -> Observed {
    run(Scenario {
        user: b"moved",
        ledger: ledger.clone(),
        ..scenario
    })
}

#[test]
fn a_new_number_is_announced_and_waits() {
    let wait: fn(&mut Settings) = |settings| {
        REMEMBER(settings);
        settings.policy.new_phone = seconds(86400);
    };
    let ledger = Model::default();
    let moved = |change, replies: &[Reply]| {
        run(Scenario {
            user: b"moved",
            ledger: ledger.clone(),
            change,
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    // The first number of a user does not wait.
    let seen = login(&ledger, wait, &[Reply::Code(0)]);
    assert_eq!((seen.pam, seen.announced.len()), (Pam::Success, 0));
    ledger.pass(seconds(1));
    let seen = moved(wait, &[Reply::Text(PASSWORD)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "new-phone", 0)
    );
    assert_eq!(seen.announced, ["+1*******77"]);
    assert_eq!(
        seen.text,
        "Your new phone number cannot be used yet. Ask your administrator. (login 7f3a9c21)"
    );
    // It is announced once. The old number is still accepted, and nothing is remembered.
    ledger.pass(seconds(60));
    assert!(moved(wait, &[Reply::Text(PASSWORD)]).announced.is_empty());
    assert_eq!(login(&ledger, wait, &[Reply::Code(0)]).reason, "granted");
    // That login had only the old number, so the wait begins again.
    ledger.pass(seconds(86400));
    let seen = moved(wait, &[Reply::Text(PASSWORD)]);
    assert_eq!((seen.reason, seen.announced.len()), ("new-phone", 1));
    ledger.pass(seconds(86400));
    let seen = moved(wait, &[Reply::Text(PASSWORD), Reply::Code(0)]);
    assert_eq!(seen.reason, "granted");
}

/// If this process is killed between the ledger's decision and the log line, or between the line and the
/// record in the ledger, the next login finds the same number new.
#[test]
fn a_killed_login_does_not_hide_a_new_number() {
    let allow: fn(&mut Settings) = |_| {};
    for (new_phone, last, reason) in [
        (
            allow,
            &[Reply::Text(PASSWORD), Reply::Disconnect][..],
            "abandoned",
        ),
        (WAIT, &[Reply::Text(PASSWORD)], "new-phone"),
    ] {
        let ledger = Model::default();
        assert_eq!(
            login(&ledger, new_phone, &[Reply::Code(0)]).reason,
            "granted"
        );
        for killed in ["phone changed", "mark announced"] {
            ledger.pass(seconds(2 * 86400));
            let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                moved(
                    &ledger,
                    Scenario {
                        change: new_phone,
                        panics: killed,
                        replies: vec![Reply::Text(PASSWORD)],
                        ..Scenario::default()
                    },
                );
            }));
            assert!(killed.is_err());
        }
        // The wait has not begun, however long ago that was.
        ledger.pass(seconds(2 * 86400));
        let seen = moved(
            &ledger,
            Scenario {
                change: new_phone,
                replies: last.to_vec(),
                ..Scenario::default()
            },
        );
        assert_eq!((seen.reason, seen.announced.len()), (reason, 1));
    }
}

/// A number whose line the system log did not accept is not announced. If new numbers do not wait, the
/// login goes on, and the next one logs it again; if they wait, the wait does not begin.
#[test]
fn a_line_that_the_log_did_not_accept_announces_nothing() {
    let ledger = Model::default();
    assert_eq!(login(&ledger, |_| {}, &[Reply::Code(0)]).reason, "granted");
    let unlogged = |change, is_log_full, replies: &[Reply]| {
        ledger.pass(seconds(2 * 86400));
        let scenario = Scenario {
            change,
            is_log_full,
            replies: replies.to_vec(),
            ..Scenario::default()
        };
        let seen = moved(&ledger, scenario);
        assert_eq!(seen.announced.len(), 1);
        let is_announced = seen.order.iter().any(|call| call == "mark announced");
        assert_eq!(is_announced, !is_log_full);
        seen.reason
    };
    let (password, code) = (Reply::Text(PASSWORD), Reply::Code(0));
    let replies = [password.clone(), code];
    let allow: fn(&mut Settings) = |_| {};
    for _ in 0..2 {
        assert_eq!(unlogged(allow, true, &replies), "granted");
        assert_eq!(unlogged(WAIT, true, &replies[..1]), "new-phone");
    }
    assert_eq!(unlogged(allow, false, &replies), "granted");
}

/// Also if new numbers do not wait, the line precedes the SMS, and without the record there is none.
#[test]
fn no_sms_is_sent_before_the_number_is_announced() {
    let ledger = Model::default();
    assert_eq!(login(&ledger, |_| {}, &[Reply::Code(0)]).reason, "granted");
    ledger.pass(seconds(60));
    let outage = outage();
    let broken = disk_full();
    for (error, pam, reason) in [
        (outage, Pam::AuthinfoUnavail, "outage"),
        (broken, Pam::ServiceErr, "local"),
    ] {
        let seen = moved(
            &ledger,
            Scenario {
                ledger_error_after_log: Some(error),
                replies: vec![Reply::Text(PASSWORD)],
                ..Scenario::default()
            },
        );
        assert_eq!((seen.pam, seen.reason), (pam, reason));
        assert_eq!((seen.announced.len(), seen.sms.len()), (1, 0));
        ledger.fail(None);
    }
    let scenario = || Scenario {
        replies: vec![Reply::Text(PASSWORD), Reply::Code(0)],
        ..Scenario::default()
    };
    let seen = moved(&ledger, scenario());
    let after_bind = seen.order.iter().skip_while(|call| *call != "bind");
    let steps: Vec<&str> = after_bind.map(String::as_str).skip(1).take(3).collect();
    assert_eq!(steps, ["phone changed", "mark announced", "send"]);
    // It is announced once.
    let seen = moved(&ledger, scenario());
    assert!(seen.reason == "granted" && seen.announced.is_empty());
    assert!(!seen.order.iter().any(|call| call == "mark announced"));
}
