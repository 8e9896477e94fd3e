//! seccomp: system calls that this process never makes end it; a few that a library may try are
//! refused (`seccomp(2)`).
//!
//! Name services are libraries of the machine's own choice, so what is not known to be evil is let
//! through: this wall is against who wants to execute, trace, load, mount, become somebody or reach
//! another process. An own program for the kernel, because the libraries for it know three
//! processors, or overlook the second set of numbers that x86-64 has.

use std::io::Error;

use libc::{c_long, sock_filter};

mod lists;
#[cfg(test)]
mod tests;
mod tree;

use lists::{ALWAYS_REFUSED, EVIL, NEWER};

/// `AUDIT_ARCH_…` of linux/audit.h: an ELF machine, and flags for 64 bits and little-endian. `None`:
/// the filter would not know whose numbers it sees.
const ARCH: Option<u32> = if cfg!(all(target_arch = "x86_64", target_pointer_width = "64")) {
    Some(0xc000_003e)
} else if cfg!(target_arch = "aarch64") {
    Some(0xc000_00b7)
} else if cfg!(target_arch = "riscv64") {
    Some(0xc000_00f3)
} else if cfg!(target_arch = "loongarch64") {
    Some(0xc000_0102)
} else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
    Some(0xc000_0015)
} else if cfg!(target_arch = "s390x") {
    Some(0x8000_0016)
} else if cfg!(target_arch = "arm") {
    Some(0x4000_0028)
} else if cfg!(target_arch = "x86") {
    Some(0x4000_0003)
} else {
    None
};

/// On x86-64, numbers from here on are calls of another kind (x32), which nobody here makes.
const X32: u32 = 0x4000_0000;

// Where things stand in the kernel's seccomp_data (linux/seccomp.h).
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;
const ARGUMENTS: u32 = 16;

// bpf(2), linux/filter.h
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY: u16 = 0x45;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

/// A program for the kernel.
#[derive(Default)]
struct Program(Vec<sock_filter>);

impl Program {
    fn step(&mut self, code: u16, k: u32) {
        self.jump(code, k, 0, 0);
    }

    fn jump(&mut self, code: u16, k: u32, if_so: u8, if_not: u8) {
        self.0.push(sock_filter {
            code,
            jt: if_so,
            jf: if_not,
            k,
        });
    }

    fn end(&mut self, verdict: u32) {
        self.step(RETURN, verdict);
    }

    /// A call that ends so, whatever its arguments are.
    fn call(&mut self, number: c_long, verdict: u32) {
        self.jump(IF_EQUAL, low(number), 0, 1);
        self.end(verdict);
    }

    /// A call that is judged by its arguments. The judgement ends in a verdict.
    fn judged(&mut self, number: c_long, judge: impl FnOnce(&mut Self)) {
        let mut judgement = Self::default();
        judge(&mut judgement);
        let length = u8::try_from(judgement.0.len()).unwrap_or(u8::MAX);
        self.jump(IF_EQUAL, low(number), 0, length);
        self.0.append(&mut judgement.0);
    }

    /// Lets through where what was loaded is one of these; the judgement goes on where it is none.
    fn allow(&mut self, values: impl IntoIterator<Item = u32>) {
        for value in values {
            self.jump(IF_EQUAL, value, 0, 1);
            self.end(ALLOW);
        }
    }

    /// Refuses where what was loaded is one of these; the judgement goes on where it is none.
    fn refuse_any(&mut self, values: &[u32]) {
        for value in values {
            self.jump(IF_EQUAL, *value, 0, 1);
            self.end(refuse(libc::EPERM));
        }
    }

    /// Lets the judgement go on only where what was loaded is this.
    fn only(&mut self, value: u32, otherwise: u32) {
        self.jump(IF_EQUAL, value, 1, 0);
        self.end(otherwise);
    }

    /// The lower half of an argument; the kernel's own view of what is an `int`.
    fn argument(&mut self, index: u32) {
        self.half(index, cfg!(target_endian = "big"));
    }

