//! Logins with fakes in memory. The real runs under `tests/` show that real servers behave the same.

mod details;
mod fake_ledger;
mod fakes;
mod first_factor;
mod ledger;
mod new_phone;
mod panics;
mod prefetch;
mod prompt;
mod remembered;
mod scenario;
mod texts;

use std::time::Duration;

use protocol::Code as Pam;

use super::*;
use crate::directory::PasswordProof;
use scenario::{LOGIN, PASSWORD, Reply, Scenario, after, run, run_codes};

#[test]
fn a_correct_password_and_a_correct_code_grant_the_login() {
    let seen = run_codes(&[Reply::Code(0)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.first),
        (Pam::Success, "granted", Some("password"))
    );
    assert_eq!(
        seen.prompts,
        [
            "Password: ",
            "Code sent to +1*******42. Verification code: "
        ]
    );
    assert_eq!((seen.sms.len(), seen.binds, seen.counts.wrong), (1, 1, 0));
    assert!(seen.sms[0].ends_with(
        " is your login code for web1. It expires in 5 minutes. Not you? Change your password."
    ));
    assert_eq!(seen.text, "");
}

#[test]
fn all_calls_on_a_handle_share_their_counts() {
    let call = |counts, replies| {
        run(Scenario {
            counts,
            replies,
            ..Scenario::default()
        })
    };
    // After two wrong codes one try is left.
    let before = Counts {
        wrong: 2,
        sms: 1,
        ..Counts::default()
    };
    let seen = call(before, vec![Reply::Text(PASSWORD), Reply::WrongCode]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.sms),
        (Pam::MaxTries, "wrong-code", 2)
    );
    // All SMS are used: none is sent.
    let before = Counts {
        sms: 3,
        ..Counts::default()
    };
    let seen = call(before, vec![Reply::Text(PASSWORD)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "limited", 0)
    );
    // The first SMS of a further call is a resend.
    let before = Counts {
        sms: 2,
        malformed: 2,
        ..Counts::default()
    };
    let seen = call(before, vec![Reply::Text(PASSWORD), Reply::Text("r")]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "no-code", 1)
    );
}

#[test]
fn the_pause_applies_to_all_calls_on_a_handle() {
    let call = |counts, replies| {
        run(Scenario {
            counts,
            change: |settings| settings.limits.pause = Duration::from_secs(30),
            replies,
            ..Scenario::default()
        })
    };
    let first = call(
        Counts::default(),
        vec![Reply::Text(PASSWORD), Reply::Disconnect],
    );
    assert_eq!((first.reason, first.sms.len()), ("abandoned", 1));
    let counts = Counts::decode(&first.counts.encode()).unwrap();
    let seen = call(counts, vec![after(5, Reply::Text(PASSWORD))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTriesForNow, "limited"));
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 25 s. (login 7f3a9c21)"
    );
    assert!(seen.detail.contains("limits.pause"), "{}", seen.detail);
    assert_eq!(
        (seen.sms.len(), seen.counts.sms, seen.admissions),
        (0, 1, 0)
    );
    let seen = call(
        seen.counts,
        vec![after(30, Reply::Text(PASSWORD)), Reply::Code(0)],
    );
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 1));
    // A resend in the further call waits for the same pause.
    let seen = call(
        counts,
        vec![
            after(30, Reply::Text(PASSWORD)),
            after(1, Reply::Text("r")),
            Reply::Code(0),
        ],
    );
    assert_eq!(seen.prompts[2], "Another SMS in 29 s. Verification code: ");
}

/// A proof of the correct code of the login [`LOGIN`].
fn correct_code() -> SecondFactor {
    let now = Moment::at(Duration::from_secs(1));
    let code = crate::code::Code::generate(6, Duration::from_secs(60), LOGIN, now).unwrap();
    let crate::code::Input::Code(typed) = crate::code::parse(code.digits().as_bytes(), 6) else {
        panic!("a code is parsed as a code");
    };
    let Ok(proof) = code.check(&typed, now) else {
        panic!("the correct code is accepted");
    };
    SecondFactor::Code(proof)
}

#[test]
fn proofs_of_different_logins_grant_nothing() {
    let other = LoginId([9; 4]);
    let first = FirstFactor::Password(PasswordProof::for_a_test(other));
    assert!(Granted::new(LOGIN, &first, correct_code()).is_none());
    assert!(Granted::new(other, &first, correct_code()).is_none());
    let first = FirstFactor::Password(PasswordProof::for_a_test(LOGIN));
    assert!(Granted::new(LOGIN, &first, correct_code()).is_some());
}

#[test]
fn waiting_is_added_up_over_a_handle() {
    let before = Counts {
        waited: Duration::from_secs(7),
        ..Counts::default()
    };
    let seen = run(Scenario {
        counts: before,
        replies: vec![after(20, Reply::Text(PASSWORD)), after(30, Reply::Code(0))],
        ..Scenario::default()
    });
    // The time at a prompt does not count, and these fakes take no time.
    assert_eq!(seen.counts.waited, Duration::from_secs(7));
}
