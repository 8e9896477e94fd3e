//! What goes wrong with the file, in words.
#![forbid(unsafe_code)]

use rustix::io::Errno;

use crate::ledger::Error;

/// A system call on `path` failed. `what` was tried: "be written".
#[must_use]
pub fn call(path: &str, what: &str, errno: Errno) -> Error {
    let system = std::io::Error::from_raw_os_error(errno.raw_os_error());
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} cannot {what}: {system}"),
        remedy: match errno {
            Errno::NOSPC | Errno::DQUOT => "make room on that disk".into(),
            Errno::ROFS => {
                "mount that disk writable, or set ledger.path to a folder on another".into()
            }
            Errno::ACCESS | Errno::PERM => {
                "give ledger.path a folder that belongs to the user this runs as (sshd and sudo: \
                 root)"
                    .into()
            }
            Errno::NOENT | Errno::NOTDIR => {
                "make the folder that ledger.path lies in, or set ledger.path to another".into()
            }
            Errno::FBIG => "let the service write larger files (LimitFSIZE=, ulimit -f)".into(),
            _ => "check the disk".into(),
        },
    }
}

/// The file is not what we wrote.
#[must_use]
pub fn damaged(path: &str, how: &str) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} is damaged: {how}"),
        remedy: format!(
            "mv {path} {path}.damaged; the next login begins a new one, and counts and locks are \
             gone"
        ),
    }
}

/// What to do about a file that others could read. Its key is all that hides whom it counts.
#[must_use]
pub fn readable(path: &str) -> String {
    let path = path.escape_debug();
    format!(
        "chmod 0600 {path}; or mv {path} {path}.read for a new key, which gives counts and locks up"
    )
}

/// Of one row, which may be this person's, only so much is known that it is damaged.
#[must_use]
pub fn damaged_row(path: &str) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} is damaged where this person or phone belongs"),
        remedy: format!(
            "sms-otp unlock USER, which begins anew for one person; for all at once mv {path} \
             {path}.damaged, which gives counts and locks up"
        ),
    }
}

/// A newer version's.
#[must_use]
pub fn newer(path: &str, version: u64) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} was written by a newer version (format {version})"),
        remedy: format!(
            "update pam_sms_otp, or mv {path} {path}.newer, which gives counts and locks up"
        ),
    }
}

/// An older version's, which this one does not read.
#[must_use]
pub fn older(path: &str, version: u64) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} was written by an older version (format {version})"),
        remedy: format!(
            "mv {path} {path}.older; the next login begins a new one, and counts and locks are gone"
        ),
    }
}

/// Somebody has a lock and does not let go.
#[must_use]
pub fn held(path: &str, whose: &str) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path}: {whose} is held by a process that stands still"),
        remedy: "try again; if it stays, look for stopped sms-otp-helper processes (ps -eo \
                 pid,stat,args) and end them"
            .into(),
    }
}

/// There is no room for another row.
#[must_use]
pub fn full(path: &str) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} is full"),
        remedy: format!("mv {path} {path}.full, which gives counts and locks up"),
    }
}

/// It was not read within somebody's patience.
#[must_use]
pub fn slow(path: &str) -> Error {
    let path = path.escape_debug();
    Error::Local {
        what: format!("the ledger {path} takes too long to read"),
        remedy: "try again when the disk has less to do".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_administrator_can_do_is_said() {
        let remedy = |errno| call("/x", "be written", errno).remedy().to_owned();
        for (errnos, says) in [
            (&[Errno::NOSPC, Errno::DQUOT][..], "make room"),
            (&[Errno::ROFS], "mount that disk writable"),
            (&[Errno::ACCESS, Errno::PERM], "belongs to the user"),
            (&[Errno::NOENT, Errno::NOTDIR], "make the folder"),
            (&[Errno::FBIG], "larger files"),
            (&[Errno::IO], "check the disk"),
        ] {
            for errno in errnos {
                assert!(remedy(*errno).contains(says), "{errno}: {}", remedy(*errno));
            }
        }
    }
}
