//! What is decided from one row alone, at its edges.

use super::*;
use crate::config::Rule;

const DAY: u64 = 86_400_000;
const HIM: Name = [9; 16];
const HOME: Name = [1; 16];

fn keys() -> Keys {
    Keys::new(&[7; 32])
}

/// A made-up number.
fn phone(last: u32) -> Phone {
    Phone::read(&format!("+44 7700 900{last:03}"), None).unwrap()
}

/// Somebody with these numbers, the code going to the last.
fn with(numbers: &[u32]) -> Account {
    let numbers: Vec<Phone> = numbers.iter().map(|last| phone(*last)).collect();
    Account {
        login: LoginId([1; 4]),
        person: "uid=alice".into(),
        name: "alice".into(),
        phone: numbers.last().unwrap().clone(),
        numbers,
        allowed: true,
        password_changed: String::new(),
        place: None,
        segments: 1,
    }
}

/// Which of these numbers are known, and since when.
fn known(person: &Person, numbers: &[u32]) -> Vec<Option<u64>> {
    let hashed = |last: &u32| half(keys().phone(phone(*last).e164()));
    let since = |last| person.since(hashed(last));
    numbers.iter().map(since).collect()
}

fn remembering(at: u64) -> Person {
    let mut person = Person::default();
    person.remember(HOME, LoginId([2; 4]), at);
    person
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
        allowed_prefixes: Vec::new(),
    }
}

/// New numbers wait for so long, in milliseconds.
const fn waiting(limits: &Limits, new_phone: u64) -> Rules<'_> {
    Rules {
        limits,
        remember: Some(Duration::from_millis(DAY)),
        new_phone: Duration::from_millis(new_phone),
        stands_in: false,
    }
}

/// What another ledger lets pass is as old as its rules want it to be; what else he has may be waiting
/// there still, and what it found new is not logged yet.
#[test]
fn of_another_ledger_only_the_number_that_it_lets_pass_has_waited() {
    let limits = limits();
    let mut person = remembering(DAY);
    // The code goes to 124.
    let who = with(&[122, 123, 124]);
    let day = waiting(&limits, DAY);
    person.learn(&who, &[phone(122)], day, &keys(), 5 * DAY);
    assert_eq!(
        known(&person, &[122, 123, 124, 125]),
        [None, Some(5 * DAY), Some(4 * DAY), None]
    );
    let wait =
        |person: &Person, last, now| person.new_phone(keys().phone(phone(last).e164()), day, now);
    let waits = [122, 123, 124].map(|last| wait(&person, last, 5 * DAY));
    assert_eq!(waits, [DAY, DAY, 0]);
    // Another number is another way in: nothing is remembered.
    assert!(person.logins.is_empty());
    // What is known stays as it is.
    person.remember(HOME, LoginId([2; 4]), DAY);
    person.learn(&who, &[phone(122)], day, &keys(), 7 * DAY);
    assert_eq!(known(&person, &[123, 124]), [Some(5 * DAY), Some(4 * DAY)]);
    assert_eq!(person.logins.len(), 1);

    // Where nothing waits, nothing has waited: at another service of this host it may have to.
    let mut person = Person::default();
    person.learn(&who, &[], waiting(&limits, 0), &keys(), 5 * DAY);
    assert_eq!(known(&person, &[123, 124]), [Some(5 * DAY); 2]);
    // What is new, though the code goes to it, waits for the line in the log.
    let mut person = Person::default();
    person.learn(&who, &[phone(124)], waiting(&limits, 0), &keys(), 5 * DAY);
    assert_eq!(known(&person, &[124]), [None]);
}

#[test]
fn a_number_is_new_until_that_is_told_and_then_begins_to_wait() {
    let limits = limits();
    let day = waiting(&limits, DAY);
    let wait = |person: &Person, now| person.new_phone(keys().phone(phone(124).e164()), day, now);
    let mut person = Person::default();
    assert_eq!(person.meet(&HIM, &with(&[123]), &keys(), true), []);
    let who = with(&[123, 124]);
    for now in [DAY, 2 * DAY, 9 * DAY] {
        person.remember(HOME, LoginId([2; 4]), now);
        assert_eq!(person.meet(&HIM, &who, &keys(), true), [phone(124)]);
        assert!(person.logins.is_empty());
        assert_eq!(wait(&person, now), DAY);
    }
    // Only what was told of, and at the first time.
    person.remember(HOME, LoginId([2; 4]), 9 * DAY);
    person.told(&with(&[123, 124, 125]), &[phone(124)], &keys(), 10 * DAY);
    assert!(person.logins.is_empty());
    person.remember(HOME, LoginId([2; 4]), 10 * DAY);
    person.told(&who, &[phone(124)], &keys(), 12 * DAY);
    assert_eq!(
        known(&person, &[123, 124, 125]),
        [Some(0), Some(10 * DAY), None]
    );
    assert_eq!(person.logins.len(), 1);
    assert_eq!(person.meet(&HIM, &who, &keys(), true), []);
    assert_eq!(
        (wait(&person, 11 * DAY - 1), wait(&person, 11 * DAY)),
        (1, 0)
    );
}

