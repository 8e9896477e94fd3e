//! All failures of the ledger file: what happened, and what the administrator can do about it.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use rustix::io::Errno;

use crate::{
    config::Unsafe,
    failure::{Failure, FailureKind},
    ledger::failures::failure,
};

fn local(what: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Failure {
    failure(FailureKind::Local, what, remedy)
}

/// A failure of the file at `path`. `what` continues "the ledger PATH".
fn of_file(path: &str, what: &str, remedy: impl Into<Cow<'static, str>>) -> Failure {
    let path = path.escape_debug();
    local(format!("the ledger {path}{what}"), remedy)
}

/// A failure that only a new file ends: the old one is renamed to PATH.`suffix`.
fn new_file_needed(path: &str, what: &str, suffix: &str) -> Failure {
    let shown = path.escape_debug();
    let remedy = format!(
        "mv {shown} {shown}.{suffix} (the next login creates a new file; all counts and locks are lost)"
    );
    of_file(path, what, remedy)
}

/// A system call on `path` failed. `what` was attempted: "be written".
#[must_use]
pub fn system_call(path: &str, what: &str, errno: Errno) -> Failure {
    let remedy = match errno {
        Errno::NOSPC | Errno::DQUOT => "free some space on that disk",
        Errno::ROFS => "mount that disk writable, or set ledger.path to a directory on another one",
        Errno::ACCESS | Errno::PERM => {
            "set ledger.path to a directory owned by the user that the host process runs as (sshd \
             and sudo: root)"
        }
        Errno::NOENT | Errno::NOTDIR => {
            "create the parent directory of ledger.path, or set ledger.path to another directory"
        }
        Errno::FBIG => "allow the service to write larger files (LimitFSIZE=, ulimit -f)",
        _ => "check the disk",
    };
    let error = std::io::Error::from_raw_os_error(errno.raw_os_error());
    of_file(path, &format!(" cannot {what}: {error}"), remedy)
}

/// Other users may have written or read the file, or one of its directories.
#[must_use]
pub fn not_trusted(path: &str, why: &Unsafe, remedy: String) -> Failure {
    of_file(path, &format!(": {why}"), remedy)
}

/// What to do about a file that other users may have read: its key hides which users it counts.
#[must_use]
pub fn readable(path: &str) -> String {
    let path = path.escape_debug();
    format!(
        "chmod 0600 {path}; or mv {path} {path}.read for a new key (all counts and locks are lost)"
    )
}

/// The id of this boot cannot be read.
#[must_use]
pub fn no_boot_id(error: &std::io::Error) -> Failure {
    local(
        format!("the id of this boot cannot be read: {error}"),
        "mount /proc",
    )
}

/// The file does not contain what this module writes.
#[must_use]
pub fn damaged(path: &str, how: &str) -> Failure {
    new_file_needed(path, &format!(" is damaged: {how}"), "damaged")
}

/// A row that may be this user's is damaged.
#[must_use]
pub fn damaged_row(path: &str) -> Failure {
    let shown = path.escape_debug();
    of_file(
        path,
        " is damaged where this user or phone belongs",
        format!(
            "sms-otp unlock USER, which gives one user a new row; for all users at once: mv {shown} \
             {shown}.damaged (all counts and locks are lost)"
        ),
    )
}

/// The file has a format that this version does not know yet.
#[must_use]
pub fn newer(path: &str, version: u64) -> Failure {
    let shown = path.escape_debug();
    of_file(
        path,
        &format!(" was written by a newer version (format {version})"),
        format!("update pam_sms_otp; or mv {shown} {shown}.newer (all counts and locks are lost)"),
    )
}

/// The file has a format that this version does not read any more.
#[must_use]
pub fn older(path: &str, version: u64) -> Failure {
    let what = format!(" was written by an older version (format {version})");
    new_file_needed(path, &what, "older")
}

/// A lock was not released in time. `what` is locked: "this user".
#[must_use]
pub fn lock_timeout(path: &str, what: &str) -> Failure {
    of_file(
        path,
        &format!(": the lock on {what} is held by another process, which seems to be stopped"),
        "try again; if it stays locked, find stopped sms-otp-helper processes (ps -eo \
         pid,stat,args) and kill them",
    )
}

/// There is no space for another row.
#[must_use]
pub fn full(path: &str) -> Failure {
    new_file_needed(path, " is full", "full")
}

/// Reading the whole file took longer than the caller waits.
#[must_use]
pub fn slow(path: &str) -> Failure {
    let what = " takes too long to read";
    of_file(path, what, "try again when the disk is less busy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_error_has_a_remedy() {
        for (errnos, contains) in [
            (&[Errno::NOSPC, Errno::DQUOT][..], "free some space"),
            (&[Errno::ROFS], "mount that disk writable"),
            (&[Errno::ACCESS, Errno::PERM], "owned by the user"),
            (
                &[Errno::NOENT, Errno::NOTDIR],
                "create the parent directory",
            ),
            (&[Errno::FBIG], "larger files"),
            (&[Errno::IO], "check the disk"),
        ] {
            for errno in errnos {
                let remedy = system_call("/x", "be written", *errno).remedy;
                assert!(remedy.contains(contains), "{errno}: {remedy}");
            }
        }
    }
}
