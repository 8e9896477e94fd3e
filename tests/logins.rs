//! Whole logins on a private machine: sshd, sudo, su and login, with a user at a terminal.

mod console;
mod ftp;
mod lab_itself;
mod remember;
mod ssh_gone;
mod ssh_password;
mod ssh_proved;
pub mod steps;
mod su;
mod sudo;

use crate::Case;

pub fn cases() -> Vec<Case> {
    [
        lab_itself::CASES,
        ssh_password::CASES,
        ssh_proved::CASES,
        ssh_gone::CASES,
        sudo::CASES,
        su::CASES,
        console::CASES,
        ftp::CASES,
        remember::CASES,
    ]
    .concat()
}
