//! seccomp: kills the process at system calls that it never makes, and refuses those that a library may
//! try (`seccomp(2)`).
//!
//! The machine's name services are arbitrary libraries, so the filter is a deny list: it prevents a
//! compromised helper from executing, tracing, loading, mounting, changing its user, and reaching other
//! processes. It is not built with a library because those support three architectures only, or ignore
//! the second set of system call numbers of x86-64.

use std::io::Error;

mod lists;
mod program;
#[cfg(test)]
mod tests;
mod tree;

use lists::{ALWAYS_REFUSED, FIRST_UNKNOWN, KILL_SYSCALLS};
use program::{
    ALLOW, AND, IF_ANY, IF_AT_LEAST, IF_EQUAL, KILL, LOAD, MACHINE, NUMBER, Program, low, refuse,
};

/// `AUDIT_ARCH_…` (linux/audit.h): the ELF machine, and flags for 64 bits and little-endian. `None`: the
/// system call numbers of this architecture are not verified, so there is no filter.
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

/// On x86-64, the numbers from here on are those of the x32 ABI, which the helper does not use.
const X32: u32 = 0x4000_0000;

/// Whether kernel and architecture support the filter.
pub(super) fn is_supported() -> Result<bool, String> {
    if ARCH.is_none() {
        return Ok(false);
    }
    let action = KILL;
    // SAFETY: reads one number and changes nothing (seccomp(2)).
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    if result == 0 {
        return Ok(true);
    }
    let error = Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EOPNOTSUPP) => Ok(false),
        _ => Err(format!("seccomp: {error}")),
    }
}

/// Installs the filter for this thread and those that it starts.
pub(super) fn enforce() -> Result<(), String> {
    let Some(arch) = ARCH else { return Ok(()) };
    if !is_supported()? {
        return Ok(());
    }
    let mut program = build(arch, std::process::id())?;
    let length = u16::try_from(program.0.len()).map_err(|_| "seccomp: the filter is too long")?;
    let filter = libc::sock_fprog {
        len: length,
        filter: program.0.as_mut_ptr(),
    };
    // SAFETY: the kernel copies `length` instructions from this address.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = Error::last_os_error();
    Err(format!("seccomp: {error}"))
}

fn build(arch: u32, own: u32) -> Result<Program, String> {
    let mut program = Program::default();
    program.step(LOAD, MACHINE);
    program.jump(IF_EQUAL, arch, 1, 0);
    program.end(KILL);
    program.step(LOAD, NUMBER);
    if cfg!(target_arch = "x86_64") {
        program.jump(IF_AT_LEAST, X32, 0, 1);
        program.end(KILL);
    }
    program.jump(IF_AT_LEAST, low(FIRST_UNKNOWN), 0, 1);
    program.end(refuse(libc::ENOSYS));
    tree::kill(&mut program, KILL_SYSCALLS)?;
    for (number, errno) in ALWAYS_REFUSED {
        program.call(*number, refuse(*errno));
    }
    processes(&mut program, own);
    memory(&mut program);
    files_and_sockets(&mut program);
    program.end(ALLOW);
    Ok(program)
}

/// Allows threads but no processes, signals to this process only, and no change of limits.
fn processes(program: &mut Program, own: u32) {
    let flags = u32::from(cfg!(target_arch = "s390x"));
    program.checked(libc::SYS_clone, |check| {
        check.argument(flags);
        check.jump(IF_ANY, libc::CLONE_THREAD.unsigned_abs(), 0, 1);
        check.end(ALLOW);
        check.end(KILL);
    });
    for signal in [libc::SYS_kill, libc::SYS_tgkill] {
        program.checked(signal, |check| {
            check.argument(0);
            check.allow([own]);
            check.end(KILL);
        });
    }
    program.checked(libc::SYS_prctl, |check| {
        check.argument(0);
        let harmless = [
            libc::PR_SET_NAME,
            libc::PR_GET_NAME,
            libc::PR_SET_VMA,
            libc::PR_CAPBSET_READ,
        ];
        check.allow(harmless.map(i32::unsigned_abs));
        check.end(refuse(libc::EPERM));
    });
    // Limits of this process are read only (a null pointer for the new limit).
    program.checked(libc::SYS_prlimit64, |check| {
        check.argument(0);
        check.only(0, refuse(libc::EPERM));
        check.argument(2);
        check.only(0, refuse(libc::EPERM));
        check.upper_half(2);
        check.only(0, refuse(libc::EPERM));
        check.end(ALLOW);
    });
}

