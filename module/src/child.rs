//! The intermediate process as seen by the host process: a child with exit signal 0.

use std::{
    ffi::{c_int, c_long},
    time::Duration,
};

use crate::{
    spawn::intermediate::SIGNALLED,
    system::{errno, now},
};

/// The shortest and the longest pause between two checks whether the process has ended, in nanoseconds.
/// Its end sends no signal and makes no descriptor readable; usually it ends within the first pauses.
const PAUSES: (c_long, c_long) = (100_000, 5_000_000);

/// The intermediate process. The `wait(2)` calls of the host process do not return it, so its pid
/// belongs to it until it is reaped here.
pub(crate) struct Child {
    pid: libc::pid_t,
    is_reaped: bool,
}

/// How the helper ended, according to the exit status of its parent.
pub(crate) enum Exit {
    Status(c_int),
    Signal(c_int),
    /// The host process reaped the child itself (`__WALL`).
    Unknown,
}

impl Child {
    /// The process `pid`, a child of this process.
    pub(crate) const fn new(pid: libc::pid_t) -> Self {
        Self {
            pid,
            is_reaped: false,
        }
    }

    pub(crate) const fn is_reaped(&self) -> bool {
        self.is_reaped
    }

    pub(crate) fn kill(&self, signal: c_int) {
        // SAFETY: numbers only; the pid belongs to the child until it is reaped.
        unsafe { libc::kill(self.pid, signal) };
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.wait(libc::WNOWAIT).is_some()
    }

    /// Reaps the process, and waits for its end at most `timeout`.
    pub(crate) fn reap_within(&mut self, timeout: Duration) -> Option<Exit> {
        let (mut pause, max_pause) = PAUSES;
        let start = now();
        loop {
            if let Some(exit) = self.wait(0) {
                self.is_reaped = true;
                return Some(exit);
            }
            if now().saturating_sub(start) >= timeout {
                return None;
            }
            let time = libc::timespec {
                tv_sec: 0,
                tv_nsec: pause,
            };
            // SAFETY: reads one timespec. A signal of the host process may end the pause early.
            unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
            pause = pause.saturating_mul(2).min(max_pause);
        }
    }

    /// Returns how the process ended, or `None` while it runs.
    fn wait(&self, option: c_int) -> Option<Exit> {
        loop {
            // SAFETY: all-zero is a valid siginfo_t, and waitid(2) only writes to it.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let id = libc::id_t::try_from(self.pid).unwrap_or_default();
            let options = libc::WEXITED | libc::__WALL | libc::WNOHANG | option;
            // SAFETY: `info` is valid.
            let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) };
            if result != 0 {
                match errno() {
                    libc::EINTR => continue,
                    _ => return Some(Exit::Unknown),
                }
            }
            // SAFETY: waitid(2) has set these fields, or they are zero.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            let exit = match info.si_code {
                libc::CLD_EXITED if status <= SIGNALLED => Exit::Status(status),
                libc::CLD_EXITED => Exit::Signal(status.saturating_sub(SIGNALLED)),
                _ => Exit::Signal(status),
            };
            return (pid != 0).then_some(exit);
        }
    }
}
