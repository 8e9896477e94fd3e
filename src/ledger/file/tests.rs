//! The whole store: against the model, with clocks that are set by hand.

mod crowd;
mod damage;
pub mod stage;
mod statistic;

use std::time::Duration;

use super::*;
use crate::ledger::{conformance, model::Model};
use stage::{Scratch, Time};

#[test]
fn it_is_like_the_model() {
    for seed in 0..40 {
        let scratch = Scratch::new();
        let time = Time::default();
        let mut file = scratch.open(&time);
        let pass = |while_| time.pass(while_);
        conformance::compare(Model::default(), &mut file, pass, Duration::ZERO, seed);
    }
}

#[test]
fn its_new_numbers_are_those_of_the_model() {
    let scratch = Scratch::new();
    let time = Time::default();
    let mut file = scratch.open(&time);
    conformance::numbers::compare(&mut file, |while_| time.pass(while_));
}

#[test]
fn guesses_of_others_are_counted_until_they_are_shown() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    conformance::guesses::compare(&mut file, stage::somebody(1));
}

#[test]
fn a_remembered_login_writes_nothing() {
    let scratch = Scratch::new();
    let time = Time::default();
    let mut file = scratch.open(&time);
    let (account, limits) = (stage::somebody(1), stage::limits(&[(5, 900)]));
    let rules = stage::rules(&limits);
    let first = file.admit(&account, rules, stage::soon()).unwrap();
    assert!(matches!(first.decision, Decision::Reserved(_)));
    file.record_success(&account, rules, 1, stage::soon())
        .unwrap();
    // But for the anchor of the clock, which is renewed now and then.
    let rows = || std::fs::read(scratch.path()).unwrap().split_off(1024);
    let before = rows();
    time.pass(Duration::from_secs(800));
    let again = file.admit(&account, rules, stage::soon()).unwrap();
    let earned_by = account.login;
    assert_eq!(again.decision, Decision::Remembered { earned_by });
    assert!(before == rows());
}

#[test]
fn locks_are_apart_from_each_other_and_from_the_file() {
    let places = 1 << 60;
    assert_eq!(table::length(0), 4096 + 32 * 512);
    for (lower, room, upper) in [
        (table::length(10), 0, LOST),
        (LOST, 1, TURN),
        (TURN, 1, ANCHOR),
        (ANCHOR, 1, PHONES),
        (PHONES, places, USERS),
        (USERS, places, 1 << 63),
    ] {
        assert!(lower + room <= upper, "{lower:#x} {upper:#x}");
    }
}

#[test]
fn what_is_answered_is_on_the_disk_and_locks_nobody() {
    let scratch = Scratch::new();
    let (mut file, other) = (
        scratch.open(&Time::default()),
        scratch.open(&Time::default()),
    );
    let limits = stage::limits(&[(5, 900)]);
    let account = stage::somebody(1);
    let _ = file
        .admit(&account, stage::rules(&limits), stage::soon())
        .unwrap();
    assert!(!file.disk.is_dirty());
    file.disk.write(table::length(1) - 1, &[0]).unwrap();
    assert!(file.disk.is_dirty());
    file.disk.sync().unwrap();
    assert!(!file.disk.is_dirty());
    let name = file.disk.keys.user(&account.dn);
    let is_free = |file: &FileStore| {
        file.hold(USERS, &name, "", Deadline::within(Duration::ZERO))
            .is_ok()
    };
    let held = file.hold(USERS, &name, "", stage::soon()).unwrap();
    assert!(!is_free(&other));
    drop(held);
    assert!(is_free(&other));
    let room =
        std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(scratch.path()).unwrap()) * 512;
    assert!(room > 0);
    assert_eq!(file.summary(stage::soon()).unwrap().size, Some(room));
}

#[test]
fn nothing_in_the_file_says_who_it_is() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    let (account, limits) = (stage::somebody(123), stage::limits(&[(5, 900)]));
    let rules = stage::rules(&limits);
    let holds = |text: &str| {
        let bytes = std::fs::read(scratch.path()).unwrap();
        bytes
            .windows(text.len())
            .any(|some| some == text.as_bytes())
    };
    let _ = file.admit(&account, rules, stage::soon()).unwrap();
    for text in ["person123", "7700900123", "192.0.2.7"] {
        assert!(!holds(text), "{text}");
    }
    // While wrong codes are counted against him, an administrator is told his name, and no longer.
    let _ = file.record_attempt(&account, rules, stage::soon()).unwrap();
    assert!(holds("person123") && !holds("uid=person123"));
    file.record_success(&account, rules, 1, stage::soon())
        .unwrap();
    assert!(!holds("person123"));
}

