//! Between `fork` and `exec`: a copy of the host becomes the helper.
//!
//! The host may have threads, handlers, ids and a terminal that its caller has chosen. The copy
//! gives up all of it before the helper's file is even looked for (but for most of its limits, which are
//! the helper's first act). Until `exec` it makes
//! system calls only: another thread of the host may have held any lock at the moment of the copy,
//! so nothing here allocates or calls into libc's own state. What fails is told on the wire.

use std::{
    ffi::{CStr, c_int, c_long},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use trust::{Calls, Distrust, Errno, Found, Kind, Stat};
use wire::Stillborn;

use crate::{
    helper::{Child, errno},
    journal::Trouble,
};

mod inherited;
#[cfg(test)]
mod tests;

/// The descriptor on which the helper finds the wire; `sd_listen_fds(3)` begins there too.
const WIRE: RawFd = 3;

mod step {
    pub const IDS: u8 = 1;
    pub const SESSION: u8 = 2;
    pub const WIRE: u8 = 3;
    pub const LOOK: u8 = 4;
    pub const EXEC: u8 = 5;
    // How the look at the path failed.
    pub const RELATIVE: u8 = 16;
    pub const TOO_LONG: u8 = 17;
    pub const NOT_A_FOLDER: u8 = 18;
    pub const NOT_A_FILE: u8 = 19;
    pub const OWNER: u8 = 20;
    pub const WRITABLE: u8 = 21;
}

/// Makes a process that becomes the helper. On failure errno says why.
pub fn give(path: &CStr, wire: &OwnedFd) -> Result<Child, ()> {
    // With every signal blocked in this thread, none of the host's handlers can run in the copy.
    // SAFETY: all-zero is a valid sigset_t, and sigfillset makes it full.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: valid sets; pthread_sigmask touches this thread's mask only.
    unsafe {
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
    }
    let mut pidfd: c_int = -1;
    let mut pid = fork(libc::CLONE_PIDFD, &raw mut pidfd);
    if pid < 0 && errno() == libc::EMFILE {
        // A caller's `ulimit -n` can leave room for the wire and no more.
        pid = fork(0, ptr::null_mut());
    }
    if pid == 0 {
        become_helper(path, wire.as_raw_fd());
    }
    let failed = errno();
    // SAFETY: restores the mask that was saved above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    if pid < 0 {
        // SAFETY: this thread's own errno, for the caller's log line.
        unsafe { *libc::__errno_location() = failed };
        return Err(());
    }
    Ok(Child {
        pid: libc::pid_t::try_from(pid).unwrap_or(-1),
        // SAFETY: the kernel has just made it for us alone.
        pidfd: (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) }),
        reaped: false,
    })
}

/// `fork(2)` without libc's handlers, and with a handle on the child that cannot come to mean
/// another process.
fn fork(flags: c_int, pidfd: *mut c_int) -> c_long {
    let flags = c_long::from(flags | libc::SIGCHLD);
    #[cfg(target_arch = "s390x")]
    let (first, second) = (0, flags);
    #[cfg(not(target_arch = "s390x"))]
    let (first, second) = (flags, 0);
    // SAFETY: without CLONE_VM the child has a copy of everything and this very stack; a null
    // stack means "the same address" (clone(2)). `pidfd` is null or a valid place.
    unsafe { libc::syscall(libc::SYS_clone, first, second, pidfd, 0, 0) }
}

/// The copy's whole life.
fn become_helper(path: &CStr, wire: RawFd) -> ! {
    let host = effective_uid();
    let why = match prepare(wire, host) {
        Ok(()) => match trust::walk(&System, path, host, Kind::Plain) {
            Ok(Found { file, .. }) => {
                execute(&file);
                failed(step::EXEC)
            }
            Err(refusal) => distrusted(&refusal),
        },
        Err(step) => failed(step),
    };
    let message = why.write();
    // SAFETY: writes a local array to the wire, which is at WIRE if it could be put there.
    unsafe {
        let to = if why.step < step::LOOK { wire } else { WIRE };
        libc::send(
            to,
            message.as_ptr().cast(),
            message.len(),
            libc::MSG_NOSIGNAL,
        );
        libc::_exit(127)
    }
}

