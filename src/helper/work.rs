//! What a standstill of this process may have brought about: judged by the time in which the person
//! waited for it, so that what passed while he typed does not count.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::{deadline::Moment, ledger::Standstill};

/// As long a standstill changes nothing.
const FORGIVEN: Duration = Duration::from_secs(1);

/// Nor does one that was no greater part of the time that went by, or of the shortest time-out.
const SHARE: u32 = 4;

/// The work on what was said last, and what came before it.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    since: Moment,
    /// How late this process was by then, over all.
    before: Duration,
    /// How much of that was in earlier work.
    earlier: Duration,
}

impl Work {
    pub const fn begin(now: Moment) -> Self {
        Self {
            since: now,
            before: Duration::ZERO,
            earlier: Duration::ZERO,
        }
    }

    /// It is ours again, after a question that was `asked` by then.
    pub const fn resume(self, asked: Standstill, heard: Standstill, now: Moment) -> Self {
        Self {
            since: now,
            before: heard.late,
            earlier: self.late(asked),
        }
    }

    /// How late this process was in all its work.
    pub const fn late(self, standstill: Standstill) -> Duration {
        let late = standstill.late.saturating_sub(self.before);
        self.earlier.saturating_add(late)
    }

    /// The standstill that time-outs may be due to, if there was one. One in earlier work may have
    /// used up the deadline.
    ///
    /// In small pieces it counts by its share of the time since he has spoken, because a busy
    /// machine always has some; and only if it was a part to speak of of a time-out, because whoever
    /// is refused at once was refused by others.
    pub fn brought_about(
        self,
        standstill: Standstill,
        now: Moment,
        shortest: Duration,
    ) -> Option<Duration> {
        let late = standstill.late.saturating_sub(self.before);
        let is_share = |of: Duration| late.saturating_mul(SHARE) > of;
        let pieces = is_share(now.since(self.since)) && (late > FORGIVEN || is_share(shortest));
        (standstill.long > FORGIVEN || pieces).then_some(late.max(standstill.long))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn seen(late: u64, long: u64) -> Standstill {
        Standstill {
            late: ms(late),
            long: ms(long),
        }
    }

    #[test]
    fn a_standstill_counts_by_its_share_of_the_time_that_went_by() {
        for (late, long, took, shortest, counts) in [
            (0, 0, 500, 500, false),
            // One stop, shorter than a second, and longer than the time-out.
            (900, 900, 905, 500, true),
            // Chopped into pieces, none of which is long.
            (450, 0, 520, 500, true),
            (4500, 0, 6000, 5000, true),
            // A busy machine and a directory that is silent.
            (100, 0, 520, 500, false),
            (1200, 0, 20_000, 5000, false),
            // Refused at once, on a busy machine.
            (60, 0, 80, 5000, false),
            (260, 260, 300, 5000, false),
            // The deadline passed before anything was asked.
            (2000, 2000, 60_000, 5000, true),
        ] {
            let work = Work::begin(Moment::at(ms(1000)));
            let now = Moment::at(ms(1000 + took));
            let found = work.brought_about(seen(late, long), now, ms(shortest));
            assert_eq!(found.is_some(), counts, "{late} {long} {took} {shortest}");
        }
    }

    #[test]
    fn what_passes_while_he_types_is_no_work() {
        let at = |passed| Moment::at(ms(passed));
        let work = Work::begin(at(0));
        let work = work.resume(seen(30, 0), seen(700, 0), at(60_000));
        assert_eq!(work.late(seen(750, 0)), ms(80));
        assert_eq!(work.brought_about(seen(750, 0), at(60_110), ms(500)), None);
        assert!(
            work.brought_about(seen(1200, 0), at(60_500), ms(500))
                .is_some()
        );
    }
}
