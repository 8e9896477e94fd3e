//! What is decided from one row alone, at its edges.

use super::*;
use crate::{config::Rule, ledger::file::row::Row};

const DAY: u64 = 86_400_000;
const HIM: Name = [9; 16];
const HOME: Name = [1; 16];

fn keys() -> Keys {
    Keys::new(&[7; 32])
}

/// A made-up number.
fn phone(last: u32) -> Phone {
    Phone::parse(&format!("+44 7700 900{last:03}"), None).unwrap()
}

/// Somebody with these numbers, the code going to the last.
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

/// Which of these numbers are known, and since when.
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

/// New numbers wait for so long, in milliseconds.
const fn waiting(limits: &Limits, new_phone: u64) -> Rules<'_> {
    Rules {
        limits,
        remember: Some(Duration::from_millis(DAY)),
        new_phone: Duration::from_millis(new_phone),
        is_fallback: false,
    }
}

/// What is in the other ledger's reference set has waited there as long as the rules want; what waits or
/// is new there is not learned.
#[test]
fn of_another_ledger_the_reference_set_is_learned() {
    let limits = limits();
    let mut user = remembering(DAY);
    let account = with(&[122, 123, 124]);
    let day = waiting(&limits, DAY);
    user.import_numbers(&account, &[phone(124)], day, &keys(), 5 * DAY);
    assert_eq!(known(&user, &[122, 123, 124]), [None, None, Some(4 * DAY)]);
    assert!(user.has_reference);
    let wait = |user: &User, last, now| user.new_phone(keys().phone(phone(last).e164()), day, now);
    let waits = [122, 123, 124].map(|last| wait(&user, last, 5 * DAY));
    assert_eq!(waits, [DAY, DAY, 0]);
    // Another number is another way in: nothing is remembered.
    assert!(user.logins.is_empty());
    // What waits here goes on waiting, and what has waited there has nothing to wait for here.
    user.mark_announced(&account, &[phone(122), phone(123)], &keys(), 6 * DAY);
    user.remember(HOME, LoginId([2; 4]), DAY);
    let reference = [phone(123), phone(124)];
    user.import_numbers(&account, &reference, day, &keys(), 6 * DAY + 1);
    let expected = [Some(6 * DAY), Some(5 * DAY + 1), Some(4 * DAY)];
    assert_eq!(known(&user, &[122, 123, 124]), expected);
    assert_eq!(wait(&user, 122, 6 * DAY + 1), DAY - 1);
    assert_eq!(user.logins.len(), 1);
    // What is not in the set there is in none here.
    user.import_numbers(&with(&[123, 124]), &[phone(124)], day, &keys(), 8 * DAY);
    assert_eq!(known(&user, &[122, 123, 124]), [None, None, Some(4 * DAY)]);

    // Where nothing waits, nothing has waited: at another service of this host it may have to.
    let mut user = User::default();
    let allow = waiting(&limits, 0);
    user.import_numbers(&account, &[phone(123)], allow, &keys(), 5 * DAY);
    assert_eq!(known(&user, &[123, 124]), [Some(5 * DAY), None]);
}

#[test]
fn a_number_is_new_until_that_is_told_and_then_begins_to_wait() {
    let limits = limits();
    let day = waiting(&limits, DAY);
    let wait = |user: &User, now| user.new_phone(keys().phone(phone(124).e164()), day, now);
    let mut user = User::default();
    assert_eq!(user.meet(&HIM, &with(&[123]), &keys(), true), []);
    let account = with(&[123, 124]);
    for now in [DAY, 2 * DAY, 9 * DAY] {
        user.remember(HOME, LoginId([2; 4]), now);
        assert_eq!(user.meet(&HIM, &account, &keys(), true), [phone(124)]);
        assert!(user.logins.is_empty());
        assert_eq!(wait(&user, now), DAY);
    }
    // Only what was told of, and at the first time.
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
    assert_eq!(user.meet(&HIM, &account, &keys(), true), []);
    assert_eq!((wait(&user, 11 * DAY - 1), wait(&user, 11 * DAY)), (1, 0));
}

