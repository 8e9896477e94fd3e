//! The administrator's command `sms-otp`.
#![forbid(unsafe_code)]

mod account;
mod arguments;
mod report;
mod status;
mod unlock;

use std::{ffi::OsString, io::Write, process::ExitCode, time::Duration};

use crate::{
    config::{self, Settings},
    deadline::Deadline,
    sys,
};
use arguments::{Command, HELP};
use report::{CommandError, Report};

/// How long the directory and the ledgers may take together.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The exit status for wrong usage.
const WRONG_USAGE: u8 = 2;

/// Added to errors of users other than root: a missing privilege is the most frequent cause.
const ROOT_HINT: &str = "\
sms-otp: usually only root can read the settings and the ledger: try it as root (sudo sms-otp ...)
";

/// Runs the command. Exit status: 0 success, 1 a finding or a refusal, 2 wrong usage.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let (config, command) = match arguments::parse(args) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "sms-otp: {error} (see sms-otp --help)");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let by = Deadline::within(MAX_TIME);
    let settings = || load_settings(config);
    let report = match command {
        Command::Help => Ok(Report::of(HELP.to_owned())),
        Command::Version => Ok(Report::of(format!(
            "sms-otp {}\n",
            env!("CARGO_PKG_VERSION")
        ))),
        Command::Status { user, json } => {
            settings().and_then(|settings| status::run(&settings, user.as_deref(), json, by))
        }
        Command::Unlock { user, forget } => {
            settings().and_then(|settings| unlock::run(&settings, &user, forget, by))
        }
    };
    let report = report.unwrap_or_else(|CommandError(error)| Report {
        text: String::new(),
        errors: vec![error],
    });
    write(&report)
}

fn write(report: &Report) -> ExitCode {
    let written = std::io::stdout().write_all(report.text.as_bytes());
    for error in &report.errors {
        let _ = writeln!(std::io::stderr(), "sms-otp: {error}");
    }
    if !report.errors.is_empty() && !sys::is_root() {
        let _ = std::io::stderr().write_all(ROOT_HINT.as_bytes());
    }
    if written.is_ok() && report.errors.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Loads the settings without those of a single service.
fn load_settings(path: Option<String>) -> Result<Settings, CommandError> {
    let default_path = || {
        let directory = option_env!("SMS_OTP_SYSCONFDIR").unwrap_or("/etc");
        format!("{directory}/security/sms_otp.toml")
    };
    let path = path.unwrap_or_else(default_path);
    config::load(&config::Disk, &path, "", None)
        .map_err(|error| CommandError(format!("{error}: {}", error.remedy())))
}
