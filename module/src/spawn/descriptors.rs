//! Closes the descriptors inherited from the host process, except for the helper's socket.

use std::{ffi::c_int, os::fd::RawFd};

/// The descriptor of the socket in the helper, the first of `sd_listen_fds(3)` too.
pub(crate) const HELPER_SOCKET: RawFd = 3;

/// Moves the socket to its descriptor and closes all others. If a copy of the module's end stayed open,
/// the helper would not see the end of the module.
pub(crate) fn keep_socket(socket: RawFd) -> Result<(), ()> {
    // SAFETY: descriptor numbers only; this process shares its descriptor table with no other.
    unsafe {
        let moved = if socket == HELPER_SOCKET {
            libc::fcntl(HELPER_SOCKET, libc::F_SETFD, 0)
        } else {
            libc::dup2(socket, HELPER_SOCKET)
        };
        if moved < 0 {
            return Err(());
        }
        for standard in 0..HELPER_SOCKET {
            libc::close(standard);
        }
        let above = HELPER_SOCKET.wrapping_add(1);
        if libc::syscall(libc::SYS_close_range, above, c_int::MAX, 0) == 0 {
            return Ok(());
        }
    }
    close_listed()
}

/// Closes the descriptors that /proc lists, for kernels without `close_range(2)` (before Linux 5.9).
fn close_listed() -> Result<(), ()> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: a constant path.
    let directory = unsafe { libc::open(c"/proc/self/fd".as_ptr(), flags) };
    if directory < 0 {
        return Err(());
    }
    let mut buffer = [0_u8; 2048];
    loop {
        // SAFETY: writes at most the length of the buffer.
        let length = unsafe {
            let (start, size) = (buffer.as_mut_ptr(), buffer.len());
            libc::syscall(libc::SYS_getdents64, directory, start, size)
        };
        let Some(mut entries) = usize::try_from(length)
            .ok()
            .and_then(|length| buffer.get(..length))
        else {
            return Err(());
        };
        if entries.is_empty() {
            break;
        }
        while let Some((number, rest)) = next(entries) {
            if number > HELPER_SOCKET {
                // SAFETY: a number of a descriptor that this process does not use. `directory` has the
                // lowest free number, which is below that of the socket.
                unsafe { libc::close(number) };
            }
            entries = rest;
        }
    }
    // SAFETY: opened above.
    unsafe { libc::close(directory) };
    Ok(())
}

/// Returns the number that is the name of the first entry (0 for `.` and `..`), and the entries after it.
/// An entry consists of 16 bytes of inode and offset, its length in 16 bits, its type in 8 bits, and its
/// name (getdents64(2)).
fn next(entries: &[u8]) -> Option<(c_int, &[u8])> {
    let length = entries.get(16..18)?;
    let length = usize::from(u16::from_ne_bytes(length.try_into().ok()?));
    let name = entries.get(19..length)?;
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit());
    let number = digits.fold(0_i32, |number, byte| {
        let digit = i32::from(byte.wrapping_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    });
    Some((number, entries.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_entries_are_parsed_one_by_one() {
        let entry = |name: &str, length: u16| {
            let mut entry = vec![0; 16];
            entry.extend(length.to_ne_bytes());
            entry.push(4);
            entry.extend(name.as_bytes());
            entry.resize(length.into(), 0);
            entry
        };
        let all = [entry(".", 24), entry("3", 24), entry("1048575", 32)].concat();
        let (first, rest) = next(&all).unwrap();
        let (second, rest) = next(rest).unwrap();
        let (third, rest) = next(rest).unwrap();
        assert_eq!((first, second, third), (0, 3, 1_048_575));
        assert!(next(rest).is_none());
        // Truncated, or shorter than its fixed part.
        assert!(next(&all[..20]).is_none());
        assert!(next(&entry("7", 24)[..18]).is_none());
        let mut short = entry("7", 24);
        short[16..18].copy_from_slice(&2_u16.to_ne_bytes());
        assert!(next(&short).is_none());
    }
}
