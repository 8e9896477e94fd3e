//! How many log lines of this machine's logins were lost: a sector of the header.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    LOST,
    ledger_file::{Found, LedgerFile},
    sector::{self, LENGTH, Name, Reader, Writer},
};
use crate::deadline::Deadline;

/// Behind the anchor of the clock.
const AT: u64 = 2 * LENGTH;
const NAME: &Name = b"ledger\0lost\0\0\0\0\0";

/// Nobody waits longer for others who count. A process that stands still with the lock keeps no line
/// from being counted; then two of them may count one for another.
const COURTESY: Duration = Duration::from_millis(50);

/// The count, by a descriptor of its own. What cannot be counted is not: a login does not fail for it.
pub struct LostLines(pub(super) LedgerFile);

impl LostLines {
    /// Counts so many more.
    pub fn add(&self, lines: u32) {
        if lines > 0 {
            let _held = self.hold();
            self.write(self.read().saturating_add(lines));
        }
    }

    /// Calls `send` with their number, and subtracts what it returns. No other login reports the
    /// same ones meanwhile.
    pub fn report(&self, send: &mut dyn FnMut(u32) -> u32) {
        if self.read() == 0 {
            send(0);
            return;
        }
        let _held = self.hold();
        let reported = send(self.read());
        if reported > 0 {
            self.write(self.read().saturating_sub(reported));
        }
    }

    fn hold(&self) -> Option<super::LockGuard<'_>> {
        let by = Deadline::within(COURTESY);
        self.0.hold(LOST, 1, "the count of lost lines", by).ok()
    }

    /// A sector that is damaged counts nothing, and is written anew with the next line.
    fn read(&self) -> u32 {
        let count = |sector| Reader::new(sector).number(4);
        match self.0.look(AT) {
            Ok(Found::Whole(sector)) if sector::name(&sector) == NAME => {
                let count = count(&sector).unwrap_or_default();
                u32::try_from(count).unwrap_or_default()
            }
            _ => 0,
        }
    }

    fn write(&self, count: u32) {
        let mut sector = Writer::new(NAME);
        sector.number(count.into(), 4);
        let _ = self.0.put(AT, sector.done());
    }
}
