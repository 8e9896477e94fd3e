//! This host's own ledger: one file, and no server to run.
//!
//! Many processes have it open at once, one for each login, and any of them may be killed at any
//! moment, or stand still. So a row is a disk's sector, which is written whole or not at all; a lock
//! belongs to one person or phone and goes with its process; and what may be slow, the disk, comes
//! after the locks.
//!
//! ```text
//!  0      header: format, key                        sector   512 bytes, sealed
//!  512    anchor of the clock                        row      a person, or a phone
//!  1024   log lines that were lost
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

/// Locks stand far behind the end of the file, each person's and each phone's at a place of its
/// own (60 bits of a hash), below them that of the clock and that of whose turn it is with the total.
const USERS: u64 = 1 << 62;
const PHONES: u64 = 1 << 61;
const ANCHOR: u64 = 1 << 60;
const TURN: u64 = 1 << 59;
/// And that of the count of lost lines.
const LOST: u64 = 1 << 58;

/// The ledger of this host.
pub struct FileStore {
    disk: LedgerFile,
    clocks: Box<dyn Clocks>,
    anchor: RefCell<Anchor>,
    /// In which shard of the total each SMS of this login is counted, if in any.
    reserved: RefCell<Vec<Option<u64>>>,
}

/// A row, and where it stands.
struct Entry<T> {
    name: Name,
    at: Option<u64>,
    row: T,
}

impl FileStore {
    /// Opens the ledger in that folder, and makes both on first use. Nothing is opened by a path
    /// later.
    ///
    /// # Errors
    /// Another user could have written the file, it is damaged, or the disk fails.
    pub fn open(folder: &str) -> Result<Self, Failure> {
        let machine = Machine::new().map_err(|error| failures::no_boot_id(&error))?;
        Self::open_by(folder, Box::new(machine))
    }

    /// The count of lost log lines, which outlives this. `None`: there is no descriptor left.
    #[must_use]
    pub fn lost_lines(&self) -> Option<LostLines> {
        self.disk.try_clone().map(LostLines)
    }

    fn open_by(folder: &str, clocks: Box<dyn Clocks>) -> Result<Self, Failure> {
        let (disk, anchor) = open::file(folder, &*clocks)?;
        Ok(Self {
            disk,
            clocks,
            anchor: RefCell::new(anchor),
            reserved: RefCell::default(),
        })
    }

    /// The ledger's time, in milliseconds. Whoever finds that the anchor does not hold any more
    /// writes a new one, unless somebody else is just doing it.
    fn now(&self) -> Result<u64, Failure> {
        let mut anchor = self.anchor.borrow_mut();
        let clocks = self.clocks.read();
        if anchor.tell(&clocks).1.is_some() {
            let held = self.disk.try_lock(ANCHOR, 1)?;
            *anchor = open::anchor(&self.disk)?;
            if let (Some(renewed), Some(_held)) = (anchor.tell(&clocks).1, held) {
                self.disk.put(open::ANCHOR, renewed.write())?;
                *anchor = renewed;
            }
        }
        Ok(anchor.tell(&clocks).0)
    }

