//! The hostile host and the failing network: each sentence on what we defend against has its run here.

mod libraries;
mod stacks;
pub mod walls;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [libraries::CASES, stacks::CASES, walls::CASES].concat()
}
