//! `ptrace(2)` for processes of x86-64.

use std::io::Error;

use libc::{c_int, c_long, c_uint, c_void, pid_t};

/// Why a traced task has stopped.
pub enum Stop {
    Exited(pid_t),
    /// Before or after a system call.
    Call(pid_t),
    /// It has started another task.
    Forked(pid_t, pid_t),
    /// Before the delivery of this signal.
    Signal(pid_t, c_int),
    /// Stopped until SIGCONT.
    Group(pid_t),
    /// Any other stop.
    Other(pid_t),
}

/// The phase of a system call.
pub enum Moment {
    Before { number: i64, arguments: [u64; 6] },
    After { result: i64 },
    Neither,
}

fn request(what: c_uint, pid: pid_t, address: usize, data: usize) -> c_long {
    // SAFETY: the callers pass the address of a valid value if the request writes, and numbers otherwise.
    unsafe { libc::ptrace(what, pid, address as *mut c_void, data as *mut c_void) }
}

/// Starts to trace a process and its future descendants; they are killed when the tracer exits.
pub fn seize(pid: pid_t) {
    let options = libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    let options = usize::try_from(options).expect("flags");
    let seized = request(libc::PTRACE_SEIZE, pid, 0, options);
    assert_eq!(seized, 0, "cannot trace {pid}: {}", Error::last_os_error());
    request(libc::PTRACE_INTERRUPT, pid, 0, 0);
}

/// Waits for the next stop. `None`: all tasks have exited.
pub fn next() -> Option<Stop> {
    let mut status = 0;
    // SAFETY: `status` is a valid pointer.
    let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
    if pid < 0 {
        return None;
    }
    if !libc::WIFSTOPPED(status) {
        return Some(Stop::Exited(pid));
    }
    let signal = libc::WSTOPSIG(status);
    Some(match status >> 16 {
        0 if signal == libc::SIGTRAP | 0x80 => Stop::Call(pid),
        0 => Stop::Signal(pid, signal),
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
            let mut child: libc::c_ulong = 0;
            request(libc::PTRACE_GETEVENTMSG, pid, 0, (&raw mut child) as usize);
            Stop::Forked(pid, pid_t::try_from(child).expect("a process id"))
        }
        libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => Stop::Group(pid),
        _ => Stop::Other(pid),
    })
}

/// Resumes a task until its next call, with a signal unless it is 0.
pub fn resume(pid: pid_t, signal: c_int) {
    let signal = usize::try_from(signal).expect("a signal");
    request(libc::PTRACE_SYSCALL, pid, 0, signal);
}

/// Leaves a task stopped until SIGCONT.
pub fn listen(pid: pid_t) {
    request(libc::PTRACE_LISTEN, pid, 0, 0);
}

/// Returns the phase of the current call of a task.
pub fn moment(pid: pid_t) -> Moment {
    // SAFETY: all-zero is a valid value of these numbers.
    let mut info: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
    let place = (&raw mut info) as usize;
    request(
        libc::PTRACE_GET_SYSCALL_INFO,
        pid,
        size_of_val(&info),
        place,
    );
    // SAFETY: `op` is the member of the union that the kernel has written; all members are numbers.
    unsafe {
        match info.op {
            libc::PTRACE_SYSCALL_INFO_ENTRY => Moment::Before {
                number: signed(info.u.entry.nr),
                arguments: info.u.entry.args,
            },
            libc::PTRACE_SYSCALL_INFO_EXIT => Moment::After {
                result: info.u.exit.sval,
            },
            _ => Moment::Neither,
        }
    }
}

/// Changes the registers of a stopped task.
pub fn change(pid: pid_t, how: impl FnOnce(&mut libc::user_regs_struct)) {
    // SAFETY: all-zero is a valid value of these numbers.
    let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
    let place = (&raw mut registers) as usize;
    if request(libc::PTRACE_GETREGS, pid, 0, place) == 0 {
        how(&mut registers);
        request(libc::PTRACE_SETREGS, pid, 0, place);
    }
}

/// Reads the memory of a task; shorter if a part is not readable.
pub fn read(pid: pid_t, address: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0_u8; length];
    let local = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: length,
    };
    let remote = libc::iovec {
        iov_base: usize::try_from(address).expect("an address") as *mut c_void,
        iov_len: length,
    };
    // SAFETY: writes into the buffer, at most its length.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    bytes.truncate(usize::try_from(read).unwrap_or_default());
    bytes
}

/// Converts the bits of a register to a signed number.
pub const fn signed(bits: u64) -> i64 {
    i64::from_ne_bytes(bits.to_ne_bytes())
}

pub const fn unsigned(number: i64) -> u64 {
    u64::from_ne_bytes(number.to_ne_bytes())
}
