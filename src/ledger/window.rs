//! Sliding windows: how many SMS were sent within a time.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::{Limits, Rule};

/// SMS at one time: the time in milliseconds, and how many.
pub type Sent = (u64, u32);

/// Most SMS of one entry.
const MAX_COUNT: u32 = u16::MAX as u32;

/// The times of SMS, oldest first, in a bounded number of entries.
///
/// The window is exact while the entries suffice. Then two neighbours are merged at the later time, so
/// that some SMS count for longer than the rule's span: never more is allowed than the rules say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlidingWindow {
    sent: Vec<Sent>,
    max: usize,
    /// The longest time that any rule has counted here, in milliseconds.
    horizon: u64,
}

impl SlidingWindow {
    /// An empty window of at most `max` entries.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self::of(Vec::new(), max, 0)
    }

    /// A window that was stored.
    #[must_use]
    pub const fn of(sent: Vec<Sent>, max: usize, horizon: u64) -> Self {
        Self { sent, max, horizon }
    }

    /// The entries, oldest first.
    #[must_use]
    pub fn sent(&self) -> &[Sent] {
        &self.sent
    }

    /// The longest time that any rule has counted here, in milliseconds.
    #[must_use]
    pub const fn horizon(&self) -> u64 {
        self.horizon
    }

    /// Whether no rule counts any of these SMS any more.
    #[must_use]
    pub fn is_over(&self, now: u64) -> bool {
        self.sent
            .iter()
            .all(|sent| !counts(*sent, self.horizon, now))
    }

    /// Adds an SMS. `longest` is the longest span of the rules.
    pub fn add(&mut self, now: u64, longest: u64) {
        self.horizon = self.horizon.max(longest);
        // Not always the end: another process may have added an entry with a later time.
        let index = self.sent.partition_point(|(at, _)| *at < now);
        match self.sent.get_mut(index) {
            Some((at, number)) if *at == now && *number < MAX_COUNT => {
                *number = number.saturating_add(1);
            }
            _ => self.sent.insert(index, (now, 1)),
        }
        while self.sent.len() > self.max {
            self.shrink(now);
        }
    }

    /// Removes an entry that does not count any more, or merges two where it costs least.
    fn shrink(&mut self, now: u64) {
        let oldest = self.sent.first().copied().unwrap_or_default();
        if !counts(oldest, self.horizon, now) {
            self.sent.remove(0);
            return;
        }
        // The cost is the number of SMS times the time by which they would count longer. A merged entry
        // grows more expensive, so it is not merged again and again, and expires.
        let cost = |pair: &[Sent]| match pair {
            [(earlier, number), (later, others)] if number.saturating_add(*others) <= MAX_COUNT => {
                later
                    .saturating_sub(*earlier)
                    .saturating_mul((*number).into())
            }
            _ => u64::MAX,
        };
        let costs = self.sent.windows(2).map(cost).enumerate();
        let pair = costs.min_by_key(|(_, cost)| *cost).map(|(index, _)| index);
        let earlier = self.sent.remove(pair.unwrap_or(0));
        if let Some((_, number)) = self.sent.get_mut(pair.unwrap_or(0)) {
            *number = number.saturating_add(earlier.1).min(MAX_COUNT);
        }
    }

    /// Removes an SMS of the time `then`. Returns whether it was still counted.
    pub fn remove(&mut self, then: u64, now: u64) -> bool {
        let index = self.sent.partition_point(|(at, _)| *at < then);
        let Some((at, number)) = self.sent.get_mut(index) else {
            return false;
        };
        // A later entry contains it, if it still counts.
        if *at != then && !counts((then, 1), self.horizon, now) {
            return false;
        }
        *number = number.saturating_sub(1);
        if *number == 0 {
            self.sent.remove(index);
        }
        true
    }
}

/// How long until the rule allows one more SMS, in milliseconds. `sent` is ordered by time.
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

/// Whether SMS still count: for exactly the rule's span.
const fn counts(sent: Sent, span: u64, now: u64) -> bool {
    now.saturating_sub(sent.0) < span
}

/// The longest span of the rules for one user or phone, in milliseconds.
#[must_use]
pub fn longest(limits: &Limits) -> u64 {
    let spans = limits.sms.iter().map(|rule| millis(rule.within));
    spans.max().unwrap_or(0)
}

/// Converts to whole milliseconds.
#[must_use]
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
