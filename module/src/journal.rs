//! The one line that this module logs itself: `failed … stage=helper`. All others come from the
//! helper.
#![forbid(unsafe_code)]

use std::ffi::CStr;

use pam::{items, module::PamHandle};
use protocol::{limits, logfmt::field};

use crate::{libpam, system};

/// What went wrong on this side.
pub struct Trouble {
    reason: &'static str,
    detail: String,
    /// Whether the name may still be looked up for the log.
    names: bool,
}

impl Trouble {
    /// The helper could not be had, or did not do what it should.
    pub fn helper(detail: impl Into<String>) -> Self {
        Self {
            reason: "helper",
            detail: detail.into(),
            names: true,
        }
    }

    /// A helper was started and is gone without a verdict. It may have been a name service that it
    /// waited for, and that would keep the host as well: there is no time limit to a look-up. So
    /// from here on nobody is looked up.
    pub fn lost(detail: impl Into<String>) -> Self {
        Self {
            names: false,
            ..Self::helper(detail)
        }
    }

    /// Reason and detail.
    #[cfg(test)]
    pub fn told(&self) -> String {
        [self.reason, ": ", &self.detail].concat()
    }

    /// This machine lacks something.
    pub fn local(detail: impl Into<String>) -> Self {
        Self {
            reason: "local",
            detail: detail.into(),
            names: true,
        }
    }

    /// An argument that is none.
    pub fn argument(argument: &[u8]) -> Self {
        let mut detail = String::from("unknown argument ");
        detail.push_str(&String::from_utf8_lossy(argument));
        detail.push_str(" in the PAM line; see pam_sms_otp(8)");
        Self {
            reason: "bad-settings",
            detail,
            names: true,
        }
    }
}

/// A login that may have to be logged.
pub struct Line {
    pub login: [u8; 4],
    user: Vec<u8>,
    rhost: Vec<u8>,
}

impl Line {
    /// Draws the login's number, so that this line and the helper's lines carry the same.
    pub fn begin(pamh: &PamHandle) -> Self {
        let text = |item: Option<&CStr>| {
            // No longer than what the helper is told.
            let bytes = item.map(CStr::to_bytes).unwrap_or_default();
            bytes.get(..limits::MAX_NAME).unwrap_or(bytes).to_vec()
        };
        Self {
            login: system::random(),
            user: text(
                pamh.get_item::<items::User>()
                    .ok()
                    .flatten()
                    .map(|item| item.0),
            ),
            rhost: text(
                pamh.get_item::<items::RHost>()
                    .ok()
                    .flatten()
                    .map(|item| item.0),
            ),
        }
    }

    /// Whose login it is, where the host did not say it before it was asked for.
    pub fn is_of(&mut self, user: &[u8]) {
        if self.user.is_empty() {
            self.user = user.get(..limits::MAX_NAME).unwrap_or(user).to_vec();
        }
    }

    /// Writes it. People type passwords where a name is asked for, so a name is written only if
    /// this machine knows it, and can say so.
    pub fn failed(&self, pamh: &PamHandle, trouble: &Trouble) {
        let mut line = String::from("failed");
        field(&mut line, "login", hex(self.login).as_bytes());
        let known = trouble.names && system::is_known(&self.user);
        field(&mut line, "user", if known { &self.user } else { b"?" });
        if !self.rhost.is_empty() {
            field(&mut line, "rhost", &self.rhost);
        }
        field(&mut line, "stage", b"helper");
        field(&mut line, "reason", trouble.reason.as_bytes());
        field(&mut line, "detail", trouble.detail.as_bytes());
        libpam::syslog(pamh, &line);
    }
}

fn hex(bytes: [u8; 4]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
        .collect()
}
