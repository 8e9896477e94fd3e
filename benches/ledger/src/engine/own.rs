//! The ledger in a file of this host, called as a login calls it.
#![forbid(unsafe_code)]

use super::Engine;
use crate::probe::until;
use crate::users::{account, limits, rules};
use sms_otp::{
    deadline::Deadline,
    ledger::{Decision, Ledger, file::FileStore},
};
use std::ops::Range;
use std::time::Duration;

pub struct Own(FileStore);

impl Engine for Own {
    fn open(path: &str) -> Self {
        Self(FileStore::open(path).expect("a ledger"))
    }

    /// Adds users who are locked: the ledger creates their rows and reserves no SMS.
    fn fill(&mut self, users: Range<u64>) {
        let mut limits = limits();
        limits.disable_after = 0;
        for user in users {
            let mut last = Ok(());
            let by = Deadline::within(Duration::from_secs(10));
            // The open may fail while another process extends the file.
            let known = until(Duration::from_secs(1), Duration::from_millis(1), || {
                let admission = self.0.admit(&account(user), rules(&limits), by);
                last = admission.map(drop).map_err(|failure| failure.what);
                last.is_ok()
            });
            assert!(known, "{last:?}");
        }
    }

    fn decide(&mut self, user: u64) -> Result<bool, String> {
        ask(&mut self.0, user)
    }
}

/// Makes one admission with the default limits.
pub fn ask(store: &mut impl Ledger, user: u64) -> Result<bool, String> {
    let limits = limits();
    let by = Deadline::within(Duration::from_secs(10));
    let admission = store.admit(&account(user), rules(&limits), by);
    let answer = admission.map_err(|failure| failure.what)?.decision;
    Ok(matches!(answer, Decision::Reserved(_)))
}
