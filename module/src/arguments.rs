//! What stands behind `pam_sms_otp.so` in the PAM line.
#![forbid(unsafe_code)]

#[cfg(any(test, fuzzing))]
pub mod properties;

use std::ffi::{CStr, CString};

use protocol::Source;

use crate::journal::Trouble;

// Where the package puts the helper and looks for the settings: build settings, see `build.rs`.
const HELPER: &str = env!("SMS_OTP_HELPER");
const CONFIG: &str = env!("SMS_OTP_CONFIG");

/// The PAM line's arguments.
pub struct Arguments {
    pub config: CString,
    pub helper: CString,
    pub source: Option<Source>,
    pub debug: bool,
    /// Never ask for a password: only one that an earlier module has left counts.
    pub use_first_pass: bool,
}

impl Arguments {
    /// Reads them. One that is unknown refuses the login: a typo must not weaken anything.
    pub fn read(args: &[&CStr]) -> Result<Self, Trouble> {
        let mut read = Self {
            config: built_in(CONFIG)?,
            helper: built_in(HELPER)?,
            source: None,
            debug: false,
            use_first_pass: false,
        };
        for arg in args {
            read.take(arg.to_bytes())
                .ok_or_else(|| Trouble::argument(arg.to_bytes()))?;
        }
        Ok(read)
    }

    fn take(&mut self, arg: &[u8]) -> Option<()> {
        match arg {
            b"debug" => self.debug = true,
            // What happens anyway: a password that another module has left is not asked for again.
            b"try_first_pass" => {}
            b"use_first_pass" => self.use_first_pass = true,
            b"password=ldap" => self.source = Some(Source::Ldap),
            b"password=ssh" => self.source = Some(Source::Ssh),
            b"password=auto" => self.source = Some(Source::Auto),
            b"password=stack" => self.source = Some(Source::Stack),
            _ => {
                if let Some(path) = arg.strip_prefix(b"config=") {
                    self.config = path_of(path)?;
                } else {
                    self.helper = path_of(arg.strip_prefix(b"helper=")?)?;
                }
            }
        }
        Some(())
    }
}

fn built_in(path: &str) -> Result<CString, Trouble> {
    CString::new(path).map_err(|_| Trouble::helper("a path that was built in has a NUL"))
}

fn path_of(bytes: &[u8]) -> Option<CString> {
    if bytes.first() != Some(&b'/') || bytes.len() > protocol::limits::MAX_PATH {
        return None;
    }
    CString::new(bytes).ok()
}
