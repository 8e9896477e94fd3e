//! Selects the attempts: all of them with `TORTURE`, otherwise a random sample, limited by time. The seed is
//! printed, and `SEED=n` selects the same sample again.

use crate::hostile::torture;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The maximum duration of a sample.
const TIME: Duration = Duration::from_secs(120);

pub struct Sample {
    seed: u64,
    state: u64,
    until: Option<Instant>,
}

impl Sample {
    pub fn begin() -> Self {
        let given = std::env::var("SEED").ok();
        let seed = given.map_or_else(
            || RandomState::new().hash_one(0) >> 32,
            |given| given.parse().expect("SEED is a number"),
        );
        Self {
            seed,
            // Zero is a fixed point of xorshift.
            state: seed | 1 << 63,
            until: (!torture()).then(|| Instant::now() + TIME),
        }
    }

    /// All items, in an order determined by the seed.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> Vec<T> {
        let mut drawn = all.to_vec();
        for at in (1..drawn.len()).rev() {
            let other = self.number() % (at as u64 + 1);
            drawn.swap(at, usize::try_from(other).expect("an index"));
        }
        drawn
    }

    /// Whether the time is used up.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() > until)
    }

    /// xorshift64 (Marsaglia 2003).
    fn number(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SEED={}", self.seed)
    }
}
