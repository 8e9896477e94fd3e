//! Files shared by many processes: locks, and writes beyond the file size limit.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
};

/// Locks a range of a file, unless another process holds a lock. Does not wait.
///
/// The lock belongs to the open file description (`F_OFD_SETLK`, fcntl(2)): it is released when the file
/// is closed, however the process ends. The range need not exist in the file.
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

/// Releases a lock.
pub fn unlock(file: impl AsFd, start: u64, length: u64) {
    // If this fails, the lock is released when the file is closed.
    let _ = set_lock(file, libc::F_UNLCK, start, length);
}

fn set_lock(file: impl AsFd, kind: libc::c_int, start: u64, length: u64) -> io::Result<()> {
    let fits = |number: u64| libc::off_t::try_from(number).map_err(io::Error::other);
    let (start, length) = (fits(start)?, fits(length)?);
    // SAFETY: all-zero is a valid flock, and fcntl(2) reads one at the address of `lock`.
    let result = unsafe {
        let mut lock: libc::flock = std::mem::zeroed();
        lock.l_type = kind.try_into().map_err(io::Error::other)?;
        lock.l_whence = libc::SEEK_SET.try_into().map_err(io::Error::other)?;
        lock.l_start = start;
        lock.l_len = length;
        libc::fcntl(file.as_fd().as_raw_fd(), libc::F_OFD_SETLK, &raw const lock)
    };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Writes a sector of a file through a memory mapping, to which the file size limit does not apply
/// (`RLIMIT_FSIZE`, setrlimit(2)). The sector must not be a hole.
///
/// # Errors
/// The file cannot be mapped, or the bytes do not lie within one page of it.
pub fn write_mapped(file: impl AsFd, at: u64, bytes: &[u8]) -> io::Result<()> {
    let outside = || io::Error::from(io::ErrorKind::InvalidInput);
    // SAFETY: sysconf(3) only returns a number.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).map_err(|_| outside())?;
    let at = usize::try_from(at).map_err(|_| outside())?;
    let within = at.checked_rem(page).ok_or_else(outside)?;
    let start = libc::off_t::try_from(at.saturating_sub(within)).map_err(|_| outside())?;
    if within.saturating_add(bytes.len()) > page {
        return Err(outside());
    }
    // SAFETY: maps one whole page of the file, at an address chosen by the kernel; the bytes are within
    // that page, as checked above; no pointer into it remains when it is unmapped.
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
        let address = map.cast::<u8>().add(within);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), address, bytes.len());
        libc::munmap(map, page);
    }
    Ok(())
}
