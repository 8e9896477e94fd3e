//! The command: `sms-otp`.
#![forbid(unsafe_code)]

mod person;
mod status;
mod unlock;

use std::{ffi::OsString, io::Write, process::ExitCode, time::Duration};

use lexopt::{Arg, Parser, ValueExt};

use crate::{
    config::{self, Settings},
    deadline::Deadline,
    ledger::{self, Backend, FallbackStore},
    sys,
};

const HELP: &str = "\
sms-otp: the administrator's command of pam_sms_otp, a second factor by SMS

Usage: sms-otp [--config PATH] VERB

  status [USER] [--json]   locks, counts and when they clear, remembered logins,
                           SMS of the day
  unlock USER [--forget]   ends USER's lock and count of wrong codes; with --forget
                           his remembered logins, too
  --help | --version

USER is a login name, or the DN of an entry (of one that is no more, for example).
--config PATH: other settings than /etc/security/sms_otp.toml.
Exit status: 0 fine, 1 a finding or a refusal, 2 wrong usage. See sms-otp(8).
";

/// Directory and ledger together take no longer.
const PATIENCE: Duration = Duration::from_secs(30);

const WRONG_USAGE: u8 = 2;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
enum Verb {
    Help,
    Version,
    Status { user: Option<String>, json: bool },
    Unlock { user: String, forget: bool },
}

/// Why a verb did nothing, in one line.
#[derive(Debug, PartialEq, Eq)]
struct Refused(String);

/// What a verb has to say: for stdout, and of what failed beside it, for stderr.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    text: String,
    failures: Vec<String>,
}

impl Told {
    fn only(text: String) -> Self {
        let failures = Vec::new();
        Self { text, failures }
    }

    fn failed(&mut self, backend: Backend, error: &ledger::Error) {
        let failure = format!("{backend}: {error}: {}", error.remedy());
        self.failures.push(failure);
    }
}

/// Runs it: 0 fine, 1 a finding or a refusal, 2 wrong usage.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let (config, verb) = match read(args) {
        Ok(read) => read,
        Err(what) => {
            let _ = writeln!(std::io::stderr(), "sms-otp: {what} (see sms-otp --help)");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let by = Deadline::within(PATIENCE);
    let settings = || load(config);
    let told = match verb {
        Verb::Help => Ok(Told::only(HELP.to_owned())),
        Verb::Version => Ok(Told::only(format!(
            "sms-otp {}\n",
            env!("CARGO_PKG_VERSION")
        ))),
        Verb::Status { user, json } => {
            settings().and_then(|settings| status::tell(&settings, user.as_deref(), json, by))
        }
        Verb::Unlock { user, forget } => {
            settings().and_then(|settings| unlock::tell(&settings, &user, forget, by))
        }
    };
    let told = told.unwrap_or_else(|Refused(why)| Told {
        text: String::new(),
        failures: vec![why],
    });
    let written = std::io::stdout().write_all(told.text.as_bytes());
    for failure in &told.failures {
        let _ = writeln!(std::io::stderr(), "sms-otp: {failure}");
    }
    if !told.failures.is_empty() && !sys::is_root() {
        let _ = std::io::stderr().write_all(AS_ROOT.as_bytes());
    }
    if written.is_ok() && told.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// For whoever is not root: mostly that is all there is to it.
const AS_ROOT: &str = "\
sms-otp: settings and ledger are mostly root's alone: try it as root (sudo sms-otp ...)
";

/// Reads the words behind the program's name. Options may stand anywhere but `--config`, which goes
/// before the verb.
fn read(args: impl Iterator<Item = OsString>) -> Result<(Option<String>, Verb), String> {
    let mut parser = Parser::from_args(args);
    let told = |error: lexopt::Error| error.to_string();
    let (mut config, mut words, mut options) = (None, Vec::new(), Vec::new());
    while let Some(arg) = parser.next().map_err(told)? {
        match arg {
            Arg::Long("config") if words.is_empty() => {
                config = Some(parser.value().map_err(told)?.string().map_err(told)?);
            }
            Arg::Long("config") => return Err("--config PATH stands before the verb".into()),
            Arg::Long("json") => options.push("--json"),
            Arg::Long("forget") => options.push("--forget"),
            Arg::Long("help") | Arg::Short('h') => options.push("--help"),
            Arg::Long("version") | Arg::Short('V') => options.push("--version"),
            Arg::Value(word) => words.push(word.string().map_err(told)?),
            other @ (Arg::Long(_) | Arg::Short(_)) => return Err(other.unexpected().to_string()),
        }
    }
    let mut words = words.into_iter();
    let verb = match (words.next().as_deref(), words.next(), options.as_slice()) {
        (_, _, ["--help"]) => Verb::Help,
        (None, _, ["--version"]) => Verb::Version,
        (None, _, []) => return Err("a verb is missing".into()),
        (Some("status"), user, []) => Verb::Status { user, json: false },
        (Some("status"), user, ["--json"]) => Verb::Status { user, json: true },
        (Some("unlock"), Some(user), []) => Verb::Unlock {
            user,
            forget: false,
        },
        (Some("unlock"), Some(user), ["--forget"]) => Verb::Unlock { user, forget: true },
        (Some("unlock"), None, _) => return Err("unlock whom?".into()),
        (Some("status" | "unlock") | None, _, _) => {
            return Err("that option does not belong there".into());
        }
        (Some(verb), _, _) => return Err(format!("unknown verb {}", verb.escape_default())),
    };
    match words.next() {
        None => Ok((config, verb)),
        Some(_) => Err("one word too many".into()),
    }
}

/// The ledgers. Whoever is root may stop this process as he likes.
fn books(settings: &Settings) -> FallbackStore {
    FallbackStore::open(&settings.ledger)
}

/// The settings that hold for no service in particular.
fn load(path: Option<String>) -> Result<Settings, Refused> {
    let built_in = || {
        let folder = option_env!("SMS_OTP_SYSCONFDIR").unwrap_or("/etc");
        format!("{folder}/security/sms_otp.toml")
    };
    let path = path.unwrap_or_else(built_in);
    config::load(&config::Disk, &path, "", None)
        .map_err(|error| Refused(format!("{error}: {}", error.remedy())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<(Option<String>, Verb), String> {
        read(line.split(' ').map(OsString::from))
    }

    #[test]
    fn options_stand_anywhere_but_the_settings() {
        for line in [
            "--config /x unlock alice --forget",
            "--config=/x unlock --forget alice",
            "--config /x --forget unlock -- alice",
        ] {
            let user = "alice".to_owned();
            let expected = Verb::Unlock { user, forget: true };
            assert_eq!(words(line), Ok((Some("/x".into()), expected)), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_not_guessed() {
        for line in [
            "unlock alice bob",
            "--conf /x status",
            "status --config /x",
            "status -j",
            "--help --version",
            "--config",
            "status --forget",
            "unlock alice --json",
            "unlock",
            "status alice bob",
            "status --json --json",
        ] {
            assert!(words(line).is_err(), "{line}");
        }
    }
}