#[test]
fn room_for_a_waiting_number_never_costs_the_reference_set() {
    let limits = limits();
    let day = waiting(&limits, DAY);
    let mut user = User::default();
    let six = [1, 2, 3, 4, 5, 6];
    user.meet(&HIM, &with(&six), &keys(), true);
    assert_eq!(
        user.grant(&with(&six), day, &keys(), DAY).len(),
        MAX_NUMBERS
    );
    // Six others at once: the one that the code goes to waits, and the next login announces the rest.
    let others = [11, 12, 13, 14, 15, 16];
    let new = user.meet(&HIM, &with(&others), &keys(), true);
    assert_eq!(new.len(), others.len());
    user.mark_announced(&with(&others), &new, &keys(), DAY);
    assert_eq!(user.numbers.len(), MAX_KNOWN);
    assert_eq!(known(&user, &six), [Some(0); MAX_NUMBERS]);
    assert_eq!(known(&user, &[15, 16]), [None, Some(DAY)]);
    // A grant makes room: what has waited is the set, and what was never announced stays new.
    assert_eq!(
        user.grant(&with(&others), day, &keys(), 2 * DAY),
        [phone(16)]
    );
    assert_eq!(user.numbers.len(), 1);
    assert_eq!(known(&user, &six), [None; MAX_NUMBERS]);
    let new = user.meet(&HIM, &with(&others), &keys(), true);
    assert_eq!(new.len(), others.len() - 1);
}

/// With an empty reference set no number is one of the first again.
#[test]
fn an_empty_reference_set_is_one() {
    let limits = limits();
    let allow = waiting(&limits, 0);
    let mut user = User::default();
    user.meet(&HIM, &with(&[1]), &keys(), true);
    // The log takes no line.
    for now in [DAY, 2 * DAY] {
        assert_eq!(user.meet(&HIM, &with(&[2]), &keys(), true), [phone(2)]);
        assert_eq!(user.grant(&with(&[2]), allow, &keys(), now), []);
        assert!(user.numbers.is_empty());
    }
    let Some(Row::User(read)) = Row::read(&Row::User(user.clone()).write(&HIM)) else {
        panic!("no person");
    };
    assert_eq!(read, user);
}

#[test]
fn of_more_numbers_than_there_is_room_for_the_code_s_own_is_known() {
    for code in 200..210 {
        let mut all: Vec<u32> = (200..210).filter(|last| *last != code).collect();
        all.push(code);
        let mut user = User::default();
        user.meet(&HIM, &with(&all), &keys(), true);
        assert_eq!(known(&user, &[code]), [Some(0)], "{code}");
        assert_eq!(user.numbers.len(), MAX_NUMBERS);
        // And the next time the same ones: none is new.
        assert_eq!(user.meet(&HIM, &with(&all), &keys(), true), []);
    }
    // As many as there is room for are all known.
    let mut user = User::default();
    let six = [1, 2, 3, 4, 5, 6];
    user.meet(&HIM, &with(&six), &keys(), true);
    assert_eq!(known(&user, &six), [Some(0); MAX_NUMBERS]);
}

#[test]
fn a_login_is_remembered_for_its_time_and_in_its_place() {
    let limits = limits();
    let rules = waiting(&limits, 0);
    let user = remembering(5 * DAY);
    for (now, is_in) in [
        (5 * DAY - 1, false),
        (5 * DAY, true),
        (6 * DAY - 1, true),
        (6 * DAY, false),
    ] {
        let found = user.remembered(HOME, rules, now);
        assert_eq!(found.is_some(), is_in, "{now}");
    }
    assert_eq!(user.remembered([3; 16], rules, 5 * DAY), None);
}

#[test]
fn what_is_remembered_no_more_makes_room() {
    let mut user = remembering(DAY);
    let at = |place: u8, now| (([place; 16], LoginId([2; 4])), now);
    let places =
        |user: &User| -> Vec<u8> { user.logins.iter().map(|login| login.place[0]).collect() };
    let ((place, login), now) = at(2, DAY + MAX_REMEMBER - 1);
    user.remember(place, login, now);
    assert_eq!(places(&user), [1, 2]);
    let ((place, login), now) = at(3, DAY + MAX_REMEMBER);
    user.remember(place, login, now);
    assert_eq!(places(&user), [2, 3]);
    // The same place once, and of more than there is room for the newest.
    for place in [4, 5, 6, 3, 7, 8] {
        user.remember([place; 16], login, now);
    }
    assert_eq!(places(&user), [4, 5, 6, 3, 7, 8]);
    assert_eq!(user.logins.len(), MAX_LOGINS);
}

#[test]
fn it_is_written_once_a_day_that_he_was_here() {
    let user = User {
        touched: DAY,
        ..User::default()
    };
    assert!(!user.is_stale(2 * DAY - 1));
    assert!(user.is_stale(2 * DAY));
}
