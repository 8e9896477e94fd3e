//! System calls of x86-64, with their names and possible errors.
#![forbid(unsafe_code)]

#[cfg(target_arch = "x86_64")]
use super::ptrace::unsigned;
use libc::{
    EACCES, EADDRNOTAVAIL, EAGAIN, ECHILD, EINTR, EINVAL, EIO, EMFILE, ENFILE, ENOBUFS, ENOENT,
    ENOMEM, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM, ESRCH,
};

/// A call: its number, its name, and the errors that are injected. A peer or the network cannot cause any of
/// them. A call without errors cannot fail.
type Row = (i64, &'static str, &'static [i32]);

const MEMORY: &[i32] = &[ENOMEM];
const OPEN: &[i32] = &[EMFILE, ENOMEM, EACCES, EIO];
const CREATE: &[i32] = &[EMFILE, ENFILE, ENOMEM, EACCES];
const TRANSFER: &[i32] = &[EIO, EINTR, ENOMEM];
const SEND_RECEIVE: &[i32] = &[EINTR, ENOMEM, ENOBUFS];
const WAIT: &[i32] = &[EINTR, ENOMEM];
const STAT: &[i32] = &[EIO, ENOMEM];
const SET_IDS: &[i32] = &[EPERM, EAGAIN];
const SANDBOX: &[i32] = &[ENOSYS, EOPNOTSUPP, EINVAL, ENOMEM];
const OTHER: &[i32] = &[EINVAL, ENOMEM];
const NEVER: &[i32] = &[];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (libc::SYS_read, "read", TRANSFER),
    (libc::SYS_write, "write", &[EIO, EINTR, ENOSPC]),
    (libc::SYS_open, "open", OPEN),
    (libc::SYS_close, "close", &[EIO, EINTR]),
    (libc::SYS_fstat, "fstat", STAT),
    (libc::SYS_poll, "poll", WAIT),
    (libc::SYS_lseek, "lseek", OTHER),
    (libc::SYS_mmap, "mmap", MEMORY),
    (libc::SYS_mprotect, "mprotect", MEMORY),
    (libc::SYS_munmap, "munmap", MEMORY),
    (libc::SYS_brk, "brk", MEMORY),
    (libc::SYS_rt_sigaction, "rt_sigaction", NEVER),
    (libc::SYS_rt_sigprocmask, "rt_sigprocmask", NEVER),
    (libc::SYS_rt_sigreturn, "rt_sigreturn", NEVER),
    (libc::SYS_ioctl, "ioctl", OTHER),
    (libc::SYS_pread64, "pread64", TRANSFER),
    (libc::SYS_pwrite64, "pwrite64", &[EIO, EINTR, ENOSPC]),
    (libc::SYS_readv, "readv", TRANSFER),
    (libc::SYS_writev, "writev", TRANSFER),
    (libc::SYS_access, "access", &[EACCES, ENOENT, ENOMEM]),
    (libc::SYS_sched_yield, "sched_yield", NEVER),
    (libc::SYS_mremap, "mremap", MEMORY),
    (libc::SYS_madvise, "madvise", OTHER),
    (libc::SYS_dup2, "dup2", &[EINTR, EMFILE]),
    (libc::SYS_nanosleep, "nanosleep", &[EINTR]),
    (libc::SYS_getpid, "getpid", NEVER),
    (libc::SYS_socket, "socket", CREATE),
    (libc::SYS_connect, "connect", &[EINTR, ENOMEM, EACCES, EADDRNOTAVAIL]),
    (libc::SYS_sendto, "sendto", SEND_RECEIVE),
    (libc::SYS_recvfrom, "recvfrom", SEND_RECEIVE),
    (libc::SYS_sendmsg, "sendmsg", SEND_RECEIVE),
    (libc::SYS_recvmsg, "recvmsg", SEND_RECEIVE),
    (libc::SYS_bind, "bind", OTHER),
    (libc::SYS_getsockname, "getsockname", &[ENOBUFS]),
    (libc::SYS_getpeername, "getpeername", &[ENOBUFS]),
    (libc::SYS_socketpair, "socketpair", CREATE),
    (libc::SYS_setsockopt, "setsockopt", OTHER),
    (libc::SYS_getsockopt, "getsockopt", OTHER),
    (libc::SYS_clone, "clone", &[EAGAIN, ENOMEM]),
    (libc::SYS_fork, "fork", &[EAGAIN, ENOMEM]),
    (libc::SYS_vfork, "vfork", &[EAGAIN, ENOMEM]),
    (libc::SYS_exit, "exit", NEVER),
    (libc::SYS_uname, "uname", NEVER),
    (libc::SYS_fcntl, "fcntl", OTHER),
    (libc::SYS_fsync, "fsync", &[EIO, ENOSPC]),
    (libc::SYS_fdatasync, "fdatasync", &[EIO, ENOSPC]),
    (libc::SYS_ftruncate, "ftruncate", &[EIO, ENOSPC]),
    (libc::SYS_chdir, "chdir", &[EACCES, ENOMEM]),
    (libc::SYS_umask, "umask", NEVER),
    (libc::SYS_getuid, "getuid", NEVER),
    (libc::SYS_getgid, "getgid", NEVER),
    (libc::SYS_geteuid, "geteuid", NEVER),
    (libc::SYS_getegid, "getegid", NEVER),
    (libc::SYS_getppid, "getppid", NEVER),
    (libc::SYS_setsid, "setsid", &[EPERM]),
    (libc::SYS_setgroups, "setgroups", &[EPERM, ENOMEM]),
    (libc::SYS_setresuid, "setresuid", SET_IDS),
    (libc::SYS_getresuid, "getresuid", OTHER),
    (libc::SYS_setresgid, "setresgid", SET_IDS),
    (libc::SYS_getresgid, "getresgid", OTHER),
    (libc::SYS_capget, "capget", &[EPERM, EINVAL]),
    (libc::SYS_capset, "capset", &[EPERM, EINVAL]),
    (libc::SYS_sigaltstack, "sigaltstack", MEMORY),
    (libc::SYS_prctl, "prctl", &[EINVAL, EPERM]),
    (libc::SYS_arch_prctl, "arch_prctl", &[EPERM]),
    (libc::SYS_setrlimit, "setrlimit", &[EPERM]),
    (libc::SYS_chroot, "chroot", &[EPERM]),
    (libc::SYS_gettid, "gettid", NEVER),
    (libc::SYS_futex, "futex", &[EINTR, EAGAIN]),
    (libc::SYS_sched_getaffinity, "sched_getaffinity", OTHER),
    (libc::SYS_getdents64, "getdents64", &[EIO, ENOMEM]),
    (libc::SYS_set_tid_address, "set_tid_address", NEVER),
    (libc::SYS_restart_syscall, "restart_syscall", NEVER),
    (libc::SYS_clock_gettime, "clock_gettime", NEVER),
    (libc::SYS_clock_nanosleep, "clock_nanosleep", &[EINTR]),
    (libc::SYS_exit_group, "exit_group", NEVER),
    (libc::SYS_epoll_wait, "epoll_wait", &[EINTR]),
    (libc::SYS_epoll_ctl, "epoll_ctl", &[ENOMEM, ENOSPC]),
    (libc::SYS_waitid, "waitid", &[EINTR, ECHILD]),
    (libc::SYS_openat, "openat", OPEN),
    (libc::SYS_newfstatat, "newfstatat", STAT),
    (libc::SYS_readlinkat, "readlinkat", STAT),
    (libc::SYS_ppoll, "ppoll", WAIT),
    (libc::SYS_set_robust_list, "set_robust_list", NEVER),
    (libc::SYS_fallocate, "fallocate", &[EIO, ENOSPC]),
    (libc::SYS_eventfd2, "eventfd2", CREATE),
    (libc::SYS_epoll_create1, "epoll_create1", CREATE),
    (libc::SYS_dup3, "dup3", &[EMFILE]),
    (libc::SYS_prlimit64, "prlimit64", &[EPERM, EINVAL]),
    (libc::SYS_seccomp, "seccomp", SANDBOX),
    (libc::SYS_getrandom, "getrandom", &[EINTR, ENOSYS, EIO]),
    (libc::SYS_execveat, "execveat", &[ENOENT, EACCES, ENOMEM]),
    (libc::SYS_statx, "statx", STAT),
    (libc::SYS_rseq, "rseq", NEVER),
    (libc::SYS_pidfd_send_signal, "pidfd_send_signal", &[EPERM, ESRCH]),
    (libc::SYS_clone3, "clone3", &[EAGAIN, ENOMEM, ENOSYS]),
    (libc::SYS_close_range, "close_range", &[ENOSYS, ENOMEM]),
    (libc::SYS_openat2, "openat2", OPEN),
    (libc::SYS_faccessat2, "faccessat2", &[EACCES, ENOENT]),
    (libc::SYS_landlock_create_ruleset, "landlock_create_ruleset", SANDBOX),
    (libc::SYS_landlock_add_rule, "landlock_add_rule", SANDBOX),
    (libc::SYS_landlock_restrict_self, "landlock_restrict_self", SANDBOX),
];

