use std::{cell::Cell, os::unix::fs::FileExt, thread};

use super::{super::tests::fixtures::Scratch, *};

/// The count that the next line reports.
fn reported(lost: &LostLines) -> u32 {
    let seen = Cell::new(0);
    lost.report(&mut |lines| {
        seen.set(lines);
        lines
    });
    seen.get()
}

#[test]
fn lines_of_all_logins_are_counted_and_reported_once() {
    let scratch = Scratch::new();
    let lost = || scratch.open_really().lost_lines().unwrap();
    assert_eq!(reported(&lost()), 0);
    lost().add(1);
    lost().add(2);
    // A line that is lost itself reports nothing.
    lost().report(&mut |lines| {
        assert_eq!(lines, 3);
        0
    });
    lost().add(1);
    // A line that is lost during the report stays.
    let other = lost();
    lost().report(&mut |lines| {
        other.add(1);
        lines
    });
    assert_eq!(reported(&lost()), 1);
    assert_eq!(reported(&lost()), 0);
}

#[test]
fn lines_at_the_same_time_are_all_counted() {
    let scratch = Scratch::new();
    let _ = scratch.open_really();
    let many: Vec<_> = (0..8)
        .map(|_| {
            let lost = scratch.open_really().lost_lines().unwrap();
            thread::spawn(move || (0..50).for_each(|_| lost.add(1)))
        })
        .collect();
    for one in many {
        one.join().unwrap();
    }
    let lost = scratch.open_really().lost_lines().unwrap();
    assert_eq!(reported(&lost), 400);
}

/// A process that is stopped while it holds the lock does not keep lines from being counted.
#[test]
fn a_stopped_process_hides_no_line() {
    let scratch = Scratch::new();
    let stopped = scratch.open_really();
    let _guard = stopped.disk.try_lock(LOST, 1).unwrap().unwrap();
    let lost = scratch.open_really().lost_lines().unwrap();
    lost.add(2);
    assert_eq!(reported(&lost), 2);
    assert_eq!(reported(&lost), 0);
}

#[test]
fn a_damaged_count_is_replaced() {
    let scratch = Scratch::new();
    let lost = scratch.open_really().lost_lines().unwrap();
    lost.add(5);
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(scratch.path())
        .unwrap();
    file.write_all_at(&[7], AT + 100).unwrap();
    assert_eq!(reported(&lost), 0);
    lost.add(1);
    assert_eq!(reported(&lost), 1);
    drop(scratch.open_really());
}