fn failed(step: u8) -> Stillborn {
    Stillborn {
        step,
        errno: errno(),
        walked: 0,
    }
}

/// Ids first, so that the caller of su, whose real uid this still is, can no longer stop or kill
/// it; then a session of its own, out of reach of the terminal's keys.
fn prepare(wire: RawFd, host: u32) -> Result<(), u8> {
    ids(host).map_err(|()| step::IDS)?;
    // SAFETY: no pointers; fails only for a process group's leader, which a new child is not.
    if unsafe { libc::setsid() } < 0 {
        return Err(step::SESSION);
    }
    inherited::signals();
    inherited::room();
    place(wire).map_err(|()| step::WIRE)
}

/// Raw calls, because libc's own would first ask all of the host's threads, which are not here.
fn ids(host: u32) -> Result<(), ()> {
    #[cfg(not(any(
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "sparc",
        target_arch = "m68k"
    )))]
    use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
    #[cfg(any(
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "sparc",
        target_arch = "m68k"
    ))]
    use libc::{
        SYS_setgroups32 as SYS_setgroups, SYS_setresgid32 as SYS_setresgid,
        SYS_setresuid32 as SYS_setresuid,
    };
    // SAFETY: getegid(2) cannot fail; the three calls take numbers only, and setgroups an empty
    // list.
    unsafe {
        // Root's group is 0 in every system; su's effective group is its caller's.
        let group = if host == 0 { 0 } else { libc::getegid() };
        if host == 0 && libc::syscall(SYS_setgroups, 0, ptr::null::<libc::gid_t>()) != 0 {
            return Err(());
        }
        if libc::syscall(SYS_setresgid, group, group, group) != 0
            || libc::syscall(SYS_setresuid, host, host, host) != 0
        {
            return Err(());
        }
    }
    Ok(())
}

/// The wire to its place and everything else closed. Where `close_range(2)` is missing (before
/// Linux 5.9) the helper closes the rest, which is its first act anyway.
fn place(wire: RawFd) -> Result<(), ()> {
    // SAFETY: descriptor numbers only; this process shares none of them with anybody.
    unsafe {
        let placed = if wire == WIRE {
            libc::fcntl(WIRE, libc::F_SETFD, 0)
        } else {
            libc::dup2(wire, WIRE)
        };
        if placed < 0 {
            return Err(());
        }
        for standard in 0..WIRE {
            libc::close(standard);
        }
        libc::syscall(libc::SYS_close_range, WIRE.wrapping_add(1), c_int::MAX, 0);
    }
    Ok(())
}

fn execute(file: &OwnedFd) {
    let arguments = [c"sms-otp-helper".as_ptr(), ptr::null()];
    let environment = [ptr::null::<std::ffi::c_char>()];
    // SAFETY: NULL-terminated arrays of C strings, and the descriptor that was checked: what is
    // executed is that file, whatever its path means by now.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            arguments.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
    }
}

fn effective_uid() -> u32 {
    // SAFETY: geteuid(2) cannot fail.
    unsafe { libc::geteuid() }
}

fn distrusted(refusal: &trust::Refusal) -> Stillborn {
    let (step, detail) = match refusal.why {
        Distrust::Relative => (step::RELATIVE, 0),
        Distrust::TooLong => (step::TOO_LONG, 0),
        Distrust::Call(Errno(number)) => (step::LOOK, number),
        Distrust::NotAFolder => (step::NOT_A_FOLDER, 0),
        Distrust::NotAFile => (step::NOT_A_FILE, 0),
        Distrust::Owner { uid } => (step::OWNER, signed(uid)),
        Distrust::Writable { mode } | Distrust::Readable { mode } => (step::WRITABLE, signed(mode)),
    };
    Stillborn {
        step,
        errno: detail,
        walked: u16::try_from(refusal.at).unwrap_or(u16::MAX),
    }
}

