//! The ledger's clock, which never runs backwards: setting the date does not end a lock.
//!
//! Within one boot it follows `CLOCK_BOOTTIME`. Over a reboot it advances by the difference of the
//! calendar since the anchor was written, if that is positive. It starts at the calendar's time, but is
//! used for durations only.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::{io, time::UNIX_EPOCH};

use super::sector::{Decoder, Encoder, Name, Sector};
use crate::{
    deadline::{Moment, calendar},
    ledger::window::millis,
    sys,
};

/// Name of the anchor's sector.
pub const NAME: &Name = b"ledger\0anchor\0\0\0";

/// The anchor is renewed when calendar and boot clock differ by more than this.
const MAX_DRIFT: u64 = 1000;
/// The anchor is renewed when it is older than this. After a reboot with a wrong date the clock continues
/// from the anchor, so it must be close to the last login.
const MAX_AGE: u64 = 60_000;

/// The clocks of this machine, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub boot: [u8; 36],
    pub since_boot: u64,
    pub calendar: u64,
}

/// A reading of the clocks, and the ledger's time at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub clocks: Reading,
    pub ledger: u64,
}

/// A source of readings.
pub trait Clocks {
    fn read(&self) -> Reading;
}

/// The clocks of this machine.
pub struct Machine {
    boot: [u8; 36],
}

impl Machine {
    /// # Errors
    /// /proc is not mounted.
    pub fn new() -> io::Result<Self> {
        sys::boot_id().map(|boot| Self { boot })
    }
}

impl Clocks for Machine {
    fn read(&self) -> Reading {
        let calendar = calendar().duration_since(UNIX_EPOCH).unwrap_or_default();
        Reading {
            boot: self.boot,
            since_boot: millis(Moment::now().since(Moment::at(std::time::Duration::ZERO))),
            calendar: millis(calendar),
        }
    }
}

impl Anchor {
    /// The anchor of a new ledger.
    #[must_use]
    pub const fn new(clocks: Reading) -> Self {
        Self {
            clocks,
            // 0 is reserved for "never".
            ledger: clocks.calendar.saturating_add(1),
        }
    }

    /// Returns the ledger's time, and the anchor to write if this one is no longer valid.
    #[must_use]
    pub fn time(&self, clocks: &Reading) -> (u64, Option<Self>) {
        let was = &self.clocks;
        let same_boot = was.boot == clocks.boot;
        let passed = if same_boot {
            clocks.since_boot.saturating_sub(was.since_boot)
        } else {
            clocks.calendar.saturating_sub(was.calendar)
        };
        let ledger = self.ledger.saturating_add(passed);
        let drift = was
            .calendar
            .saturating_add(passed)
            .abs_diff(clocks.calendar);
        let same_clock = same_boot && clocks.since_boot >= was.since_boot;
        let is_valid = same_clock && drift <= MAX_DRIFT && passed <= MAX_AGE;
        let renewed = Self {
            clocks: *clocks,
            ledger,
        };
        (ledger, (!is_valid).then_some(renewed))
    }

    #[must_use]
    pub fn encode(&self) -> Sector {
        let mut sector = Encoder::new(NAME);
        sector.bytes(&self.clocks.boot);
        sector.number(self.clocks.since_boot, 8);
        sector.number(self.clocks.calendar, 8);
        sector.number(self.ledger, 8);
        sector.done()
    }

    #[must_use]
    pub fn decode(sector: &Sector) -> Option<Self> {
        let mut decoder = Decoder::new(sector);
        Some(Self {
            clocks: Reading {
                boot: decoder.array()?,
                since_boot: decoder.number(8)?,
                calendar: decoder.number(8)?,
            },
            ledger: decoder.number(8)?,
        })
    }
}