    fn hold(
        &self,
        range: u64,
        name: &Name,
        whose: &str,
        by: Deadline,
    ) -> Result<LockGuard<'_>, Failure> {
        let place = u64::from_le_bytes(half(*name)) >> 4;
        self.disk.hold(range.saturating_add(place), 1, whose, by)
    }

    /// One person, alone: decides, and writes what has changed. It is on the disk when this
    /// returns.
    fn alone<T>(
        &self,
        user: &str,
        by: Deadline,
        decide: impl FnOnce(&mut User, &Name, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let name = self.disk.keys.user(user);
        let held = self.hold(USERS, &name, "this person", by)?;
        let now = self.now()?;
        let found = self.user(name)?;
        // Somebody who was not here for so long is somebody new.
        let known = found.row.as_ref().filter(|row| !row::is_over(row, now));
        let mut entry = Entry {
            row: known.cloned().unwrap_or_default(),
            name,
            at: found.at,
        };
        let answer = decide(&mut entry.row, &name, now);
        // Of whom nothing was known and nothing is learned, nothing is written.
        let changed = found.row.as_ref().map_or_else(
            || entry.row != User::default(),
            |was| *was != entry.row || was.is_stale(now),
        );
        // What ended in an error was not told, so it is not learned either.
        if changed && answer.is_ok() {
            entry.row.touched = now;
            self.put(&entry.name, &Row::User(entry.row), entry.at, now, by)?;
        }
        drop(held);
        self.sync(now)?;
        answer
    }

    /// Finds a person. `None`: he was never here.
    fn user(&self, name: Name) -> Result<Entry<Option<User>>, Failure> {
        let place = Table(&self.disk).find(&name)?;
        match place.row {
            Some((at, Row::User(user))) => Ok(Entry {
                name,
                at: Some(at),
                row: Some(user),
            }),
            None if !place.damaged => Ok(Entry {
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

    /// After the locks: clears up a little if something was written, and sees it onto the disk.
    fn sync(&self, now: u64) -> Result<(), Failure> {
        if !self.disk.is_dirty() {
            return Ok(());
        }
        // That others' dead rows cannot be wiped is no reason to refuse somebody.
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
        self.alone(&account.dn, by, |user, name, now| {
            let keys = &self.disk.keys;
            let trusted = rules.trust_first_numbers();
            let new_numbers = user.meet(name, account, keys, trusted);
            let number = keys.phone(account.phone.e164());
            let new = user.new_phone(number, rules, now);
            let place = account
                .origin_key
                .as_deref()
                .map(|place| keys.place(name, place));
            let remembered = place.and_then(|place| user.remembered(place, rules, now));
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
                match self.take(account, rules, user, now, by)? {
                    Ok(slot) => Decision::Reserved(slot),
                    Err(refusal) => Decision::Rejected(refusal),
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
        self.alone(&account.dn, by, |user, _, now| {
            user.mark_announced(account, new, &self.disk.keys, now);
            Ok(())
        })
    }

    fn forget_unseen(&mut self, account: &Account, by: Deadline) -> Result<(), Failure> {
        self.alone(&account.dn, by, |user, _, _| {
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
        self.alone(&account.dn, by, |user, _, now| {
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
        self.alone(&account.dn, by, |user, _, now| {
            match user.locked(rules.limits, now) {
                Some(locked) => Ok(Err(locked)),
                None => self.take(account, rules, user, now, by),
            }
        })
    }

    fn release(
        &mut self,
        account: &Account,
        slot: Reservation,
        by: Deadline,
    ) -> Result<(), Failure> {
        if slot.backend != Backend::Local {
            return Ok(());
        }
        self.alone(&account.dn, by, |user, _, now| {
            self.put_back(account, &slot, user, now, by)
        })
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        self.alone(&account.dn, by, |user, _, now| {
            Ok(match user.locked(rules.limits, now) {
                Some(locked) => Err(locked),
                None => Ok(user.fail(&account.name, rules.limits, now)),
            })
        })
    }

    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        tries: u32,
        by: Deadline,
    ) -> Result<Success, Failure> {
        self.alone(&account.dn, by, |user, name, now| {
            user.clear();
            user.clear_guesses(tries);
            let reference = user.grant(account, rules, &self.disk.keys, now);
            if let (Some(place), Some(_)) = (&account.origin_key, rules.remember) {
                user.remember(self.disk.keys.place(name, place), account.login, now);
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
        self.alone(&account.dn, by, |user, _, _| {
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
        self.see_all(by)
    }

    fn unlock(&mut self, user: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure> {
        let name = self.disk.keys.user(user);
        let held = self.hold(USERS, &name, "this person", by)?;
        let now = self.now()?;
        let place = Table(&self.disk).find(&name)?;
        let (at, mut row, before) = match place.row {
            Some((at, Row::User(user))) => {
                let before = user.status(now);
                (Some(at), user, before)
            }
            // Nothing was ever known of him.
            None if !place.damaged => return Ok(AccountStatus::default()),
            _ => {
                let known = true;
                let before = AccountStatus {
                    known,
                    ..AccountStatus::default()
                };
                (place.remains, User::default(), before)
            }
        };
        row.clear();
        row.vouched = true;
        row.touched = now;
        if forget {
            row.logins.clear();
        }
        self.put(&name, &Row::User(row), at, now, by)?;
        drop(held);
        self.sync(now)?;
        Ok(before)
    }
}