/// The wire has one number field; what is not an error number travels in it bit by bit.
const fn signed(number: u32) -> i32 {
    i32::from_le_bytes(number.to_le_bytes())
}

const fn unsigned(number: i32) -> u32 {
    u32::from_le_bytes(number.to_le_bytes())
}

/// Says what a copy that did not become the helper has told.
pub fn describe(why: Stillborn, path: &CStr) -> Trouble {
    let path = path.to_bytes();
    let walked = path.get(..usize::from(why.walked)).unwrap_or(path);
    let at = String::from_utf8_lossy(if walked.is_empty() { b"/" } else { walked });
    let error = || std::io::Error::from_raw_os_error(why.errno).to_string();
    let detail = match why.step {
        step::IDS => {
            return Trouble::local(
                ["could not take the host's effective ids: ", &error()].concat(),
            );
        }
        step::SESSION => return Trouble::local(["no session for the helper: ", &error()].concat()),
        step::WIRE => return Trouble::local(["no place for the wire: ", &error()].concat()),
        step::LOOK => ["cannot look at ", &at, ": ", &error()].concat(),
        step::EXEC => [
            &String::from_utf8_lossy(path),
            " cannot be executed: ",
            &error(),
        ]
        .concat(),
        step::RELATIVE => "helper= wants an absolute path".to_owned(),
        step::TOO_LONG => [&at, " has too long a path or too many links"].concat(),
        step::NOT_A_FOLDER => [&at, " is not a folder"].concat(),
        step::NOT_A_FILE => [&at, " is not a file"].concat(),
        step::OWNER => [
            &at,
            " belongs to uid ",
            &unsigned(why.errno).to_string(),
            ", not to root or this host: chown root it",
        ]
        .concat(),
        step::WRITABLE => [&at, " can be written by others: chmod go-w it"].concat(),
        _ => "the helper could not be started".to_owned(),
    };
    Trouble::helper(detail)
}

/// The walk's system calls.
struct System;

impl System {
    fn opened(fd: c_int) -> Result<OwnedFd, Errno> {
        if fd < 0 {
            return Err(Errno(errno()));
        }
        // SAFETY: just opened, and nobody else's.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

// Where inode numbers do not fit 32 bits, glibc's plain fstat fails on 32-bit machines.
#[cfg(not(all(target_env = "gnu", target_pointer_width = "32")))]
use libc::{fstat, stat as FileStat};
#[cfg(all(target_env = "gnu", target_pointer_width = "32"))]
use libc::{fstat64 as fstat, stat64 as FileStat};

impl Calls for System {
    type Fd = OwnedFd;

    fn root(&self) -> Result<OwnedFd, Errno> {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: a constant path.
        Self::opened(unsafe { libc::open(c"/".as_ptr(), flags) })
    }

    fn step(&self, folder: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: an open folder and a C string.
        Self::opened(unsafe { libc::openat(folder.as_raw_fd(), name.as_ptr(), flags) })
    }

    /// To be executed, so it is opened as a place only.
    fn open(&self, folder: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        self.step(folder, name)
    }

    fn stat(&self, fd: &OwnedFd) -> Result<Stat, Errno> {
        // SAFETY: all-zero is a valid stat; fstat(2) only writes to it.
        let mut stat: FileStat = unsafe { std::mem::zeroed() };
        // SAFETY: an open descriptor and a valid place.
        if unsafe { fstat(fd.as_raw_fd(), &raw mut stat) } != 0 {
            return Err(Errno(errno()));
        }
        Ok(Stat {
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
        })
    }

    fn link(&self, link: &OwnedFd, into: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: writes at most the buffer's length; an empty name means the link itself.
        let length = unsafe {
            libc::readlinkat(
                link.as_raw_fd(),
                c"".as_ptr(),
                into.as_mut_ptr().cast(),
                into.len(),
            )
        };
        usize::try_from(length).map_err(|_| Errno(errno()))
    }
}
