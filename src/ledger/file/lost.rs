//! The count of log lines of this host that were lost, in a sector of the header.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    LOST,
    ledger_file::{Found, LedgerFile},
    sector::{self, Decoder, Encoder, LENGTH, Name},
};
use crate::deadline::Deadline;

/// Offset: after the anchor of the clock.
const AT: u64 = 2 * LENGTH;
const NAME: &Name = b"ledger\0lost\0\0\0\0\0";

/// How long to wait for the lock. If a stopped process holds it, lines are counted without it; two
/// processes may then count one line for two.
const MAX_WAIT: Duration = Duration::from_millis(50);

/// The count, with a descriptor of its own. No login fails because a line cannot be counted.
pub struct LostLines(pub(super) LedgerFile);

impl LostLines {
    /// Adds lines.
    pub fn add(&self, lines: u32) {
        if lines > 0 {
            let _guard = self.lock();
            self.write(self.read().saturating_add(lines));
        }
    }

    /// Calls `send` with the count, and subtracts what it returns. Meanwhile no other login reports the
    /// same lines.
    pub fn report(&self, send: &mut dyn FnMut(u32) -> u32) {
        if self.read() == 0 {
            send(0);
            return;
        }
        let _guard = self.lock();
        let reported = send(self.read());
        if reported > 0 {
            self.write(self.read().saturating_sub(reported));
        }
    }

    fn lock(&self) -> Option<super::LockGuard<'_>> {
        let by = Deadline::within(MAX_WAIT);
        self.0.lock(LOST, 1, "the count of lost lines", by).ok()
    }

    /// A damaged sector counts as 0, and is replaced at the next lost line.
    fn read(&self) -> u32 {
        let count = |sector| Decoder::new(sector).number(4);
        match self.0.read_sector(AT) {
            Ok(Found::Whole(sector)) if sector::name(&sector) == NAME => {
                let count = count(&sector).unwrap_or_default();
                u32::try_from(count).unwrap_or_default()
            }
            _ => 0,
        }
    }

    fn write(&self, count: u32) {
        let mut sector = Encoder::new(NAME);
        sector.number(count.into(), 4);
        let _ = self.0.put(AT, sector.done());
    }
}
