//! Measures the cost of one decision of the ledger, compared with general storage engines.
//!
//! Each engine is a small program of its own (`src/bin/`), so that a decision is a fresh process as
//! a login's helper is, and its size and memory are that engine's alone. `bin/bench` starts them and
//! writes the report.
//!
//! | engine | description |
//! | --- | --- |
//! | `noop` | stores nothing: the cost of a process and of its hashes |
//! | `floor` | locks, writes and syncs one record in one file: the lower bound |
//! | `own` | the ledger in a file of this host |
//! | `lmdb`, `sqlite` | the same data in LMDB and SQLite |
//! | `redis` | the shared ledger in Redis |
//!
//! A benchmark that cannot continue panics and writes no report.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]

pub mod engine;
pub mod probe;
pub mod users;
