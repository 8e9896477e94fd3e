//! The system calls of the module besides those that start the helper.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    time::Duration,
};

// SAFETY: declared as in libc.
unsafe extern "C" {
    /// The name that syslog(3) uses by default, in glibc and musl.
    static __progname: *const c_char;
}

/// Returns the name of the host program, as `pam_syslog(3)` logs it.
pub(crate) fn program_name() -> Vec<u8> {
    // SAFETY: libc sets it before main, and only to a NUL-terminated string.
    let name = unsafe { __progname };
    if name.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, and as above.
    unsafe { CStr::from_ptr(name) }.to_bytes().to_vec()
}

/// The user who started this process, if the process has changed only its effective user id.
pub(crate) fn real_uid() -> u32 {
    // SAFETY: getuid(2) cannot fail.
    unsafe { libc::getuid() }
}

pub(crate) fn effective_uid() -> u32 {
    // SAFETY: geteuid(2) cannot fail.
    unsafe { libc::geteuid() }
}

/// The error number of the last system call of this thread.
pub(crate) fn errno() -> c_int {
    // SAFETY: libc returns the address of this thread's errno.
    unsafe { *libc::__errno_location() }
}

/// The monotonic clock.
pub(crate) fn now() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

/// Returns four random bytes for a login number, which is not secret. All are zero if the system has
/// no random numbers yet (early at boot).
pub(crate) fn random() -> [u8; 4] {
    let mut bytes = [0; 4];
    // SAFETY: writes at most four bytes into four bytes.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    bytes
}

/// Whether NSS has a user of this name. Called only when the module logs an error itself; the host
/// has made the same lookup before.
pub(crate) fn is_known_user(name: &[u8]) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: all-zero is a valid `passwd` (null pointers and zeros); it is only written to.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut buffer = [0; 4096];
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer is valid during the call, and the length is that of the buffer.
    let result = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    result == libc::ERANGE || (result == 0 && !found.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_numbers_are_random() {
        assert!((0..4).any(|_| random() != random()));
    }

    #[test]
    fn users_are_looked_up_in_nss() {
        assert!(is_known_user(b"root"));
        assert!(!is_known_user(b"no-user-has-this-name"));
        assert!(!is_known_user(b"ro\0ot"));
    }
}
