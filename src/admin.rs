//! The command: `sms-otp`.
#![forbid(unsafe_code)]

use std::{ffi::OsString, io::Write, process::ExitCode};

const HELP: &str = "\
sms-otp: the administrator's command of pam_sms_otp, a second factor by SMS

Usage: sms-otp --help | --version

This version has no verbs yet. Logins are governed by /etc/security/sms_otp.toml
(sms_otp.toml(5)) and the line in /etc/pam.d (pam_sms_otp(8)); what became of each
of them stands in the system's log, facility authpriv.
";

const WRONG_USAGE: u8 = 2;

/// Runs it: 0 fine, 1 a finding or a refusal, 2 wrong usage.
pub fn run(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let (first, more) = (args.next(), args.next());
    let text = match (first.as_deref().and_then(|arg| arg.to_str()), more) {
        (Some("--help" | "-h"), None) => HELP.to_owned(),
        (Some("--version" | "-V"), None) => format!("sms-otp {}\n", env!("CARGO_PKG_VERSION")),
        _ => {
            let _ = write!(std::io::stderr(), "sms-otp: wrong usage\n\n{HELP}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