    fn upper_half(&mut self, index: u32) {
        self.half(index, cfg!(target_endian = "little"));
    }

    fn half(&mut self, index: u32, second: bool) {
        let at = index
            .saturating_mul(8)
            .saturating_add(if second { 4 } else { 0 });
        self.step(LOAD, ARGUMENTS.saturating_add(at));
    }
}

/// Numbers and flags are small and positive.
fn low(number: c_long) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Whether kernel and processor have this wall.
pub fn known() -> Result<bool, String> {
    if ARCH.is_none() {
        return Ok(false);
    }
    let action = KILL;
    // SAFETY: reads one number, and only answers (seccomp(2)).
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    if answer == 0 {
        return Ok(true);
    }
    let error = Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EOPNOTSUPP) => Ok(false),
        _ => Err(format!("seccomp: {error}")),
    }
}

/// Puts the filter around this thread, and so around those that it begins.
pub fn raise() -> Result<(), String> {
    let Some(arch) = ARCH else { return Ok(()) };
    if !known()? {
        return Ok(());
    }
    let mut program = program(arch, std::process::id())?;
    let length = u16::try_from(program.0.len()).map_err(|_| "seccomp: the filter is too long")?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.0.as_mut_ptr(),
    };
    // SAFETY: the kernel copies `length` steps from where they stand.
    let done = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    if done == 0 {
        return Ok(());
    }
    let error = Error::last_os_error();
    Err(format!("seccomp: {error}"))
}

fn program(arch: u32, own: u32) -> Result<Program, String> {
    let mut program = Program::default();
    program.step(LOAD, MACHINE);
    program.jump(IF_EQUAL, arch, 1, 0);
    program.end(KILL);
    program.step(LOAD, NUMBER);
    if cfg!(target_arch = "x86_64") {
        program.jump(IF_AT_LEAST, X32, 0, 1);
        program.end(KILL);
    }
    program.jump(IF_AT_LEAST, low(NEWER), 0, 1);
    program.end(refuse(libc::ENOSYS));
    tree::kill(&mut program, EVIL)?;
    for (number, errno) in ALWAYS_REFUSED {
        program.call(*number, refuse(*errno));
    }
    processes(&mut program, own);
    memory(&mut program);
    files_and_sockets(&mut program);
    program.end(ALLOW);
    Ok(program)
}

/// Threads and no processes; signals to this one alone; nothing that loosens a wall.
fn processes(program: &mut Program, own: u32) {
    let flags = u32::from(cfg!(target_arch = "s390x"));
    program.judged(libc::SYS_clone, |judge| {
        judge.argument(flags);
        judge.jump(IF_ANY, libc::CLONE_THREAD.unsigned_abs(), 0, 1);
        judge.end(ALLOW);
        judge.end(KILL);
    });
    for signal in [libc::SYS_kill, libc::SYS_tgkill] {
        program.judged(signal, |judge| {
            judge.argument(0);
            judge.allow([own]);
            judge.end(KILL);
        });
    }
    program.judged(libc::SYS_prctl, |judge| {
        judge.argument(0);
        let harmless = [
            libc::PR_SET_NAME,
            libc::PR_GET_NAME,
            libc::PR_SET_VMA,
            libc::PR_CAPBSET_READ,
        ];
        judge.allow(harmless.map(i32::unsigned_abs));
        judge.end(refuse(libc::EPERM));
    });
    // Limits are read (a null pointer for the new one), of this process only.
    program.judged(libc::SYS_prlimit64, |judge| {
        judge.argument(0);
        judge.only(0, refuse(libc::EPERM));
        judge.argument(2);
        judge.only(0, refuse(libc::EPERM));
        judge.upper_half(2);
        judge.only(0, refuse(libc::EPERM));
        judge.end(ALLOW);
    });
}

