//! The same data in SQLite, with a write-ahead log and a sync at each commit.
//!
//! `synchronous = FULL` is the lowest level at which a commit survives a power loss in WAL mode
//! (<https://www.sqlite.org/pragma.html#pragma_synchronous>). No checkpoint runs when the last process
//! closes the database: with one process for each login that would be every time, and a decision
//! would take two and a half times as long.
#![forbid(unsafe_code)]

use super::Engine;
use crate::users::{self, Name, limits};
use rusqlite::{
    Connection, OptionalExtension, Transaction, TransactionBehavior, config::DbConfig, params,
};
use sms_otp::ledger::window::millis;
use std::ops::Range;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS user (
        name BLOB PRIMARY KEY, failures INTEGER, locked_until INTEGER, touched INTEGER, password BLOB
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS number (
        user BLOB, number BLOB, since INTEGER, PRIMARY KEY (user, number)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS sms (
        owner BLOB, at INTEGER, number INTEGER, PRIMARY KEY (owner, at)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS total (minute INTEGER PRIMARY KEY, number INTEGER);";
const MINUTE: u64 = 60_000;

pub struct Sqlite(Connection);

impl Engine for Sqlite {
    fn open(path: &str) -> Self {
        let path = format!("{path}/ledger.db");
        let known = std::fs::exists(&path).unwrap_or(false);
        let connection = Connection::open(path).expect("a database");
        if !known {
            connection.execute_batch(SCHEMA).expect("tables");
        }
        let updated = connection.pragma_update(None, "synchronous", "FULL");
        updated.expect("a setting");
        let no_checkpoint = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        connection
            .set_db_config(no_checkpoint, true)
            .expect("a setting");
        Self(connection)
    }

    fn fill(&mut self, users: Range<u64>) {
        let txn = self.0.transaction().expect("a transaction");
        for user in users {
            let (name, number) = users::names(user);
            record_user(&txn, name, number, users::now()).expect("free space");
        }
        txn.commit().expect("free space");
        // Moves the log's pages into the database: the next process would read the whole log.
        let checkpoint = self
            .0
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        checkpoint.expect("free space");
    }

    fn decide(&mut self, user: u64) -> Result<bool, String> {
        let (name, number) = users::names(user);
        self.reserve(name, number, users::now())
            .map_err(|error| error.to_string())
    }
}

impl Sqlite {
    fn reserve(&mut self, name: Name, number: Name, now: u64) -> rusqlite::Result<bool> {
        let behavior = TransactionBehavior::Immediate;
        let txn = self.0.transaction_with_behavior(behavior)?;
        let limits = limits();
        let locked: Option<u64> = txn
            .prepare(
                "SELECT max(locked_until, iif(failures < ?2, 0, ?3)) FROM user WHERE name = ?1",
            )?
            .query_row(params![name, limits.disable_after, i64::MAX], |row| {
                row.get(0)
            })
            .optional()?;
        let mut free = locked.is_none_or(|until| until <= now);
        for rule in &limits.sms {
            for owner in [name, number] {
                let since = now.saturating_sub(millis(rule.within));
                let sent: u32 = txn
                    .prepare_cached(
                        "SELECT coalesce(sum(number), 0) FROM sms WHERE owner = ?1 AND at > ?2",
                    )?
                    .query_row(params![owner, since], |row| row.get(0))?;
                free &= sent < rule.most;
            }
        }
        if let Some(rule) = limits.sms_total {
            let since = now.saturating_sub(millis(rule.within)) / MINUTE;
            let sent: u32 = txn
                .prepare("SELECT coalesce(sum(number), 0) FROM total WHERE minute > ?1")?
                .query_row([since], |row| row.get(0))?;
            free &= sent < rule.most;
        }
        if free {
            record_user(&txn, name, number, now)?;
            record_sms(&txn, name, number, now)?;
            txn.commit()?;
        }
        Ok(free)
    }
}

/// Records that the user was seen, with their number.
fn record_user(txn: &Transaction<'_>, name: Name, number: Name, now: u64) -> rusqlite::Result<()> {
    txn
        .prepare_cached(
            "INSERT INTO user VALUES (?1, 0, 0, ?2, ?3)
             ON CONFLICT (name) DO UPDATE SET touched = excluded.touched, password = excluded.password",
        )?
        .execute(params![name, now, &name[..8]])?;
    txn.prepare_cached("INSERT INTO number VALUES (?1, ?2, 0) ON CONFLICT DO NOTHING")?
        .execute(params![name, &number[..8]])?;
    Ok(())
}

/// Counts one SMS at this time: for the user, for their phone, and in the total.
fn record_sms(txn: &Transaction<'_>, name: Name, number: Name, now: u64) -> rusqlite::Result<()> {
    for owner in [name, number] {
        txn.prepare_cached(
            "INSERT INTO sms VALUES (?1, ?2, 1)
                 ON CONFLICT (owner, at) DO UPDATE SET number = number + 1",
        )?
        .execute(params![owner, now])?;
    }
    txn.prepare(
        "INSERT INTO total VALUES (?1, 1)
             ON CONFLICT (minute) DO UPDATE SET number = number + 1",
    )?
    .execute([now / MINUTE])?;
    Ok(())
}
