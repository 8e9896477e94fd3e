//! Compares the window with a list of all SMS.

use super::*;
use crate::ledger::conformance::Dice;

/// How long until the rule allows one more SMS, from the times of all SMS.
fn plain_wait(sent: &[u64], rule: Rule, now: u64) -> u64 {
    let span = millis(rule.within);
    let mut wait = 0;
    while sent
        .iter()
        .filter(|at| **at + span > now + wait && **at <= now)
        .count()
        >= rule.most as usize
    {
        let leaves = sent
            .iter()
            .map(|at| at + span)
            .filter(|end| *end > now + wait);
        wait = leaves.min().unwrap() - now;
    }
    wait
}

fn random_rules(dice: &mut Dice) -> Vec<Rule> {
    (0..=dice.below(3))
        .map(|_| Rule {
            most: u32::try_from(1 + dice.below(30)).unwrap(),
            within: Duration::from_millis(1 + dice.below(5000)),
        })
        .collect()
}

/// Sends SMS while the rules allow it, releases some, and compares after each step. Returns how often the
/// window was stricter than the list.
fn history(seed: u64, most: usize) -> u32 {
    let mut dice = Dice(seed);
    let rules = random_rules(&mut dice);
    let longest = rules.iter().map(|rule| millis(rule.within)).max().unwrap();
    let (mut log, mut list, mut now, mut stricter) =
        (SlidingWindow::new(most), Vec::new(), 10_000, 0);
    for step in 0..400 {
        now += dice.below(200) * dice.below(2);
        let at = format!("seed {seed}, step {step}, most {most}");
        let mut verify = true;
        for rule in &rules {
            let (found, exact) = (wait(log.sent(), *rule, now), plain_wait(&list, *rule, now));
            assert!(found >= exact, "{at}: {found} is less than {exact}");
            stricter += u32::from(found > exact);
            verify &= found == 0;
        }
        if verify && dice.below(3) > 0 {
            log.add(now, longest);
            list.push(now);
        } else if !list.is_empty() && dice.below(4) == 0 {
            let then = list.pop().unwrap();
            let counted = log.remove(then, now);
            assert!(counted || then + longest <= now, "{at}");
        }
        assert!(log.sent().len() <= most, "{at}");
        assert!(
            log.sent().is_sorted_by(|one, other| one.0 < other.0),
            "{at}"
        );
        let all_over = list.iter().all(|at| at + longest <= now);
        assert!(!log.is_over(now) || all_over, "{at}");
    }
    stricter
}

#[test]
fn it_is_exact_while_the_entries_suffice() {
    for seed in 0..300 {
        // No rule allows more than 30.
        assert_eq!(history(seed, 30), 0, "seed {seed}");
    }
}

#[test]
fn beyond_that_it_is_never_more_lenient() {
    let stricter: u32 = (0..300).map(|seed| history(seed, 4)).sum();
    assert!(stricter > 0, "the log never overflowed");
}

#[test]
fn an_sms_counts_for_exactly_the_span() {
    let rule = Rule {
        most: 1,
        within: Duration::from_millis(100),
    };
    let mut log = SlidingWindow::new(3);
    log.add(1000, 100);
    assert_eq!(wait(log.sent(), rule, 1000), 100);
    assert_eq!(wait(log.sent(), rule, 1099), 1);
    assert_eq!(wait(log.sent(), rule, 1100), 0);
    // A clock that is behind: the SMS counts as well.
    assert_eq!(wait(log.sent(), rule, 900), 200);
}

#[test]
fn merged_entries_can_be_removed_one_by_one() {
    let mut log = SlidingWindow::new(2);
    for at in [10, 20, 30] {
        log.add(at, 1000);
    }
    assert_eq!(log.sent(), [(20, 2), (30, 1)]);
    assert!(log.remove(10, 40));
    assert!(log.remove(20, 40));
    assert_eq!(log.sent(), [(30, 1)]);
}

#[test]
fn a_full_entry_loses_nothing() {
    let mut log = SlidingWindow::of(vec![(10, MAX_COUNT), (20, MAX_COUNT), (30, 1)], 3, 1000);
    log.add(40, 1000);
    assert_eq!(log.sent(), [(10, MAX_COUNT), (20, MAX_COUNT), (40, 2)]);
    log.add(40, 1000);
    assert_eq!(log.sent(), [(10, MAX_COUNT), (20, MAX_COUNT), (40, 3)]);
}

/// A steady flow, at half of what a rule allows, is never rejected: merged entries expire as well.
#[test]
fn a_steady_flow_expires() {
    const DAY: u64 = 86_400_000;
    for (most, entries, days, a_day) in [(5_000_u32, 34, 1, 2_500_u64), (100, 20, 30, 2)] {
        let rule = Rule {
            most,
            within: Duration::from_millis(days * DAY),
        };
        let longest = millis(rule.within);
        let (mut log, mut now) = (SlidingWindow::new(entries), 0);
        for _ in 0..a_day * days * 6 {
            now += DAY / a_day;
            assert_eq!(wait(log.sent(), rule, now), 0, "{rule}: rejected at {now}");
            log.add(now, longest);
        }
        let counted: u64 = log
            .sent()
            .iter()
            .map(|(_, number)| u64::from(*number))
            .sum();
        let truly = a_day * days;
        assert!(counted <= truly * 3 / 2, "{rule}: {counted} for {truly}");
    }
}

/// If the clock is behind the newest entry, the SMS keeps its own time.
#[test]
fn an_sms_is_counted_at_its_own_time() {
    let mut log = SlidingWindow::new(8);
    for at in [20_000, 10_000, 10_000, 20_000, 15_000] {
        log.add(at, 60_000);
    }
    assert_eq!(log.sent(), [(10_000, 2), (15_000, 1), (20_000, 2)]);
}

#[test]
fn a_full_entry_is_followed_by_another() {
    let mut log = SlidingWindow::of(vec![(10_000, MAX_COUNT - 1)], 8, 60_000);
    log.add(10_000, 60_000);
    assert_eq!(log.sent(), [(10_000, MAX_COUNT)]);
    log.add(10_000, 60_000);
    let all: u32 = log.sent().iter().map(|(_, number)| number).sum();
    assert_eq!((log.sent().len(), all), (2, MAX_COUNT + 1));
}

/// A full entry is not merged, even where that costs least: no SMS is lost.
#[test]
fn only_entries_with_space_are_merged() {
    let mut log = SlidingWindow::of(vec![(10_000, MAX_COUNT), (10_001, 1)], 2, 600_000);
    log.add(200_001, 600_000);
    assert_eq!(log.sent(), [(10_000, MAX_COUNT), (200_001, 2)]);
}