#[test]
fn room_for_numbers_is_made_by_those_that_are_his_no_longer() {
    let mut person = Person::default();
    let told = |person: &mut Person, numbers: &[u32], now| {
        let new = person.meet(&HIM, &with(numbers), &keys(), false);
        person.told(&with(numbers), &new, &keys(), now);
    };
    for last in 100..106 {
        told(&mut person, &[last], u64::from(last));
    }
    assert_eq!(person.numbers.len(), NUMBERS);
    // 100 is his still; 101 is the longest known of the others.
    told(&mut person, &[100, 110], DAY);
    assert_eq!(
        known(&person, &[100, 101, 102, 110]),
        [Some(100), None, Some(102), Some(DAY)]
    );
    let limits = limits();
    let rules = waiting(&limits, DAY);
    person.learn(&with(&[100, 111]), &[], rules, &keys(), 3 * DAY);
    let expected = [Some(100), None, Some(2 * DAY)];
    assert_eq!(known(&person, &[100, 102, 111]), expected);
    assert_eq!(person.numbers.len(), NUMBERS);
}

#[test]
fn of_more_numbers_than_there_is_room_for_the_code_s_own_is_known() {
    for code in 200..210 {
        let mut all: Vec<u32> = (200..210).filter(|last| *last != code).collect();
        all.push(code);
        let mut person = Person::default();
        person.meet(&HIM, &with(&all), &keys(), true);
        assert_eq!(known(&person, &[code]), [Some(0)], "{code}");
        assert_eq!(person.numbers.len(), NUMBERS);
        // And the next time the same ones: none is new.
        assert_eq!(person.meet(&HIM, &with(&all), &keys(), true), []);
    }
    // As many as there is room for are all known.
    let mut person = Person::default();
    let six = [1, 2, 3, 4, 5, 6];
    person.meet(&HIM, &with(&six), &keys(), true);
    assert_eq!(known(&person, &six), [Some(0); NUMBERS]);
}

#[test]
fn a_login_is_remembered_for_its_time_and_in_its_place() {
    let limits = limits();
    let rules = waiting(&limits, 0);
    let person = remembering(5 * DAY);
    for (now, is_in) in [
        (5 * DAY - 1, false),
        (5 * DAY, true),
        (6 * DAY - 1, true),
        (6 * DAY, false),
    ] {
        let found = person.remembered(HOME, rules, now);
        assert_eq!(found.is_some(), is_in, "{now}");
    }
    assert_eq!(person.remembered([3; 16], rules, 5 * DAY), None);
}

#[test]
fn what_is_remembered_no_more_makes_room() {
    let mut person = remembering(DAY);
    let at = |place: u8, now| (([place; 16], LoginId([2; 4])), now);
    let places =
        |person: &Person| -> Vec<u8> { person.logins.iter().map(|login| login.place[0]).collect() };
    let ((place, login), now) = at(2, DAY + LONGEST_MEMORY - 1);
    person.remember(place, login, now);
    assert_eq!(places(&person), [1, 2]);
    let ((place, login), now) = at(3, DAY + LONGEST_MEMORY);
    person.remember(place, login, now);
    assert_eq!(places(&person), [2, 3]);
    // The same place once, and of more than there is room for the newest.
    for place in [4, 5, 6, 3, 7, 8] {
        person.remember([place; 16], login, now);
    }
    assert_eq!(places(&person), [4, 5, 6, 3, 7, 8]);
    assert_eq!(person.logins.len(), LOGINS);
}

#[test]
fn it_is_written_once_a_day_that_he_was_here() {
    let person = Person {
        touched: DAY,
        ..Person::default()
    };
    assert!(!person.is_stale(2 * DAY - 1));
    assert!(person.is_stale(2 * DAY));
}
