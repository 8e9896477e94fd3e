//! What a standstill of this process may have brought about: judged by the time in which the person
//! waited for it, so that what passed while he typed does not count.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::{self, Moment, Standstill};

/// As long a standstill changes nothing.
const FORGIVEN: Duration = Duration::from_secs(1);

/// Nor does one that was no greater part of the time that went by,
const SHARE: u32 = 4;

/// or of the shortest time-out: it left a server that is well all the time that it needs.
const OF_A_TIMEOUT: u32 = 2;

/// The work on what he said last, and what came before it.
#[derive(Debug)]
pub struct Work {
    begun: Standstill,
    since: Moment,
    /// How late this process was by then.
    before: Standstill,
    /// By how much it was late in earlier work.
    earlier: Duration,
}

impl Work {
    pub fn begin() -> Self {
        let now = deadline::standstill();
        Self {
            begun: now.clone(),
            since: Moment::now(),
            before: now,
            earlier: Duration::ZERO,
        }
    }

    /// It is his turn.
    pub fn rest(&mut self) {
        self.earlier = self.late();
    }

    /// It is ours again.
    pub fn resume(&mut self) {
        self.since = Moment::now();
        self.before = deadline::standstill();
    }

    /// By how much this process was late in all its work.
    pub fn late(&self) -> Duration {
        let late = deadline::standstill().late_since(&self.before);
        self.earlier.saturating_add(late)
    }

    /// The standstill that time-outs may be due to, if there was one. No time-out is shorter than
    /// `shortest`.
    pub fn brought_about(&self, shortest: Duration) -> Option<Duration> {
        let standstill = deadline::standstill();
        let took = Moment::now().since(self.since);
        let late = standstill.late_since(&self.before);
        let long = standstill.long_since(&self.begun);
        counts(late, long, took, shortest).then_some(late.max(long))
    }
}

/// A long one counts whenever it was: one in earlier work may have used up the deadline. In small
/// pieces it counts by its share of the time since he has spoken, because a busy machine always has
/// some; and only if it was a part to speak of of a time-out, because whoever is refused at once was
/// refused by others.
fn counts(late: Duration, long: Duration, took: Duration, shortest: Duration) -> bool {
    let is_share = late.saturating_mul(SHARE) > took;
    let is_long = late > FORGIVEN || late.saturating_mul(OF_A_TIMEOUT) > shortest;
    long > FORGIVEN || (is_share && is_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
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
            (240, 0, 700, 500, false),
            (1200, 0, 20_000, 5000, false),
            // Refused at once, on a busy machine.
            (60, 0, 80, 5000, false),
            (260, 260, 300, 5000, false),
            // The deadline passed before anything was asked.
            (2000, 2000, 60_000, 5000, true),
        ] {
            let found = super::counts(ms(late), ms(long), ms(took), ms(shortest));
            assert_eq!(found, counts, "{late} {long} {took} {shortest}");
        }
    }
}
