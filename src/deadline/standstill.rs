//! How the threads of this process were kept from their work.
#![forbid(unsafe_code)]

use std::time::Duration;

/// What one thread was late by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reading {
    /// All in all.
    pub late: Duration,
    /// Of that, in pieces that nobody overlooks.
    pub long: Duration,
}

/// All threads, in the order in which they began. Whoever is late with several at once is not late
/// several times over: it is asked for the one that was late most.
#[derive(Debug, Clone, Default)]
pub struct Standstill(Vec<Reading>);

impl FromIterator<Reading> for Standstill {
    fn from_iter<I: IntoIterator<Item = Reading>>(readings: I) -> Self {
        Self(readings.into_iter().collect())
    }
}

impl Standstill {
    /// By how much a thread was late since then.
    #[must_use]
    pub fn late_since(&self, then: &Self) -> Duration {
        self.most_since(then, |thread| thread.late)
    }

    /// How long a thread has stood still in long pieces since then.
    #[must_use]
    pub fn long_since(&self, then: &Self) -> Duration {
        self.most_since(then, |thread| thread.long)
    }

    fn most_since(&self, then: &Self, of: fn(&Reading) -> Duration) -> Duration {
        let before = then.0.iter().map(of);
        // Threads that have begun since come last.
        let before = before.chain(std::iter::repeat(Duration::ZERO));
        let each = self.0.iter().map(of).zip(before);
        each.map(|(now, before)| now.saturating_sub(before))
            .max()
            .unwrap_or_default()
    }
}
