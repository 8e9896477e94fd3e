//! Time: the one room, with the auth log, that reads a clock.
//!
//! `CLOCK_BOOTTIME` cannot be set by anybody and runs on while the machine sleeps
//! (`clock_gettime(2)`), so a code does not outlive its life in a suspended laptop.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room that reads the clock"
)]

mod wait;

pub use wait::{Late, Wait};

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point in time since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        Self(Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        ))
    }

    /// A moment so long after boot: for clocks that are told what time it is.
    #[must_use]
    pub const fn at(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// This moment and a while later (at most the end of time).
    #[must_use]
    pub const fn after(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(while_))
    }

    /// How long ago an earlier moment was; nothing if it lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The end of somebody's patience. Handed down, and only ever shortened on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Moment);

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn within(while_: Duration) -> Self {
        Self(Moment::now().after(while_))
    }

    /// At that moment.
    #[must_use]
    pub const fn at(moment: Moment) -> Self {
        Self(moment)
    }

    /// This deadline or so long from now, whichever comes first.
    #[must_use]
    pub fn or_within(self, while_: Duration) -> Self {
        self.min(Self::within(while_))
    }

    /// This deadline and a while later.
    #[must_use]
    pub const fn extended(self, while_: Duration) -> Self {
        Self(self.0.after(while_))
    }

    /// What is left, down to nothing.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.since(Moment::now())
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// The calendar's time. Anybody may have set it: for dates that others write, never for a wait.
#[must_use]
pub fn calendar() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
