//! System calls: ids, limits, descriptors, NSS, local time. No logic. The only room with
//! `unsafe`.

mod heap;
mod set_id;
mod shared;
mod walls;

use std::{
    ffi::{CStr, CString},
    io,
    os::fd::{FromRawFd, OwnedFd, RawFd},
};

pub use heap::Forgetful;
pub use shared::{try_lock, unlock, write_mapped};
pub use walls::Walls;

use rustix::{
    fs::{Mode, OFlags},
    process::{Resource, Rlimit},
};

use crate::policy::Names;

/// The descriptor on which the module puts the wire; where `sd_listen_fds(3)` begins, too.
pub const WIRE: RawFd = 3;

/// No file of ours is larger: the ledger, full, ends below it.
const LARGEST_FILE: u64 = 16 << 30;

/// The helper's first acts: nothing that its host has left in place may matter from here on.
///
/// # Errors
/// What could not be done, in words.
pub fn settle() -> Result<(), String> {
    if set_id::is_set_id() {
        return Err("it must not be set-user-id or set-group-id".into());
    }
    heap::one_heap();
    close_all_but_wire()?;
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())
        .map_err(|errno| format!("/dev/null: {errno}"))?;
    for standard in [
        rustix::stdio::dup2_stdin(&null),
        rustix::stdio::dup2_stdout(&null),
        rustix::stdio::dup2_stderr(&null),
    ] {
        standard.map_err(|errno| format!("descriptors 0 to 2: {errno}"))?;
    }
    drop(null);
    limits();
    schedule();
    rustix::process::chdir("/").map_err(|errno| format!("the root folder: {errno}"))?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    outlive_sigterm();
    end_with_parent();
    hide();
    Ok(())
}

/// Nobody may look into this process, nor keep an image of it.
fn hide() {
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// The end of the intermediate process that has started this one, and of nothing else, ends this
/// process at once. It outlives the host process by a moment, in which the end of the wire ends this
/// process and the login's last line is written.
fn end_with_parent() {
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
}

/// Leaves two seconds to write the login's last line where a whole unit is ended (`systemctl stop` sends
/// SIGTERM to each of its processes).
fn outlive_sigterm() {
    extern "C" fn last_seconds(_: libc::c_int) {
        // SAFETY: alarm(2) may be called in a handler (signal-safety(7)); SIGALRM's default ends
        // the process.
        unsafe { libc::alarm(2) };
    }
    // SAFETY: all-zero is a valid sigaction; the handler does what a handler may.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = last_seconds as extern "C" fn(libc::c_int) as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
    }
}

/// Before Linux 5.9 there is no `close_range(2)`: then what /proc lists is closed.
fn close_all_but_wire() -> Result<(), String> {
    let above = WIRE.unsigned_abs().saturating_add(1);
    // SAFETY: numbers only. No descriptor above the wire belongs to anything in this process yet.
    if unsafe { libc::syscall(libc::SYS_close_range, above, u32::MAX, 0) } == 0 {
        return Ok(());
    }
    let listed =
        std::fs::read_dir("/proc/self/fd").map_err(|error| format!("descriptors: {error}"))?;
    let open: Vec<RawFd> = listed
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > WIRE)
        .collect();
    for fd in open {
        // SAFETY: as above; the one that listed them is closed already, which is harmless.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

/// Every limit to our own value, or as near as the hard limit lets us: the caller's are his. A reply
/// of a gigabyte dies of them.
pub fn limits() {
    const MEGABYTE: u64 = 1 << 20;
    let own = [
        (Resource::Core, 0),
        (Resource::Nofile, 64),
        (Resource::As, 1024 * MEGABYTE),
        (Resource::Data, 128 * MEGABYTE),
        (Resource::Stack, 8 * MEGABYTE),
        (Resource::Fsize, LARGEST_FILE),
        (Resource::Cpu, 60),
        // It counts what all helpers of their user run; a thread of this one is bounded by memory,
        // and a process it cannot make.
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
            // Not root, and the caller has set the hard limit lower.
            let hard = rustix::process::getrlimit(resource).maximum;
            let near = hard.map_or(value, |hard| hard.min(value));
            let _ = rustix::process::setrlimit(resource, both(near));
        }
    }
}

/// As any other process is scheduled, or as near as may be: a caller who could starve this one would
/// make time-outs at will.
fn schedule() {
    // SAFETY: numbers, and structs that are all there: of zeroes, or of ones (every processor, of
    // which the kernel keeps those that may be had).
    unsafe {
        let usual: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const usual);
        libc::setpriority(libc::PRIO_PROCESS, 0, 0);
        let mut everywhere: libc::cpu_set_t = std::mem::zeroed();
        std::ptr::write_bytes(&raw mut everywhere, 0xff, 1);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const everywhere);
        // 0: back to what the thread began with; 50 us is the kernel's own (prctl(2)).
        libc::prctl(libc::PR_SET_TIMERSLACK, 50_000);
    }
}

/// Takes the wire over.
///
/// # Errors
/// Descriptor 3 is not a connected `SOCK_SEQPACKET` socket.
pub fn wire() -> Result<OwnedFd, String> {
    // SAFETY: fcntl only asks whether the number is open.
    if unsafe { libc::fcntl(WIRE, libc::F_GETFD) } < 0 {
        return Err("descriptor 3 is not open".into());
    }
    // SAFETY: open, and handed to this process by its starter for this purpose alone.
    let wire = unsafe { OwnedFd::from_raw_fd(WIRE) };
    if let Ok(rustix::net::SocketType::SEQPACKET) = rustix::net::sockopt::socket_type(&wire) {
        return Ok(wire);
    }
    // Somebody else's descriptor stays open.
    std::mem::forget(wire);
    Err("descriptor 3 is not the module's socket".into())
}

