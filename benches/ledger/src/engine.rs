//! What is compared.

pub mod fleet;
pub mod floor;
pub mod lmdb;
pub mod nothing;
pub mod own;
pub mod sqlite;

use std::ops::Range;

/// Something that decides whether a person may have an SMS, and keeps it.
pub trait Engine {
    /// Opens what is kept at that place, and makes it if there is nothing.
    fn open(place: &str) -> Self;
    /// Gets to know people.
    fn fill(&mut self, people: Range<u64>);
    /// Reserves an SMS within the limits: it is on the disk when this returns. Says whether.
    fn decide(&mut self, person: u64) -> Result<bool, String>;
}
