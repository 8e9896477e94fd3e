//! The functions of libpam that pam-bindings lacks: the module's only FFI to libpam of its own.

use std::{
    ffi::{CStr, CString, c_char, c_int},
    ptr,
};

use pam::{constants::PamResultCode, items, module::PamHandle};

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

/// Returns `PAM_USER` as bytes (pam-bindings accepts UTF-8 only), and prompts for it if the host has
/// not set it. `None`: the conversation failed.
pub(crate) fn user(pamh: &mut PamHandle) -> Option<Vec<u8>> {
    let mut user = ptr::null();
    // SAFETY: `pamh` is libpam's own handle for this hook, `user` a valid place for a pointer,
    // and a null prompt selects the default prompt (pam_get_user(3)).
    let result = unsafe { pam_get_user(pamh, &raw mut user, ptr::null()) };
    if result != PAM_SUCCESS {
        return None;
    }
    // SAFETY: on success libpam returns a string that it owns, or null.
    unsafe { bytes_of(user, protocol::limits::MAX_NAME) }
}

/// Whether `PAM_USER` is still the name that [`user`] returned. The application or another module may
/// change it while a prompt is shown.
pub(crate) fn is_same_user(pamh: &PamHandle, user: &[u8]) -> bool {
    let Ok(Some(now)) = pamh.get_item::<items::User>() else {
        return false;
    };
    let now = now.0.to_bytes();
    now.get(..protocol::limits::MAX_NAME).unwrap_or(now) == user
}

/// Whether an earlier module has set a password.
pub(crate) fn has_password(pamh: &PamHandle) -> bool {
    matches!(pamh.get_item::<items::AuthTok>(), Ok(Some(_)))
}

/// Passes the password to `then`: the one that an earlier module has set, otherwise the answer to a
/// prompt, which libpam stores for later modules. `then` reads it from libpam's memory, so the module
/// makes no copy. `None`: the conversation failed (`pam_get_authtok(3)` returns `PAM_AUTHTOK_ERR`).
pub(crate) fn with_password<T>(
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
    // which does not happen before `then` returns.
    Some(then(unsafe { CStr::from_ptr(password) }.to_bytes()))
}

/// Returns at most `max` bytes of a variable of the PAM environment (not of the process environment).
pub(crate) fn pam_variable(pamh: &mut PamHandle, name: &CStr, max: usize) -> Vec<u8> {
    // SAFETY: both pointers are valid; libpam returns a string that it owns, or null.
    unsafe { bytes_of(pam_getenv(pamh, name.as_ptr()), max) }.unwrap_or_default()
}

/// Writes one line to the system log, with the names of the host program and of this module.
pub(crate) fn syslog(pamh: &PamHandle, line: &str) {
    if let Ok(line) = CString::new(line) {
        // SAFETY: the format "%s" takes exactly one string.
        unsafe { pam_syslog(pamh, libc::LOG_ERR, c"%s".as_ptr(), line.as_ptr()) };
    }
}

/// # Safety
/// `text` is null or a NUL-terminated string that does not change during the call.
unsafe fn bytes_of(text: *const c_char, max: usize) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: guaranteed by the caller.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    Some(bytes.get(..max).unwrap_or(bytes).to_vec())
}
