//! The summary of the ledger.
#![forbid(unsafe_code)]

use super::{FileStore, row::Row, table::Table, total::Total};
use crate::{
    deadline::Deadline,
    failure::Failure,
    ledger::{FailedAccount, Summary},
};

/// Most accounts with wrong codes in a summary.
const MAX_FAILED_ACCOUNTS: usize = 500;

impl FileStore {
    /// Reads all rows, without a lock.
    pub(super) fn summarize(&self, by: Deadline) -> Result<Summary, Failure> {
        let now = self.now()?;
        let (sms, segments) = Total(&self.disk).day(now)?;
        let mut all = Summary {
            sms,
            segments,
            size: Some(self.disk.allocated()?),
            ..Summary::default()
        };
        let (mut users, mut phones, mut remembered) = (0_u64, 0_u64, 0_u64);
        Table(&self.disk).each(by, |row| match row {
            Row::Phone(_) => phones = phones.saturating_add(1),
            Row::User(user) => {
                let status = user.status(now);
                let logins = u64::try_from(status.remembered.len()).unwrap_or(u64::MAX);
                users = users.saturating_add(1);
                remembered = remembered.saturating_add(logins);
                if user.failures > 0 {
                    all.failed.push(FailedAccount {
                        name: user.name,
                        failures: status.failures,
                        locked: status.locked,
                    });
                }
            }
        })?;
        all.failed
            .sort_by_key(|account| std::cmp::Reverse(account.failures));
        all.failed.truncate(MAX_FAILED_ACCOUNTS);
        all.users = Some(users);
        all.phones = Some(phones);
        all.remembered = Some(remembered);
        Ok(all)
    }
}
