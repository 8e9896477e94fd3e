//! When a refusal leaves that comes before the first factor is proved: always after the same
//! time, so that a clock at the prompt learns nothing of names and passwords.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::Moment;

/// `refuse_after`, give or take a quarter by chance, after `asked`; or, when the work took longer,
/// the next whole multiple of it.
#[must_use]
pub fn leaves(asked: Moment, now: Moment, refuse_after: Duration, chance: u32) -> Moment {
    // 750 to 1250 thousandths.
    let thousandths = 750_u32.saturating_add(chance.checked_rem(501).unwrap_or_default());
    let step = refuse_after
        .saturating_mul(thousandths)
        .checked_div(1000)
        .unwrap_or(refuse_after);
    if step.is_zero() {
        return now;
    }
    let steps = now.since(asked).as_nanos().div_ceil(step.as_nanos()).max(1);
    asked.after(step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Moment = Moment::at(Duration::from_secs(50));

    fn after(work_ms: u64, refuse_ms: u64, chance: u32) -> u128 {
        let now = ASKED.after(Duration::from_millis(work_ms));
        leaves(ASKED, now, Duration::from_millis(refuse_ms), chance)
            .since(ASKED)
            .as_millis()
    }

    #[test]
    fn quick_refusals_leave_together() {
        for work in [0, 1, 700, 1500] {
            assert_eq!(after(work, 2000, 0), 1500);
            assert_eq!(after(work, 2000, 250), 2000);
            assert_eq!(after(work, 2000, 500), 2500);
        }
    }

    #[test]
    fn slow_ones_leave_at_the_next_whole_multiple() {
        assert_eq!(after(2001, 2000, 250), 4000);
        assert_eq!(after(4000, 2000, 250), 4000);
        assert_eq!(after(4001, 2000, 250), 6000);
    }

    #[test]
    fn chance_stays_within_a_quarter() {
        for chance in (0..10_000).chain([u32::MAX]) {
            assert!((1500..=2500).contains(&after(10, 2000, chance)));
        }
    }

    #[test]
    fn nothing_to_wait_is_no_wait() {
        assert_eq!(after(123, 0, 7), 123);
    }
}
