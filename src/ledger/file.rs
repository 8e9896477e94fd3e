//! The ledger of one host: one file, without a server. `docs/ledger-format.md` describes its bytes.
//!
//! Many processes use the file at the same time, one for each login, and any of them may be killed or
//! stopped at any moment. Therefore a row is one disk sector, which is written as a whole or not at all;
//! a lock covers one user or phone and ends with its process; and `fdatasync` is called after the locks
//! are released, because it may be slow.
//!
//! ```text
//!  0      header: format, key                        sector   512 bytes, with a seal
//!  512    anchor of the clock                        row      a sector: a user, or a phone
//!  1024   count of lost log lines
//!  4096   32 shards of the total                     bucket   8 rows
//!  20480  levels of 8, 32, 128 ... buckets           table    finds a row by its name
//! ```
#![forbid(unsafe_code)]

mod clock;
mod failures;
mod keys;
mod ledger_file;
mod lost;
mod open;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod report;
mod reserve;
mod row;
mod sector;
mod table;
#[cfg(test)]
mod tests;
mod total;
mod user;

pub use open::permits;

use std::{cell::RefCell, time::Duration};

use super::{
    Account, AccountStatus, Admission, Attempt, Backend, Decision, Ledger, Rejection, Reservation,
    Rules, Success, Summary,
};
use crate::{deadline::Deadline, failure::Failure, phone::Phone};
use clock::{Anchor, Clocks, Machine};
use keys::half;
use ledger_file::{LedgerFile, LockGuard};
use row::Row;
use sector::Name;
use table::Table;
use user::User;

pub use lost::LostLines;

/// Lock offsets, far beyond the end of the file. A user or phone has one byte, at 60 bits of its hash.
const USERS: u64 = 1 << 62;
const PHONES: u64 = 1 << 61;
/// Renewing the anchor of the clock.
const ANCHOR: u64 = 1 << 60;
/// The turn of a login that counts in the total.
const TOTAL_TURN: u64 = 1 << 59;
/// The count of lost log lines.
const LOST: u64 = 1 << 58;

/// The ledger of this host.
pub struct FileStore {
    disk: LedgerFile,
    clocks: Box<dyn Clocks>,
    anchor: RefCell<Anchor>,
    /// For each SMS of this login, the offset of the shard that counts it in the total, if any.
    reserved: RefCell<Vec<Option<u64>>>,
}

/// A row and its offset. `None`: it is not in the file yet.
struct Entry<T> {
    name: Name,
    at: Option<u64>,
    row: T,
}

impl FileStore {
    /// Opens the ledger in this directory, and creates both on first use. Afterwards no path is opened.
    ///
    /// # Errors
    /// Another user could have written the file, it is damaged, or the disk fails.
    pub fn open(directory: &str) -> Result<Self, Failure> {
        let machine = Machine::new().map_err(|error| failures::no_boot_id(&error))?;
        Self::open_by(directory, Box::new(machine))
    }

    /// Returns the count of lost log lines, with a descriptor of its own. `None`: none is available.
    #[must_use]
    pub fn lost_lines(&self) -> Option<LostLines> {
        self.disk.try_clone().map(LostLines)
    }

    fn open_by(directory: &str, clocks: Box<dyn Clocks>) -> Result<Self, Failure> {
        let (disk, anchor) = open::file(directory, &*clocks)?;
        Ok(Self {
            disk,
            clocks,
            anchor: RefCell::new(anchor),
            reserved: RefCell::default(),
        })
    }

    /// Returns the ledger's time in milliseconds. Renews the anchor if it is no longer valid, unless
    /// another process is doing that.
    fn now(&self) -> Result<u64, Failure> {
        let mut anchor = self.anchor.borrow_mut();
        let clocks = self.clocks.read();
        if anchor.time(&clocks).1.is_some() {
            let guard = self.disk.try_lock(ANCHOR, 1)?;
            *anchor = open::anchor(&self.disk)?;
            if let (Some(renewed), Some(_guard)) = (anchor.time(&clocks).1, guard) {
                self.disk.put(open::ANCHOR, renewed.encode())?;
                *anchor = renewed;
            }
        }
        Ok(anchor.time(&clocks).0)
    }

    fn lock(
        &self,
        range: u64,
        name: &Name,
        what: &str,
        by: Deadline,
    ) -> Result<LockGuard<'_>, Failure> {
        let offset = u64::from_le_bytes(half(*name)) >> 4;
        self.disk.lock(range.saturating_add(offset), 1, what, by)
    }

    /// Locks a user, calls `decide` with the record, and writes the record if it has changed. It is on
    /// the disk when this returns.
    fn update<T>(
        &self,
        user: &str,
        by: Deadline,
        decide: impl FnOnce(&mut User, &Name, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let name = self.disk.keys.user(user);
        let guard = self.lock(USERS, &name, "this user", by)?;
        let now = self.now()?;
        let found = self.user(name)?;
        // An expired record counts as none.
        let known = found.row.as_ref().filter(|row| !row::is_over(row, now));
        let mut entry = Entry {
            row: known.cloned().unwrap_or_default(),
            name,
            at: found.at,
        };
        let result = decide(&mut entry.row, &name, now);
        // An empty record is not created.
        let changed = found.row.as_ref().map_or_else(
            || entry.row != User::default(),
            |was| *was != entry.row || was.is_stale(now),
        );
        // After an error the caller does not know the decision, so it is not recorded.
        if changed && result.is_ok() {
            entry.row.last_used = now;
            self.put(&entry.name, &Row::User(entry.row), entry.at, now, by)?;
        }
        drop(guard);
        self.sync(now)?;
        result
    }

    /// Finds a user. `row` is `None` without a record.
    fn user(&self, name: Name) -> Result<Entry<Option<User>>, Failure> {
        let found = Table(&self.disk).find(&name)?;
        match found.row {
            Some((at, Row::User(user))) => Ok(Entry {
                name,
                at: Some(at),
                row: Some(user),
            }),
            None if !found.damaged => Ok(Entry {
                name,
                at: None,
                row: None,
            }),
            _ => Err(failures::damaged_row(self.disk.path())),
        }
    }

    fn put(
        &self,
        name: &Name,
        row: &Row,
        at: Option<u64>,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        Table(&self.disk).put(name, row, at, now, by)
    }

    /// Syncs to the disk what was written, after clearing a few expired rows. Called without locks.
    fn sync(&self, now: u64) -> Result<(), Failure> {
        if !self.disk.is_dirty() {
            return Ok(());
        }
        // Clearing the rows of others may fail: no login depends on it.
        let _ = Table(&self.disk).sweep(now);
        self.disk.sync()
    }
}

