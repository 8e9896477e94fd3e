//! User lookups through NSS.

use std::ffi::{CStr, CString};

use crate::policy::Names;

/// The name services of this machine (nsswitch.conf(5)).
pub struct Nss;

/// The maximum size of an entry. The 1 KB that glibc suggests is only an initial size.
const MAX_ENTRY: usize = 1 << 20;

/// The ids of a user.
pub struct User {
    pub uid: u32,
    pub gid: u32,
}

/// Looks up a user by name.
///
/// # Errors
/// The lookup failed.
pub fn user(name: &str) -> Result<Option<User>, String> {
    let Ok(name) = CString::new(name) else {
        return Ok(None);
    };
    // SAFETY: `look_up` passes valid addresses and the length of its buffer.
    let found = look_up(|entry, buffer, length, result| unsafe {
        libc::getpwnam_r(name.as_ptr(), entry, buffer, length, result)
    })?;
    Ok(found.map(|(user, _)| user))
}

impl Names for Nss {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        Ok(user(name)?.map(|user| user.uid))
    }

    fn name(&self, uid: u32) -> Result<Option<String>, String> {
        // SAFETY: as above.
        let found = look_up(|entry, buffer, length, result| unsafe {
            libc::getpwuid_r(uid, entry, buffer, length, result)
        })?;
        Ok(found.and_then(|(_, name)| name.into_string().ok()))
    }
}

/// Makes one lookup, with a buffer that grows up to [`MAX_ENTRY`].
fn look_up(
    call: impl Fn(*mut libc::passwd, *mut libc::c_char, usize, *mut *mut libc::passwd) -> i32,
) -> Result<Option<(User, CString)>, String> {
    let mut buffer: Vec<libc::c_char> = vec![0; 1024];
    loop {
        // SAFETY: all-zero is a valid passwd.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = std::ptr::null_mut();
        match call(
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut result,
        ) {
            0 if result.is_null() => return Ok(None),
            0 => {
                // SAFETY: on success pw_name is a C string within `buffer`.
                let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_owned();
                let user = User {
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                };
                return Ok(Some((user, name)));
            }
            libc::ERANGE if buffer.len() < MAX_ENTRY => {
                buffer.resize(buffer.len().saturating_mul(4), 0);
            }
            libc::EINTR => {}
            // "The given name was not found" in getpwnam(3).
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => {
                let error = std::io::Error::from_raw_os_error(error);
                return Err(format!("NSS lookup of a user failed: {error}"));
            }
        }
    }
}
