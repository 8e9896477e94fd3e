//! SMS of the whole ledger: one brake for all, and what the day has cost.
//!
//! The count is spread over shards. Whoever counts takes any that nobody has, adds himself first,
//! then sums all of them without a lock, and takes himself out if that is too many: never more get
//! through than allowed, and somebody who stands still keeps nobody waiting.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    TURN, failures,
    ledger_file::{Found, LedgerFile, LockGuard, nap},
    row::{read_log, write_log},
    sector::{LENGTH, Name, Reader, SIZE, Sector, Writer},
};
use crate::{
    config::Rule,
    deadline::Deadline,
    failure::Failure,
    ledger::{
        LimitScope, Rejection,
        window::{Sent, SlidingWindow, millis, wait},
    },
    sys,
};

/// Behind the header's page.
const START: u64 = 4096;
const SHARDS: u64 = 32;
const BYTES: usize = 32 * SIZE;
/// Where they end.
pub const END: u64 = START + SHARDS * LENGTH;

const NAME: &Name = b"ledger\0total\0\0\0\0";
/// Entries of a shard's log: over all shards a thousand.
const SHARD_LOG: usize = 34;
const HOUR: u64 = 3_600_000;
/// The last 24 hours lie in so many.
const HOURS: usize = 25;
const DAY: u64 = HOURS as u64;

/// So long somebody waits for his turn, that those who come at once do not all take themselves out
/// again. It is a courtesy: who does not get it goes on without.
const COURTESY: Duration = Duration::from_millis(50);

/// A part of the count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shard {
    log: SlidingWindow,
    /// SMS and their segments, of the hour `latest` and those before it: an hour's place is its
    /// number by [`HOURS`].
    hours: [(u64, u64); HOURS],
    latest: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            log: SlidingWindow::new(SHARD_LOG),
            hours: [(0, 0); HOURS],
            latest: 0,
        }
    }
}

impl Shard {
    fn add(&mut self, now: u64, longest: u64, segments: u16) {
        self.log.add(now, longest);
        let hour = now / HOUR;
        // Hours that have passed without an SMS.
        let silent = hour.saturating_sub(self.latest).min(DAY);
        for ago in 0..silent {
            if let Some(cell) = self.hour(hour.saturating_sub(ago)) {
                *cell = (0, 0);
            }
        }
        self.latest = self.latest.max(hour);
        if let Some((sms, parts)) = self.hour(hour) {
            *sms = sms.saturating_add(1);
            *parts = parts.saturating_add(segments.into());
        }
    }

    fn take_back(&mut self, then: u64, now: u64, segments: u16) -> bool {
        if !self.log.take_back(then, now) {
            return false;
        }
        let hour = then / HOUR;
        if self.latest.saturating_sub(hour) < DAY {
            if let Some((sms, parts)) = self.hour(hour) {
                *sms = sms.saturating_sub(1);
                *parts = parts.saturating_sub(segments.into());
            }
        }
        true
    }

    fn hour(&mut self, hour: u64) -> Option<&mut (u64, u64)> {
        let place = hour.checked_rem(DAY)?;
        self.hours.get_mut(usize::try_from(place).ok()?)
    }

    /// SMS and segments of the last 24 hours.
    fn day(&self, now: u64) -> (u64, u64) {
        let hour = now / HOUR;
        let mut day = (0_u64, 0_u64);
        for (place, (sms, parts)) in (0..DAY).zip(&self.hours) {
            // The last hour up to `latest` that has this place.
            let past = self.latest.saturating_add(DAY).saturating_sub(place);
            let of = self
                .latest
                .saturating_sub(past.checked_rem(DAY).unwrap_or(0));
            if hour.saturating_sub(of) < DAY {
                day = (day.0.saturating_add(*sms), day.1.saturating_add(*parts));
            }
        }
        day
    }

    fn write(&self) -> Sector {
        let mut sector = Writer::new(NAME);
        sector.number(self.latest, 4);
        for (sms, segments) in self.hours {
            sector.number(sms, 4);
            sector.number(segments, 4);
        }
        write_log(&self.log, &mut sector);
        sector.done()
    }

    fn read(sector: &Sector) -> Option<Self> {
        let mut reader = Reader::new(sector);
        let latest = reader.number(4)?;
        let mut hours = [(0, 0); HOURS];
        for hour in &mut hours {
            *hour = (reader.number(4)?, reader.number(4)?);
        }
        Some(Self {
            log: read_log(&mut reader, SHARD_LOG)?,
            hours,
            latest,
        })
    }
}

/// The count in an open file.
pub struct Total<'a>(pub &'a LedgerFile);