/// Allows executable memory only as a mapping of a file, which this process cannot write.
fn memory(program: &mut Program) {
    let (write, execute) = (
        libc::PROT_WRITE.unsigned_abs(),
        libc::PROT_EXEC.unsigned_abs(),
    );
    for change in lists::PROTECT {
        program.checked(*change, |check| {
            check.argument(2);
            check.jump(IF_ANY, execute, 0, 1);
            check.end(refuse(libc::EACCES));
            check.end(ALLOW);
        });
    }
    program.checked(lists::MMAP, |check| {
        check.argument(2);
        check.jump(IF_ANY, execute, 1, 0);
        check.end(ALLOW);
        check.jump(IF_ANY, write, 0, 1);
        check.end(refuse(libc::EACCES));
        check.argument(3);
        check.jump(IF_ANY, libc::MAP_ANONYMOUS.unsigned_abs(), 0, 1);
        check.end(refuse(libc::EACCES));
        check.end(ALLOW);
    });
}

/// Allows the sockets of name services, the log and the servers. Streams are TCP only: Landlock does not
/// restrict the ports of other protocols (MPTCP, SCTP, SMC).
fn sockets(check: &mut Program) {
    let kind = 0xf;
    check.argument(0);
    check.allow([libc::AF_UNIX, libc::AF_NETLINK].map(i32::unsigned_abs));
    // Skip the refusal.
    check.jump(IF_EQUAL, libc::AF_INET.unsigned_abs(), 2, 0);
    check.jump(IF_EQUAL, libc::AF_INET6.unsigned_abs(), 1, 0);
    check.end(refuse(libc::EAFNOSUPPORT));
    check.argument(1);
    check.step(AND, kind);
    check.allow([libc::SOCK_DGRAM.unsigned_abs()]);
    check.only(libc::SOCK_STREAM.unsigned_abs(), refuse(libc::EAFNOSUPPORT));
    check.argument(2);
    check.allow([0, libc::IPPROTO_TCP.unsigned_abs()]);
    check.end(refuse(libc::EPROTONOSUPPORT));
}

/// Allows opening files for reading only, as Landlock does if the kernel supports it, and restricts
/// sockets and the commands for descriptors.
fn files_and_sockets(program: &mut Program) {
    let changes = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC).unsigned_abs();
    let reads = |check: &mut Program, flags| {
        check.argument(flags);
        check.jump(IF_ANY, changes, 0, 1);
        check.end(refuse(libc::EACCES));
        check.end(ALLOW);
    };
    program.checked(libc::SYS_openat, |check| reads(check, 2));
    for open in lists::OPEN {
        program.checked(*open, |check| reads(check, 1));
    }
    program.checked(libc::SYS_socket, sockets);
    for (send, flags) in [
        (libc::SYS_sendto, 3),
        (libc::SYS_sendmsg, 2),
        (libc::SYS_sendmmsg, 3),
    ] {
        // MSG_FASTOPEN connects while sending, which Landlock does not check.
        program.checked(send, |check| {
            check.argument(flags);
            check.jump(IF_ANY, libc::MSG_FASTOPEN.unsigned_abs(), 0, 1);
            check.end(refuse(libc::EPERM));
            check.end(ALLOW);
        });
    }
    program.checked(libc::SYS_ioctl, |check| {
        // TIOCSTI and TIOCLINUX: input into a terminal.
        check.argument(1);
        for command in [0x5412, 0x541c] {
            check.jump(IF_EQUAL, command, 0, 1);
            check.end(KILL);
        }
        check.refuse_any(lists::SIGNAL_OWNER_IOCTL);
        check.end(ALLOW);
    });
    for fcntl in lists::FCNTL {
        program.checked(*fcntl, |check| {
            check.argument(1);
            check.refuse_any(lists::SIGNAL_OWNER_FCNTL);
            check.end(ALLOW);
        });
    }
}
