//! The descriptors of the copy of a host process: the wire alone is left.

use std::{ffi::c_int, os::fd::RawFd};

use super::WIRE;

/// Moves the wire to its place and closes everything else. A copy of the module's end, kept open, would
/// keep the end of the wire from the helper.
pub fn keep_wire(wire: RawFd) -> Result<(), ()> {
    // SAFETY: descriptor numbers only; this process shares none of them with another one.
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
        let above = WIRE.wrapping_add(1);
        if libc::syscall(libc::SYS_close_range, above, c_int::MAX, 0) == 0 {
            return Ok(());
        }
    }
    close_listed()
}

/// Closes what /proc lists, where `close_range(2)` is missing (before Linux 5.9).
fn close_listed() -> Result<(), ()> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: a constant path.
    let folder = unsafe { libc::open(c"/proc/self/fd".as_ptr(), flags) };
    if folder < 0 {
        return Err(());
    }
    let mut buffer = [0_u8; 2048];
    loop {
        // SAFETY: writes at most the buffer's length.
        let length = unsafe {
            let (start, room) = (buffer.as_mut_ptr(), buffer.len());
            libc::syscall(libc::SYS_getdents64, folder, start, room)
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
            if number > WIRE {
                // SAFETY: a number, and nothing in this process uses what is open there. `folder`
                // has the lowest number that was free, which is below the wire's.
                unsafe { libc::close(number) };
            }
            entries = rest;
        }
    }
    // SAFETY: opened above.
    unsafe { libc::close(folder) };
    Ok(())
}

/// The descriptor that the first of these entries names (0 for `.` and `..`), and the entries behind it.
/// Each begins with 16 bytes of inode and offset, its own length in 16 bits and its type in 8; then
/// comes the name (getdents64(2)).
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
    fn entries_are_read_one_by_one() {
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
        // Cut off, or shorter than its own head.
        assert!(next(&all[..20]).is_none());
        assert!(next(&entry("7", 24)[..18]).is_none());
        let mut short = entry("7", 24);
        short[16..18].copy_from_slice(&2_u16.to_ne_bytes());
        assert!(next(&short).is_none());
    }
}
