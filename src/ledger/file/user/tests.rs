//! Decisions that need one record only.

use super::*;
use crate::{config::Rule, ledger::file::row::Row};

const DAY: u64 = 86_400_000;
const NAME: Name = [9; 16];
const HOME: Name = [1; 16];

fn keys() -> Keys {
    Keys::new(&[7; 32])
}

/// A number for tests.
fn phone(last: u32) -> Phone {
    Phone::parse(&format!("+44 7700 900{last:03}"), None).unwrap()
}

/// An account with these numbers. The code is sent to the last.
fn with(numbers: &[u32]) -> Account {
    let numbers: Vec<Phone> = numbers.iter().map(|last| phone(*last)).collect();
    Account {
        login: LoginId([1; 4]),
        dn: "uid=alice".into(),
        name: "alice".into(),
        phone: numbers.last().unwrap().clone(),
        numbers,
        allowed: true,
        password_changed: String::new(),
        origin_key: None,
        segments: 1,
    }
}

/// Since when each of these numbers is known.
fn known(user: &User, numbers: &[u32]) -> Vec<Option<u64>> {
    let hashed = |last: &u32| half(keys().phone(phone(*last).e164()));
    let since = |last| user.since(hashed(last));
    numbers.iter().map(since).collect()
}

fn remembering(at: u64) -> User {
    let mut user = User::default();
    user.remember(HOME, LoginId([2; 4]), at);
    user
}

fn limits() -> Limits {
    Limits {
        sms: vec![Rule {
            most: 1,
            within: Duration::from_secs(60),
        }],
        sms_total: None,
        pause: Duration::ZERO,
        failures: 10,
        lock: Duration::from_secs(60),
        disable_after: 100,
        ..Limits::defaults()
    }
}

/// Rules with this wait for new numbers, in milliseconds.
const fn waiting(limits: &Limits, new_phone: u64) -> Rules<'_> {
    Rules {
        limits,
        remember: Some(Duration::from_millis(DAY)),
        new_phone: Duration::from_millis(new_phone),
        is_fallback: false,
    }
}

/// Numbers in the other ledger's reference set have waited there as long as the rules require; numbers that
/// wait or are new there are not imported.
#[test]
fn the_reference_set_of_another_ledger_is_imported() {
    let limits = limits();
    let mut user = remembering(DAY);
    let account = with(&[122, 123, 124]);
    let day = waiting(&limits, DAY);
    user.import_numbers(&account, &[phone(124)], day, &keys(), 5 * DAY);
    assert_eq!(known(&user, &[122, 123, 124]), [None, None, Some(4 * DAY)]);
    assert!(user.has_reference);
    let wait =
        |user: &User, last, now| user.new_phone_wait(keys().phone(phone(last).e164()), day, now);
    let waits = [122, 123, 124].map(|last| wait(&user, last, 5 * DAY));
    assert_eq!(waits, [DAY, DAY, 0]);
    // A change of the numbers ends remembered logins.
    assert!(user.logins.is_empty());
    // A number that waits here still waits, and one that has waited there need not wait here.
    user.mark_announced(&account, &[phone(122), phone(123)], &keys(), 6 * DAY);
    user.remember(HOME, LoginId([2; 4]), DAY);
    let reference = [phone(123), phone(124)];
    user.import_numbers(&account, &reference, day, &keys(), 6 * DAY + 1);
    let expected = [Some(6 * DAY), Some(5 * DAY + 1), Some(4 * DAY)];
    assert_eq!(known(&user, &[122, 123, 124]), expected);
    assert_eq!(wait(&user, 122, 6 * DAY + 1), DAY - 1);
    assert_eq!(user.logins.len(), 1);
    // A number that is not in the set there is not in the set here.
    user.import_numbers(&with(&[123, 124]), &[phone(124)], day, &keys(), 8 * DAY);
    assert_eq!(known(&user, &[122, 123, 124]), [None, None, Some(4 * DAY)]);

    // If numbers need not wait, none has waited: for another service of this host it may have to.
    let mut user = User::default();
    let allow = waiting(&limits, 0);
    user.import_numbers(&account, &[phone(123)], allow, &keys(), 5 * DAY);
    assert_eq!(known(&user, &[123, 124]), [Some(5 * DAY), None]);
}

#[test]
fn a_number_is_new_until_it_is_announced_and_waits_from_then_on() {
    let limits = limits();
    let day = waiting(&limits, DAY);
    let wait = |user: &User, now| user.new_phone_wait(keys().phone(phone(124).e164()), day, now);
    let mut user = User::default();
    assert_eq!(user.observe(&NAME, &with(&[123]), &keys(), true), []);
    let account = with(&[123, 124]);
    for now in [DAY, 2 * DAY, 9 * DAY] {
        user.remember(HOME, LoginId([2; 4]), now);
        assert_eq!(user.observe(&NAME, &account, &keys(), true), [phone(124)]);
        assert!(user.logins.is_empty());
        assert_eq!(wait(&user, now), DAY);
    }
    // Only announced numbers, from the first announcement on.
    user.remember(HOME, LoginId([2; 4]), 9 * DAY);
    user.mark_announced(&with(&[123, 124, 125]), &[phone(124)], &keys(), 10 * DAY);
    assert!(user.logins.is_empty());
    user.remember(HOME, LoginId([2; 4]), 10 * DAY);
    user.mark_announced(&account, &[phone(124)], &keys(), 12 * DAY);
    assert_eq!(
        known(&user, &[123, 124, 125]),
        [Some(0), Some(10 * DAY), None]
    );
    assert_eq!(user.logins.len(), 1);
    assert_eq!(user.observe(&NAME, &account, &keys(), true), []);
    assert_eq!((wait(&user, 11 * DAY - 1), wait(&user, 11 * DAY)), (1, 0));
}

