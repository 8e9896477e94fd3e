//! What pam-bindings does not offer of libpam: the module's only own FFI to it.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr,
};

use pam::{constants::PamResultCode, items, module::PamHandle};

use crate::memory::Memory;

// Linked by pam-bindings (`-lpam`).
// SAFETY: signatures from <security/pam_ext.h> and <security/pam_modules.h>; they are the same in
// every Linux-PAM since 1.1.
unsafe extern "C" {
    fn pam_get_user(pamh: *mut PamHandle, user: *mut *const c_char, prompt: *const c_char)
    -> c_int;
    fn pam_get_authtok(
        pamh: *mut PamHandle,
        item: c_int,
        authtok: *mut *const c_char,
        prompt: *const c_char,
    ) -> c_int;
    fn pam_getenv(pamh: *mut PamHandle, name: *const c_char) -> *const c_char;
    fn pam_syslog(pamh: *const PamHandle, priority: c_int, format: *const c_char, ...);
}

const PAM_SUCCESS: c_int = PamResultCode::PAM_SUCCESS as c_int;
const PAM_AUTHTOK: c_int = items::ItemType::AuthTok as c_int;

/// The key says which version has put the value there, so that its type is the one of this one.
const MEMORY_KEY: &str = concat!("pam_sms_otp ", env!("CARGO_PKG_VERSION"));

/// `PAM_USER`, as bytes (pam-bindings refuses what is not UTF-8), asked for where the host has
/// left that to the modules. `None`: nobody said.
pub fn user(pamh: &mut PamHandle) -> Option<Vec<u8>> {
    let mut user = ptr::null();
    // SAFETY: `pamh` is libpam's own handle for this hook, `user` a valid place for a pointer,
    // and a null prompt means the default one (pam_get_user(3)).
    let result = unsafe { pam_get_user(pamh, &raw mut user, ptr::null()) };
    if result != PAM_SUCCESS {
        return None;
    }
    // SAFETY: on success libpam hands out a string of its own, or null.
    unsafe { bytes_of(user, protocol::limits::MAX_NAME) }
}

/// Whether `PAM_USER` is still this one, as [`user`] gives it. The application or another module may
/// set it while a prompt is shown.
pub fn is_still(pamh: &PamHandle, user: &[u8]) -> bool {
    let Ok(Some(now)) = pamh.get_item::<items::User>() else {
        return false;
    };
    let now = now.0.to_bytes();
    now.get(..protocol::limits::MAX_NAME).unwrap_or(now) == user
}

/// Whether an earlier module has left a password.
pub fn has_password(pamh: &PamHandle) -> bool {
    matches!(pamh.get_item::<items::AuthTok>(), Ok(Some(_)))
}

/// The password: what an earlier module has left, else asked for, and left for those after us.
/// Given to `then` where libpam keeps it, so that this module makes no copy. `None`: the
/// conversation failed (`pam_get_authtok(3)` answers `PAM_AUTHTOK_ERR` then).
pub fn with_password<T>(
    pamh: &mut PamHandle,
    prompt: &str,
    then: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    let prompt = CString::new(prompt).ok()?;
    let mut password = ptr::null();
    // SAFETY: as in `user`; the prompt outlives the call, and libpam prints it through "%s".
    let result = unsafe { pam_get_authtok(pamh, PAM_AUTHTOK, &raw mut password, prompt.as_ptr()) };
    if result != PAM_SUCCESS || password.is_null() {
        return None;
    }
    // SAFETY: on success a NUL-terminated string that libpam keeps until the item is set again,
    // which nothing does before `then` returns.
    Some(then(unsafe { CStr::from_ptr(password) }.to_bytes()))
}

/// A variable of the PAM environment (not of the process), at most `most` bytes of it.
pub fn environment(pamh: &mut PamHandle, name: &CStr, most: usize) -> Vec<u8> {
    // SAFETY: both pointers are valid; libpam answers with a string of its own, or null.
    unsafe { bytes_of(pam_getenv(pamh, name.as_ptr()), most) }.unwrap_or_default()
}

/// Writes one line to the system's log, under the host's name and this module's.
pub fn syslog(pamh: &PamHandle, line: &str) {
    if let Ok(line) = CString::new(line) {
        // SAFETY: "%s" takes the one string that is given.
        unsafe { pam_syslog(pamh, libc::LOG_ERR, c"%s".as_ptr(), line.as_ptr()) };
    }
}

/// What this module remembers on the handle.
pub fn memory(pamh: &PamHandle) -> Option<&Memory> {
    // SAFETY: only `set_memory` puts anything under this key, and always a `Memory`.
    unsafe { pamh.get_data::<Memory>(MEMORY_KEY) }.ok()
}

/// Replaces it; libpam frees the one before.
pub fn set_memory(pamh: &mut PamHandle, memory: Memory) -> Result<(), PamResultCode> {
    pamh.set_data(MEMORY_KEY, Box::new(memory))
}

/// # Safety
/// `text` is null or a NUL-terminated string that stays as it is during the call.
unsafe fn bytes_of(text: *const c_char, most: usize) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    Some(bytes.get(..most).unwrap_or(bytes).to_vec())
}
