//! The table: growth, and reuse of places.

use super::*;
use crate::ledger::{
    file::{
        row::MAX_PHONE_ENTRIES,
        tests::fixtures::{Scratch, Time, soon},
    },
    window::SlidingWindow,
};

fn name(disk: &LedgerFile, number: u32) -> Name {
    disk.keys.phone(&number.to_string())
}

/// A phone row with this number, which counts until `end`.
fn row(number: u32, end: u64) -> Row {
    Row::Phone(SlidingWindow::of(vec![(0, number)], MAX_PHONE_ENTRIES, end))
}

fn put(table: &Table<'_>, number: u32, now: u64, end: u64) {
    let name = name(table.0, number);
    table
        .put(&name, &row(number % 60_000, end), None, now, soon())
        .unwrap();
}

#[test]
fn levels_have_no_gap_and_do_not_overlap() {
    assert_eq!(length(0), START);
    for level in 0..MAX_LEVELS {
        let first = [0; 16];
        let last = [255; 16];
        assert_eq!(bucket(level, &first), length(level));
        assert_eq!(bucket(level, &last) + BUCKET, length(level + 1));
    }
    // The limit of sys for the size of a file.
    assert!(length(MAX_LEVELS) < 16 << 30);
}

#[test]
fn twenty_thousand_rows_are_found_and_their_places_reused() {
    let scratch = Scratch::new();
    let file = scratch.open(&Time::default());
    let table = Table(&file.disk);
    let many = 20_000;
    for number in 0..many {
        put(&table, number, 0, 1000);
    }
    let levels = table.levels().unwrap();
    assert!((5..8).contains(&levels), "{levels} levels");
    for number in 0..many {
        let found = table.find(&name(&file.disk, number)).unwrap();
        assert_eq!(found.row.unwrap().1, row(number % 60_000, 1000), "{number}");
    }
    let mut seen = 0;
    table.each(soon(), |_| seen += 1).unwrap();
    assert_eq!(seen, many);

    // All of them have expired: others take their places, and the file does not grow.
    for number in many..2 * many {
        put(&table, number, 1000, 2000);
    }
    assert_eq!(table.levels().unwrap(), levels);
    for number in many..2 * many {
        assert!(
            table.find(&name(&file.disk, number)).unwrap().row.is_some(),
            "{number}"
        );
    }
}

#[test]
fn adding_a_level_again_changes_nothing() {
    let scratch = Scratch::new();
    let file = scratch.open(&Time::default());
    let table = Table(&file.disk);
    for number in 0..3000 {
        put(&table, number, 0, 1000);
    }
    let levels = table.levels().unwrap();
    for level in 0..levels {
        table.grow(level).unwrap();
    }
    assert_eq!(table.levels().unwrap(), levels);
    for number in 0..3000 {
        assert!(
            table.find(&name(&file.disk, number)).unwrap().row.is_some(),
            "{number}"
        );
    }
}

#[test]
fn sweeping_clears_expired_rows_only() {
    let scratch = Scratch::new();
    let file = scratch.open(&Time::default());
    let table = Table(&file.disk);
    for number in 0..40 {
        put(&table, number, 0, if number % 2 == 0 { 100 } else { 1000 });
    }
    // With a probability of many millions to one, each bucket is chosen at least once.
    for _ in 0..2000 {
        table.sweep(500).unwrap();
    }
    for number in 0..40 {
        let found = table.find(&name(&file.disk, number)).unwrap().row;
        assert_eq!(found.is_some(), number % 2 == 1, "{number}");
    }
}

#[test]
fn a_locked_place_is_not_used() {
    let scratch = Scratch::new();
    let time = Time::default();
    let (file, other) = (scratch.open(&time), scratch.open(&time));
    let start = bucket(0, &name(&file.disk, 1));
    let guard = other.disk.try_lock(start, BUCKET - LENGTH).unwrap();
    put(&Table(&file.disk), 1, 0, 1000);
    drop(guard);
    let found = Table(&file.disk).find(&name(&file.disk, 1)).unwrap();
    assert_eq!(found.row.unwrap().0, start + BUCKET - LENGTH);
}