fn row(number: i64) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.0 == number)
}

/// Returns its name.
pub fn name(number: i64) -> String {
    row(number).map_or_else(|| number.to_string(), |row| row.1.to_owned())
}

/// Whether it can fail. A call that is not in the table can; a futex wake cannot.
#[cfg(target_arch = "x86_64")]
pub fn can_fail(number: i64, arguments: [u64; 6]) -> bool {
    let wait = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET];
    let operation = super::ptrace::signed(arguments[1]) & i64::from(libc::FUTEX_CMD_MASK);
    let wakes = number == libc::SYS_futex && !wait.map(i64::from).contains(&operation);
    !errors(number).is_empty() && !wakes
}

/// Returns the errors to inject.
pub fn errors(number: i64) -> &'static [i32] {
    row(number).map_or(OTHER, |row| row.2)
}

/// Whether the first argument is a descriptor.
#[cfg(target_arch = "x86_64")]
pub fn takes_a_descriptor(number: i64) -> bool {
    [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_close,
        libc::SYS_connect,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_ioctl,
        libc::SYS_fcntl,
        libc::SYS_setsockopt,
        libc::SYS_getsockopt,
    ]
    .contains(&number)
}

/// Replaces a call that has to fail with one without effect. close(2) and munmap(2) are executed: they
/// release the descriptor or the memory even if they fail.
#[cfg(target_arch = "x86_64")]
pub fn replace(number: i64, registers: &mut libc::user_regs_struct) {
    match number {
        libc::SYS_close | libc::SYS_munmap => {}
        // It fails by returning the current end.
        libc::SYS_brk => registers.rdi = 0,
        _ => registers.orig_rax = unsigned(libc::SYS_getpid),
    }
}

/// Sets the error as the result of the call.
#[cfg(target_arch = "x86_64")]
pub fn fail(number: i64, errno: i32, registers: &mut libc::user_regs_struct) {
    if number != libc::SYS_brk {
        registers.rax = unsigned(i64::from(-errno));
    }
}
