//! Whole logins on a private machine: sshd, sudo, su and login, with a person at a terminal.

mod lab_itself;

use crate::Case;

pub fn cases() -> Vec<Case> {
    lab_itself::CASES.to_vec()
}
