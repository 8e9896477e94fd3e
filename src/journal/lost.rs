//! Lines that the system log did not take.
#![forbid(unsafe_code)]

/// Counts them, for all logins of this machine if it can.
pub trait LostLines: Send {
    /// Counts so many more.
    fn add(&mut self, lines: u32);
    /// Calls `send` with their number, and subtracts what it returns: how many a line has reported
    /// that was taken. No other login reports the same ones meanwhile.
    fn report(&mut self, send: &mut dyn FnMut(u32) -> u32);
}

/// Those of this login alone: until the ledger is open, and where this machine has none.
#[derive(Default)]
pub struct OfThisLogin(u32);

impl LostLines for OfThisLogin {
    fn add(&mut self, lines: u32) {
        self.0 = self.0.saturating_add(lines);
    }

    fn report(&mut self, send: &mut dyn FnMut(u32) -> u32) {
        self.0 = self.0.saturating_sub(send(self.0));
    }
}
