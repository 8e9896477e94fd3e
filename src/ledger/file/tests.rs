//! The whole store: compared with the model, with clocks that the test sets.

mod concurrency;
mod damage;
pub mod fixtures;
mod total_without_limit;

use std::time::Duration;

use super::*;
use crate::ledger::{conformance, model::Model};
use fixtures::{Scratch, Time};

#[test]
fn it_conforms_to_the_model() {
    for seed in 0..40 {
        let scratch = Scratch::new();
        let time = Time::default();
        let mut file = scratch.open(&time);
        let pass = |duration| time.pass(duration);
        conformance::compare(Model::default(), &mut file, pass, Duration::ZERO, seed);
    }
}

#[test]
fn new_numbers_conform() {
    let scratch = Scratch::new();
    let time = Time::default();
    let mut file = scratch.open(&time);
    conformance::numbers::compare(&mut file, |duration| time.pass(duration));
}

#[test]
fn guesses_conform() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    conformance::guesses::compare(&mut file, fixtures::account_of(1));
}

#[test]
fn a_remembered_login_writes_nothing() {
    let scratch = Scratch::new();
    let time = Time::default();
    let mut file = scratch.open(&time);
    let (account, limits) = (fixtures::account_of(1), fixtures::limits(&[(5, 900)]));
    let rules = fixtures::rules(&limits);
    let first = file.admit(&account, rules, fixtures::soon()).unwrap();
    assert!(matches!(first.decision, Decision::Reserved(_)));
    file.record_success(&account, rules, 1, fixtures::soon())
        .unwrap();
    // Except the anchor of the clock, which is renewed from time to time.
    let rows = || std::fs::read(scratch.path()).unwrap().split_off(1024);
    let before = rows();
    time.pass(Duration::from_secs(800));
    let again = file.admit(&account, rules, fixtures::soon()).unwrap();
    let earned_by = account.login;
    assert_eq!(again.decision, Decision::Remembered { earned_by });
    assert!(before == rows());
}

#[test]
fn lock_ranges_do_not_overlap() {
    let hashes = 1 << 60;
    assert_eq!(table::length(0), 4096 + 32 * 512);
    for (lower, size, upper) in [
        (table::length(10), 0, LOST),
        (LOST, 1, TOTAL_TURN),
        (TOTAL_TURN, 1, ANCHOR),
        (ANCHOR, 1, PHONES),
        (PHONES, hashes, USERS),
        (USERS, hashes, 1 << 63),
    ] {
        assert!(lower + size <= upper, "{lower:#x} {upper:#x}");
    }
}

#[test]
fn an_answer_is_synced_and_leaves_no_lock() {
    let scratch = Scratch::new();
    let (mut file, other) = (
        scratch.open(&Time::default()),
        scratch.open(&Time::default()),
    );
    let limits = fixtures::limits(&[(5, 900)]);
    let account = fixtures::account_of(1);
    let _ = file
        .admit(&account, fixtures::rules(&limits), fixtures::soon())
        .unwrap();
    assert!(!file.disk.is_dirty());
    file.disk.write(table::length(1) - 1, &[0]).unwrap();
    assert!(file.disk.is_dirty());
    file.disk.sync().unwrap();
    assert!(!file.disk.is_dirty());
    let name = file.disk.keys.user(&account.dn);
    let is_free = |file: &FileStore| {
        file.lock(USERS, &name, "", Deadline::within(Duration::ZERO))
            .is_ok()
    };
    let guard = file.lock(USERS, &name, "", fixtures::soon()).unwrap();
    assert!(!is_free(&other));
    drop(guard);
    assert!(is_free(&other));
    let allocated =
        std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(scratch.path()).unwrap()) * 512;
    assert!(allocated > 0);
    assert_eq!(
        file.summary(fixtures::soon()).unwrap().size,
        Some(allocated)
    );
}

