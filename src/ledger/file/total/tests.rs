//! The hours of a shard.

use super::*;
use crate::ledger::conformance::Dice;

#[test]
fn a_shard_counts_a_day_by_hours() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let (mut shard, mut all, mut now) = (Shard::default(), Vec::new(), 400_000 * HOUR);
        for step in 0..200 {
            now += dice.below(dice.0 % 3 * HOUR + 1);
            match dice.below(5) {
                0 if !all.is_empty() => {
                    let (then, segments) = all.pop().unwrap();
                    let counted = shard.remove(then, now, segments);
                    assert!(counted || now - then > HOUR, "seed {seed}, step {step}");
                    if !counted {
                        all.push((then, segments));
                    }
                }
                _ => {
                    let segments = 1 + u16::try_from(dice.below(4)).unwrap();
                    shard.add(now, HOUR, segments);
                    all.push((now, segments));
                }
            }
            let hour = now / HOUR;
            let today = || all.iter().filter(|(at, _)| hour - at / HOUR < DAY);
            let segments = today().map(|(_, segments)| u64::from(*segments)).sum();
            let expected = (today().count() as u64, segments);
            assert_eq!(shard.day(now), expected, "seed {seed}, step {step}");
            assert_eq!(
                Shard::decode(&shard.encode()),
                Some(shard.clone()),
                "seed {seed}"
            );
        }
        assert_eq!(shard.day(now + 26 * HOUR), (0, 0), "seed {seed}");
    }
}
