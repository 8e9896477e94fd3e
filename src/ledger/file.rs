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
//!  4096   32 shards of the total                     bucket   8 rows
//!  20480  levels of 8, 32, 128 ... buckets           table    finds a row by its name
//! ```
#![forbid(unsafe_code)]

mod clock;
mod disk;
mod fault;
mod keys;
mod open;
mod person;
mod row;
mod sector;
mod table;
#[cfg(test)]
mod tests;
mod total;

use std::{cell::RefCell, time::Duration};

use super::{
    Account, Admission, Answer, Error, Overview, Refusal, Rules, Slot, Standing, Store, Suspect,
    Try, Whose,
    window::{Log, longest, millis, wait},
};
use crate::{config::Rule, deadline::Deadline};
use clock::{Anchor, Clocks, Machine};
use disk::{Disk, Held};
use keys::half;
use person::Person;
use row::Row;
use sector::Name;
use table::Table;
use total::Total;

/// Locks stand far behind the end of the file, each person's and each phone's at a place of its
/// own.
const PEOPLE: u64 = 1 << 62;
const PHONES: u64 = 1 << 61;
const ANCHOR: u64 = (1 << 60) + 1;

/// The ledger of this host.
pub struct File {
    disk: Disk,
    clocks: Box<dyn Clocks>,
    anchor: RefCell<Anchor>,
    /// In which shard of the total each SMS of this login is counted.
    reserved: RefCell<Vec<u64>>,
}

/// A row, and where it stands.
struct Entry<T> {
    name: Name,
    at: Option<u64>,
    row: T,
}

impl File {
    /// Opens the ledger in that folder, and makes both on first use. Nothing is opened by a path
    /// later.
    ///
    /// # Errors
    /// [`Error::Local`]: somebody else could have written it, it is damaged, or the disk does not
    /// do.
    pub fn open(folder: &str) -> Result<Self, Error> {
        let machine = Machine::new().map_err(|error| Error::Local {
            what: format!("this boot's id cannot be read: {error}"),
            remedy: "mount /proc".into(),
        })?;
        Self::open_by(folder, Box::new(machine))
    }

