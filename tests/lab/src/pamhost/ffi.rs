//! The part of libpam that an application calls (`security/pam_appl.h`, Linux-PAM 1.4 and later).
//!
//! Declared here, not taken from a crate: tests need calls that a safe wrapper does not allow.

use std::ffi::{c_char, c_int, c_void};

#[repr(C)]
pub struct Handle {
    _opaque: [u8; 0],
}

#[repr(C)]
pub struct Message {
    pub style: c_int,
    pub text: *const c_char,
}

#[repr(C)]
pub struct Response {
    /// From malloc: libpam or the module frees it.
    pub answer: *mut c_char,
    pub retcode: c_int,
}

pub type Converse = extern "C" fn(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int;

#[repr(C)]
pub struct Conversation {
    pub converse: Converse,
    pub data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    pub fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        handle: *mut *mut Handle,
    ) -> c_int;
    pub fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        folder: *const c_char,
        handle: *mut *mut Handle,
    ) -> c_int;
    pub fn pam_end(handle: *mut Handle, status: c_int) -> c_int;
    pub fn pam_set_item(handle: *mut Handle, item: c_int, value: *const c_void) -> c_int;
    pub fn pam_get_item(handle: *const Handle, item: c_int, value: *mut *const c_void) -> c_int;
    pub fn pam_putenv(handle: *mut Handle, assignment: *const c_char) -> c_int;
    pub fn pam_authenticate(handle: *mut Handle, flags: c_int) -> c_int;
    pub fn pam_setcred(handle: *mut Handle, flags: c_int) -> c_int;
    pub fn pam_acct_mgmt(handle: *mut Handle, flags: c_int) -> c_int;
    pub fn pam_open_session(handle: *mut Handle, flags: c_int) -> c_int;
    pub fn pam_close_session(handle: *mut Handle, flags: c_int) -> c_int;
    pub fn pam_chauthtok(handle: *mut Handle, flags: c_int) -> c_int;
}

pub const SUCCESS: c_int = 0;
pub const CONV_ERR: c_int = 19;
pub const ESTABLISH_CRED: c_int = 2;

pub const ITEM_USER: c_int = 2;
pub const ITEM_TTY: c_int = 3;
pub const ITEM_RHOST: c_int = 4;
pub const ITEM_RUSER: c_int = 8;
pub const ITEM_FAIL_DELAY: c_int = 10;
