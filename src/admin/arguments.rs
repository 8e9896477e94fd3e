//! The command line.
#![forbid(unsafe_code)]

use std::ffi::OsString;

use lexopt::{Arg, Parser, ValueExt};

pub const HELP: &str = "\
sms-otp: the administrator's command of pam_sms_otp, a second factor by SMS

Usage: sms-otp [--config PATH] COMMAND

  status [USER] [--json]   locks, counts and when they clear, remembered logins,
                           SMS of the day
  unlock USER [--forget]   ends USER's lock and count of wrong codes; with --forget
                           also USER's remembered logins
  --help | --version

USER is a login name or the DN of an entry (for example of one that was deleted).
--config PATH: other settings than /etc/security/sms_otp.toml.
Exit status: 0 success, 1 a finding or a refusal, 2 wrong usage. See sms-otp(8).
";

/// A command with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    Status { user: Option<String>, json: bool },
    Unlock { user: String, forget: bool },
}

/// Parses the arguments after the program's name: the path of the settings and the command. Options may be
/// anywhere, except that `--config` has to precede the command.
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<(Option<String>, Command), String> {
    let mut parser = Parser::from_args(args);
    let text = |error: lexopt::Error| error.to_string();
    let (mut config, mut words, mut options) = (None, Vec::new(), Vec::new());
    while let Some(arg) = parser.next().map_err(text)? {
        match arg {
            Arg::Long("config") if words.is_empty() => {
                config = Some(parser.value().map_err(text)?.string().map_err(text)?);
            }
            Arg::Long("config") => return Err("--config PATH must precede the command".into()),
            Arg::Long("json") => options.push("--json"),
            Arg::Long("forget") => options.push("--forget"),
            Arg::Long("help") | Arg::Short('h') => options.push("--help"),
            Arg::Long("version") | Arg::Short('V') => options.push("--version"),
            Arg::Value(word) => words.push(word.string().map_err(text)?),
            other @ (Arg::Long(_) | Arg::Short(_)) => return Err(other.unexpected().to_string()),
        }
    }
    let mut words = words.into_iter();
    let command = match (words.next().as_deref(), words.next(), options.as_slice()) {
        (_, _, ["--help"]) => Command::Help,
        (None, _, ["--version"]) => Command::Version,
        (None, _, []) => return Err("missing command".into()),
        (Some("status"), user, []) => Command::Status { user, json: false },
        (Some("status"), user, ["--json"]) => Command::Status { user, json: true },
        (Some("unlock"), Some(user), []) => Command::Unlock {
            user,
            forget: false,
        },
        (Some("unlock"), Some(user), ["--forget"]) => Command::Unlock { user, forget: true },
        (Some("unlock"), None, _) => return Err("unlock needs a USER".into()),
        (Some("status" | "unlock") | None, _, _) => {
            return Err("this command does not take these options".into());
        }
        (Some(command), _, _) => {
            return Err(format!("unknown command {}", command.escape_default()));
        }
    };
    match words.next() {
        None => Ok((config, command)),
        Some(_) => Err("too many arguments".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Option<String>, Command), String> {
        parse(line.split(' ').map(OsString::from))
    }

    #[test]
    fn options_may_be_anywhere_except_config() {
        for line in [
            "--config /x unlock alice --forget",
            "--config=/x unlock --forget alice",
            "--config /x --forget unlock -- alice",
        ] {
            let user = "alice".to_owned();
            let expected = Command::Unlock { user, forget: true };
            assert_eq!(parsed(line), Ok((Some("/x".into()), expected)), "{line}");
        }
    }

    #[test]
    fn wrong_usage_is_an_error() {
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
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
