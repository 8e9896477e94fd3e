//! The few things this module asks of the system besides starting a helper.

use std::ffi::{CStr, CString, c_char};

// SAFETY: libc declares it just so.
unsafe extern "C" {
    /// The name that syslog(3) writes when its host has chosen none: glibc and musl have it.
    static __progname: *const c_char;
}

/// The host's name, as `pam_syslog(3)` would log it.
pub fn program_name() -> Vec<u8> {
    // SAFETY: libc sets it before main and to nothing but a NUL-terminated string.
    let name = unsafe { __progname };
    if name.is_null() {
        return Vec::new();
    }
    // SAFETY: not null, and as above.
    unsafe { CStr::from_ptr(name) }.to_bytes().to_vec()
}

/// Who calls, whatever the host has become since.
pub fn real_uid() -> u32 {
    // SAFETY: getuid(2) cannot fail.
    unsafe { libc::getuid() }
}

/// Whether the real user of this process is not the one whose rights it has (sudo or su, run by an
/// ordinary user).
pub fn is_run_by_another() -> bool {
    // SAFETY: geteuid(2) cannot fail.
    real_uid() != unsafe { libc::geteuid() }
}

/// Four bytes that name a login. They are no secret; if the system has none to give (it always
/// has after boot), the login is called 00000000.
pub fn random() -> [u8; 4] {
    let mut bytes = [0; 4];
    // SAFETY: writes at most four bytes into four bytes.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), libc::GRND_NONBLOCK) };
    bytes
}

/// Whether NSS knows a name. Asked only when this module must log by itself; the host has asked
/// the same before.
pub fn is_known(name: &[u8]) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    // SAFETY: all-zero is a valid `passwd` (null pointers and zeros); it is only written to.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    let mut buffer = [0; 4096];
    let mut found = std::ptr::null_mut();
    // SAFETY: every pointer is valid for the call, and the buffer's length is its own.
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
    fn logins_have_names_of_their_own() {
        assert!((0..4).any(|_| random() != random()));
    }

    #[test]
    fn names_are_known_to_nss_or_not() {
        assert!(is_known(b"root"));
        assert!(!is_known(b"nobody-has-this-name"));
        assert!(!is_known(b"ro\0ot"));
    }
}
