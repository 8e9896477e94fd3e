//! How many SMS went out within which time: the arithmetic of limits.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::{Limits, Rule};

/// SMS that went out together: when, in milliseconds, and how many.
pub type Sent = (u64, u32);

/// How many SMS one entry can stand for.
const FULLEST: u32 = u16::MAX as u32;

/// When SMS went out, oldest first, in a bounded number of entries.
///
/// As long as they fit it is exact. Beyond, two neighbours become one at the later time, so that some
/// count for longer than they should: never more is allowed than the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlidingWindow {
    sent: Vec<Sent>,
    most: usize,
    /// The longest time that any rule has counted here, in milliseconds.
    horizon: u64,
}

impl SlidingWindow {
    /// Of at most so many entries.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self::of(Vec::new(), most, 0)
    }

    /// As it was kept somewhere.
    #[must_use]
    pub const fn of(sent: Vec<Sent>, most: usize, horizon: u64) -> Self {
        Self {
            sent,
            most,
            horizon,
        }
    }

    /// Oldest first.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// The longest time that any rule has counted here, in milliseconds.
    #[must_use]
    pub const fn horizon(&self) -> u64 {
        self.horizon
    }

    /// Whether no rule counts anything here any more.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        self.sent
            .iter()
            .all(|sent| !counts(*sent, self.horizon, now))
    }

    /// Counts an SMS of now, for rules of which the longest is so long.
    pub fn add(&mut self, now: u64, longest: u64) {
        self.horizon = self.horizon.max(longest);
        // Not always at the end: in theory a clock stands behind what was counted.
        let place = self.sent.partition_point(|(at, _)| *at < now);
        match self.sent.get_mut(place) {
            Some((at, number)) if *at == now && *number < FULLEST => {
                *number = number.saturating_add(1);
            }
            _ => self.sent.insert(place, (now, 1)),
        }
        while self.sent.len() > self.most {
            self.shrink(now);
        }
    }

    /// Makes room for an entry: by what counts no more, else where it costs the least.
    fn shrink(&mut self, now: u64) {
        let oldest = self.sent.first().copied().unwrap_or_default();
        if !counts(oldest, self.horizon, now) {
            self.sent.remove(0);
            return;
        }
        // How much longer how many would count. Never the same bundle again and again: the more it
        // holds, the more another step costs, and in the end it grows old.
        let cost = |pair: &[Sent]| match pair {
            [(earlier, number), (later, others)] if number.saturating_add(*others) <= FULLEST => {
                later
                    .saturating_sub(*earlier)
                    .saturating_mul((*number).into())
            }
            _ => u64::MAX,
        };
        let costs = self.sent.windows(2).map(cost).enumerate();
        let pair = costs.min_by_key(|(_, cost)| *cost).map(|(place, _)| place);
        let earlier = self.sent.remove(pair.unwrap_or(0));
        if let Some((_, number)) = self.sent.get_mut(pair.unwrap_or(0)) {
            *number = number.saturating_add(earlier.1).min(FULLEST);
        }
    }

    /// Takes an SMS of then back, which nobody does twice. Says whether it was still counted.
    pub fn take_back(&mut self, then: u64, now: u64) -> bool {
        let place = self.sent.partition_point(|(at, _)| *at < then);
        let Some((at, number)) = self.sent.get_mut(place) else {
            return false;
        };
        // One that is counted at a later time has become one with others.
        if *at != then && !counts((then, 1), self.horizon, now) {
            return false;
        }
        *number = number.saturating_sub(1);
        if *number == 0 {
            self.sent.remove(place);
        }
        true
    }
}

/// How long until one more fits, in milliseconds: nothing if it fits now. `sent` is in the order
/// of time.
#[must_use]
pub fn wait(sent: &[Sent], rule: Rule, now: u64) -> u64 {
    let span = millis(rule.within);
    let counted = || sent.iter().filter(|sent| counts(**sent, span, now));
    let mut number: u64 = counted().map(|(_, number)| u64::from(*number)).sum();
    let mut wait = 0;
    for (at, leaving) in counted() {
        if number < u64::from(rule.most) {
            break;
        }
        number = number.saturating_sub(u64::from(*leaving));
        wait = at.saturating_add(span).saturating_sub(now);
    }
    wait
}

/// An SMS counts for exactly as long as the rule's span.
const fn counts(sent: Sent, span: u64, now: u64) -> bool {
    now.saturating_sub(sent.0) < span
}

/// The longest time that these limits count a person's or a phone's SMS, in milliseconds.
#[must_use]
pub fn longest(limits: &Limits) -> u64 {
    let spans = limits.sms.iter().map(|rule| millis(rule.within));
    spans.max().unwrap_or(0)
}

/// In whole milliseconds.
#[must_use]
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