/// Code comes from files that are mapped, and those cannot be written here: never from memory.
fn memory(program: &mut Program) {
    let (write, execute) = (
        libc::PROT_WRITE.unsigned_abs(),
        libc::PROT_EXEC.unsigned_abs(),
    );
    for change in lists::PROTECT {
        program.judged(*change, |judge| {
            judge.argument(2);
            judge.jump(IF_ANY, execute, 0, 1);
            judge.end(refuse(libc::EACCES));
            judge.end(ALLOW);
        });
    }
    program.judged(lists::MMAP, |judge| {
        judge.argument(2);
        judge.jump(IF_ANY, execute, 1, 0);
        judge.end(ALLOW);
        judge.jump(IF_ANY, write, 0, 1);
        judge.end(refuse(libc::EACCES));
        judge.argument(3);
        judge.jump(IF_ANY, libc::MAP_ANONYMOUS.unsigned_abs(), 0, 1);
        judge.end(refuse(libc::EACCES));
        judge.end(ALLOW);
    });
}

/// Sockets of name services, of the log and of servers. A stream is TCP's own: other protocols with the
/// same families (MPTCP, SCTP, SMC) connect past Landlock's wall around ports.
fn sockets(judge: &mut Program) {
    let kind = 0xf;
    judge.argument(0);
    judge.allow([libc::AF_UNIX, libc::AF_NETLINK].map(i32::unsigned_abs));
    // Two steps on: past the refusal.
    judge.jump(IF_EQUAL, libc::AF_INET.unsigned_abs(), 2, 0);
    judge.jump(IF_EQUAL, libc::AF_INET6.unsigned_abs(), 1, 0);
    judge.end(refuse(libc::EAFNOSUPPORT));
    judge.argument(1);
    judge.step(AND, kind);
    judge.allow([libc::SOCK_DGRAM.unsigned_abs()]);
    judge.only(libc::SOCK_STREAM.unsigned_abs(), refuse(libc::EAFNOSUPPORT));
    judge.argument(2);
    judge.allow([0, libc::IPPROTO_TCP.unsigned_abs()]);
    judge.end(refuse(libc::EPROTONOSUPPORT));
}

/// Files are read; sockets are those of name services, of the log and of servers. The kernel's own
/// wall around files (Landlock) says the same where it is to be had.
fn files_and_sockets(program: &mut Program) {
    let changes = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC).unsigned_abs();
    let reads = |judge: &mut Program, flags| {
        judge.argument(flags);
        judge.jump(IF_ANY, changes, 0, 1);
        judge.end(refuse(libc::EACCES));
        judge.end(ALLOW);
    };
    program.judged(libc::SYS_openat, |judge| reads(judge, 2));
    for open in lists::OPEN {
        program.judged(*open, |judge| reads(judge, 1));
    }
    program.judged(libc::SYS_socket, sockets);
    for (send, flags) in [
        (libc::SYS_sendto, 3),
        (libc::SYS_sendmsg, 2),
        (libc::SYS_sendmmsg, 3),
    ] {
        // A datagram to an address that connects by the way: Landlock sees no connecting in it.
        program.judged(send, |judge| {
            judge.argument(flags);
            judge.jump(IF_ANY, libc::MSG_FASTOPEN.unsigned_abs(), 0, 1);
            judge.end(refuse(libc::EPERM));
            judge.end(ALLOW);
        });
    }
    program.judged(libc::SYS_ioctl, |judge| {
        // Typing into somebody's terminal.
        judge.argument(1);
        for command in [0x5412, 0x541c] {
            judge.jump(IF_EQUAL, command, 0, 1);
            judge.end(KILL);
        }
        judge.refuse_any(lists::SIGNAL_OWNER_IOCTL);
        judge.end(ALLOW);
    });
    for fcntl in lists::FCNTL {
        program.judged(*fcntl, |judge| {
            judge.argument(1);
            judge.refuse_any(lists::SIGNAL_OWNER_FCNTL);
            judge.end(ALLOW);
        });
    }
}