#[test]
fn waiting_numbers_never_displace_the_reference_set() {
    let limits = limits();
    let day = waiting(&limits, DAY);
    let mut user = User::default();
    let six = [1, 2, 3, 4, 5, 6];
    user.observe(&NAME, &with(&six), &keys(), true);
    assert_eq!(
        user.grant(&with(&six), day, &keys(), DAY).len(),
        MAX_NUMBERS
    );
    // Six others: the number for the code waits, and the next login announces the rest.
    let others = [11, 12, 13, 14, 15, 16];
    let new = user.observe(&NAME, &with(&others), &keys(), true);
    assert_eq!(new.len(), others.len());
    user.mark_announced(&with(&others), &new, &keys(), DAY);
    assert_eq!(user.numbers.len(), MAX_KNOWN);
    assert_eq!(known(&user, &six), [Some(0); MAX_NUMBERS]);
    assert_eq!(known(&user, &[15, 16]), [None, Some(DAY)]);
    // A granted login: numbers that have waited become the set; one that was never announced stays new.
    assert_eq!(
        user.grant(&with(&others), day, &keys(), 2 * DAY),
        [phone(16)]
    );
    assert_eq!(user.numbers.len(), 1);
    assert_eq!(known(&user, &six), [None; MAX_NUMBERS]);
    let new = user.observe(&NAME, &with(&others), &keys(), true);
    assert_eq!(new.len(), others.len() - 1);
}

/// With an empty reference set, no number counts as a first one again.
#[test]
fn an_empty_reference_set_is_one() {
    let limits = limits();
    let allow = waiting(&limits, 0);
    let mut user = User::default();
    user.observe(&NAME, &with(&[1]), &keys(), true);
    // The log does not take the lines.
    for now in [DAY, 2 * DAY] {
        assert_eq!(user.observe(&NAME, &with(&[2]), &keys(), true), [phone(2)]);
        assert_eq!(user.grant(&with(&[2]), allow, &keys(), now), []);
        assert!(user.numbers.is_empty());
    }
    let Some(Row::User(read)) = Row::decode(&Row::User(user.clone()).encode(&NAME)) else {
        panic!("not a user");
    };
    assert_eq!(read, user);
}

#[test]
fn of_too_many_numbers_the_one_for_the_code_is_known() {
    for code in 200..210 {
        let mut all: Vec<u32> = (200..210).filter(|last| *last != code).collect();
        all.push(code);
        let mut user = User::default();
        user.observe(&NAME, &with(&all), &keys(), true);
        assert_eq!(known(&user, &[code]), [Some(0)], "{code}");
        assert_eq!(user.numbers.len(), MAX_NUMBERS);
        // The same numbers are selected the next time: none is new.
        assert_eq!(user.observe(&NAME, &with(&all), &keys(), true), []);
    }
    // Six numbers are all known.
    let mut user = User::default();
    let six = [1, 2, 3, 4, 5, 6];
    user.observe(&NAME, &with(&six), &keys(), true);
    assert_eq!(known(&user, &six), [Some(0); MAX_NUMBERS]);
}

#[test]
fn a_login_is_remembered_for_its_time_and_origin() {
    let limits = limits();
    let rules = waiting(&limits, 0);
    let user = remembering(5 * DAY);
    for (now, is_valid) in [
        (5 * DAY - 1, false),
        (5 * DAY, true),
        (6 * DAY - 1, true),
        (6 * DAY, false),
    ] {
        let found = user.remembered(HOME, rules, now);
        assert_eq!(found.is_some(), is_valid, "{now}");
    }
    assert_eq!(user.remembered([3; 16], rules, 5 * DAY), None);
}

#[test]
fn expired_remembered_logins_are_dropped() {
    let mut user = remembering(DAY);
    let at = |origin: u8, now| (([origin; 16], LoginId([2; 4])), now);
    let origins =
        |user: &User| -> Vec<u8> { user.logins.iter().map(|login| login.origin[0]).collect() };
    let ((origin, login), now) = at(2, DAY + MAX_REMEMBER - 1);
    user.remember(origin, login, now);
    assert_eq!(origins(&user), [1, 2]);
    let ((origin, login), now) = at(3, DAY + MAX_REMEMBER);
    user.remember(origin, login, now);
    assert_eq!(origins(&user), [2, 3]);
    // An origin is stored once, and of too many the newest are.
    for origin in [4, 5, 6, 3, 7, 8] {
        user.remember([origin; 16], login, now);
    }
    assert_eq!(origins(&user), [4, 5, 6, 3, 7, 8]);
    assert_eq!(user.logins.len(), MAX_LOGINS);
}

#[test]
fn the_last_use_is_written_once_a_day() {
    let user = User {
        last_used: DAY,
        ..User::default()
    };
    assert!(!user.is_stale(2 * DAY - 1));
    assert!(user.is_stale(2 * DAY));
}
