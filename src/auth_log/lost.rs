//! Counters of lines that the system log did not accept.
#![forbid(unsafe_code)]

use crate::ledger;

/// A counter of lost lines.
pub(crate) trait LostLines: Send {
    /// Adds this many.
    fn add(&mut self, lines: u32);

    /// Calls `send` with the count, and subtracts what it returns: the number that a line reported which
    /// the system log accepted. Meanwhile no other login reports the same lost lines.
    fn report(&mut self, send: &mut dyn FnMut(u32) -> u32);
}

/// The counter of this login alone: until the ledger is open, and on machines without one.
#[derive(Default)]
pub(super) struct ThisLogin(u32);

impl LostLines for ThisLogin {
    fn add(&mut self, lines: u32) {
        self.0 = self.0.saturating_add(lines);
    }

    fn report(&mut self, send: &mut dyn FnMut(u32) -> u32) {
        self.0 = self.0.saturating_sub(send(self.0));
    }
}

/// The counter of all logins of this machine.
impl LostLines for ledger::LostLines {
    fn add(&mut self, lines: u32) {
        Self::add(self, lines);
    }

    fn report(&mut self, send: &mut dyn FnMut(u32) -> u32) {
        Self::report(self, send);
    }
}
