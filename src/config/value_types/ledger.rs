//! The types of values of `[limits]` and `[ledger]`, and of what the ledger stores for `[policy]`.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    DurationIn, Invalid, ValueType, check, check_list, is_line, parse_duration, parse_path,
};
use crate::config::Rule;

/// A month, in milliseconds: the longest time that anything is stored.
pub const MONTH: u64 = 30 * 86_400_000;

/// `COUNT/DURATION`, with a period of 1s to 30d in whole seconds.
pub enum Rate<const MAX: u32> {}

impl<const MAX: u32> ValueType for Rate<MAX> {
    type Raw = String;
    type Value = Rule;

    fn allowed() -> String {
        format!(
            "NUMBER/DURATION in quotes, such as \"500/1d\": a whole number from 1 to {MAX}, and 1s to \
             30d in whole seconds"
        )
    }

    fn parse(raw: String) -> Result<Rule, Invalid> {
        parse_rule(&raw)
            .filter(|rule| (1..=MAX).contains(&rule.most))
            .ok_or(Invalid::VALUE)
    }
}

/// `^[0-9]+/DURATION$`, of whole seconds.
fn parse_rule(text: &str) -> Option<Rule> {
    let (number, period) = text.split_once('/')?;
    let most = Some(number)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?
        .parse()
        .ok()?;
    let within = parse_duration(period)?;
    let allowed = Duration::from_secs(1)..=Duration::from_millis(MONTH);
    let fits = allowed.contains(&within) && within.subsec_nanos() == 0;
    fits.then_some(Rule { most, within })
}

/// `limits.sms`
pub enum Rates {}

impl ValueType for Rates {
    type Raw = Vec<String>;
    type Value = Vec<Rule>;

    fn allowed() -> String {
        "a list in brackets of one to eight NUMBER/DURATION, such as \"5/15m\": a whole number from \
         1 to 1000, and 1s to 30d in whole seconds"
            .into()
    }

    fn parse(raw: Vec<String>) -> Result<Vec<Rule>, Invalid> {
        match raw.len() {
            0 => return Err(Invalid("the list is empty")),
            1..=8 => (),
            _ => return Err(Invalid("the list has more than eight entries")),
        }
        raw.into_iter().map(Rate::<1000>::parse).collect()
    }
}

/// `limits.allowed_prefixes`
pub enum Prefixes {}

impl ValueType for Prefixes {
    type Raw = Vec<String>;
    type Value = Vec<String>;

    fn allowed() -> String {
        "a list in brackets of at least one + and 1 to 15 digits, the first of them not 0, such as \
         \"+44\""
            .into()
    }

    fn parse(raw: Vec<String>) -> Result<Vec<String>, Invalid> {
        check_list(raw, is_prefix)
    }
}

/// Whether a phone number in E.164 may begin with a text. No country code begins with 0.
fn is_prefix(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// `policy.new_phone`: how long a new number waits.
pub enum NewPhone {}

impl ValueType for NewPhone {
    type Raw = String;
    type Value = Duration;

    fn allowed() -> String {
        format!("\"allow\", or {}", DurationIn::<1_000, MONTH>::allowed())
    }

    fn range() -> Option<String> {
        DurationIn::<1_000, MONTH>::range()
    }

    fn parse(raw: String) -> Result<Duration, Invalid> {
        if raw == "allow" {
            return Ok(Duration::ZERO);
        }
        DurationIn::<1_000, MONTH>::parse(raw)
    }
}

/// `ledger.path`: a directory, but not the root directory.
pub enum Directory {}

impl ValueType for Directory {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "the absolute path in quotes of a directory of its own".into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        let path = parse_path(raw)?;
        check(path, |path| {
            path.split('/').any(|part| !matches!(part, "" | "." | ".."))
        })
    }
}

/// `ledger.redis_user`: an ACL user, whose name contains no space (Redis, `ACLStringHasSpaces`).
pub enum RedisUser {}

impl ValueType for RedisUser {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "the name of an ACL user in quotes, without spaces".into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        let name = check(raw, is_line)?;
        if name.contains(char::is_whitespace) {
            Err(Invalid("it contains a space"))
        } else {
            Ok(name)
        }
    }
}
