//! The ledger's own time, which nobody can set back: a lock does not end because somebody has set
//! the date.
//!
//! Within one boot it goes on with `CLOCK_BOOTTIME`; over a reboot by as much as the calendar has
//! moved since the anchor was written, and never backwards. It begins as the calendar, but is not
//! one: all that is asked of it is how long ago something was.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::{io, time::UNIX_EPOCH};

use super::sector::{Name, Reader, Sector, Writer};
use crate::{
    deadline::{Moment, calendar},
    ledger::window::millis,
    sys,
};

/// What the anchor's sector is called.
pub const NAME: &Name = b"ledger\0anchor\0\0\0";

/// By so much the calendar may leave the boot's clock before the anchor is renewed.
const DRIFT: u64 = 1000;
/// So old an anchor may be. A machine that comes back with a wrong date goes on from it, so it lies
/// no further back than the last login.
const OLDEST: u64 = 60_000;

/// What this machine's clocks say. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub boot: [u8; 36],
    pub since_boot: u64,
    pub calendar: u64,
}

/// What time it was in the ledger when the clocks said that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub clocks: Reading,
    pub ledger: u64,
}

/// Whoever reads the clocks.
pub trait Clocks {
    fn read(&self) -> Reading;
}

/// This machine's.
pub struct Machine {
    boot: [u8; 36],
}

impl Machine {
    /// # Errors
    /// /proc is not there.
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
    /// Of a new ledger.
    #[must_use]
    pub const fn new(clocks: Reading) -> Self {
        Self {
            clocks,
            // Nothing is a time that never was.
            ledger: clocks.calendar.saturating_add(1),
        }
    }

    /// The ledger's time, and the anchor to be written if this one does not do any more.
    #[must_use]
    pub fn tell(&self, clocks: &Reading) -> (u64, Option<Self>) {
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
        let goes_on = same_boot && clocks.since_boot >= was.since_boot;
        let holds = goes_on && drift <= DRIFT && passed <= OLDEST;
        let renewed = Self {
            clocks: *clocks,
            ledger,
        };
        (ledger, (!holds).then_some(renewed))
    }

    #[must_use]
    pub fn write(&self) -> Sector {
        let mut sector = Writer::new(NAME);
        sector.bytes(&self.clocks.boot);
        sector.number(self.clocks.since_boot, 8);
        sector.number(self.clocks.calendar, 8);
        sector.number(self.ledger, 8);
        sector.done()
    }

    #[must_use]
    pub fn read(sector: &Sector) -> Option<Self> {
        let mut reader = Reader::new(sector);
        Some(Self {
            clocks: Reading {
                boot: reader.array()?,
                since_boot: reader.number(8)?,
                calendar: reader.number(8)?,
            },
            ledger: reader.number(8)?,
        })
    }
}
