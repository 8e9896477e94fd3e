//! Starts the helper, so that the host process does not see it.
//!
//! `execve(2)` resets a child's exit signal to SIGCHLD, so a helper that the host process had started
//! itself would be returned by its `wait(-1)`. Therefore the host process clones itself with exit
//! signal 0, and the copy, which never execs, becomes the helper's parent ([`intermediate`]).
//!
//! The host process may have threads, handlers, ids and a terminal that its caller has chosen. The copy
//! gives up all of it before the helper's file is looked for (but for most of its limits, which the
//! helper sets first of all). Until `exec` there are system calls only: another thread of the host
//! process may have held any lock when the copy was made, so nothing here allocates or calls into
//! libc's own state. What fails is reported on the wire.

use std::{
    ffi::{CStr, c_int, c_long},
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

use protocol::SpawnError;
use safe_path::{Errno, Found, Kind, Reason, Stat, Syscalls};

use crate::{
    helper::{Child, errno},
    journal::Trouble,
};

mod descriptors;
mod inherited;
pub mod intermediate;
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
    pub const PROCESS: u8 = 6;
    // How the look at the path failed.
    pub const RELATIVE: u8 = 16;
    pub const TOO_LONG: u8 = 17;
    pub const NOT_A_FOLDER: u8 = 18;
    pub const NOT_A_FILE: u8 = 19;
    pub const OWNER: u8 = 20;
    pub const WRITABLE: u8 = 21;
}

/// Makes the process that starts the helper and waits for it. On failure errno says why.
pub fn give(path: &CStr, wire: &OwnedFd) -> Result<Child, ()> {
    // With every signal blocked in this thread, none of the host's handlers can run in the copy.
    // SAFETY: all-zero is a valid sigset_t, and sigfillset makes it full.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { std::mem::zeroed() };
    // SAFETY: valid sets; pthread_sigmask touches this thread's mask only.
    unsafe {
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
    }
    let pid = copy();
    if pid == 0 {
        intermediate::run(path, wire.as_raw_fd());
    }
    let failed = errno();
    // SAFETY: restores the mask that was saved above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    // SAFETY: this thread's own errno, for the caller's log line.
    unsafe { *libc::__errno_location() = failed };
    libc::pid_t::try_from(pid).map_or(Err(()), Child::new)
}

/// `fork(2)` without libc's handlers, and with exit signal 0: `wait(2)` returns such a child only to
/// callers that ask for it (`__WALL`), and its end sends no SIGCHLD. `clone3` is refused by some
/// seccomp filters.
fn copy() -> c_long {
    // SAFETY: without CLONE_VM the child has a copy of everything and this very stack; a null
    // stack means "the same address" (clone(2)). All five arguments are 0 in whatever order.
    unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) }
}

/// What the helper's process does until it is the helper: it shares its memory with the intermediate
/// process, which waits meanwhile.
fn become_helper(path: &CStr, host: u32) -> ! {
    inherited::signals();
    let why = match safe_path::open(&System, path, host, Kind::Plain) {
        Ok(Found { file, .. }) => {
            execute(&file);
            failed(step::EXEC)
        }
        Err(refusal) => distrusted(&refusal),
    };
    report(WIRE, why);
    // SAFETY: _exit(2) does not return.
    unsafe { libc::_exit(127) }
}

fn failed(step: u8) -> SpawnError {
    SpawnError {
        step,
        errno: errno(),
        resolved: 0,
    }
}

fn report(wire: RawFd, error: SpawnError) {
    let message = error.encode();
    let flags = libc::MSG_NOSIGNAL;
    // SAFETY: writes a local array to the wire.
    unsafe { libc::send(wire, message.as_ptr().cast(), message.len(), flags) };
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

fn distrusted(refusal: &safe_path::Refusal) -> SpawnError {
    let (step, detail) = match refusal.reason {
        Reason::Relative => (step::RELATIVE, 0),
        Reason::TooLong => (step::TOO_LONG, 0),
        Reason::Syscall(Errno(number)) => (step::LOOK, number),
        Reason::NotADirectory => (step::NOT_A_FOLDER, 0),
        Reason::NotAFile | Reason::NotASocket => (step::NOT_A_FILE, 0),
        Reason::Owner { uid } => (step::OWNER, signed(uid)),
        Reason::Writable { mode } | Reason::Readable { mode } => (step::WRITABLE, signed(mode)),
    };
    SpawnError {
        step,
        errno: detail,
        resolved: u16::try_from(refusal.at).unwrap_or(u16::MAX),
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
pub fn describe(why: SpawnError, path: &CStr) -> Trouble {
    let path = path.to_bytes();
    let walked = path.get(..usize::from(why.resolved)).unwrap_or(path);
    let at = String::from_utf8_lossy(if walked.is_empty() { b"/" } else { walked });
    let error = || std::io::Error::from_raw_os_error(why.errno).to_string();
    let detail = match why.step {
        step::IDS => {
            return Trouble::local(
                ["could not take the host's effective ids: ", &error()].concat(),
            );
        }
        step::SESSION => return Trouble::local(["no session for the helper: ", &error()].concat()),
        step::PROCESS => return Trouble::local(["no process for the helper: ", &error()].concat()),
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

impl Syscalls for System {
    type Fd = OwnedFd;

    fn open_root(&self) -> Result<OwnedFd, Errno> {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        // SAFETY: a constant path.
        Self::opened(unsafe { libc::open(c"/".as_ptr(), flags) })
    }

    fn open_path(&self, directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: an open directory and a C string.
        Self::opened(unsafe { libc::openat(directory.as_raw_fd(), name.as_ptr(), flags) })
    }

    /// To be executed, so it is opened as a place only.
    fn open_file(&self, directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        self.open_path(directory, name)
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

    fn read_link(&self, link: &OwnedFd, target: &mut [u8]) -> Result<usize, Errno> {
        // SAFETY: writes at most the buffer's length; an empty name means the link itself.
        let length = unsafe {
            libc::readlinkat(
                link.as_raw_fd(),
                c"".as_ptr(),
                target.as_mut_ptr().cast(),
                target.len(),
            )
        };
        usize::try_from(length).map_err(|_| Errno(errno()))
    }
}