#[test]
fn the_file_does_not_show_names_or_numbers() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    let (account, limits) = (fixtures::account_of(123), fixtures::limits(&[(5, 900)]));
    let rules = fixtures::rules(&limits);
    let holds = |text: &str| {
        let bytes = std::fs::read(scratch.path()).unwrap();
        bytes
            .windows(text.len())
            .any(|some| some == text.as_bytes())
    };
    let _ = file.admit(&account, rules, fixtures::soon()).unwrap();
    for text in ["user123", "7700900123", "192.0.2.7"] {
        assert!(!holds(text), "{text}");
    }
    // The login name is stored only while wrong codes are counted.
    let _ = file
        .record_attempt(&account, rules, fixtures::soon())
        .unwrap();
    assert!(holds("user123") && !holds("uid=user123"));
    file.record_success(&account, rules, 1, fixtures::soon())
        .unwrap();
    assert!(!holds("user123"));
}

#[test]
fn setting_the_date_back_ends_no_lock() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (account, limits) = (fixtures::account_of(1), fixtures::limits(&[(5, 900)]));
    let rules = fixtures::rules(&limits);
    for _ in 0..3 {
        let _ = scratch
            .open(&time)
            .record_attempt(&account, rules, fixtures::soon())
            .unwrap();
    }
    time.pass(Duration::from_secs(100));
    for back in [3_600_000, 86_400_000 * 365] {
        time.0.lock().unwrap().calendar -= back;
        let left = scratch
            .open(&time)
            .status(&account.dn, fixtures::soon())
            .unwrap()
            .locked;
        assert_eq!(left, Some(Duration::from_secs(800)));
    }
    // After a reboot the calendar counts, from the time that it was set to.
    let mut clocks = time.0.lock().unwrap();
    (clocks.boot, clocks.since_boot) = ([b'b'; 36], 5);
    clocks.calendar += 300_000;
    drop(clocks);
    let left = scratch
        .open(&time)
        .status(&account.dn, fixtures::soon())
        .unwrap()
        .locked;
    assert_eq!(left, Some(Duration::from_secs(500)));
}

/// If a process ends between the admission and the line in the log, the number stays new for later
/// processes; it waits from its announcement on.
#[test]
fn a_new_number_waits_from_its_announcement_on() {
    let scratch = Scratch::new();
    let time = Time::default();
    let limits = fixtures::limits(&[(50, 900)]);
    let day = Duration::from_secs(86_400);
    let rules = Rules {
        new_phone: day,
        ..fixtures::rules(&limits)
    };
    let mut account = fixtures::account_of(1);
    let admit = |account: &Account, rules| {
        let mut file = scratch.open(&time);
        file.admit(account, rules, fixtures::soon()).unwrap()
    };
    assert_eq!(admit(&account, rules).new_numbers, []);
    account.phone = fixtures::account_of(2).phone;
    account.numbers = vec![account.phone.clone()];
    let waits = |wait| Decision::Rejected(Rejection::NewPhone { wait });
    for _ in 0..3 {
        let found = admit(&account, rules);
        assert_eq!(found.new_numbers, account.numbers);
        assert_eq!(found.decision, waits(day));
        time.pass(day);
    }
    let mut file = scratch.open(&time);
    file.mark_announced(&account, &account.numbers, fixtures::soon())
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

    // After 400 days without a login, the numbers count as first ones.
    time.pass(day * 402);
    let first = fixtures::account_of(3);
    account.phone = first.phone.clone();
    account.numbers = first.numbers;
    assert_eq!(admit(&account, rules).new_numbers, []);

    // In a fallback the numbers of an unknown user are new, until they are announced.
    let rules = Rules {
        is_fallback: true,
        ..rules
    };
    let unknown = fixtures::account_of(7);
    for _ in 0..2 {
        let found = admit(&unknown, rules);
        assert_eq!(
            (found.decision, found.new_numbers),
            (waits(day), unknown.numbers.clone())
        );
    }
    file.mark_announced(&unknown, &unknown.numbers, fixtures::soon())
        .unwrap();
    time.pass(day);
    let found = admit(&unknown, rules);
    assert!(matches!(found.decision, Decision::Reserved(_)) && found.new_numbers.is_empty());
}

#[test]
fn too_many_numbers_are_not_new_at_each_login() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    let limits = fixtures::limits(&[(50, 900)]);
    let mut account = fixtures::account_of(1);
    account.numbers = (0..20)
        .map(|number| fixtures::account_of(number).phone)
        .collect();
    for login in 0..3 {
        let admission = file
            .admit(&account, fixtures::rules(&limits), fixtures::soon())
            .unwrap();
        assert_eq!(admission.new_numbers, [], "{login}");
        account.numbers.reverse();
    }
}