impl Total<'_> {
    /// Counts an SMS for the statistic alone, and returns in which shard. Where nothing is limited, it
    /// decides nothing: no fault of it, such as shards that a stopped process has locked, refuses a
    /// login.
    pub fn note(&self, segments: u16, now: u64, by: Deadline) -> Option<u64> {
        self.count(0, segments, now, by.or_within(COURTESY)).ok()
    }

    fn count(&self, longest: u64, segments: u16, now: u64, by: Deadline) -> Result<u64, Failure> {
        let (_held, at, mut shard) = self.any(by)?;
        shard.add(now, longest, segments);
        self.0.put(at, shard.write())?;
        Ok(at)
    }

    /// Counts an SMS, if there may be one more, and says in which shard. Whether there may is seen
    /// with it counted already.
    pub fn add(
        &self,
        rule: Rule,
        segments: u16,
        now: u64,
        by: Deadline,
    ) -> Result<Result<u64, Rejection>, Failure> {
        let turn = self.0.hold(TURN, 1, "the total", by.or_within(COURTESY));
        let at = self.count(millis(rule.within), segments, now, by)?;
        let answer = self.sent().map(|sent| wait(&without(sent, now), rule, now));
        if !matches!(answer, Ok(0)) {
            self.take_back(at, now, segments, now, by)?;
        }
        drop(turn);
        Ok(match answer? {
            0 => Ok(at),
            wait => Err(Rejection::Limited {
                wait: Duration::from_millis(wait),
                scope: LimitScope::Total,
                rule,
            }),
        })
    }

    /// Takes an SMS of then out again that was counted in the shard there.
    pub fn take_back(
        &self,
        shard: u64,
        then: u64,
        segments: u16,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        let _held = self.0.hold(shard, LENGTH, "a part of the total", by)?;
        if let Some(mut parts) = self.look(shard)? {
            // If it cannot be taken out, too much stays counted.
            if parts.take_back(then, now, segments) {
                self.0.put(shard, parts.write())?;
            }
        }
        Ok(())
    }

    /// All that count, oldest first.
    pub fn sent(&self) -> Result<Vec<Sent>, Failure> {
        let mut all = Vec::new();
        self.each(|shard| all.extend_from_slice(shard.log.sent()))?;
        all.sort_unstable();
        Ok(all)
    }

    /// SMS and segments of the last 24 hours.
    pub fn day(&self, now: u64) -> Result<(u64, u64), Failure> {
        let mut day = (0_u64, 0_u64);
        self.each(|shard| {
            let (sms, segments) = shard.day(now);
            day = (day.0.saturating_add(sms), day.1.saturating_add(segments));
        })?;
        Ok(day)
    }

    /// Shows every shard to somebody.
    fn each(&self, mut see: impl FnMut(&Shard)) -> Result<(), Failure> {
        let mut bytes = [0; BYTES];
        self.0.read(START, &mut bytes)?;
        for (at, sector) in places().zip(bytes.chunks_exact(SIZE)) {
            let sector = sector.try_into().unwrap_or([0; SIZE]);
            let found = match self.0.judge(at, &sector) {
                Found::Damaged(_) => self.0.sector(at)?,
                found => found,
            };
            let damaged = || failures::damaged(self.0.path(), "its total cannot be read");
            see(&shard(&found).ok_or_else(damaged)?);
        }
        Ok(())
    }

    /// Any shard that nobody has.
    fn any(&self, by: Deadline) -> Result<(LockGuard<'_>, u64, Shard), Failure> {
        let by = by.or_within(super::ledger_file::LOCK_TIMEOUT);
        let first = u64::from(sys::random());
        loop {
            let mut damaged = 0_u64;
            for step in 0..SHARDS {
                let place = first.wrapping_add(step).checked_rem(SHARDS).unwrap_or(0);
                let at = START.saturating_add(place.saturating_mul(LENGTH));
                let Some(held) = self.0.try_lock(at, LENGTH)? else {
                    continue;
                };
                match self.look(at)? {
                    Some(shard) => return Ok((held, at, shard)),
                    None => damaged = damaged.saturating_add(1),
                }
            }
            if damaged == SHARDS {
                return Err(failures::damaged(self.0.path(), "its total cannot be read"));
            }
            if by.is_over() {
                return Err(failures::lock_timeout(self.0.path(), "the total"));
            }
            nap(Duration::from_millis(2), by);
        }
    }

    /// The shard there, as it is at this moment. `None`: damaged, or half written.
    fn look(&self, at: u64) -> Result<Option<Shard>, Failure> {
        Ok(shard(&self.0.look(at)?))
    }
}

fn places() -> impl Iterator<Item = u64> {
    (START..END).step_by(SIZE)
}

fn shard(found: &Found) -> Option<Shard> {
    match found {
        Found::Empty => Some(Shard::default()),
        Found::Whole(sector) => Shard::read(sector),
        Found::Damaged(_) => None,
    }
}

/// But for one SMS of now.
fn without(mut sent: Vec<Sent>, now: u64) -> Vec<Sent> {
    if let Some((_, number)) = sent.iter_mut().find(|(at, _)| *at == now) {
        *number = number.saturating_sub(1);
    }
    sent
}
