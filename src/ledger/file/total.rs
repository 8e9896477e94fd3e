//! The count of all SMS: for `limits.sms_total`, and for the summary of a day.
//!
//! The count is spread over shards. A login locks any free shard and adds its SMS first; then it sums all
//! shards without a lock, and removes the SMS again if that is too many. So never more than the limit
//! are allowed, and a stopped process does not block others.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    TOTAL_TURN, failures,
    ledger_file::{Found, LedgerFile, LockGuard, sleep_about},
    row::{decode_window, encode_window},
    sector::{Decoder, Encoder, LENGTH, Name, SIZE, Sector},
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

/// Start of the shards, after the page of the header.
const START: u64 = 4096;
const SHARDS: u64 = 32;
const BYTES: usize = 32 * SIZE;
/// End of the shards.
pub const END: u64 = START + SHARDS * LENGTH;

const NAME: &Name = b"ledger\0total\0\0\0\0";
/// Most entries of a shard's window; about a thousand in all shards.
const MAX_SHARD_ENTRIES: usize = 34;
const HOUR: u64 = 3_600_000;
/// Hours of the clock that the last 24 hours touch.
const HOURS: usize = 25;
const DAY: u64 = HOURS as u64;

/// How long to wait for the turn. Turns keep logins at the same time from all removing their SMS again; a
/// login that does not get one in this time continues without.
const MAX_WAIT: Duration = Duration::from_millis(50);

/// A shard of the count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shard {
    log: SlidingWindow,
    /// SMS and segments of the hour `latest` and those before it. The index of an hour is its number modulo
    /// [`HOURS`].
    hours: [(u64, u64); HOURS],
    latest: u64,
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            log: SlidingWindow::new(MAX_SHARD_ENTRIES),
            hours: [(0, 0); HOURS],
            latest: 0,
        }
    }
}

impl Shard {
    fn add(&mut self, now: u64, longest: u64, segments: u16) {
        self.log.add(now, longest);
        let hour = now / HOUR;
        // Hours without an SMS.
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

    fn remove(&mut self, then: u64, now: u64, segments: u16) -> bool {
        if !self.log.remove(then, now) {
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
        let index = hour.checked_rem(DAY)?;
        self.hours.get_mut(usize::try_from(index).ok()?)
    }

    /// SMS and segments of the last 24 hours.
    fn day(&self, now: u64) -> (u64, u64) {
        let hour = now / HOUR;
        let mut day = (0_u64, 0_u64);
        for (index, (sms, parts)) in (0..DAY).zip(&self.hours) {
            // The last hour up to `latest` with this index.
            let past = self.latest.saturating_add(DAY).saturating_sub(index);
            let of = self
                .latest
                .saturating_sub(past.checked_rem(DAY).unwrap_or(0));
            if hour.saturating_sub(of) < DAY {
                day = (day.0.saturating_add(*sms), day.1.saturating_add(*parts));
            }
        }
        day
    }

    fn encode(&self) -> Sector {
        let mut sector = Encoder::new(NAME);
        sector.number(self.latest, 4);
        for (sms, segments) in self.hours {
            sector.number(sms, 4);
            sector.number(segments, 4);
        }
        encode_window(&self.log, &mut sector);
        sector.done()
    }

    fn decode(sector: &Sector) -> Option<Self> {
        let mut decoder = Decoder::new(sector);
        let latest = decoder.number(4)?;
        let mut hours = [(0, 0); HOURS];
        for hour in &mut hours {
            *hour = (decoder.number(4)?, decoder.number(4)?);
        }
        Some(Self {
            log: decode_window(&mut decoder, MAX_SHARD_ENTRIES)?,
            hours,
            latest,
        })
    }
}

/// The count in an open file.
pub struct Total<'a>(pub &'a LedgerFile);

impl Total<'_> {
    /// Counts an SMS for the summary only, and returns the shard. Without a limit no login depends on the
    /// total, so failures, such as shards that a stopped process has locked, are ignored.
    pub fn count_unlimited(&self, segments: u16, now: u64, by: Deadline) -> Option<u64> {
        self.count(0, segments, now, by.or_within(MAX_WAIT)).ok()
    }