    fn open_by(folder: &str, clocks: Box<dyn Clocks>) -> Result<Self, Error> {
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
    fn now(&self) -> Result<u64, Error> {
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

    fn hold(&self, range: u64, name: &Name, whose: &str, by: Deadline) -> Result<Held<'_>, Error> {
        let place = u64::from_le_bytes(half(*name)) >> 4;
        self.disk.hold(range.saturating_add(place), 1, whose, by)
    }

    /// One person, alone: decides, and writes what has changed. It is on the disk when this
    /// returns.
    fn alone<T>(
        &self,
        person: &str,
        by: Deadline,
        decide: impl FnOnce(&mut Person, &Name, u64) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let name = self.disk.keys.person(person);
        let held = self.hold(PEOPLE, &name, "this person", by)?;
        let now = self.now()?;
        let found = self.person(name)?;
        let mut entry = Entry {
            row: found.row.clone().unwrap_or_default(),
            name,
            at: found.at,
        };
        let answer = decide(&mut entry.row, &name, now);
        if found.row.as_ref() != Some(&entry.row) || entry.row.is_stale(now) {
            entry.row.touched = now;
            self.put(&entry.name, &Row::Person(entry.row), entry.at, now, by)?;
        }
        drop(held);
        self.settle(now)?;
        answer
    }

    /// Finds a person. `None`: he was never here.
    fn person(&self, name: Name) -> Result<Entry<Option<Person>>, Error> {
        let place = Table(&self.disk).find(&name)?;
        match place.row {
            Some((at, Row::Person(person))) => Ok(Entry {
                name,
                at: Some(at),
                row: Some(person),
            }),
            None if !place.damaged => Ok(Entry {
                name,
                at: None,
                row: None,
            }),
            _ => Err(fault::damaged_row(self.disk.path())),
        }
    }

    /// Finds a phone. Where it may have been lost, an administrator has to have vouched for whose
    /// it is.
    fn phone(&self, name: Name, vouched: bool) -> Result<Entry<Log>, Error> {
        let place = Table(&self.disk).find(&name)?;
        let (at, row) = match place.row {
            Some((at, Row::Phone(log))) => (Some(at), log),
            None if !place.damaged || vouched => (place.remains, Log::new(row::PHONE_LOG)),
            _ => return Err(fault::damaged_row(self.disk.path())),
        };
        Ok(Entry { name, at, row })
    }

    fn put(
        &self,
        name: &Name,
        row: &Row,
        at: Option<u64>,
        now: u64,
        by: Deadline,
    ) -> Result<(), Error> {
        Table(&self.disk).put(name, row, at, now, by)
    }

    /// After the locks: clears up a little if something was written, and sees it onto the disk.
    fn settle(&self, now: u64) -> Result<(), Error> {
        if self.disk.is_settled() {
            return Ok(());
        }
        // That others' dead rows cannot be wiped is no reason to refuse somebody.
        let _ = Table(&self.disk).sweep(now);
        self.disk.settle()
    }

    /// Where the total counts it.
    fn shard(&self, slot: &Slot) -> Option<u64> {
        let place = usize::try_from(slot.number.checked_sub(1)?).ok()?;
        self.reserved.borrow().get(place).copied()
    }

    /// Reserves an SMS for somebody whose row is ours, within all limits. The total comes first:
    /// who is killed on the way has counted too much, never too little.
    fn take(
        &self,
        who: &Account,
        rules: Rules<'_>,
        person: &mut Person,
        now: u64,
        by: Deadline,
    ) -> Result<Result<Slot, Refusal>, Error> {
        let name = self.disk.keys.phone(who.phone.e164());
        let _held = self.hold(PHONES, &name, "this phone", by)?;
        let mut phone = self.phone(name, person.vouched)?;
        let limits = rules.limits;
        let mut limited = None;
        for rule in &limits.sms {
            limited = longer(limited, person.log.sent(), Whose::Person, *rule, now);
        }
        for rule in &limits.sms {
            limited = longer(limited, phone.row.sent(), Whose::Phone, *rule, now);
        }
        let total = Total(&self.disk);
        if let Some(rule) = limits.sms_total {
            limited = longer(limited, &total.sent()?, Whose::All, rule, now);
        }
        if let Some((_, refusal)) = limited {
            return Ok(Err(refusal));
        }
        let span = limits.sms_total.map_or(0, |rule| millis(rule.within));
        let shard = match total.add(limits.sms_total, span, who.segments, now, by)? {
            Ok(shard) => shard,
            Err(wait) => {
                let rule = limits.sms_total.unwrap_or(Rule {
                    most: 0,
                    within: Duration::ZERO,
                });
                return Ok(Err(refusal(wait, Whose::All, rule)));
            }
        };
        let longest = longest(limits);
        phone.row.add(now, longest);
        self.put(&name, &Row::Phone(phone.row), phone.at, now, by)?;
        person.log.add(now, longest);
        let mut reserved = self.reserved.borrow_mut();
        reserved.push(shard);
        let number = u32::try_from(reserved.len()).unwrap_or(u32::MAX);
        Ok(Ok(Slot { at: now, number }))
    }
}

/// The refusal that keeps waiting longest, so far and with this rule.
fn longer(
    so_far: Option<(u64, Refusal)>,
    sent: &[(u64, u32)],
    whose: Whose,
    rule: Rule,
    now: u64,
) -> Option<(u64, Refusal)> {
    let wait = wait(sent, rule, now);
    if wait <= so_far.map_or(0, |(wait, _)| wait) {
        return so_far;
    }
    Some((wait, refusal(wait, whose, rule)))
}

fn refusal(wait: u64, whose: Whose, rule: Rule) -> Refusal {
    Refusal::Limited {
        wait: Duration::from_millis(wait),
        whose,
        rule,
    }
}

impl Store for File {
    fn admit(&mut self, who: &Account, rules: Rules<'_>, by: Deadline) -> Result<Admission, Error> {
        self.alone(&who.person, by, |person, name, now| {
            let keys = &self.disk.keys;
            let new_numbers = person.meet(name, who, keys, now);
            let number = keys.phone(who.phone.e164());
            let new = person.new_phone(number, rules, now);
            let place = who.place.as_deref().map(|place| keys.place(name, place));
            let remembered = place.and_then(|place| person.remembered(place, rules, now));
            let answer = if let Some(locked) = person.locked(rules.limits, now) {
                Answer::Refused(locked)
            } else if new > 0 {
                let wait = Duration::from_millis(new);
                Answer::Refused(Refusal::NewPhone { wait })
            } else if let Some(earned_by) = remembered {
                Answer::Remembered { earned_by }
            } else {
                match self.take(who, rules, person, now, by)? {
                    Ok(slot) => Answer::Reserved(slot),
                    Err(refusal) => Answer::Refused(refusal),
                }
            };
            Ok(Admission {
                answer,
                new_numbers,
            })
        })
    }

