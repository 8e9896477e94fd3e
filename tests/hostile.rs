//! The hostile host and the failing network: each sentence on what we defend against has its run here.

mod libraries;
mod memory;
mod races;
mod stacks;
mod timing;
mod untraceable;
pub mod walls;
mod words;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [
        libraries::CASES,
        memory::CASES,
        races::CASES,
        stacks::CASES,
        timing::CASES,
        untraceable::CASES,
        walls::CASES,
        words::CASES,
    ]
    .concat()
}
