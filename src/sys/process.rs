//! Sets up the process of the helper, independent of the state that it inherits.

use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use rustix::{
    fs::{Mode, OFlags},
    process::{DumpableBehavior, Resource, Rlimit, Signal},
};

use super::{heap, set_id};

/// The descriptor of the socket to the module, the first of `sd_listen_fds(3)` too.
const MODULE_SOCKET: RawFd = 3;

/// The maximum size of a file; a full ledger is smaller.
const MAX_FILE: u64 = 16 << 30;

/// Defines `main` of a program as `$run`, called by libc without the start-up of the standard library: that
/// would read /proc/self/maps and give each thread a signal stack, to print a message at a stack overflow,
/// which takes each login a tenth of a millisecond. [`init_process`] does the rest of that start-up: it opens
/// descriptors 0 to 2 and ignores SIGPIPE. A panic outside of `catch_unwind` aborts the process. `$run` returns the
/// exit status.
#[macro_export]
macro_rules! c_main {
    ($run:path) => {
        // SAFETY: the signature of main in C; a program contains one symbol of this name.
        #[unsafe(no_mangle)]
        extern "C" fn main() -> ::std::ffi::c_int {
            $run()
        }
    };
}

/// Resets everything that the process has inherited from the host process. Called first.
///
/// # Errors
/// The step that failed.
pub fn init_process() -> Result<(), String> {
    ignore_sigpipe();
    if set_id::is_set_id() {
        return Err("the helper must not be installed set-user-id or set-group-id".into());
    }
    heap::use_one_arena();
    close_inherited_descriptors()?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())
        .map_err(|errno| format!("/dev/null: {errno}"))?;
    for standard in [
        rustix::stdio::dup2_stdin(&null),
        rustix::stdio::dup2_stdout(&null),
        rustix::stdio::dup2_stderr(&null),
    ] {
        standard.map_err(|errno| format!("descriptors 0 to 2: {errno}"))?;
    }
    if null.as_raw_fd() <= libc::STDERR_FILENO {
        // It was closed, and stays one of the three.
        let _ = null.into_raw_fd();
    }
    set_limits();
    reset_scheduling();
    rustix::process::chdir("/").map_err(|errno| format!("the root directory: {errno}"))?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    delay_sigterm();
    kill_with_parent();
    forbid_dumps();
    Ok(())
}

/// Prevents core dumps and tracing by other processes of the user.
pub(super) fn forbid_dumps() {
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Makes the kernel kill this process when its parent, the intermediate process, ends. The parent runs a
/// moment longer than the host process, so that the last log line of the login can be written.
pub(super) fn kill_with_parent() {
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
}

/// Makes a write to a closed connection an error, as the start-up of the standard library would.
fn ignore_sigpipe() {
    // SAFETY: no handler is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Delays SIGTERM by two seconds, so that the last log line can be written when `systemctl stop` sends
/// SIGTERM to each process of a unit.
fn delay_sigterm() {
    extern "C" fn set_alarm(_: libc::c_int) {
        // SAFETY: alarm(2) is async-signal-safe (signal-safety(7)); by default SIGALRM ends the
        // process.
        unsafe { libc::alarm(2) };
    }
    // SAFETY: all-zero is a valid sigaction, and the handler is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = set_alarm as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
    }
}

/// Closes all descriptors above the socket: those that /proc lists, before Linux 5.9, which has no
/// `close_range(2)`.
fn close_inherited_descriptors() -> Result<(), String> {
    let above = MODULE_SOCKET.unsigned_abs().saturating_add(1);
    // SAFETY: numbers only. This process has not opened any descriptor yet.
    if unsafe { libc::syscall(libc::SYS_close_range, above, u32::MAX, 0) } == 0 {
        return Ok(());
    }
    let listed =
        std::fs::read_dir("/proc/self/fd").map_err(|error| format!("descriptors: {error}"))?;
    let open: Vec<RawFd> = listed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > MODULE_SOCKET)
        .collect();
    for fd in open {
        // SAFETY: as above; closing that of the listing again has no effect.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Sets all resource limits, independent of those of the caller, or to the hard limit if that is lower.
/// They also stop the processing of replies of excessive size.
pub fn set_limits() {
    const MEGABYTE: u64 = 1 << 20;
    let own = [
        (Resource::Core, 0),
        (Resource::Nofile, 64),
        (Resource::As, 1024 * MEGABYTE),
        (Resource::Data, 128 * MEGABYTE),
        (Resource::Stack, 8 * MEGABYTE),
        (Resource::Fsize, MAX_FILE),
        (Resource::Cpu, 60),
        // This limit counts the threads of all helpers, which have one user. The threads of one helper
        // are limited by its memory, and it cannot create processes.
        (Resource::Nproc, u64::MAX),
        (Resource::Memlock, 8 * MEGABYTE),
        (Resource::Locks, 1024),
        (Resource::Sigpending, 1024),
        (Resource::Msgqueue, 0),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
        (Resource::Rttime, u64::MAX),
        (Resource::Rss, u64::MAX),
    ];
    for (resource, value) in own {
        let both = |value| Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        if rustix::process::setrlimit(resource, both(value)).is_err() {
            // The process is not root, and the caller has set a lower hard limit.
            let hard = rustix::process::getrlimit(resource).maximum;
            let lower = hard.map_or(value, |hard| hard.min(value));
            let _ = rustix::process::setrlimit(resource, both(lower));
        }
    }
}

/// Resets the scheduling to its defaults as far as permitted: a caller who could starve this process could
/// cause time-outs.
fn reset_scheduling() {
    // SAFETY: numbers, and valid structs: all-zero, or all-one (all processors, of which the kernel uses
    // those that are available).
    unsafe {
        let default: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const default);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        let mut all: libc::cpu_set_t = std::mem::zeroed();
        std::ptr::write_bytes(&raw mut all, 0xff, 1);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const all);
        // The default of the kernel; 0 would mean the inherited value (prctl(2)).
        libc::prctl(libc::PR_SET_TIMERSLACK, 50_000);
    }
}

/// Takes the socket to the module.
///
/// # Errors
/// Descriptor 3 is not a connected `SOCK_SEQPACKET` socket.
pub fn module_socket() -> Result<OwnedFd, String> {
    // SAFETY: F_GETFD only reads flags.
    if unsafe { libc::fcntl(MODULE_SOCKET, libc::F_GETFD) } < 0 {
        return Err("descriptor 3 is not open".into());
    }
    // SAFETY: open, and without another owner in this process.
    let socket = unsafe { OwnedFd::from_raw_fd(MODULE_SOCKET) };
    if let Ok(rustix::net::SocketType::SEQPACKET) = rustix::net::sockopt::socket_type(&socket) {
        return Ok(socket);
    }
    // The descriptor has another purpose, and is not closed.
    std::mem::forget(socket);
    Err("descriptor 3 is not the module's socket".into())
}

/// Whether the effective user is root.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Exits at once, without waiting for other threads.
pub fn exit_now() -> ! {
    // SAFETY: _exit(2) does not return and runs no handlers.
    unsafe { libc::_exit(0) }
}
