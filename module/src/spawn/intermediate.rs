//! The intermediate process: the parent of the helper, and a child of the host process with exit signal 0.
//!
//! It is a clone of the host process that never calls exec, so `wait(-1)` of the host process does not
//! return it and its end sends no SIGCHLD. It takes the ids of the host's effective user, starts the
//! helper, waits for it and exits. While the helper runs, it has no descriptor open. System calls only,
//! as in all of [`spawn`](super).

use std::{
    ffi::{CStr, c_int, c_long, c_ulong, c_void},
    os::fd::RawFd,
    ptr,
};

use super::{
    descriptors::{self, HELPER_SOCKET},
    exec,
    failure::{self, step},
    inherited,
};
use crate::system::{effective_uid, errno};

/// Asks for the helper to be killed; sent by the module only. The SIGTERM that systemd sends to all
/// processes of a unit stays blocked: the end of the socket ends the helper, which then logs the result
/// of the login.
pub(crate) const KILL_HELPER: c_int = libc::SIGUSR1;

/// Sent by the kernel when the host process ends (or its thread that runs the login).
const PARENT_ENDED: c_int = libc::SIGUSR2;

/// The time for the helper to exit after the end of the host process, in nanoseconds: the end of the
/// socket ends it, and it writes its last log line.
const HELPER_EXIT_NS: c_long = 800_000_000;

/// The stack of the helper process until exec. The path resolution needs four buffers of 4 KB.
const STACK: usize = 64 * 1024;

/// An exit status above this value is a signal, as in a shell.
pub(crate) const SIGNALLED: c_int = 128;

/// Runs the intermediate process to its end.
pub(crate) fn run(path: &CStr, socket: RawFd) -> ! {
    let host = effective_uid();
    let status = match prepare(socket, host) {
        Ok(()) => match start(&Start { path, host }) {
            Some(helper) => {
                // SAFETY: the socket's number; the helper has a descriptor of its own.
                unsafe { libc::close(HELPER_SOCKET) };
                wait(helper)
            }
            None => failed(HELPER_SOCKET, step::PROCESS),
        },
        Err(step) => failed(socket, step),
    };
    // SAFETY: _exit(2) does not return.
    unsafe { libc::_exit(status) }
}

/// Reports a failed step, and returns the exit status.
fn failed(socket: RawFd, step: u8) -> c_int {
    failure::report(socket, failure::last(step));
    SIGNALLED
}

/// Resets the inherited state in this order: the ids, so that the caller of su, whose real user id the
/// process still has, can no longer stop or kill it; the parent death signal, which a change of ids
/// clears; a new session, out of reach of the keys of the terminal.
fn prepare(socket: RawFd, host: u32) -> Result<(), u8> {
    // SAFETY: no pointers; getppid(2) cannot fail.
    let parent = unsafe { libc::getppid() };
    inherited::set_ids(host).map_err(|()| step::IDS)?;
    // SAFETY: numbers only. The memory of the host process must be visible neither in a core file nor to
    // other processes of the user. setsid fails only for a process group leader, which a new child is not.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, PARENT_ENDED) != 0 {
            return Err(step::PROCESS);
        }
        if libc::getppid() != parent {
            libc::_exit(SIGNALLED);
        }
        libc::prctl(libc::PR_SET_DUMPABLE, 0);
        libc::prctl(libc::PR_SET_NAME, c"sms-otp-parent".as_ptr());
        if libc::setsid() < 0 {
            return Err(step::SESSION);
        }
    }
    inherited::set_mask(u64::MAX);
    // If it were ignored, the kernel would reap the helper.
    inherited::default_action(libc::SIGCHLD);
    inherited::set_memory_limits();
    descriptors::keep_socket(socket).map_err(|()| step::SOCKET)
}

struct Start<'p> {
    path: &'p CStr,
    host: u32,
}

/// Starts the helper process. As with `vfork(2)`, it shares the memory of this process until exec, so the
/// page tables of the host process are not copied twice. `None`: errno contains the error.
fn start(start: &Start) -> Option<libc::pid_t> {
    extern "C" fn child(start: *mut c_void) -> c_int {
        // SAFETY: the address of the `Start` below, whose owner is suspended until exec.
        let start = unsafe { &*start.cast::<Start>() };
        exec::run(start.path, start.host)
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the child's stack is new memory and starts at its end; clone(3) is only a few instructions
    // around the system call. Besides its stack the child writes only errno, which it shares.
    let helper = unsafe {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
        );
        let stack = libc::mmap(ptr::null_mut(), STACK, access, kind, -1, 0);
        if stack == libc::MAP_FAILED {
            return None;
        }
        let argument = ptr::from_ref(start).cast_mut().cast();
        libc::clone(child, stack.byte_add(STACK), flags, argument)
    };
    (helper > 0).then_some(helper)
}

/// Waits for the end of the helper, and kills it on request. Returns its exit status, or [`SIGNALLED`]
/// plus the number of the signal that ended it.
fn wait(helper: libc::pid_t) -> c_int {
    let mut timeout: Option<[c_long; 2]> = None;
    loop {
        match next_signal(timeout.as_ref()) {
            libc::SIGCHLD => {
                if let Some(status) = reap(helper, libc::WNOHANG) {
                    return status;
                }
            }
            PARENT_ENDED => timeout = Some([0, HELPER_EXIT_NS]),
            // The process was stopped and continued.
            error if error == -libc::EINTR => {}
            // KILL_HELPER, a time-out, or an error.
            _ => {
                // SAFETY: a child of this process that was not reaped yet.
                unsafe { libc::kill(helper, libc::SIGKILL) };
                return reap(helper, 0).unwrap_or(SIGNALLED);
            }
        }
    }
}

/// Waits for one of the three signals. Returns it, or the negative error number.
fn next_signal(timeout: Option<&[c_long; 2]>) -> c_int {
    let bit = |signal: c_int| {
        let index = signal.unsigned_abs().wrapping_sub(1);
        c_ulong::wrapping_shl(1, index)
    };
    // A signal set of the kernel is an array of longs; 16 bytes are enough on every architecture.
    let mut set: [c_ulong; 4] = [0; 4];
    set[0] = bit(libc::SIGCHLD) | bit(KILL_HELPER) | bit(PARENT_ENDED);
    let timeout = timeout.map_or(ptr::null(), |timeout| timeout.as_ptr());
    // SAFETY: reads the set and the time-out (a timespec of the kernel is two longs), and writes no
    // siginfo.
    let signal = unsafe {
        let no_info = ptr::null_mut::<c_void>();
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            set.as_ptr(),
            no_info,
            timeout,
            inherited::SIGNAL_SET,
        )
    };
    match c_int::try_from(signal) {
        Ok(signal) if signal > 0 => signal,
        _ => errno().wrapping_neg(),
    }
}

/// Reaps the helper; waits for its end unless `options` contains WNOHANG.
fn reap(helper: libc::pid_t, options: c_int) -> Option<c_int> {
    let mut status = 0;
    loop {
        let no_usage = ptr::null_mut::<c_void>();
        // SAFETY: writes one number.
        let reaped =
            unsafe { libc::syscall(libc::SYS_wait4, helper, &raw mut status, options, no_usage) };
        if reaped == c_long::from(helper) {
            let exited = libc::WIFEXITED(status);
            return Some(if exited {
                libc::WEXITSTATUS(status)
            } else {
                SIGNALLED.saturating_add(libc::WTERMSIG(status))
            });
        }
        if reaped == 0 || errno() != libc::EINTR {
            return None;
        }
    }
}
