//! System calls of one login, each kind with what it is for.

use crate::contender::Contender;
use crate::ground::Ground;
use crate::host::under;
use lab::table::Table;
use std::collections::BTreeMap;

/// What calls are for, where that says most of them. A run with one that is not here writes nothing.
const REASONS: [(&str, &str); 16] = [
    (
        "a program begins and ends: the loader, the C library, Rust",
        "access execve arch_prctl set_tid_address set_robust_list rseq brk mprotect \
         sched_getaffinity poll sigaltstack exit_group exit readlink",
    ),
    (
        "libraries, stacks of threads, buffers, the ledger's clock",
        "mmap munmap madvise mremap",
    ),
    (
        "libraries, the helper, settings, CA file, the ledger, and every folder on the way to them",
        "openat openat2 open close fstat newfstatat statx lseek readlinkat getdents64 fstatfs statfs",
    ),
    (
        "what is in those files, the ledger's rows; the prompts of the bench's host",
        "read write readv writev pread64 pwrite64 preadv pwritev",
    ),
    (
        "the ledger: what counts is on the disk before an SMS leaves",
        "fdatasync fsync fallocate ftruncate flock mkdir mkdirat renameat2 linkat unlinkat fchmod fchown",
    ),
    (
        "codes, keys of TLS, seeds: from the system's generator alone",
        "getrandom",
    ),
    (
        "no limit, session, id, descriptor or folder is taken over from the host",
        "prlimit64 getrlimit setrlimit prctl setsid setresuid setresgid setgroups umask chdir \
         close_range dup dup2 dup3",
    ),
    (
        "nor its dispositions and masks of signals; no thread takes a signal",
        "rt_sigaction rt_sigprocmask",
    ),
    (
        "nor its scheduling",
        "sched_setscheduler sched_setaffinity setpriority sched_setattr ioprio_set",
    ),
    (
        "the sandbox: no capabilities, no new privileges (prctl above), Landlock, seccomp, no other thread",
        "capget capset landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp unshare",
    ),
    (
        "the helper and its threads: started, waited for, ended, reaped",
        "clone clone3 execveat vfork fork futex wait4 waitid kill rt_sigtimedwait pidfd_open \
         pidfd_send_signal",
    ),
    (
        "the wire between module and helper; lines of the log",
        "socketpair sendmsg recvmsg",
    ),
    (
        "connections to directory, Twilio and log: opened, without delay or blocking, looked at",
        "socket connect setsockopt getsockopt getsockname getpeername bind shutdown fcntl ioctl",
    ),
    (
        "talk on them and on the wire, and waiting with a deadline",
        "sendto recvfrom ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2",
    ),
    (
        "who and where this is",
        "getuid geteuid getgid getegid getresuid getresgid getpid gettid getppid uname sysinfo",
    ),
    (
        "time: the watch over a process that stands still",
        "clock_nanosleep clock_gettime nanosleep sched_yield restart_syscall",
    ),
];

/// The error says why it cannot be true.
pub fn measure(ground: &Ground, contender: &Contender) -> Result<Table, String> {
    eprintln!("system calls of {}", contender.name);
    let trace = ground.folder().join("strace");
    let file = trace.display().to_string();
    under(
        ground,
        contender,
        "strace",
        &["-f", "-qq", "-s", "0", "-o", &file],
    )
    .ok_or("strace does not run a login here")?;
    let text = std::fs::read_to_string(trace).map_err(|error| error.to_string())?;
    let mut host = None;
    // How often in the host, and in all else.
    let mut calls: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for line in text.lines() {
        let Some((pid, call)) = line.split_once(' ') else {
            continue;
        };
        let host = *host.get_or_insert(pid);
        let Some((name, _)) = call.trim_start().split_once('(') else {
            continue;
        };
        if name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            calls.entry(name).or_default()[usize::from(pid != host)] += 1;
        }
    }
    table(&calls)
}

fn table(calls: &BTreeMap<&str, [u32; 2]>) -> Result<Table, String> {
    let mut table = Table::new(
        "System calls",
        "Of one login with two seconds to type the password, under strace: of the host with the module in it (a \
         program begins and ends there, too), and of the helper with its threads.",
        &["", "calls", "host", "helper"],
    );
    let mut rest = calls.clone();
    for (reason, names) in REASONS {
        let names = names.split_whitespace();
        let here = names.filter_map(|name| Some((name, rest.remove(name)?)));
        row(&mut table, reason, &here.collect::<Vec<_>>());
    }
    if !rest.is_empty() {
        let names: Vec<&str> = rest.into_keys().collect();
        return Err(format!("calls without a reason: {}", names.join(" ")));
    }
    let [host, helper] = sum(calls.values());
    if helper == 0 {
        return Err("strace did not see the helper".to_owned());
    }
    table.row("all", [String::new(), host.to_string(), helper.to_string()]);
    Ok(table)
}

/// A kind of calls, each with how often it is made in all.
fn row(table: &mut Table, reason: &str, calls: &[(&str, [u32; 2])]) {
    if calls.is_empty() {
        return;
    }
    let each = calls.iter();
    let each = each.map(|(name, [host, helper])| format!("{name} {}", host + helper));
    let [host, helper] = sum(calls.iter().map(|(_, counts)| counts));
    let each = each.collect::<Vec<_>>().join(", ");
    table.row(reason, [each, host.to_string(), helper.to_string()]);
}

fn sum<'a>(counts: impl Iterator<Item = &'a [u32; 2]>) -> [u32; 2] {
    counts.fold([0, 0], |[host, helper], more| {
        [host + more[0], helper + more[1]]
    })
}
