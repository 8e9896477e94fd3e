//! The engines that are compared.

pub mod floor;
pub mod lmdb;
pub mod noop;
pub mod own;
pub mod redis;
pub mod sqlite;

use std::ops::Range;

/// A store that decides whether a user may have an SMS, and records it.
pub trait Engine {
    /// Opens the store at a path (for Redis: a port), and creates it if it is missing.
    fn open(path: &str) -> Self;
    /// Adds users without any SMS.
    fn fill(&mut self, users: Range<u64>);
    /// Reserves an SMS within the limits and syncs it to disk; returns whether it was reserved.
    fn decide(&mut self, user: u64) -> Result<bool, String>;
}
