//! The process of the helper until exec. It shares its memory with the intermediate process, which
//! waits meanwhile.

use std::{
    ffi::{CStr, c_char, c_int},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use safe_path::{Errno, Found, Kind, Stat, Syscalls};

use super::{
    descriptors::HELPER_SOCKET,
    failure::{self, step},
    inherited,
};
use crate::system::errno;

/// Resolves the path and executes the helper. On failure, reports why.
pub(crate) fn run(path: &CStr, host: u32) -> ! {
    inherited::reset_signals();
    let error = match safe_path::open(&System, path, host, Kind::Plain) {
        Ok(Found { file, .. }) => {
            execute(&file);
            failure::last(step::EXEC)
        }
        Err(refusal) => failure::refused(&refusal),
    };
    failure::report(HELPER_SOCKET, error);
    // SAFETY: _exit(2) does not return.
    unsafe { libc::_exit(127) }
}

fn execute(file: &OwnedFd) {
    let arguments = [c"sms-otp-helper".as_ptr(), ptr::null()];
    let environment = [ptr::null::<c_char>()];
    // SAFETY: NULL-terminated arrays of C strings. The descriptor is the file that was checked; the path
    // is not resolved again.
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

/// The system calls of the path resolution.
struct System;

impl System {
    fn opened(fd: c_int) -> Result<OwnedFd, Errno> {
        if fd < 0 {
            return Err(Errno(errno()));
        }
        // SAFETY: just opened, and without another owner.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

// With 64-bit inode numbers, plain fstat of glibc fails on 32-bit machines.
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

    /// `O_PATH` is enough to execute a file.
    fn open_file(&self, directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        self.open_path(directory, name)
    }

    fn stat(&self, fd: &OwnedFd) -> Result<Stat, Errno> {
        // SAFETY: all-zero is a valid stat, and fstat(2) only writes to it.
        let mut stat: FileStat = unsafe { std::mem::zeroed() };
        // SAFETY: an open descriptor and a valid address.
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
        // SAFETY: writes at most the length of the buffer; an empty name means the link itself.
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
