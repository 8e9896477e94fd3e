//! Remembered logins.
#![forbid(unsafe_code)]

use protocol::Code as Pam;

use super::{
    ledger::{REMEMBER, login, seconds},
    scenario::{PASSWORD, Reply, Scenario, run},
};
use crate::{config::Settings, id::LoginId, ledger::model::Model};

const LATER: LoginId = LoginId([0x0b, 0xad, 0xca, 0xfe]);

#[test]
fn a_login_is_remembered_for_its_origin_and_service() {
    let ledger = Model::default();
    let from = |rhost, service, change: fn(&mut Settings), replies: &[Reply]| {
        run(Scenario {
            ledger: ledger.clone(),
            id: LATER,
            rhost,
            service,
            change,
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    assert_eq!(
        login(&ledger, REMEMBER, &[Reply::Code(0)]).pam,
        Pam::Success
    );
    let password = [Reply::Text(PASSWORD)];
    let code = [Reply::Text(PASSWORD), Reply::Code(0)];
    let seen = from("192.0.2.7", "sshd", REMEMBER, &password);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::Success, "remembered", 0)
    );
    for (rhost, service, change) in [
        ("192.0.2.8", "sshd", REMEMBER),
        ("client.example.org", "sshd", REMEMBER),
        ("", "sshd", REMEMBER),
        ("192.0.2.7", "cockpit", REMEMBER),
        ("192.0.2.7", "sshd", |_: &mut Settings| {}),
    ] {
        assert_eq!(from(rhost, service, change, &code).reason, "granted");
        ledger.pass(seconds(300));
    }
    assert_eq!(from("192.0.2.7", "sshd", REMEMBER, &code).reason, "granted");
}

#[test]
fn after_a_stack_a_remembered_login_is_left_to_the_stack() {
    let ledger = Model::default();
    let stacked = |replies: &[Reply]| {
        run(Scenario {
            ledger: ledger.clone(),
            extra_settings: "[password]\nsource = \"stack\"",
            change: REMEMBER,
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    assert_eq!(stacked(&[Reply::Code(0)]).pam, Pam::Success);
    let seen = stacked(&[]);
    assert_eq!((seen.pam, seen.reason), (Pam::Ignore, "remembered"));
    assert_eq!((seen.text.as_str(), seen.sms.len()), ("", 0));
}

#[test]
fn a_lock_deletes_remembered_logins() {
    let strict: fn(&mut Settings) = |settings| {
        REMEMBER(settings);
        settings.limits.failures = 1;
    };
    let ledger = Model::default();
    assert_eq!(login(&ledger, strict, &[Reply::Code(0)]).pam, Pam::Success);
    let elsewhere = run(Scenario {
        ledger: ledger.clone(),
        rhost: "192.0.2.99",
        change: strict,
        replies: vec![Reply::Text(PASSWORD), Reply::WrongCode],
        ..Scenario::default()
    });
    assert_eq!(elsewhere.reason, "locked");
    assert_eq!(login(&ledger, strict, &[]).reason, "locked");
    ledger.pass(seconds(900));
    assert_eq!(login(&ledger, strict, &[Reply::Code(0)]).reason, "granted");
}
