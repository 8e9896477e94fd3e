//! When a refusal before the first factor is returned: always after the same time, so that timing does not
//! depend on names and passwords.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::Moment;

/// Returns the time `refuse_after` (plus or minus a random quarter) after `start`, or, if the work took
/// longer, the next whole multiple. `random` is uniformly distributed.
#[must_use]
pub(crate) fn refusal_time(
    start: Moment,
    now: Moment,
    refuse_after: Duration,
    random: u32,
) -> Moment {
    // 750 to 1250 thousandths.
    let thousandths = 750_u32.saturating_add(random.checked_rem(501).unwrap_or_default());
    let step = refuse_after
        .saturating_mul(thousandths)
        .checked_div(1000)
        .unwrap_or(refuse_after);
    if step.is_zero() {
        return now;
    }
    let steps = now.since(start).as_nanos().div_ceil(step.as_nanos()).max(1);
    start.after(step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::at(Duration::from_secs(50));

    fn after(work_ms: u64, refuse_ms: u64, random: u32) -> u128 {
        let now = START.after(Duration::from_millis(work_ms));
        refusal_time(START, now, Duration::from_millis(refuse_ms), random)
            .since(START)
            .as_millis()
    }

    #[test]
    fn quick_refusals_are_returned_after_the_same_time() {
        for work in [0, 1, 700, 1500] {
            assert_eq!(after(work, 2000, 0), 1500);
            assert_eq!(after(work, 2000, 250), 2000);
            assert_eq!(after(work, 2000, 500), 2500);
        }
    }

    #[test]
    fn slow_refusals_are_returned_at_the_next_multiple() {
        assert_eq!(after(2001, 2000, 250), 4000);
        assert_eq!(after(4000, 2000, 250), 4000);
        assert_eq!(after(4001, 2000, 250), 6000);
    }

    #[test]
    fn the_random_part_is_at_most_a_quarter() {
        for random in (0..10_000).chain([u32::MAX]) {
            assert!((1500..=2500).contains(&after(10, 2000, random)));
        }
    }

    #[test]
    fn without_a_delay_a_refusal_is_returned_at_once() {
        assert_eq!(after(123, 0, 7), 123);
    }
}
