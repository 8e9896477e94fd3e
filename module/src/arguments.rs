//! The arguments of `pam_sms_otp.so` in the PAM line.
#![forbid(unsafe_code)]

#[cfg(any(test, fuzzing))]
pub(crate) mod properties;

use std::ffi::{CStr, CString};

use protocol::Source;

use crate::error::Error;

// The default paths of the helper and the settings file, set at build time (`build.rs`).
const HELPER: &str = env!("SMS_OTP_HELPER");
const CONFIG: &str = env!("SMS_OTP_CONFIG");

/// The PAM line's arguments.
pub(crate) struct Arguments {
    pub(crate) config: CString,
    pub(crate) helper: CString,
    pub(crate) source: Option<Source>,
    pub(crate) debug: bool,
    /// Do not prompt for a password: use only one that an earlier module has set.
    pub(crate) use_first_pass: bool,
}

impl Arguments {
    /// Parses the arguments. An unknown one refuses the login: a typo must not weaken anything.
    pub(crate) fn parse(args: &[&CStr]) -> Result<Self, Error> {
        let mut arguments = Self {
            config: built_in(CONFIG)?,
            helper: built_in(HELPER)?,
            source: None,
            debug: false,
            use_first_pass: false,
        };
        for arg in args {
            arguments
                .set(arg.to_bytes())
                .ok_or_else(|| Error::unknown_argument(arg.to_bytes()))?;
        }
        Ok(arguments)
    }

    fn set(&mut self, arg: &[u8]) -> Option<()> {
        match arg {
            b"debug" => self.debug = true,
            // The default: a password that an earlier module has set is used.
            b"try_first_pass" => {}
            b"use_first_pass" => self.use_first_pass = true,
            b"password=ldap" => self.source = Some(Source::Ldap),
            b"password=ssh" => self.source = Some(Source::Ssh),
            b"password=auto" => self.source = Some(Source::Auto),
            b"password=stack" => self.source = Some(Source::Stack),
            _ => {
                if let Some(path) = arg.strip_prefix(b"config=") {
                    self.config = absolute_path(path)?;
                } else {
                    self.helper = absolute_path(arg.strip_prefix(b"helper=")?)?;
                }
            }
        }
        Some(())
    }
}

fn built_in(path: &str) -> Result<CString, Error> {
    CString::new(path).map_err(|_| Error::helper("a built-in path contains a NUL byte"))
}

fn absolute_path(bytes: &[u8]) -> Option<CString> {
    if bytes.first() != Some(&b'/') || bytes.len() > protocol::limits::MAX_PATH {
        return None;
    }
    CString::new(bytes).ok()
}
