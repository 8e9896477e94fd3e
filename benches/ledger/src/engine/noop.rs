//! Stores nothing: the cost of a process and of its hashes.
#![forbid(unsafe_code)]

use super::Engine;
use crate::users;
use std::{hint::black_box, ops::Range};

pub struct Noop;

impl Engine for Noop {
    fn open(_: &str) -> Self {
        Self
    }

    fn fill(&mut self, _: Range<u64>) {}

    fn decide(&mut self, user: u64) -> Result<bool, String> {
        black_box(users::names(user));
        Ok(true)
    }
}
