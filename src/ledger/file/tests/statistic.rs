//! The total of the whole ledger. Without `limits.sms_total` it decides nothing, and no fault of it
//! refuses a login.

use std::os::unix::fs::FileExt;

use super::{
    super::*,
    stage::{Scratch, Time, limits, rules, somebody, soon},
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
fn parts_that_are_locked_refuse_nobody_without_a_limit() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (mut file, other) = (scratch.open(&time), scratch.open(&time));
    let counted = |file: &mut FileStore| file.summary(soon()).unwrap().sms;
    let (free, limited) = (limits(&[(5, 900)]), with_total(500));
    let held = other.disk.try_lock(SHARDS.start, SHARDS.end - SHARDS.start);
    let held = held.unwrap().unwrap();
    let started = std::time::Instant::now();
    let account = somebody(1);
    let admission = file.admit(&account, rules(&free), soon()).unwrap();
    let Decision::Reserved(slot) = admission.decision else {
        panic!("{:?}", admission.decision);
    };
    assert!(
        file.reserve(&account, rules(&free), soon())
            .unwrap()
            .is_ok()
    );
    file.release(&account, slot, soon()).unwrap();
    assert!(started.elapsed() < ledger_file::LOCK_TIMEOUT, "it waited");
    assert_eq!(counted(&mut file), 0, "the statistic lacks them");
    // With a limit the count decides: nothing goes out that was not counted.
    let error = file.admit(&account, rules(&limited), soon()).unwrap_err();
    assert!(error.what.contains("the total is locked"), "{error:?}");
    drop(held);
    // One SMS was given back, one is left of the person's; the total has none of the two.
    let _ = file.admit(&account, rules(&limited), soon()).unwrap();
    assert_eq!(counted(&mut file), 1);
}

/// Given back while its part of the total is locked: person and phone have it back, the total keeps it.
#[test]
fn a_part_that_is_locked_keeps_no_sms_from_being_given_back() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (mut file, other) = (scratch.open(&time), scratch.open(&time));
    let limits = limits(&[(1, 900)]);
    let account = somebody(1);
    let Decision::Reserved(slot) = file
        .admit(&account, rules(&limits), soon())
        .unwrap()
        .decision
    else {
        panic!("not reserved");
    };
    let held = other.disk.try_lock(SHARDS.start, SHARDS.end - SHARDS.start);
    let held = held.unwrap().unwrap();
    file.release(&account, slot, soon()).unwrap();
    drop(held);
    let again = file.admit(&account, rules(&limits), soon()).unwrap();
    assert!(matches!(again.decision, Decision::Reserved(_)), "{again:?}");
}

#[test]
fn damaged_parts_refuse_nobody_without_a_limit() {
    let scratch = Scratch::new();
    let mut file = scratch.open(&Time::default());
    let length = usize::try_from(SHARDS.end - SHARDS.start).unwrap();
    let options = std::fs::OpenOptions::new().write(true).open(scratch.path());
    let noise = vec![7; length];
    options.unwrap().write_all_at(&noise, SHARDS.start).unwrap();
    let account = somebody(1);
    let free = limits(&[(5, 900)]);
    let admission = file.admit(&account, rules(&free), soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
    let error = file.admit(&account, rules(&with_total(500)), soon());
    assert!(error.unwrap_err().what.contains("its total"));
}
