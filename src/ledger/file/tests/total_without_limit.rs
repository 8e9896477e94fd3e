//! The total. Without `limits.sms_total` it decides nothing, and no failure of it rejects a login.

use std::os::unix::fs::FileExt;

use super::{
    super::*,
    fixtures::{Scratch, Time, account_of, limits, rules, soon},
};
use crate::config::Rule;

const SHARDS: std::ops::Range<u64> = 4096..total::END;

fn with_total(most: u32) -> crate::config::Limits {
    let within = Duration::from_secs(86_400);
    let mut limits = limits(&[(5, 900)]);
    limits.sms_total = Some(Rule { most, within });
    limits
}

#[test]
fn locked_shards_reject_no_login_without_a_limit() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (mut file, other) = (scratch.open(&time), scratch.open(&time));
    let counted = |file: &mut FileStore| file.summary(soon()).unwrap().sms;
    let (free, limited) = (limits(&[(5, 900)]), with_total(500));
    let guard = other.disk.try_lock(SHARDS.start, SHARDS.end - SHARDS.start);
    let guard = guard.unwrap().unwrap();
    let started = std::time::Instant::now();
    let account = account_of(1);
    let admission = file.admit(&account, rules(&free), soon()).unwrap();
    let Decision::Reserved(reservation) = admission.decision else {
        panic!("{:?}", admission.decision);
    };
    assert!(
        file.reserve(&account, rules(&free), soon())
            .unwrap()
            .is_ok()
    );
    file.release(&account, reservation, soon()).unwrap();
    assert!(started.elapsed() < ledger_file::LOCK_TIMEOUT, "it waited");
    assert_eq!(counted(&mut file), 0, "they are not counted");
    // With a limit the count decides: no SMS is sent that is not counted.
    let error = file.admit(&account, rules(&limited), soon()).unwrap_err();
    assert!(
        error.what.contains("the lock on the total is held"),
        "{error:?}"
    );
    drop(guard);
    // Of the two SMS, one was released and the other is counted for the user; neither is in the total.
    let _ = file.admit(&account, rules(&limited), soon()).unwrap();
    assert_eq!(counted(&mut file), 1);
}

/// An SMS that is released while its shard is locked is removed from user and phone, and stays in the
/// total.
#[test]
fn an_sms_can_be_released_while_its_shard_is_locked() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (mut file, other) = (scratch.open(&time), scratch.open(&time));
    let limits = limits(&[(1, 900)]);
    let account = account_of(1);
    let Decision::Reserved(reservation) = file
        .admit(&account, rules(&limits), soon())
        .unwrap()
        .decision
    else {
        panic!("not reserved");
    };
    let guard = other.disk.try_lock(SHARDS.start, SHARDS.end - SHARDS.start);
    let guard = guard.unwrap().unwrap();
    file.release(&account, reservation, soon()).unwrap();
    drop(guard);
    let again = file.admit(&account, rules(&limits), soon()).unwrap();
    assert!(matches!(again.decision, Decision::Reserved(_)), "{again:?}");
}

#[test]
fn damaged_shards_reject_no_login_without_a_limit() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    let length = usize::try_from(SHARDS.end - SHARDS.start).unwrap();
    let options = std::fs::OpenOptions::new().write(true).open(scratch.path());
    let noise = vec![7; length];
    options.unwrap().write_all_at(&noise, SHARDS.start).unwrap();
    let account = account_of(1);
    let free = limits(&[(5, 900)]);
    let admission = file.admit(&account, rules(&free), soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
    let error = file.admit(&account, rules(&with_total(500)), soon());
    assert!(error.unwrap_err().what.contains("its total"));
}
