//! The same data in LMDB: one database, a value for each user, each phone and the total, and one
//! write transaction that is synced on commit.

use super::Engine;
use crate::users::{self, Name, limits};
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, Error, RwTxn, types::Bytes};
use sms_otp::{
    config::Rule,
    ledger::window::{SlidingWindow, longest, millis, wait},
};
use std::ops::Range;

/// The size of the memory map, which limits the file's size and allocates nothing.
const MAP_SIZE: usize = 4 << 30;
/// Failures (4), locked until (8), last seen (8), password (8), phone number (8), since (8).
const FACTS: usize = 44;
/// The number of entries in a window, as in the ledger; in the total's window, the sum over its shards.
const MAX_ENTRIES: usize = 50;
const MAX_TOTAL_ENTRIES: usize = 1088;
const TOTAL: &[u8] = b"total";

pub struct Lmdb {
    env: Env,
    all: Database<'static, Bytes, Bytes>,
}

impl Engine for Lmdb {
    fn open(path: &str) -> Self {
        let mut options = EnvOpenOptions::new();
        options.map_size(MAP_SIZE);
        // SAFETY: the flag only turns readahead off. From a cold disk a decision among a million users
        // is about thirty times as fast with it.
        unsafe { options.flags(EnvFlags::NO_READ_AHEAD) };
        // SAFETY: the directory belongs to this bench, and only LMDB writes to its files.
        let env = unsafe { options.open(path) }.expect("an environment");
        let txn = env.read_txn().expect("a transaction");
        let all = env.open_databases_and_commit(txn, |all, txn| {
            // The unnamed database always exists.
            all.open_database(txn, None)
                .map(CommitOrAbort::<_, ()>::Commit)
        });
        let all = all.expect("the main database").unwrap_commit();
        let all = all.expect("the main database");
        Self { env, all }
    }

    fn fill(&mut self, users: Range<u64>) {
        let mut txn = self.env.write_txn().expect("a transaction");
        for user in users {
            let (name, number) = users::names(user);
            let facts = facts(name, number, users::now());
            self.all.put(&mut txn, &name, &facts).expect("free space");
        }
        txn.commit().expect("free space");
    }

    fn decide(&mut self, user: u64) -> Result<bool, String> {
        let (name, number) = users::names(user);
        self.reserve(name, number, users::now())
            .map_err(|error| error.to_string())
    }
}

impl Lmdb {
    fn reserve(&self, name: Name, number: Name, now: u64) -> Result<bool, Error> {
        let mut txn = self.env.write_txn()?;
        let row = self.all.get(&txn, &name)?.unwrap_or_default().to_vec();
        let (known, log) = row.split_at_checked(FACTS).unwrap_or_default();
        let limits = limits();
        let mut user = decode(log, MAX_ENTRIES);
        let mut phone = decode(
            self.all.get(&txn, &number)?.unwrap_or_default(),
            MAX_ENTRIES,
        );
        let mut total = decode(
            self.all.get(&txn, TOTAL)?.unwrap_or_default(),
            MAX_TOTAL_ENTRIES,
        );
        let fits = |log: &SlidingWindow, rule: &Rule| wait(log.sent(), *rule, now) == 0;
        let mut free = !is_locked(known, limits.disable_after, now);
        for log in [&user, &phone] {
            free &= limits.sms.iter().all(|rule| fits(log, rule));
        }
        free &= limits.sms_total.iter().all(|rule| fits(&total, rule));
        if !free {
            return Ok(false);
        }
        user.add(now, longest(&limits));
        phone.add(now, longest(&limits));
        total.add(now, limits.sms_total.map_or(0, |rule| millis(rule.within)));
        let mut row = facts(name, number, now);
        row.extend(encode(&user));
        self.put(&mut txn, &name, &row)?;
        self.put(&mut txn, &number, &encode(&phone))?;
        self.put(&mut txn, TOTAL, &encode(&total))?;
        txn.commit()?;
        Ok(true)
    }

    fn put(&self, txn: &mut RwTxn<'_>, name: &[u8], value: &[u8]) -> Result<(), Error> {
        self.all.put(txn, name, value)
    }
}

/// Encodes the facts of a user without wrong codes.
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

/// Decodes a window: its horizon, then its entries.
fn decode(bytes: &[u8], max: usize) -> SlidingWindow {
    let mut numbers = bytes
        .chunks_exact(8)
        .filter_map(|chunk| Some(u64::from_le_bytes(chunk.try_into().ok()?)));
    let horizon = numbers.next().unwrap_or(0);
    // An entry's count is in the two upper bytes, its time in the six lower ones.
    let sent = numbers.map(|entry| {
        (
            entry & ((1 << 48) - 1),
            u32::try_from(entry >> 48).unwrap_or(0),
        )
    });
    SlidingWindow::of(sent.collect(), max, horizon)
}

fn encode(log: &SlidingWindow) -> Vec<u8> {
    let entries = log
        .sent()
        .iter()
        .map(|(at, number)| at | (u64::from(*number) << 48));
    let numbers = std::iter::once(log.horizon()).chain(entries);
    numbers.flat_map(u64::to_le_bytes).collect()
}
