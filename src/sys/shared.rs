//! A file that many processes have open at once: its locks, and writing where a limit forbids it.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Locks a stretch of a file, unless somebody else has. Never waits.
///
/// The lock is the open file's, not the process's (`F_OFD_SETLK`, fcntl(2)): it goes when the file
/// is closed, however the process ends, and the stretch need not exist in the file.
///
/// # Errors
/// The file cannot be locked.
pub fn try_lock(file: impl AsFd, start: u64, length: u64) -> io::Result<bool> {
    match set_lock(file, libc::F_WRLCK, start, length) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Gives such a lock back.
pub fn unlock(file: impl AsFd, start: u64, length: u64) {
    // A lock that is not given back goes with the file.
    let _ = set_lock(file, libc::F_UNLCK, start, length);
}

fn set_lock(file: impl AsFd, kind: libc::c_int, start: u64, length: u64) -> io::Result<()> {
    let fits = |number: u64| libc::off_t::try_from(number).map_err(io::Error::other);
    let (start, length) = (fits(start)?, fits(length)?);
    // SAFETY: all-zero is a valid flock, and fcntl(2) reads one from where `lock` stands.
    let done = unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = kind.try_into().map_err(io::Error::other)?;
        lock.l_whence = libc::SEEK_SET.try_into().map_err(io::Error::other)?;
        lock.l_start = start;
        lock.l_len = length;
        libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &raw const lock)
    };
    if done == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Writes a sector of a file through the memory, which the limit on file sizes does not bound
/// (`RLIMIT_FSIZE`, setrlimit(2)). It must not be a hole.
///
/// # Errors
/// The file cannot be mapped, or the bytes do not lie within one page of it.
pub fn write_mapped(file: impl AsFd, at: u64, bytes: &[u8]) -> io::Result<()> {
    let outside = || io::Error::from(io::ErrorKind::InvalidInput);
    // SAFETY: sysconf(3) only answers.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).map_err(|_| outside())?;
    let at = usize::try_from(at).map_err(|_| outside())?;
    let within = at.checked_rem(page).ok_or_else(outside)?;
    let start = libc::off_t::try_from(at.saturating_sub(within)).map_err(|_| outside())?;
    if within.saturating_add(bytes.len()) > page {
        return Err(outside());
    }
    // SAFETY: maps one whole page of the file, at an address of the kernel's choice; the bytes lie
    // within it, as was just seen; and nothing points into it when it is unmapped.
    unsafe {
        let map = libc::mmap(
            std::ptr::null_mut(),
            page,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_fd().as_raw_fd(),
            start,
        );
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let place = map.cast::<u8>().add(within);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len());
        libc::munmap(map, page);
    }
    Ok(())
}
