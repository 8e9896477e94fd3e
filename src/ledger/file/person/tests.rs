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

#[test]
fn what_another_ledger_found_new_is_new_and_the_rest_is_old() {
    let mut person = remembering(DAY);
    person.learn(&with(&[123, 124]), &[phone(124)], &keys(), DAY);
    assert_eq!(known(&person, &[123, 124, 125]), [Some(0), Some(DAY), None]);
    // Another number is another way in: nothing is remembered.
    assert!(person.logins.is_empty());
    // What is known stays as it is.
    person.remember(HOME, LoginId([2; 4]), DAY);
    person.learn(
        &with(&[123, 124]),
        &[phone(123), phone(124)],
        &keys(),
        2 * DAY,
    );
    assert_eq!(known(&person, &[123, 124]), [Some(0), Some(DAY)]);
    assert_eq!(person.logins.len(), 1);
}

#[test]
fn room_for_numbers_is_made_by_those_that_are_his_no_longer() {
    let mut person = Person::default();
    for last in 100..106 {
        person.meet(&HIM, &with(&[last]), &keys(), false, u64::from(last));
    }
    assert_eq!(person.numbers.len(), NUMBERS);
    // 100 is his still; 101 is the longest known of the others.
    person.meet(&HIM, &with(&[100, 110]), &keys(), false, DAY);
    assert_eq!(
        known(&person, &[100, 101, 102, 110]),
        [Some(100), None, Some(102), Some(DAY)]
    );
    person.learn(&with(&[100, 111]), &[], &keys(), DAY);
    assert_eq!(known(&person, &[100, 102, 111]), [Some(100), None, Some(0)]);
    assert_eq!(person.numbers.len(), NUMBERS);
}

#[test]
fn of_more_numbers_than_there_is_room_for_the_code_s_own_is_known() {
    for code in 200..210 {
        let mut all: Vec<u32> = (200..210).filter(|last| *last != code).collect();
        all.push(code);
        let mut person = Person::default();
        person.meet(&HIM, &with(&all), &keys(), true, DAY);
        assert_eq!(known(&person, &[code]), [Some(0)], "{code}");
        assert_eq!(person.numbers.len(), NUMBERS);
        // And the next time the same ones: none is new.
        assert!(
            person
                .meet(&HIM, &with(&all), &keys(), true, 2 * DAY)
                .is_empty()
        );
    }
    // As many as there is room for are all known.
    let mut person = Person::default();
    let six = [1, 2, 3, 4, 5, 6];
    person.meet(&HIM, &with(&six), &keys(), true, DAY);
    assert_eq!(known(&person, &six), [Some(0); NUMBERS]);
}

#[test]
fn a_login_is_remembered_for_its_time_and_in_its_place() {
    let limits = limits();
    let rules = Rules {
        limits: &limits,
        remember: Some(Duration::from_millis(DAY)),
        new_phone: Duration::ZERO,
        stands_in: false,
    };
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
