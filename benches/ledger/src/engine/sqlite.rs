//! The same facts in SQLite: a write-ahead log, and each commit on the disk.
//!
//! `synchronous = FULL` is the least that keeps a commit over a power cut in WAL mode
//! (<https://www.sqlite.org/pragma.html#pragma_synchronous>). The log is not cleared up whenever the
//! last process closes, which with one process for each login would be every time and cost two and a
//! half times as much.
#![forbid(unsafe_code)]

use super::Engine;
use crate::people::{self, Name, limits};
use rusqlite::{
    Connection, OptionalExtension, Transaction, TransactionBehavior, config::DbConfig, params,
};
use sms_otp::ledger::window::millis;
use std::ops::Range;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS person (
        name BLOB PRIMARY KEY, failures INTEGER, locked_until INTEGER, touched INTEGER, password BLOB
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS number (
        person BLOB, number BLOB, since INTEGER, PRIMARY KEY (person, number)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sms (
        whose BLOB, at INTEGER, number INTEGER, PRIMARY KEY (whose, at)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS total (minute INTEGER PRIMARY KEY, number INTEGER);";
const MINUTE: u64 = 60_000;

pub struct Sqlite(Connection);

impl Engine for Sqlite {
    fn open(place: &str) -> Self {
        let path = format!("{place}/ledger.db");
        let known = std::fs::exists(&path).unwrap_or(false);
        let connection = Connection::open(path).expect("a database");
        if !known {
            connection.execute_batch(SCHEMA).expect("tables");
        }
        let full = connection.pragma_update(None, "synchronous", "FULL");
        full.expect("a setting");
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection.set_db_config(keep, true).expect("a setting");
        Self(connection)
    }

    fn fill(&mut self, people: Range<u64>) {
        let begun = self.0.transaction().expect("a transaction");
        for person in people {
            let (name, number) = people::names(person);
            meet(&begun, name, number, people::now()).expect("room");
        }
        begun.commit().expect("room");
        // Into the database itself: whoever opens it next would read the whole log.
        let into = self
            .0
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        into.expect("room");
    }

    fn decide(&mut self, person: u64) -> Result<bool, String> {
        let (name, number) = people::names(person);
        self.reserve(name, number, people::now())
            .map_err(|error| error.to_string())
    }
}

impl Sqlite {
    fn reserve(&mut self, name: Name, number: Name, now: u64) -> rusqlite::Result<bool> {
        let how = TransactionBehavior::Immediate;
        let begun = self.0.transaction_with_behavior(how)?;
        let limits = limits();
        let locked: Option<u64> = begun
            .prepare(
                "SELECT max(locked_until, iif(failures < ?2, 0, ?3)) FROM person WHERE name = ?1",
            )?
            .query_row(params![name, limits.disable_after, i64::MAX], |row| {
                row.get(0)
            })
            .optional()?;
        let mut free = locked.is_none_or(|until| until <= now);
        for rule in &limits.sms {
            for whose in [name, number] {
                let since = now.saturating_sub(millis(rule.within));
                let sent: u32 = begun
                    .prepare_cached(
                        "SELECT coalesce(sum(number), 0) FROM sms WHERE whose = ?1 AND at > ?2",
                    )?
                    .query_row(params![whose, since], |row| row.get(0))?;
                free &= sent < rule.most;
            }
        }
        if let Some(rule) = limits.sms_total {
            let since = now.saturating_sub(millis(rule.within)) / MINUTE;
            let sent: u32 = begun
                .prepare("SELECT coalesce(sum(number), 0) FROM total WHERE minute > ?1")?
                .query_row([since], |row| row.get(0))?;
            free &= sent < rule.most;
        }
        if free {
            meet(&begun, name, number, now)?;
            count(&begun, name, number, now)?;
            begun.commit()?;
        }
        Ok(free)
    }
}

/// Learns that he was here, and his number.
fn meet(begun: &Transaction<'_>, name: Name, number: Name, now: u64) -> rusqlite::Result<()> {
    begun
        .prepare_cached(
            "INSERT INTO person VALUES (?1, 0, 0, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET touched = excluded.touched, password = excluded.password",
        )?
        .execute(params![name, now, &name[..8]])?;
    begun
        .prepare_cached("INSERT INTO number VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING")?
        .execute(params![name, &number[..8]])?;
    Ok(())
}

/// Counts an SMS of now: for him, for his phone, and for all.
fn count(begun: &Transaction<'_>, name: Name, number: Name, now: u64) -> rusqlite::Result<()> {
    for whose in [name, number] {
        begun
            .prepare_cached(
                "INSERT INTO sms VALUES (?1, ?2, 1)
                 ON CONFLICT (whose, at) DO UPDATE SET number = number + 1",
            )?
            .execute(params![whose, now])?;
    }
    begun
        .prepare(
            "INSERT INTO total VALUES (?1, 1)
             ON CONFLICT (minute) DO UPDATE SET number = number + 1",
        )?
        .execute([now / MINUTE])?;
    Ok(())
}
