//! The module through libpam, with stacks in a folder of the test: no root needed.

mod arguments;
mod background;
mod btrfs;
mod carrier;
mod details;
mod directory;
mod disk;
mod guesses;
mod handle;
mod happy;
mod hosts;
mod lab_itself;
mod ledger;
pub mod login;
mod lost;
mod names;
mod numbers;
mod password;
mod phone;
mod policy;
mod preconnect;
mod prompt;
mod remembered;
mod repeated;
mod shared_ledger;
mod smallest;
mod storm;
mod texts;
mod total;

use crate::Case;
pub use ledger::with_ledger;
pub use login::{
    ASKS, GRANTED, Login, NO_CODE, NOT_SENT, PASSWORD, SENT, Say, Seen, Someone, TOO_MANY, known,
    someone,
};

pub fn cases() -> Vec<Case> {
    [
        lab_itself::CASES,
        happy::CASES,
        background::CASES,
        arguments::CASES,
        password::CASES,
        names::CASES,
        phone::CASES,
        details::CASES,
        directory::CASES,
        carrier::CASES,
        preconnect::CASES,
        prompt::CASES,
        texts::CASES,
        handle::CASES,
        ledger::CASES,
        numbers::CASES,
        guesses::CASES,
        lost::CASES,
        remembered::CASES,
        total::CASES,
        repeated::CASES,
        smallest::CASES,
        storm::CASES,
        disk::CASES,
        btrfs::CASES,
        shared_ledger::CASES,
        policy::CASES,
        hosts::CASES,
    ]
    .concat()
}
