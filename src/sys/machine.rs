//! Random numbers, the boot, the machine's name, terminal sessions and local time.

use std::io;

use rustix::fs::{Mode, OFlags};

/// Returns a random number that need not be secret.
#[must_use]
pub fn random() -> u32 {
    let mut bytes = [0_u8; 4];
    // SAFETY: writes four bytes into four bytes.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    u32::from_ne_bytes(bytes)
}

/// Reads the boot ID (`random(4)`).
///
/// # Errors
/// /proc is not mounted.
pub fn boot_id() -> io::Result<[u8; 36]> {
    let path = "/proc/sys/kernel/random/boot_id";
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut id = [0; 36];
    if rustix::io::read(&file, &mut id)? < id.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(id)
}

/// Returns the host name of this machine.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Identifies the terminal session of a process by boot ID, session ID and the start time of the session
/// leader, which differs from that of a later session with the same ID. `None` for a session without a
/// terminal, as that of a daemon, or whose leader has ended.
#[must_use]
pub fn terminal_session(pid: u32) -> Option<String> {
    // proc_pid_stat(5), counted from the state: the command before it may contain any character.
    const SESSION: usize = 3;
    const TERMINAL: usize = 4;
    const START: usize = 19;
    #[allow(clippy::disallowed_methods, reason = "files of the kernel, in /proc")]
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

/// Returns the local time as in the header of a syslog message: `Nov 24 21:01:56` (RFC 3164 §4.1.2).
#[must_use]
pub fn log_time() -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    // SAFETY: time(2) with a null pointer writes nothing; all-zero is a valid tm, which localtime_r(3)
    // writes.
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
