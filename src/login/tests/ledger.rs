//! Decisions of the ledger: limits, pauses, locks, wrong codes.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::scenario::{Observed, PASSWORD, Reply, Scenario, after, run};
use crate::{
    config::Settings,
    ledger::model::{Model, disk_full, outage},
};
use protocol::Code as Pam;

pub const REMEMBER: fn(&mut Settings) = |settings| settings.policy.remember = Some(seconds(900));

pub const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Runs a login with these replies after the correct password, on a ledger with earlier logins.
pub fn login(ledger: &Model, change: fn(&mut Settings), replies: &[Reply]) -> Observed {
    let mut all = vec![Reply::Text(PASSWORD)];
    all.extend_from_slice(replies);
    run(Scenario {
        ledger: ledger.clone(),
        change,
        replies: all,
        ..Scenario::default()
    })
}

#[test]
fn without_a_correct_password_the_ledger_is_not_used() {
    let ledger = Model::default();
    for password in ["wrong", "", "locked", "expired", "cut"] {
        let seen = run(Scenario {
            ledger: ledger.clone(),
            replies: vec![Reply::Text(password)],
            ..Scenario::default()
        });
        assert_eq!(seen.admissions, 0, "{password}");
    }
    assert_eq!(login(&ledger, |_| {}, &[Reply::Code(0)]).admissions, 1);
}

#[test]
fn a_limit_reports_its_rule_and_the_waiting_time() {
    let ledger = Model::default();
    for _ in 0..5 {
        ledger.pass(seconds(60));
        assert_eq!(login(&ledger, |_| {}, &[Reply::Code(0)]).pam, Pam::Success);
    }
    let seen = login(&ledger, |_| {}, &[]);
    assert_eq!(
        (seen.pam, seen.reason, seen.first),
        (Pam::MaxTries, "limited", Some("password"))
    );
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 11 minutes. (login 7f3a9c21)"
    );
    assert!(
        seen.detail.starts_with("5/15m SMS for this user"),
        "{}",
        seen.detail
    );
    assert!(seen.sms.is_empty());
    ledger.pass(seconds(11 * 60));
    assert_eq!(login(&ledger, |_| {}, &[Reply::Code(0)]).pam, Pam::Success);
}

#[test]
fn within_a_limit_a_valid_code_is_still_accepted() {
    let one: fn(&mut Settings) = |settings| settings.limits.sms[0].most = 1;
    let seen = login(&Model::default(), one, &[Reply::Text("r"), Reply::Code(0)]);
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 1));
    assert_eq!(
        seen.prompts[2],
        "Another SMS in 15 minutes. Verification code: "
    );
    // After the code has expired the login ends.
    let seen = login(&Model::default(), one, &[after(300, Reply::Code(0))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "limited"));
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 10 minutes. (login 7f3a9c21)"
    );
}

#[test]
fn between_two_sms_of_one_login_there_is_a_pause() {
    let pause: fn(&mut Settings) = |settings| settings.limits.pause = seconds(30);
    let seen = login(
        &Model::default(),
        pause,
        &[
            after(5, Reply::Text("r")),
            after(25, Reply::Text("r")),
            Reply::Code(0),
        ],
    );
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 2));
    assert_eq!(
        seen.prompts[2..],
        [
            "Another SMS in 25 s. Verification code: ",
            "Code sent again. Verification code: "
        ]
    );
    assert_eq!(seen.counts.malformed, 1);
    let long: fn(&mut Settings) = |settings| {
        settings.limits.pause = seconds(300);
        settings.code.lifetime = seconds(5);
    };
    let seen = login(&Model::default(), long, &[after(5, Reply::Text("r"))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "expired-code"));
}

#[test]
fn only_an_sms_that_was_certainly_not_sent_is_released() {
    for (user, left) in [(&b"refused"[..], 0), (b"alice", 1)] {
        let ledger = Model::default();
        let seen = run(Scenario {
            user,
            ledger: ledger.clone(),
            sms_before_outage: 0,
            replies: vec![Reply::Text(PASSWORD)],
            ..Scenario::default()
        });
        assert_ne!(seen.pam, Pam::Success);
        let by = crate::deadline::Deadline::within(seconds(1));
        let summary = crate::ledger::Ledger::summary(&mut ledger.clone(), by).unwrap();
        assert_eq!(summary.sms, left);
    }
}

#[test]
fn wrong_codes_lock_and_each_further_one_doubles_the_lock() {
    let two: fn(&mut Settings) = |settings| settings.limits.failures = 2;
    let ledger = Model::default();
    let seen = login(&ledger, two, &[Reply::WrongCode, Reply::WrongCode]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "locked"));
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 15 minutes. (login 7f3a9c21)"
    );
    let seen = login(&ledger, two, &[]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "locked", 0)
    );
    ledger.pass(seconds(15 * 60));
    let seen = login(&ledger, two, &[Reply::WrongCode]);
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 30 minutes. (login 7f3a9c21)"
    );
    // A correct code clears the count.
    ledger.pass(seconds(30 * 60));
    assert_eq!(login(&ledger, two, &[Reply::Code(0)]).pam, Pam::Success);
    let seen = login(&ledger, two, &[Reply::WrongCode, Reply::Code(0)]);
    assert_eq!(seen.pam, Pam::Success);
}

