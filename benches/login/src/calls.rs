//! System calls of one login, each kind with what it is for.

use crate::contender::Contender;
use crate::ground::Ground;
use crate::host::{How, login};
use lab::table::Table;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What calls are for. One that is not here is shown without a reason, and wants one.
const REASONS: [(&str, &str); 14] = [
    (
        "access execve arch_prctl set_tid_address set_robust_list rseq prlimit64 brk mprotect \
         sched_getaffinity getrandom poll sigaltstack exit_group exit pread64 readlink",
        "a program begins and ends: the loader, the C library, Rust",
    ),
    (
        "mmap munmap madvise mremap",
        "libraries, stacks of threads, buffers; the ledger's shared page",
    ),
    (
        "openat openat2 open close fstat newfstatat statx lseek readlinkat getdents64 fstatfs statfs",
        "libraries; the helper, settings, CA file and ledger, and every folder on the way to them",
    ),
    (
        "read write readv writev pwrite64 pwritev preadv",
        "those files; standard output of the bench's host",
    ),
    (
        "rt_sigaction rt_sigprocmask",
        "the helper takes no disposition and no mask from its host",
    ),
    (
        "clone clone3 execveat vfork fork futex wait4 waitid pidfd_open pidfd_send_signal",
        "the helper and its threads: started, waited for, reaped",
    ),
    (
        "prctl setsid setresuid setresgid setgroups umask chdir close_range dup dup2 dup3 setrlimit getrlimit",
        "the helper takes nothing over but the wire: ids, session, limits, descriptors",
    ),
    (
        "sched_setscheduler sched_setaffinity setpriority sched_setattr ioprio_set",
        "nor its caller's scheduling",
    ),
    (
        "socketpair sendmsg recvmsg",
        "the wire between module and helper; syslog",
    ),
    (
        "socket connect setsockopt getsockopt getsockname getpeername bind shutdown fcntl ioctl",
        "connections to the directory and Twilio; the log; no delay, no blocking",
    ),
    (
        "sendto recvfrom ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2",
        "talk on them, and waiting with a deadline",
    ),
    (
        "fdatasync fsync fallocate ftruncate flock mkdir renameat2 linkat unlinkat fchmod fchown",
        "the ledger: what counts is on the disk before an SMS leaves",
    ),
    (
        "getuid geteuid getgid getegid getresuid getresgid getpid gettid getppid uname sysinfo",
        "who and where this is",
    ),
    (
        "clock_nanosleep clock_gettime nanosleep sched_yield restart_syscall timerfd_create timerfd_settime",
        "time: the watch over a process that stands still",
    ),
];

pub fn measure(ground: &Ground, contender: &Contender) -> Option<Table> {
    eprintln!("system calls of {}", contender.name);
    let trace = ground.folder().join("strace");
    let strace = Path::new("/usr/bin/strace");
    if !strace.exists() {
        return None;
    }
    let through = ["/usr/bin/strace", "-f", "-qq", "-s", "0", "-o"].map(str::to_owned);
    let through: Vec<String> = through
        .into_iter()
        .chain([trace.display().to_string()])
        .collect();
    let how = How {
        typing: Duration::from_secs(1),
        through: &through,
    };
    let who = &ground.people(1)[0];
    let went = login(ground, contender, who, how, |_, _| {});
    if went.code != Some(0) {
        return None;
    }
    let text = std::fs::read_to_string(trace).ok()?;
    let mut host = None;
    // How often in the host, and in all else.
    let mut calls: BTreeMap<&str, [u32; 2]> = BTreeMap::new();
    for line in text.lines() {
        let (pid, call) = line.split_once(' ')?;
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
    Some(table(&calls))
}

fn table(calls: &BTreeMap<&str, [u32; 2]>) -> Table {
    let mut table = Table::new(
        "System calls",
        "Of one login with a second to type, under strace: of the host with the module in it (a \
         program begins and ends there, too), and of the helper with its threads.",
        &["", "calls", "host", "helper"],
    );
    let mut told: Vec<&str> = Vec::new();
    let mut all = [0, 0];
    for (names, reason) in REASONS {
        let here: Vec<&str> = names
            .split_whitespace()
            .filter(|name| calls.contains_key(name))
            .collect();
        let sums = sum(calls, &here);
        if !here.is_empty() {
            table.row(
                reason,
                [here.join(" "), sums[0].to_string(), sums[1].to_string()],
            );
        }
        all = [all[0] + sums[0], all[1] + sums[1]];
        told.extend(here);
    }
    let rest: Vec<&str> = calls
        .keys()
        .copied()
        .filter(|name| !told.contains(name))
        .collect();
    if !rest.is_empty() {
        let sums = sum(calls, &rest);
        table.row(
            "?",
            [rest.join(" "), sums[0].to_string(), sums[1].to_string()],
        );
        all = [all[0] + sums[0], all[1] + sums[1]];
    }
    table.row(
        "all",
        [String::new(), all[0].to_string(), all[1].to_string()],
    );
    table
}

fn sum(calls: &BTreeMap<&str, [u32; 2]>, names: &[&str]) -> [u32; 2] {
    let counts = names.iter().filter_map(|name| calls.get(name));
    counts.fold([0, 0], |[host, helper], more| {
        [host + more[0], helper + more[1]]
    })
}