    fn reserve(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Slot, Refusal>, Error> {
        self.alone(&who.person, by, |person, _, now| {
            match person.locked(rules.limits, now) {
                Some(locked) => Ok(Err(locked)),
                None => self.take(who, rules, person, now, by),
            }
        })
    }

    fn give_back(&mut self, who: &Account, slot: Slot, by: Deadline) -> Result<(), Error> {
        self.alone(&who.person, by, |person, _, now| {
            person.log.take_back(slot.at, now);
            let name = self.disk.keys.phone(who.phone.e164());
            let _held = self.hold(PHONES, &name, "this phone", by)?;
            let mut phone = self.phone(name, person.vouched)?;
            if phone.row.take_back(slot.at, now) {
                self.put(&name, &Row::Phone(phone.row), phone.at, now, by)?;
            }
            match self.shard(&slot) {
                Some(shard) => Total(&self.disk).take_back(shard, slot.at, who.segments, now, by),
                None => Ok(()),
            }
        })
    }

    fn begin_try(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Try, Refusal>, Error> {
        self.alone(&who.person, by, |person, _, now| {
            Ok(match person.locked(rules.limits, now) {
                Some(locked) => Err(locked),
                None => Ok(person.fail(&who.name, rules.limits, now)),
            })
        })
    }

    fn succeed(&mut self, who: &Account, rules: Rules<'_>, by: Deadline) -> Result<(), Error> {
        self.alone(&who.person, by, |person, name, now| {
            person.clear();
            person.vouched = false;
            if let (Some(place), Some(_)) = (&who.place, rules.remember) {
                person.remember(self.disk.keys.place(name, place), who.login, now);
            }
            Ok(())
        })
    }

    fn standing(&mut self, person: &str, _: Deadline) -> Result<Standing, Error> {
        let found = self.person(self.disk.keys.person(person))?;
        let now = self.now()?;
        Ok(found
            .row
            .map_or_else(Standing::default, |person| person.standing(now)))
    }

    fn overview(&mut self, by: Deadline) -> Result<Overview, Error> {
        let now = self.now()?;
        let (sms, segments) = Total(&self.disk).day(now)?;
        let mut all = Overview {
            sms,
            segments,
            size: Some(self.disk.room()?),
            ..Overview::default()
        };
        Table(&self.disk).each(by, |row| match row {
            Row::Phone(_) => all.phones = all.phones.saturating_add(1),
            Row::Person(person) => {
                let standing = person.standing(now);
                let logins = u64::try_from(standing.remembered.len()).unwrap_or(u64::MAX);
                all.people = all.people.saturating_add(1);
                all.remembered = all.remembered.saturating_add(logins);
                if person.failures > 0 {
                    all.suspects.push(Suspect {
                        name: person.name,
                        failures: standing.failures,
                        locked: standing.locked,
                    });
                }
            }
        })?;
        Ok(all)
    }

    fn unlock(&mut self, person: &str, forget: bool, by: Deadline) -> Result<Standing, Error> {
        let name = self.disk.keys.person(person);
        let held = self.hold(PEOPLE, &name, "this person", by)?;
        let now = self.now()?;
        let place = Table(&self.disk).find(&name)?;
        let (at, mut row, before) = match place.row {
            Some((at, Row::Person(person))) => {
                let before = person.standing(now);
                (Some(at), person, before)
            }
            // Nothing was ever known of him.
            None if !place.damaged => return Ok(Standing::default()),
            _ => (place.remains, Person::default(), Standing::default()),
        };
        row.clear();
        row.vouched = true;
        row.touched = now;
        if forget {
            row.logins.clear();
        }
        self.put(&name, &Row::Person(row), at, now, by)?;
        drop(held);
        self.settle(now)?;
        Ok(before)
    }
}