#[test]
fn after_disable_after_only_an_administrator_unlocks() {
    let few: fn(&mut Settings) = |settings| {
        settings.limits.disable_after = 2;
        settings.code.tries = 2;
    };
    let ledger = Model::default();
    let seen = login(&ledger, few, &[Reply::WrongCode, Reply::WrongCode]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "wrong-code"));
    assert!(seen.detail.contains("sms-otp unlock"), "{}", seen.detail);
    ledger.pass(seconds(400 * 86400));
    let seen = login(&ledger, few, &[]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "locked"));
    assert_eq!(seen.text, "Too many wrong codes. (login 7f3a9c21)");
}

#[test]
fn disconnecting_at_the_prompt_is_not_an_attempt() {
    let two: fn(&mut Settings) = |settings| settings.limits.failures = 2;
    let ledger = Model::default();
    for _ in 0..3 {
        assert_eq!(
            login(&ledger, two, &[Reply::Disconnect]).reason,
            "abandoned"
        );
    }
    assert_eq!(login(&ledger, two, &[Reply::Code(0)]).pam, Pam::Success);
}

#[test]
fn an_attempt_that_cannot_be_recorded_is_not_compared() {
    let ledger = Model::default();
    let broken = disk_full();
    let seen = login(
        &ledger,
        |_| {},
        &[Reply::BreakLedger(broken.clone(), Box::new(Reply::Code(0)))],
    );
    assert_eq!((seen.pam, seen.reason), (Pam::ServiceErr, "local"));
    ledger.fail(None);
    let outage = outage();
    let seen = login(
        &ledger,
        |_| {},
        &[Reply::BreakLedger(outage, Box::new(Reply::Code(0)))],
    );
    assert_eq!((seen.pam, seen.reason), (Pam::AuthinfoUnavail, "outage"));
    ledger.fail(Some(broken));
    let seen = login(&ledger, |_| {}, &[]);
    assert_eq!((seen.pam, seen.sms.len()), (Pam::ServiceErr, 0));
}

/// Wrong codes of others are shown to the user who has entered the correct one, and then cleared.
#[test]
fn wrong_codes_of_others_are_shown_once() {
    let ledger = Model::default();
    let guess = |wrong: usize| {
        let guesses = vec![Reply::WrongCode; wrong];
        let seen = login(
            &ledger,
            REMEMBER,
            &[&guesses[..], &[Reply::Disconnect]].concat(),
        );
        assert_eq!(seen.reason, "abandoned");
        ledger.pass(seconds(300));
    };
    let granted = |scenario: Scenario, replies: &[Reply]| {
        ledger.pass(seconds(300));
        let seen = run(Scenario {
            ledger: ledger.clone(),
            replies: [&[Reply::Text(PASSWORD)], replies].concat(),
            ..scenario
        });
        assert_eq!(seen.pam, Pam::Success);
        let texts = seen.order.iter().rev().take(2).rev();
        texts.cloned().collect::<Vec<_>>()
    };
    let plain = Scenario::default;
    let none = ["Wrong code, 2 tries left. Verification code: "];
    // A wrong code in the same login is not one of others.
    let own_error = &[Reply::WrongCode, Reply::Code(0)][..];
    assert_eq!(granted(plain(), own_error)[1..], none);
    guess(2);
    guess(1);
    let silent = Scenario {
        silent: true,
        ..plain()
    };
    assert_eq!(granted(silent, own_error)[1..], none);
    let remembering = |scenario| Scenario {
        change: REMEMBER,
        ..scenario
    };
    let ended = Scenario {
        is_host_gone: true,
        ..remembering(plain())
    };
    let three = "3 wrong codes were entered since your last login.";
    assert_eq!(granted(ended, own_error)[1], three);
    // In a remembered login no code was entered.
    assert_eq!(granted(remembering(plain()), &[])[1], "bind");
    assert_eq!(granted(plain(), own_error), [three, "clear guesses"]);
    assert_eq!(granted(plain(), own_error)[1..], none);
    guess(1);
    let one = "1 wrong code was entered since your last login.";
    assert_eq!(granted(plain(), own_error), [one, "clear guesses"]);
    ledger.pass(seconds(900));
    assert_eq!(login(&ledger, |_| {}, &[Reply::Code(0)]).reason, "granted");
}

#[test]
fn no_sms_is_sent_to_a_prefix_that_is_not_allowed() {
    for (prefix, pam, reason) in [
        ("+44", Pam::MaxTries, "prefix"),
        ("+1202", Pam::Success, "granted"),
    ] {
        let replies: &[Reply] = if prefix == "+44" {
            &[]
        } else {
            &[Reply::Code(0)]
        };
        let mut scenario = Scenario {
            replies: [&[Reply::Text(PASSWORD)], replies].concat(),
            ..Scenario::default()
        };
        scenario.change = if prefix == "+44" {
            |settings| settings.limits.allowed_prefixes = vec!["+44".into()]
        } else {
            |settings| settings.limits.allowed_prefixes = vec!["+44".into(), "+1202".into()]
        };
        let seen = run(scenario);
        assert_eq!((seen.pam, seen.reason), (pam, reason));
    }
}
