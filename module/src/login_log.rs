//! Writes the one log line that the module logs itself: `failed … stage=helper`. The helper logs
//! everything else.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use pam::{items, module::PamHandle};
use protocol::{limits, logfmt::field};

use crate::{error::Error, libpam, system};

/// The fields of one login that a log line may need.
pub(crate) struct LoginLog {
    pub(crate) login: [u8; 4],
    user: Vec<u8>,
    rhost: Vec<u8>,
}

impl LoginLog {
    /// Chooses the login number, which the log lines of the module and of the helper share.
    pub(crate) fn new(pamh: &PamHandle) -> Self {
        let user = pamh.get_item::<items::User>().ok().flatten();
        let rhost = pamh.get_item::<items::RHost>().ok().flatten();
        let bytes = |item: Option<&CStr>| truncated(item.map(CStr::to_bytes).unwrap_or_default());
        Self {
            login: system::random(),
            user: bytes(user.map(|item| item.0)),
            rhost: bytes(rhost.map(|item| item.0)),
        }
    }

    /// Sets the user name if the host had not set it when the login began.
    pub(crate) fn set_user(&mut self, user: &[u8]) {
        if self.user.is_empty() {
            self.user = truncated(user);
        }
    }

    /// Writes the log line. Users sometimes type their password at the login prompt, so the user name
    /// is logged only if NSS knows it.
    pub(crate) fn write(&self, pamh: &PamHandle, error: &Error) {
        let mut line = String::from("failed");
        field(&mut line, "login", hex(self.login).as_bytes());
        let is_known = error.may_use_nss && system::is_known_user(&self.user);
        field(&mut line, "user", if is_known { &self.user } else { b"?" });
        if !self.rhost.is_empty() {
            field(&mut line, "rhost", &self.rhost);
        }
        field(&mut line, "stage", b"helper");
        field(&mut line, "reason", error.reason.as_bytes());
        field(&mut line, "detail", error.detail.as_bytes());
        libpam::syslog(pamh, &line);
    }
}

/// The same limit applies to the request for the helper.
fn truncated(name: &[u8]) -> Vec<u8> {
    name.get(..limits::MAX_NAME).unwrap_or(name).to_vec()
}

fn hex(bytes: [u8; 4]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect()
}
