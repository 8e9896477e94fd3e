//! Why the helper could not be started: reported by the process that failed, described by the module.

use std::{ffi::CStr, os::fd::RawFd};

use protocol::SpawnError;
use safe_path::{Errno, Reason, Refusal};

use crate::{error::Error, system::errno};

#[cfg(test)]
mod tests;

/// The values of [`SpawnError::step`].
pub(crate) mod step {
    pub(crate) const IDS: u8 = 1;
    pub(crate) const SESSION: u8 = 2;
    pub(crate) const SOCKET: u8 = 3;
    pub(crate) const RESOLVE: u8 = 4;
    pub(crate) const EXEC: u8 = 5;
    pub(crate) const PROCESS: u8 = 6;
    // Why the path is refused.
    pub(crate) const RELATIVE: u8 = 16;
    pub(crate) const TOO_LONG: u8 = 17;
    pub(crate) const NOT_A_DIRECTORY: u8 = 18;
    pub(crate) const NOT_A_FILE: u8 = 19;
    pub(crate) const OWNER: u8 = 20;
    pub(crate) const WRITABLE: u8 = 21;
}

/// The failure of a step, with the error number of its last system call.
pub(crate) fn last(step: u8) -> SpawnError {
    SpawnError {
        step,
        errno: errno(),
        resolved: 0,
    }
}

/// The refusal of the path.
pub(crate) fn refused(refusal: &Refusal) -> SpawnError {
    let (step, number) = match refusal.reason {
        Reason::Relative => (step::RELATIVE, 0),
        Reason::TooLong => (step::TOO_LONG, 0),
        Reason::Syscall(Errno(errno)) => (step::RESOLVE, errno),
        Reason::NotADirectory => (step::NOT_A_DIRECTORY, 0),
        Reason::NotAFile | Reason::NotASocket => (step::NOT_A_FILE, 0),
        Reason::Owner { uid } => (step::OWNER, signed(uid)),
        Reason::Writable { mode } | Reason::Readable { mode } => (step::WRITABLE, signed(mode)),
    };
    SpawnError {
        step,
        errno: number,
        resolved: u16::try_from(refusal.at).unwrap_or(u16::MAX),
    }
}

/// [`SpawnError::errno`] also carries a user id or a mode, with the same bits.
const fn signed(number: u32) -> i32 {
    i32::from_le_bytes(number.to_le_bytes())
}

const fn unsigned(number: i32) -> u32 {
    u32::from_le_bytes(number.to_le_bytes())
}

/// Sends a failure to the module.
pub(crate) fn report(socket: RawFd, error: SpawnError) {
    let message = error.encode();
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: sends a local array.
    unsafe { libc::send(socket, message.as_ptr().cast(), message.len(), flags) };
}

/// Describes a failure for the log.
pub(crate) fn describe(failure: SpawnError, path: &CStr) -> Error {
    let path = path.to_bytes();
    let resolved = path.get(..usize::from(failure.resolved)).unwrap_or(path);
    let at = String::from_utf8_lossy(if resolved.is_empty() { b"/" } else { resolved });
    let error = || std::io::Error::from_raw_os_error(failure.errno).to_string();
    let local = |what: &str| Error::local([what, &error()].concat());
    Error::helper(match failure.step {
        step::IDS => return local("could not take the effective ids of the host process: "),
        step::SESSION => return local("could not create a session for the helper: "),
        step::PROCESS => return local("could not create a process for the helper: "),
        step::SOCKET => return local("could not move the helper's socket to descriptor 3: "),
        step::RESOLVE => ["could not resolve ", &at, ": ", &error()].concat(),
        step::EXEC => {
            let path = String::from_utf8_lossy(path);
            ["could not execute ", &path, ": ", &error()].concat()
        }
        step::RELATIVE => "helper= requires an absolute path".to_owned(),
        step::TOO_LONG => [&at, ": path too long, or too many symbolic links"].concat(),
        step::NOT_A_DIRECTORY => [&at, " is not a directory"].concat(),
        step::NOT_A_FILE => [&at, " is not a regular file"].concat(),
        step::OWNER => {
            let uid = unsigned(failure.errno).to_string();
            let allowed =
                ", not to root or the user of the host process: change it with chown root";
            [&at, " belongs to uid ", &uid, allowed].concat()
        }
        step::WRITABLE => [&at, " can be written by others: change it with chmod go-w"].concat(),
        _ => "the helper could not be started".to_owned(),
    })
}
