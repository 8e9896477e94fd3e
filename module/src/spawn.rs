//! Starts the helper, without a trace in the host process.
//!
//! `execve(2)` resets the exit signal of a process to SIGCHLD, so a helper that was a child of the host
//! process would be returned by its `wait(-1)`. Therefore the host process clones itself with exit
//! signal 0, and the clone, which never calls exec, is the parent of the helper ([`intermediate`]).
//!
//! The caller of the host process may have chosen its threads, signal handlers, ids and terminal. The
//! clone resets all of that before it resolves the path of the helper (except for most limits, which
//! the helper sets first). Until exec there are system calls only: another thread of the host process
//! may have held any lock at the time of the clone, so this code neither allocates nor uses libc
//! functions with state. A failed step is reported through the socket ([`failure`]).

use std::{
    ffi::{CStr, c_int, c_long},
    os::fd::{AsRawFd, OwnedFd},
    ptr,
};

use crate::system::errno;

mod descriptors;
mod exec;
mod failure;
mod inherited;
pub(crate) mod intermediate;

pub(crate) use failure::describe;

/// Creates the process that starts the helper and waits for it, and returns its pid or an error number.
pub(crate) fn spawn_helper(path: &CStr, socket: &OwnedFd) -> Result<libc::pid_t, c_int> {
    // With all signals blocked in this thread, no signal handler of the host process runs in the clone.
    // SAFETY: all-zero is a valid sigset_t, which sigfillset fills.
    let (mut all, mut saved): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: valid sets; pthread_sigmask changes the mask of this thread only.
    unsafe {
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut saved);
    }
    let pid = clone();
    if pid == 0 {
        intermediate::run(path, socket.as_raw_fd());
    }
    let error = errno();
    // SAFETY: restores the mask saved above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const saved, ptr::null_mut()) };
    match libc::pid_t::try_from(pid) {
        Ok(pid) if pid > 0 => Ok(pid),
        _ => Err(error),
    }
}

/// `fork(2)` without the handlers of libc, and with exit signal 0: `wait(2)` returns such a child only
/// if called with `__WALL`, and its end sends no SIGCHLD. `clone3` is blocked by some seccomp filters.
fn clone() -> c_long {
    // SAFETY: without CLONE_VM the child has a copy of the memory; a null stack means the same address
    // (clone(2)). The order of the five arguments differs between architectures, but all are 0.
    unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) }
}
