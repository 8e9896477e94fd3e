//! New phone numbers are announced, wait, and are forgotten: with real directories and both ledgers.

use super::ledger::with_ledger;
use super::login::{Login, PASSWORD, Say, Someone, someone};
use super::shared_ledger;
use crate::Case;
use lab::Lab;
use lab::redis::Redis;
use lab::slapd::{LdapUser, Slapd};
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "module::numbers::a_withdrawn_number_waits_again",
        a_withdrawn_number_waits_again,
    ),
    (
        "module::numbers::a_withdrawn_number_waits_again_in_redis",
        a_withdrawn_number_waits_again_in_redis,
    ),
    ("module::numbers::a_former_number", a_former_number),
    ("module::numbers::reordered", reordered),
    ("module::numbers::two_directories", two_directories),
];

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];
const PASSWORD_ONLY: &[Say] = &[Say::Password];
const GRANTED: &[&str] = &["sent", "granted"];
const ANNOUNCED: &[&str] = &["phone-changed", "denied first=password reason=new-phone"];
const WAITS: &[&str] = &["denied first=password reason=new-phone"];

/// Logs in, and checks the log lines and that one SMS was sent for each line `sent`.
fn sees(login: &Login<'_>, what: &str, answers: &[Say], lines: &[&str]) {
    let (_, seen) = login.run(answers, lines.len());
    assert_eq!(seen.log(), lines, "{}: {what}", login.case);
    let sms = lines.iter().filter(|line| **line == "sent").count();
    assert_eq!(seen.sms(), sms, "{}: {what}", login.case);
}

/// Sets the user's number in the directory, and returns the login of that user.
fn with_number<'b>(login: Login<'b>, lab: &Lab, who: &Someone, number: &str) -> Login<'b> {
    lab.slapd().replace(&who.person, "mobile", &[number]);
    login.number(number)
}

/// An attacker's number is in the directory during one login and is then withdrawn: later it is new again,
/// and waits.
fn a_withdrawn_number_waits_again(lab: &Lab) {
    let who = someone(lab, "outwaited");
    check_withdrawn_number(lab, with_ledger(lab, "outwaited", &who), &who);
}

fn a_withdrawn_number_waits_again_in_redis(lab: &Lab) {
    let redis = Redis::start();
    let who = someone(lab, "outwaited-redis");
    let login = shared_ledger::host(lab, "outwaited-redis", &who, &shared_ledger::plain(&redis));
    check_withdrawn_number(lab, login, &who);
}

fn check_withdrawn_number(lab: &Lab, login: Login<'_>, who: &Someone) {
    let own = who.number.clone();
    let foreign = lab.number();
    let login = login.text("policy.new_phone", "3s");
    sees(&login, "the user's own number", PASSWORD_AND_CODE, GRANTED);
    let login = with_number(login, lab, who, &foreign);
    sees(&login, "the attacker's number", PASSWORD_ONLY, ANNOUNCED);
    sees(&login, "it is announced once", PASSWORD_ONLY, WAITS);
    let login = with_number(login, lab, who, &own);
    // A login that is abandoned at the code prompt has seen the number, too.
    let abandoned = &["sent", "denied first=password reason=abandoned"];
    sees(
        &login,
        "the own number is not new",
        PASSWORD_ONLY,
        abandoned,
    );
    std::thread::sleep(Duration::from_secs(3));
    let login = with_number(login, lab, who, &foreign);
    sees(&login, "the wait begins again", PASSWORD_ONLY, ANNOUNCED);
    std::thread::sleep(Duration::from_secs(3));
    sees(
        &login,
        "and ends if the number stays",
        PASSWORD_AND_CODE,
        GRANTED,
    );
}

/// The user's former number may belong to another subscriber today.
fn a_former_number(lab: &Lab) {
    let who = someone(lab, "former");
    let first = who.number.clone();
    let login = with_ledger(lab, "former", &who);
    sees(&login, "the first number", PASSWORD_AND_CODE, GRANTED);
    let moved = lab.number();
    let login = with_number(login, lab, &who, &moved);
    let announced = &["phone-changed", "sent", "granted"];
    sees(
        &login,
        "another number, without a wait",
        PASSWORD_AND_CODE,
        announced,
    );
    sees(
        &login,
        "it is the known number now",
        PASSWORD_AND_CODE,
        GRANTED,
    );
    let login = with_number(login, lab, &who, &first).text("policy.new_phone", "1h");
    sees(&login, "the former number is new", PASSWORD_ONLY, ANNOUNCED);
}

/// The values of an LDAP attribute have no order.
fn reordered(lab: &Lab) {
    let who = someone(lab, "reordered");
    let mut numbers = [lab.number(), who.number.clone()];
    numbers.sort();
    let [lower, upper] = &numbers;
    let login = with_ledger(lab, "reordered", &who).number(lower);
    for values in [[lower, upper], [upper, lower]] {
        let values = values.map(String::as_str);
        lab.slapd().replace(&who.person, "mobile", &values);
        sees(&login, "no number is new", PASSWORD_AND_CODE, GRANTED);
    }
}

/// One of two directory servers already has another number. Each login that does not find that number ends
/// its wait, so the next login that finds it announces it again.
fn two_directories(lab: &Lab) {
    let who = someone(lab, "two-directories");
    let updated = Slapd::start(lab.certs());
    let number = lab.number();
    updated.add(
        &LdapUser::new(who.person.uid())
            .password(PASSWORD)
            .phone(&number),
    );
    let mut login = with_ledger(lab, "two-directories", &who).text("policy.new_phone", "1s");
    for _ in 0..2 {
        login = with_directory(login, lab.slapd()).number(&who.number);
        sees(
            &login,
            "the server that is not updated",
            PASSWORD_AND_CODE,
            GRANTED,
        );
        std::thread::sleep(Duration::from_secs(1));
        login = with_directory(login, &updated).number(&number);
        sees(&login, "the updated server", PASSWORD_ONLY, ANNOUNCED);
        std::thread::sleep(Duration::from_secs(1));
    }
    sees(
        &login,
        "the same server again, after the wait",
        PASSWORD_AND_CODE,
        GRANTED,
    );
}

fn with_directory<'b>(login: Login<'b>, slapd: &Slapd) -> Login<'b> {
    login.set("ldap.uris", &format!("[{:?}]", slapd.ldaps()))
}
