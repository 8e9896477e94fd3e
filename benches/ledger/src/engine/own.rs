//! This host's ledger, as a login asks it.
#![forbid(unsafe_code)]

use super::Engine;
use crate::people::{account, limits, rules};
use crate::probe::until;
use sms_otp::{
    deadline::Deadline,
    ledger::{Answer, Store, file::File},
};
use std::ops::Range;
use std::time::Duration;

pub struct Own(File);

impl Engine for Own {
    fn open(place: &str) -> Self {
        Self(File::open(place).expect("a ledger"))
    }

    /// People whom the ledger knows but who may have nothing: he who is locked is written down, and
    /// no SMS is.
    fn fill(&mut self, people: Range<u64>) {
        let mut limits = limits();
        limits.disable_after = 0;
        for person in people {
            let mut last = Ok(());
            let by = Deadline::within(Duration::from_secs(10));
            // Somebody may see the file at a moment when another process is making it longer.
            let known = until(Duration::from_secs(1), Duration::from_millis(1), || {
                let admission = self.0.admit(&account(person), rules(&limits), by);
                last = admission.map(drop).map_err(|error| error.to_string());
                last.is_ok()
            });
            assert!(known, "{last:?}");
        }
    }

    fn decide(&mut self, person: u64) -> Result<bool, String> {
        ask(&mut self.0, person)
    }
}

/// One admission, with the limits as they come.
pub fn ask(store: &mut impl Store, person: u64) -> Result<bool, String> {
    let limits = limits();
    let by = Deadline::within(Duration::from_secs(10));
    let admission = store.admit(&account(person), rules(&limits), by);
    let answer = admission.map_err(|error| error.to_string())?.answer;
    Ok(matches!(answer, Answer::Reserved(_)))
}
