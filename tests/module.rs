//! The module through libpam, with stacks in a folder of ours: no root needed.

mod arguments;
mod carrier;
mod directory;
mod handle;
mod happy;
mod hosts;
mod lab_itself;
mod login;
mod password;
mod phone;
mod policy;
mod prompt;
mod texts;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [
        lab_itself::CASES,
        happy::CASES,
        arguments::CASES,
        password::CASES,
        phone::CASES,
        directory::CASES,
        carrier::CASES,
        prompt::CASES,
        texts::CASES,
        handle::CASES,
        policy::CASES,
        hosts::CASES,
    ]
    .concat()
}
