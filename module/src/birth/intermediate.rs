//! The intermediate process: the helper's parent, and the host process' child with exit signal 0.
//!
//! It is a copy of the host process that never execs, so the host process' `wait(-1)` does not return
//! it and no SIGCHLD reports its end. It takes the ids of the host's effective user, starts the helper,
//! waits for it and exits. With the helper running it has no descriptor. System calls only, as in all
//! of [`birth`](super): another thread of the host process may have held any lock when it was made.

use std::{
    ffi::{CStr, c_int, c_long, c_ulong, c_void},
    os::fd::RawFd,
    ptr,
};

use super::{WIRE, become_helper, descriptors, failed, inherited, report, step};
use crate::helper::errno;

/// Requests that the helper be killed; only the module sends it. systemd's SIGTERM to a whole unit is
/// not answered: the end of the wire ends the helper, which then logs how the login ended.
pub const KILL_HELPER: c_int = libc::SIGUSR1;

/// What the kernel sends when the host process has ended (or the thread of it that logs in).
const PARENT_ENDED: c_int = libc::SIGUSR2;

/// How long the helper may take to end by the wire's end once the host process has ended: it writes the
/// login's last line meanwhile.
const GRACE: c_long = 800_000_000;

/// The stack of the helper's process until it execs: the walk along the helper's path has four paths
/// of 4 KB on it.
const STACK: usize = 64 * 1024;

/// Exit statuses above this one are signals, as in a shell.
pub const SIGNALLED: c_int = 128;

/// The whole life of the intermediate process.
pub fn run(path: &CStr, wire: RawFd) -> ! {
    let host = super::effective_uid();
    let status = match prepare(wire, host) {
        Ok(()) => match start(&Start { path, host }) {
            Some(helper) => {
                // SAFETY: the wire's place; the helper has its own descriptor for it.
                unsafe { libc::close(WIRE) };
                wait(helper)
            }
            None => reported(WIRE, step::PROCESS),
        },
        Err(step) => reported(wire, step),
    };
    // SAFETY: _exit(2) does not return.
    unsafe { libc::_exit(status) }
}

fn reported(wire: RawFd, step: u8) -> c_int {
    report(wire, failed(step));
    SIGNALLED
}

/// Ids first, so that the caller of su, whose real uid this still is, can no longer stop or kill it;
/// then the parent's death, which a change of ids makes nothing to it; then a session of its own, out
/// of reach of the terminal's keys.
fn prepare(wire: RawFd, host: u32) -> Result<(), u8> {
    // SAFETY: no pointers; getppid(2) cannot fail.
    let parent = unsafe { libc::getppid() };
    inherited::ids(host).map_err(|()| step::IDS)?;
    // SAFETY: numbers only. A host process' memory is nothing that a core file or another process of
    // the same user may have; setsid fails for a process group's leader only, which a new child is not.
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
    // Where it is ignored, children are reaped by themselves.
    inherited::default_action(libc::SIGCHLD);
    inherited::room();
    descriptors::keep_wire(wire).map_err(|()| step::WIRE)
}

struct Start<'p> {
    path: &'p CStr,
    host: u32,
}

/// Starts the helper. It borrows this process' memory until it execs or ends, as with `vfork(2)`: the
/// host process' pages are not copied twice. `None`: errno says why not.
fn start(start: &Start) -> Option<libc::pid_t> {
    extern "C" fn child(start: *mut c_void) -> c_int {
        // SAFETY: the address of the `Start` below, whose owner waits until this process has another
        // memory.
        let start = unsafe { &*start.cast::<Start>() };
        become_helper(start.path, start.host)
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: new memory, of which the child's stack begins at the end; clone(3) itself is a few
    // instructions around the call. The child touches nothing else but its own errno, which is this
    // process' too.
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

/// Waits for the helper's end, and brings it about where that is asked for. Returns the helper's exit
/// status, or the signal that ended it above [`SIGNALLED`].
fn wait(helper: libc::pid_t) -> c_int {
    let mut time: Option<[c_long; 2]> = None;
    loop {
        match signal(time.as_ref()) {
            libc::SIGCHLD => {
                if let Some(status) = reap(helper, libc::WNOHANG) {
                    return status;
                }
            }
            PARENT_ENDED => time = Some([0, GRACE]),
            // Continued after a stop.
            error if error == -libc::EINTR => {}
            // It is asked for, the time is over, or this kernel does not answer.
            _ => {
                // SAFETY: a child of this process that has not been reaped.
                unsafe { libc::kill(helper, libc::SIGKILL) };
                return reap(helper, 0).unwrap_or(SIGNALLED);
            }
        }
    }
}

/// Takes the next of the three signals, or the negative error number.
fn signal(time: Option<&[c_long; 2]>) -> c_int {
    let bit = |signal: c_int| {
        let place = signal.unsigned_abs().wrapping_sub(1);
        c_ulong::wrapping_shl(1, place)
    };
    // The kernel's set is an array of longs; 16 bytes hold every architecture's.
    let mut set: [c_ulong; 4] = [0; 4];
    set[0] = bit(libc::SIGCHLD) | bit(KILL_HELPER) | bit(PARENT_ENDED);
    let time = time.map_or(ptr::null(), |time| time.as_ptr());
    // SAFETY: reads the set and the time (a kernel's timespec is two longs), and writes no siginfo.
    let signal = unsafe {
        let nothing = ptr::null_mut::<c_void>();
        libc::syscall(
            libc::SYS_rt_sigtimedwait,
            set.as_ptr(),
            nothing,
            time,
            inherited::SIGNAL_SET,
        )
    };
    match c_int::try_from(signal) {
        Ok(signal) if signal > 0 => signal,
        _ => errno().wrapping_neg(),
    }
}

/// Reaps the helper if it has ended, or waits for that.
fn reap(helper: libc::pid_t, options: c_int) -> Option<c_int> {
    let mut status = 0;
    loop {
        let nothing = ptr::null_mut::<c_void>();
        // SAFETY: writes one number.
        let reaped =
            unsafe { libc::syscall(libc::SYS_wait4, helper, &raw mut status, options, nothing) };
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