/// Four bytes by chance, for what is no secret.
#[must_use]
pub fn chance() -> u32 {
    let mut bytes = [0_u8; 4];
    // SAFETY: writes four bytes into four bytes.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    u32::from_ne_bytes(bytes)
}

/// Whether this process may do everything.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// This boot's own name, as `random(4)` has it: 36 letters.
///
/// # Errors
/// /proc is not there.
pub fn boot_id() -> io::Result<[u8; 36]> {
    let way = "/proc/sys/kernel/random/boot_id";
    let file = rustix::fs::open(way, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut id = [0; 36];
    if rustix::io::read(&file, &mut id)? < id.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(id)
}

/// This machine's name.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// The terminal session that a process is in: boot id, session id, and the start time of the
/// session's leader, by which it differs from a later session of the same number. `None` for a
/// session without a terminal (a daemon is in one, whoever talks to it), or whose leader is gone.
#[must_use]
pub fn session(pid: u32) -> Option<String> {
    // proc_pid_stat(5), counted from the state on: the command before it may hold anything.
    const SESSION: usize = 3;
    const TERMINAL: usize = 4;
    const START: usize = 19;
    #[allow(
        clippy::disallowed_methods,
        reason = "the kernel's own words, in /proc"
    )]
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let field = |pid: &str, number: usize| -> Option<String> {
        let stat = read(&format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')')?;
        fields
            .split_ascii_whitespace()
            .nth(number)
            .map(str::to_owned)
    };
    let session = field(&pid.to_string(), SESSION)?;
    let terminal = field(&session, TERMINAL)?;
    let start = field(&session, START)?;
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    (terminal != "0").then(|| format!("{} {session} {start}", boot.trim()))
}

/// Now, as a line of the system log begins: `Nov 24 21:01:56`, local time (RFC 3164 §4.1.2).
#[must_use]
pub fn log_time() -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // SAFETY: time(2) with null only returns; localtime_r(3) writes one all-zero-valid struct.
    let tm = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const now, &raw mut tm);
        tm
    };
    let month = usize::try_from(tm.tm_mon)
        .ok()
        .and_then(|month| MONTHS.get(month));
    format!(
        "{} {:2} {:02}:{:02}:{:02}",
        month.unwrap_or(&"Jan"),
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec
    )
}

/// NSS, as this machine has it.
pub struct Nss;

/// No entry is larger; glibc suggests 1 KB and says that it is only a suggestion.
const LARGEST_ENTRY: usize = 1 << 20;

/// A user's numbers.
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// The user of this name.
///
/// # Errors
/// NSS could not be asked, in words.
pub fn user(name: &str) -> Result<Option<User>, String> {
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    // SAFETY: `look_up` passes valid places and its buffer's own length.
    let found = look_up(|entry, buffer, length, result| unsafe {
        libc::getpwnam_r(name.as_ptr(), entry, buffer, length, result)
    })?;
    Ok(found.map(|(user, _)| user))
}

impl Names for Nss {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        Ok(user(name)?.map(|user| user.uid))
    }

    fn name(&self, uid: u32) -> Result<Option<String>, String> {
        // SAFETY: as above.
        let found = look_up(|entry, buffer, length, result| unsafe {
            libc::getpwuid_r(uid, entry, buffer, length, result)
        })?;
        Ok(found.and_then(|(_, name)| name.into_string().ok()))
    }
}

/// A look-up in NSS, with as much room as the entry wants.
fn look_up(
    call: impl Fn(*mut libc::passwd, *mut libc::c_char, usize, *mut *mut libc::passwd) -> i32,
) -> Result<Option<(User, CString)>, String> {
    let mut buffer: Vec<libc::c_char> = vec![0; 1024];
    loop {
        // SAFETY: all-zero is a valid passwd.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        match call(
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut result,
        ) {
            0 if result.is_null() => return Ok(None),
            0 => {
                // SAFETY: found, so pw_name is a C string within `buffer`.
                let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_owned();
                let user = User {
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                };
                return Ok(Some((user, name)));
            }
            libc::ERANGE if buffer.len() < LARGEST_ENTRY => {
                buffer.resize(buffer.len().saturating_mul(4), 0);
            }
            libc::EINTR => {}
            // What getpwnam(3) lists as "the name was not found".
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => {
                let error = std::io::Error::from_raw_os_error(error);
                return Err(format!("NSS could not be asked for a user: {error}"));
            }
        }
    }
}

/// Which Landlock the kernel has (`landlock_create_ruleset(2)`); 0 for none.
///
/// # Errors
/// It has one and does not say so, in words.
fn landlock_abi() -> Result<i32, String> {
    const VERSION: u32 = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the call takes no memory and only answers.
    let abi = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0, VERSION) };
    if abi >= 0 {
        return Ok(i32::try_from(abi).unwrap_or(i32::MAX));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EOPNOTSUPP) => Ok(0),
        _ => Err(format!("Landlock: {error}")),
    }
}

/// Ends this process at once, whatever its other threads do.
pub fn leave() -> ! {
    // SAFETY: _exit(2) does not return and runs nothing.
    unsafe { libc::_exit(0) }
}