#[test]
fn a_clock_that_is_set_back_ends_no_lock() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (account, limits) = (stage::somebody(1), stage::limits(&[(5, 900)]));
    let rules = stage::rules(&limits);
    for _ in 0..3 {
        let _ = scratch
            .open(&time)
            .record_attempt(&account, rules, stage::soon())
            .unwrap();
    }
    time.pass(Duration::from_secs(100));
    for back in [3_600_000, 86_400_000 * 365] {
        time.0.lock().unwrap().calendar -= back;
        let left = scratch
            .open(&time)
            .status(&account.dn, stage::soon())
            .unwrap()
            .locked;
        assert_eq!(left, Some(Duration::from_secs(800)));
    }
    // After a reboot the calendar is all there is; it counts from where it was set to.
    let mut clocks = time.0.lock().unwrap();
    (clocks.boot, clocks.since_boot) = ([b'b'; 36], 5);
    clocks.calendar += 300_000;
    drop(clocks);
    let left = scratch
        .open(&time)
        .status(&account.dn, stage::soon())
        .unwrap()
        .locked;
    assert_eq!(left, Some(Duration::from_secs(500)));
}

/// A process that ends between an answer and the line in the log leaves the number new, whoever opens
/// the file next; once it is told, it waits from then on.
#[test]
fn a_new_number_is_known_once_it_is_told() {
    let scratch = Scratch::new();
    let time = Time::default();
    let limits = stage::limits(&[(50, 900)]);
    let day = Duration::from_secs(86_400);
    let rules = Rules {
        new_phone: day,
        ..stage::rules(&limits)
    };
    let mut account = stage::somebody(1);
    let admit = |account: &Account, rules| {
        let mut file = scratch.open(&time);
        file.admit(account, rules, stage::soon()).unwrap()
    };
    assert_eq!(admit(&account, rules).new_numbers, []);
    account.phone = stage::somebody(2).phone;
    account.numbers = vec![account.phone.clone()];
    let waits = |wait| Decision::Rejected(Rejection::NewPhone { wait });
    for _ in 0..3 {
        let found = admit(&account, rules);
        assert_eq!(found.new_numbers, account.numbers);
        assert_eq!(found.decision, waits(day));
        time.pass(day);
    }
    let mut file = scratch.open(&time);
    file.mark_announced(&account, &account.numbers, stage::soon())
        .unwrap();
    assert!(!file.disk.is_dirty());
    time.pass(day / 2);
    let found = admit(&account, rules);
    assert_eq!(
        (found.decision, found.new_numbers),
        (waits(day / 2), vec![])
    );
    time.pass(day / 2);
    assert!(matches!(
        admit(&account, rules).decision,
        Decision::Reserved(_)
    ));

    // After 400 days without a login, the numbers are a person's first ones.
    time.pass(day * 402);
    let first = stage::somebody(3);
    account.phone = first.phone.clone();
    account.numbers = first.numbers;
    assert_eq!(admit(&account, rules).new_numbers, []);

    // A stranger's are new where this ledger stands in, and stay so.
    let rules = Rules {
        is_fallback: true,
        ..rules
    };
    let stranger = stage::somebody(7);
    for _ in 0..2 {
        let found = admit(&stranger, rules);
        assert_eq!(
            (found.decision, found.new_numbers),
            (waits(day), stranger.numbers.clone())
        );
    }
    file.mark_announced(&stranger, &stranger.numbers, stage::soon())
        .unwrap();
    time.pass(day);
    let found = admit(&stranger, rules);
    assert!(matches!(found.decision, Decision::Reserved(_)) && found.new_numbers.is_empty());
}

#[test]
fn more_numbers_than_there_is_room_for_are_not_new_at_each_login() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    let limits = stage::limits(&[(50, 900)]);
    let mut account = stage::somebody(1);
    account.numbers = (0..20)
        .map(|number| stage::somebody(number).phone)
        .collect();
    for login in 0..3 {
        let admission = file
            .admit(&account, stage::rules(&limits), stage::soon())
            .unwrap();
        assert_eq!(admission.new_numbers, [], "{login}");
        account.numbers.reverse();
    }
}