    fn count(&self, longest: u64, segments: u16, now: u64, by: Deadline) -> Result<u64, Failure> {
        let (_guard, at, mut shard) = self.lock_any(by)?;
        shard.add(now, longest, segments);
        self.0.put(at, shard.encode())?;
        Ok(at)
    }

    /// Counts an SMS if the rule allows it, and returns the shard. The rule is checked after counting.
    pub fn count_limited(
        &self,
        rule: Rule,
        segments: u16,
        now: u64,
        by: Deadline,
    ) -> Result<Result<u64, Rejection>, Failure> {
        let turn = self
            .0
            .lock(TOTAL_TURN, 1, "the total", by.or_within(MAX_WAIT));
        let at = self.count(millis(rule.within), segments, now, by)?;
        let answer = self.sent().map(|sent| wait(&without(sent, now), rule, now));
        if !matches!(answer, Ok(0)) {
            self.remove(at, now, segments, now, by)?;
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

    /// Removes an SMS of the time `then` from a shard.
    pub fn remove(
        &self,
        shard: u64,
        then: u64,
        segments: u16,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        let _guard = self.0.lock(shard, LENGTH, "a shard of the total", by)?;
        if let Some(mut parts) = self.read_sector(shard)? {
            // If it is not there any more, too much stays counted.
            if parts.remove(then, now, segments) {
                self.0.put(shard, parts.encode())?;
            }
        }
        Ok(())
    }

    /// Returns all entries, oldest first.
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

    /// Calls `see` with every shard.
    fn each(&self, mut see: impl FnMut(&Shard)) -> Result<(), Failure> {
        let mut bytes = [0; BYTES];
        self.0.read(START, &mut bytes)?;
        for (at, sector) in places().zip(bytes.chunks_exact(SIZE)) {
            let sector = sector.try_into().unwrap_or([0; SIZE]);
            let found = match self.0.classify(at, &sector) {
                Found::Damaged(_) => self.0.sector(at)?,
                found => found,
            };
            let damaged = || failures::damaged(self.0.path(), "its total cannot be read");
            see(&shard(&found).ok_or_else(damaged)?);
        }
        Ok(())
    }

    /// Locks any free shard.
    fn lock_any(&self, by: Deadline) -> Result<(LockGuard<'_>, u64, Shard), Failure> {
        let by = by.or_within(super::ledger_file::LOCK_TIMEOUT);
        let first = u64::from(sys::random());
        loop {
            let mut damaged = 0_u64;
            for step in 0..SHARDS {
                let index = first.wrapping_add(step).checked_rem(SHARDS).unwrap_or(0);
                let at = START.saturating_add(index.saturating_mul(LENGTH));
                let Some(guard) = self.0.try_lock(at, LENGTH)? else {
                    continue;
                };
                match self.read_sector(at)? {
                    Some(shard) => return Ok((guard, at, shard)),
                    None => damaged = damaged.saturating_add(1),
                }
            }
            if damaged == SHARDS {
                return Err(failures::damaged(self.0.path(), "its total cannot be read"));
            }
            if by.is_over() {
                return Err(failures::lock_timeout(self.0.path(), "the total"));
            }
            sleep_about(Duration::from_millis(2), by);
        }
    }

    /// Reads a shard once. `None`: damaged, or being written.
    fn read_sector(&self, at: u64) -> Result<Option<Shard>, Failure> {
        Ok(shard(&self.0.read_sector(at)?))
    }
}

fn places() -> impl Iterator<Item = u64> {
    (START..END).step_by(SIZE)
}

fn shard(found: &Found) -> Option<Shard> {
    match found {
        Found::Empty => Some(Shard::default()),
        Found::Whole(sector) => Shard::decode(sector),
        Found::Damaged(_) => None,
    }
}

/// Removes one SMS of this time.
fn without(mut sent: Vec<Sent>, now: u64) -> Vec<Sent> {
    if let Some((_, number)) = sent.iter_mut().find(|(at, _)| *at == now) {
        *number = number.saturating_sub(1);
    }
    sent
}
