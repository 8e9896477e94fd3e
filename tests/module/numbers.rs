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
        "module::numbers::the_wait_starts_again",
        the_wait_starts_again,
    ),
    (
        "module::numbers::the_wait_starts_again_in_redis",
        the_wait_starts_again_in_redis,
    ),
    ("module::numbers::a_former_number", a_former_number),
    ("module::numbers::reordered", reordered),
    ("module::numbers::two_directories", two_directories),
];

const IN: &[Say] = &[Say::Password, Say::Code];
const KNOCK: &[Say] = &[Say::Password];
const GRANTED: &[&str] = &["sent", "granted"];
const ANNOUNCED: &[&str] = &["phone-changed", "denied first=password reason=new-phone"];
const WAITS: &[&str] = &["denied first=password reason=new-phone"];

/// Checks the lines of one login, and that an SMS was sent for each `sent`.
fn sees(login: &Login<'_>, what: &str, says: &[Say], lines: &[&str]) {
    let (_, seen) = login.run(says, lines.len());
    assert_eq!(seen.log(), lines, "{}: {what}", login.case);
    let sms = lines.iter().filter(|line| **line == "sent").count();
    assert_eq!(seen.sms(), sms, "{}: {what}", login.case);
}

/// The same user, with this number in the directory.
fn with_number<'b>(login: Login<'b>, lab: &Lab, who: &Someone, number: &str) -> Login<'b> {
    lab.slapd().replace(&who.person, "mobile", &[number]);
    login.number(number)
}

/// A thief's number is seen by one login and removed; later it is new again, and waits.
fn the_wait_starts_again(lab: &Lab) {
    let who = someone(lab, "outwaited");
    starts_again(lab, with_ledger(lab, "outwaited", &who), &who);
}

fn the_wait_starts_again_in_redis(lab: &Lab) {
    let redis = Redis::start();
    let who = someone(lab, "outwaited-redis");
    let login = shared_ledger::host(lab, "outwaited-redis", &who, &shared_ledger::plain(&redis));
    starts_again(lab, login, &who);
}

fn starts_again(lab: &Lab, login: Login<'_>, who: &Someone) {
    let owner = who.number.clone();
    let thief = lab.number();
    let login = login.text("policy.new_phone", "3s");
    sees(&login, "the owner", IN, GRANTED);
    let login = with_number(login, lab, who, &thief);
    sees(&login, "the thief's number", KNOCK, ANNOUNCED);
    sees(&login, "is announced once", KNOCK, WAITS);
    let login = with_number(login, lab, who, &owner);
    // An abandoned login counts, too.
    let abandoned = &["sent", "denied first=password reason=abandoned"];
    sees(&login, "the owner's is not new", KNOCK, abandoned);
    std::thread::sleep(Duration::from_secs(3));
    let login = with_number(login, lab, who, &thief);
    sees(&login, "the wait starts again", KNOCK, ANNOUNCED);
    std::thread::sleep(Duration::from_secs(3));
    sees(&login, "and ends where it was left", IN, GRANTED);
}

/// A number that was given up, and may belong to another person today.
fn a_former_number(lab: &Lab) {
    let who = someone(lab, "former");
    let first = who.number.clone();
    let login = with_ledger(lab, "former", &who);
    sees(&login, "the first", IN, GRANTED);
    let moved = lab.number();
    let login = with_number(login, lab, &who, &moved);
    let announced = &["phone-changed", "sent", "granted"];
    sees(&login, "another, which need not wait", IN, announced);
    sees(&login, "which is the known one now", IN, GRANTED);
    let login = with_number(login, lab, &who, &first).text("policy.new_phone", "1h");
    sees(&login, "the former one is new", KNOCK, ANNOUNCED);
}

/// LDAP values have no order.
fn reordered(lab: &Lab) {
    let who = someone(lab, "reordered");
    let mut numbers = [lab.number(), who.number.clone()];
    numbers.sort();
    let [lower, upper] = &numbers;
    let login = with_ledger(lab, "reordered", &who).number(lower);
    for values in [[lower, upper], [upper, lower]] {
        let values = values.map(String::as_str);
        lab.slapd().replace(&who.person, "mobile", &values);
        sees(&login, "no number is new", IN, GRANTED);
    }
}

/// One of two directory servers already has another number. Each login that does not see it ends its
/// wait, so that it is announced whenever it is seen.
fn two_directories(lab: &Lab) {
    let who = someone(lab, "two-directories");
    let ahead = Slapd::start(lab.certs());
    let number = lab.number();
    ahead.add(
        &LdapUser::new(who.person.uid())
            .password(PASSWORD)
            .phone(&number),
    );
    let mut login = with_ledger(lab, "two-directories", &who).text("policy.new_phone", "1s");
    for _ in 0..2 {
        login = asks(login, lab.slapd()).number(&who.number);
        sees(&login, "the one that lags behind", IN, GRANTED);
        std::thread::sleep(Duration::from_secs(1));
        login = asks(login, &ahead).number(&number);
        sees(&login, "the other", KNOCK, ANNOUNCED);
        std::thread::sleep(Duration::from_secs(1));
    }
    sees(&login, "both have it", IN, GRANTED);
}

fn asks<'b>(login: Login<'b>, slapd: &Slapd) -> Login<'b> {
    login.set("ldap.uris", &format!("[{:?}]", slapd.ldaps()))
}