impl Ledger for FileStore {
    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Failure> {
        self.update(&account.dn, by, |user, name, now| {
            let keys = &self.disk.keys;
            let trusted = rules.trust_first_numbers();
            let new_numbers = user.observe(name, account, keys, trusted);
            let number = keys.phone(account.phone.e164());
            let new = user.new_phone_wait(number, rules, now);
            let origin = account.origin_key.as_deref();
            let origin = origin.map(|origin| keys.origin(name, origin));
            let remembered = origin.and_then(|origin| user.remembered(origin, rules, now));
            let decision = if let Some(locked) = user.locked(rules.limits, now) {
                Decision::Rejected(locked)
            } else if !account.allowed {
                Decision::Rejected(Rejection::Prefix)
            } else if new > 0 {
                let wait = Duration::from_millis(new);
                Decision::Rejected(Rejection::NewPhone { wait })
            } else if let Some(earned_by) = remembered {
                Decision::Remembered { earned_by }
            } else {
                match self.reserve_sms(account, rules, user, now, by)? {
                    Ok(reservation) => Decision::Reserved(reservation),
                    Err(rejection) => Decision::Rejected(rejection),
                }
            };
            Ok(Admission {
                decision,
                new_numbers,
            })
        })
    }

    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), Failure> {
        self.update(&account.dn, by, |user, _, now| {
            user.mark_announced(account, new, &self.disk.keys, now);
            Ok(())
        })
    }

    fn forget_unseen(&mut self, account: &Account, by: Deadline) -> Result<(), Failure> {
        self.update(&account.dn, by, |user, _, _| {
            user.forget_unseen(account, &self.disk.keys);
            Ok(())
        })
    }

    fn import_numbers(
        &mut self,
        account: &Account,
        reference: &[Phone],
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<u32, Failure> {
        self.update(&account.dn, by, |user, _, now| {
            user.import_numbers(account, reference, rules, &self.disk.keys, now);
            Ok(user.guesses.into())
        })
    }

    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        self.update(&account.dn, by, |user, _, now| {
            match user.locked(rules.limits, now) {
                Some(locked) => Ok(Err(locked)),
                None => self.reserve_sms(account, rules, user, now, by),
            }
        })
    }

    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        by: Deadline,
    ) -> Result<(), Failure> {
        if reservation.backend != Backend::Local {
            return Ok(());
        }
        self.update(&account.dn, by, |user, _, now| {
            self.release_sms(account, &reservation, user, now, by)
        })
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        self.update(&account.dn, by, |user, _, now| {
            Ok(match user.locked(rules.limits, now) {
                Some(locked) => Err(locked),
                None => Ok(user.record_failure(&account.name, rules.limits, now)),
            })
        })
    }

    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        by: Deadline,
    ) -> Result<Success, Failure> {
        self.update(&account.dn, by, |user, name, now| {
            user.clear_failures();
            user.clear_guesses(attempts);
            let reference = user.grant(account, rules, &self.disk.keys, now);
            if let (Some(origin), Some(_)) = (&account.origin_key, rules.remember) {
                user.remember(self.disk.keys.origin(name, origin), account.login, now);
            }
            Ok(Success {
                reference,
                guesses: user.guesses.into(),
            })
        })
    }

    fn clear_guesses(
        &mut self,
        account: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), Failure> {
        self.update(&account.dn, by, |user, _, _| {
            user.clear_guesses(shown);
            Ok(())
        })
    }

    fn status(&mut self, user: &str, _: Deadline) -> Result<AccountStatus, Failure> {
        let found = self.user(self.disk.keys.user(user))?;
        let now = self.now()?;
        Ok(found
            .row
            .map_or_else(AccountStatus::default, |user| user.status(now)))
    }

    fn summary(&mut self, by: Deadline) -> Result<Summary, Failure> {
        self.summarize(by)
    }

    fn unlock(&mut self, user: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure> {
        let name = self.disk.keys.user(user);
        let guard = self.lock(USERS, &name, "this user", by)?;
        let now = self.now()?;
        let found = Table(&self.disk).find(&name)?;
        let (at, mut row, before) = match found.row {
            Some((at, Row::User(user))) => {
                let before = user.status(now);
                (Some(at), user, before)
            }
            // No record, so there is nothing to unlock.
            None if !found.damaged => return Ok(AccountStatus::default()),
            _ => {
                let known = true;
                let before = AccountStatus {
                    known,
                    ..AccountStatus::default()
                };
                (found.remains, User::default(), before)
            }
        };
        row.clear_failures();
        row.is_unlocked = true;
        row.last_used = now;
        if forget {
            row.logins.clear();
        }
        self.put(&name, &Row::User(row), at, now, by)?;
        drop(guard);
        self.sync(now)?;
        Ok(before)
    }
}
