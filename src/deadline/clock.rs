//! The clock. Besides this module only the auth log reads one.
//!
//! `CLOCK_BOOTTIME` cannot be set, and continues during suspend (`clock_gettime(2)`): a code expires on a
//! suspended laptop too.
#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "this module reads the clock")]

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point in time since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The current time.
    #[must_use]
    pub fn now() -> Self {
        let time = clock_gettime(ClockId::Boottime);
        Self(Duration::new(
            u64::try_from(time.tv_sec).unwrap_or_default(),
            u32::try_from(time.tv_nsec).unwrap_or_default(),
        ))
    }

    /// A point in time this long after boot.
    #[must_use]
    pub const fn at(since_boot: Duration) -> Self {
        Self(since_boot)
    }

    /// The point in time this much later, at most the largest that can be represented.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The time since an earlier point; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The end of the time that an operation may take. Its steps get the same deadline or an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Moment);

impl Deadline {
    /// A deadline this long from now.
    #[must_use]
    pub fn within(duration: Duration) -> Self {
        Self(Moment::now().after(duration))
    }

    /// A deadline at this point in time.
    #[must_use]
    pub const fn at(moment: Moment) -> Self {
        Self(moment)
    }

    /// This deadline, or this long from now if that is earlier.
    #[must_use]
    pub fn or_within(self, duration: Duration) -> Self {
        self.min(Self::within(duration))
    }

    /// This deadline, this much later.
    #[must_use]
    pub const fn extended(self, duration: Duration) -> Self {
        Self(self.0.after(duration))
    }

    /// The time that is left; zero once the deadline has passed.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.since(Moment::now())
    }

    /// The time since the deadline passed; zero if it has not.
    #[must_use]
    pub fn passed_by(self) -> Duration {
        Moment::now().since(self.0)
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// The calendar time. It may be wrong or change: for comparison with dates of servers, never for a wait.
#[must_use]
pub fn calendar() -> std::time::SystemTime {
    std::time::SystemTime::now()
}
