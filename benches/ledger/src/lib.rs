//! What one decision of the ledger costs, beside the usual engines.
//!
//! Each engine is a small program of its own (`src/bin/`), so that a decision is a fresh process as
//! a login's helper is, and its size and memory are that engine's alone. `bin/bench` starts them and
//! writes down what it saw.
//!
//! | engine | what it is |
//! | --- | --- |
//! | `nothing` | a program that does all but keeping anything: what a process costs |
//! | `floor` | one record in one file, locked, written, on the disk: less is not possible |
//! | `own` | this host's ledger |
//! | `lmdb`, `sqlite` | the same facts in the usual engines |
//! | `fleet` | the fleet's ledger |
//!
//! A bench that panics has measured nothing, and says why.
#![allow(
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]

pub mod engine;
pub mod people;
pub mod probe;
