//! Waits for a socket.
#![forbid(unsafe_code)]

use std::{io, os::fd::OwnedFd};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::deadline::{Deadline, Wait};

/// Waits until a socket can be read or written. `wait` is the wait that ends at `by`; it may have begun
/// earlier.
pub(super) fn wait_until_ready(
    socket: &OwnedFd,
    flags: PollFlags,
    by: Deadline,
    wait: Wait,
) -> io::Result<()> {
    loop {
        let left = by.left();
        if left.is_zero() {
            return Err(expired(wait));
        }
        // No deadline is too far away for a timespec.
        let left = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut [PollFd::new(socket, flags)], Some(&left)) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The error of a wait that has reached its end.
pub(super) fn expired(wait: Wait) -> io::Error {
    failed(wait, io::ErrorKind::TimedOut.into())
}

/// The error of a wait that has failed: this machine's if it ended too late, whatever the peer did by then.
pub(super) fn failed(wait: Wait, error: io::Error) -> io::Error {
    wait.late().map_or(error, io::Error::other)
}
