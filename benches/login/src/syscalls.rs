//! Counts the system calls of one login, grouped by purpose.

use crate::contender::Contender;
use crate::run::login_under;
use crate::testbed::Testbed;
use lab::table::Table;
use std::collections::BTreeMap;

/// The purpose of each system call. A run with a call that is missing here writes no report.
const PURPOSES: [(&str, &str); 16] = [
    (
        "start and exit of a program: the loader, the C library, Rust",
        "access execve arch_prctl set_tid_address set_robust_list rseq brk mprotect \
         sched_getaffinity poll sigaltstack exit_group exit readlink",
    ),
    (
        "mapping libraries, thread stacks, buffers and the ledger's clock",
        "mmap munmap madvise mremap",
    ),
    (
        "opening libraries, helper, settings, CA file and ledger, and every directory of their paths",
        "openat openat2 open close fstat newfstatat statx lseek readlinkat getdents64 fstatfs statfs",
    ),
    (
        "reading those files and the ledger's rows; prompts of the bench's host",
        "read write readv writev pread64 pwrite64 preadv pwritev",
    ),
    (
        "the ledger: an SMS is counted on the disk before it is sent",
        "fdatasync fsync fallocate ftruncate flock mkdir mkdirat renameat2 linkat unlinkat fchmod fchown",
    ),
    (
        "random numbers for codes, TLS keys and seeds, from the kernel only",
        "getrandom",
    ),
    (
        "setting limits, session, ids, descriptors and directory instead of inheriting them",
        "prlimit64 getrlimit setrlimit prctl setsid setresuid setresgid setgroups umask chdir \
         close_range dup dup2 dup3",
    ),
    (
        "the same for signal dispositions and masks; threads block all signals",
        "rt_sigaction rt_sigprocmask",
    ),
    (
        "the same for scheduling",
        "sched_setscheduler sched_setaffinity setpriority sched_setattr ioprio_set",
    ),
    (
        "the sandbox: no capabilities, no new privileges (prctl above), Landlock, seccomp, one thread",
        "capget capset landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp unshare",
    ),
    (
        "starting, awaiting, ending and reaping the helper and its threads",
        "clone clone3 execveat vfork fork futex wait4 waitid kill rt_sigtimedwait pidfd_open \
         pidfd_send_signal",
    ),
    (
        "the socket between module and helper; lines of the log",
        "socketpair sendmsg recvmsg",
    ),
    (
        "opening and checking connections to directory, Twilio and log",
        "socket connect setsockopt getsockopt getsockname getpeername bind shutdown fcntl ioctl",
    ),
    (
        "sending and receiving on all sockets, and waiting with a deadline",
        "sendto recvfrom ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2",
    ),
    (
        "identity of user, process and host",
        "getuid geteuid getgid getegid getresuid getresgid getpid gettid getppid uname sysinfo",
    ),
    (
        "clocks and sleeping",
        "clock_nanosleep clock_gettime nanosleep sched_yield restart_syscall",
    ),
];

/// Counts the calls of one login. An error gives the reason why the counts would be wrong.
pub fn measure(testbed: &Testbed, contender: &Contender) -> Result<Table, String> {
    eprintln!("counting system calls of {}", contender.name);
    let trace = testbed.folder().join("strace");
    let file = trace.display().to_string();
    login_under(
        testbed,
        contender,
        "strace",
        &["-f", "-qq", "-s", "0", "-o", &file],
    )
    .ok_or("a login under strace failed")?;
    let text = std::fs::read_to_string(trace).map_err(|error| error.to_string())?;
    let mut host = None;
    // The counts in the host, and in all other processes.
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
        "One login under strace, with two seconds to type the password: the calls of the host with the module \
         loaded (including its own start and exit), and of the helper with its threads.",
        &["", "calls", "host", "helper"],
    );
    let mut rest = calls.clone();
    for (purpose, names) in PURPOSES {
        let names = names.split_whitespace();
        let here = names.filter_map(|name| Some((name, rest.remove(name)?)));
        row(&mut table, purpose, &here.collect::<Vec<_>>());
    }
    if !rest.is_empty() {
        let names: Vec<&str> = rest.into_keys().collect();
        return Err(format!("calls without a purpose: {}", names.join(" ")));
    }
    let [host, helper] = sum(calls.values());
    if helper == 0 {
        return Err("strace did not trace the helper".to_owned());
    }
    table.row("all", [String::new(), host.to_string(), helper.to_string()]);
    Ok(table)
}

/// Adds a row: the calls of one purpose, each with its total count.
fn row(table: &mut Table, purpose: &str, calls: &[(&str, [u32; 2])]) {
    if calls.is_empty() {
        return;
    }
    let each = calls.iter();
    let each = each.map(|(name, [host, helper])| format!("{name} {}", host + helper));
    let [host, helper] = sum(calls.iter().map(|(_, counts)| counts));
    let each = each.collect::<Vec<_>>().join(", ");
    table.row(purpose, [each, host.to_string(), helper.to_string()]);
}

fn sum<'a>(counts: impl Iterator<Item = &'a [u32; 2]>) -> [u32; 2] {
    counts.fold([0, 0], |[host, helper], more| {
        [host + more[0], helper + more[1]]
    })
}
