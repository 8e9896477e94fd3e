//! The same facts in LMDB: one database, a value for each person, each phone and the total, and one
//! write transaction that is on the disk when it is committed.

use super::Engine;
use crate::people::{self, Name, limits};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, Error, RwTxn, types::Bytes};
use sms_otp::{
    config::Rule,
    ledger::window::{Log, longest, millis, wait},
};
use std::ops::Range;

/// The map's size is the most that it can hold, and takes no room by itself.
const MAP: usize = 4 << 30;
/// Failures (4), lock (8), last seen (8), password (8), his number (8) and since when (8).
const FACTS: usize = 44;
/// Entries of a log, as in the ledger; of the total's, as many as its shards have together.
const LOG: usize = 50;
const TOTAL_LOG: usize = 1088;
const TOTAL: &[u8] = b"total";

pub struct Lmdb {
    env: Env,
    all: Database<'static, Bytes, Bytes>,
}

impl Engine for Lmdb {
    fn open(place: &str) -> Self {
        let mut how = EnvOpenOptions::new();
        how.map_size(MAP);
        // SAFETY: the flag says what the kernel may read ahead, and nothing else. From a cold disk
        // it makes a decision among a million people some thirty times as fast.
        unsafe { how.flags(EnvFlags::NO_READ_AHEAD) };
        // SAFETY: the folder is this bench's own, and nothing but LMDB writes what is in it.
        let env = unsafe { how.open(place) }.expect("an environment");
        let begun = env.read_txn().expect("a transaction");
        let all = env.open_databases_and_commit(begun, |all, begun| {
            // The database without a name is always there.
            all.open_database(begun, None)
                .map(CommitOrAbort::<_, ()>::Commit)
        });
        let all = all.expect("the main database").unwrap_commit();
        let all = all.expect("the main database");
        Self { env, all }
    }

    fn fill(&mut self, people: Range<u64>) {
        let mut begun = self.env.write_txn().expect("a transaction");
        for person in people {
            let (name, number) = people::names(person);
            let facts = facts(name, number, people::now());
            self.all.put(&mut begun, &name, &facts).expect("room");
        }
        begun.commit().expect("room");
    }

    fn decide(&mut self, person: u64) -> Result<bool, String> {
        let (name, number) = people::names(person);
        self.reserve(name, number, people::now())
            .map_err(|error| error.to_string())
    }
}

impl Lmdb {
    fn reserve(&self, name: Name, number: Name, now: u64) -> Result<bool, Error> {
        let mut begun = self.env.write_txn()?;
        let row = self.all.get(&begun, &name)?.unwrap_or_default().to_vec();
        let (known, log) = row.split_at_checked(FACTS).unwrap_or_default();
        let limits = limits();
        let mut person = read(log, LOG);
        let mut phone = read(self.all.get(&begun, &number)?.unwrap_or_default(), LOG);
        let mut total = read(self.all.get(&begun, TOTAL)?.unwrap_or_default(), TOTAL_LOG);
        let fits = |log: &Log, rule: &Rule| wait(log.sent(), *rule, now) == 0;
        let mut free = !is_locked(known, limits.disable_after, now);
        for log in [&person, &phone] {
            free &= limits.sms.iter().all(|rule| fits(log, rule));
        }
        free &= limits.sms_total.iter().all(|rule| fits(&total, rule));
        if !free {
            return Ok(false);
        }
        person.add(now, longest(&limits));
        phone.add(now, longest(&limits));
        total.add(now, limits.sms_total.map_or(0, |rule| millis(rule.within)));
        let mut row = facts(name, number, now);
        row.extend(write(&person));
        self.put(&mut begun, &name, &row)?;
        self.put(&mut begun, &number, &write(&phone))?;
        self.put(&mut begun, TOTAL, &write(&total))?;
        begun.commit()?;
        Ok(true)
    }

    fn put(&self, begun: &mut RwTxn<'_>, name: &[u8], value: &[u8]) -> Result<(), Error> {
        self.all.put(begun, name, value)
    }
}

/// Of a person without wrong codes.
fn facts(name: Name, number: Name, now: u64) -> Vec<u8> {
    let mut facts = vec![0; 12];
    facts.extend(now.to_le_bytes());
    facts.extend(&name[..8]);
    facts.extend(&number[..8]);
    facts.extend([0; 8]);
    facts
}

fn is_locked(facts: &[u8], disable_after: u32, now: u64) -> bool {
    let Some((failures, rest)) = facts.split_first_chunk() else {
        return false;
    };
    let until = rest
        .first_chunk()
        .map_or(0, |until| u64::from_le_bytes(*until));
    u32::from_le_bytes(*failures) >= disable_after || until > now
}

/// A log: its horizon, and its entries.
fn read(bytes: &[u8], most: usize) -> Log {
    let mut numbers = bytes
        .chunks_exact(8)
        .filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)));
    let horizon = numbers.next().unwrap_or(0);
    // The number of an entry lies above its time, which has room in 6 bytes.
    let sent = numbers.map(|entry| {
        (
            entry & ((1 << 48) - 1),
            u32::try_from(entry >> 48).unwrap_or(0),
        )
    });
    Log::of(sent.collect(), most, horizon)
}

fn write(log: &Log) -> Vec<u8> {
    let entries = log
        .sent()
        .iter()
        .map(|(at, number)| at | (u64::from(*number) << 48));
    let numbers = std::iter::once(log.horizon()).chain(entries);
    numbers.flat_map(u64::to_le_bytes).collect()
}
