//! Single values of `[limits]`, `[ledger]` and what of `[policy]` the ledger keeps.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{FilePath, Lasting, Leaf, Line, Why, duration};
use crate::config::{Rule, Unreachable};

/// A month, in milliseconds: the longest that anything is kept.
pub const MONTH: u64 = 30 * 86_400_000;

/// At most so many SMS, in a span of 1s to 30d.
#[derive(Clone, Copy)]
pub struct Rate<const MOST: u32>(pub Rule);

impl<const MOST: u32> Leaf for Rate<MOST> {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        rule(&raw)
            .filter(|rule| (1..=MOST).contains(&rule.most))
            .map(Self)
            .ok_or(Why::PLAIN)
    }
}

/// `^[0-9]+/DURATION$`, of whole seconds.
fn rule(text: &str) -> Option<Rule> {
    let (number, span) = text.split_once('/')?;
    let most = Some(number)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))?
        .parse()
        .ok()?;
    let within = duration(span)?;
    let allowed = Duration::from_secs(1)..=Duration::from_millis(MONTH);
    let fits = allowed.contains(&within) && within.subsec_nanos() == 0;
    fits.then_some(Rule { most, within })
}

/// `limits.sms`
#[derive(Clone)]
pub struct Rates(pub Vec<Rule>);

impl Leaf for Rates {
    type Raw = Vec<String>;

    fn check(raw: Vec<String>) -> Result<Self, Why> {
        match raw.len() {
            0 => return Err(Why("the list is empty")),
            1..=8 => (),
            _ => return Err(Why("the list has more than eight")),
        }
        raw.into_iter()
            .map(|rate| Rate::<1000>::check(rate).map(|rate| rate.0))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// `limits.allowed_prefixes`
#[derive(Clone)]
pub struct Prefixes(pub Vec<String>);

impl Leaf for Prefixes {
    type Raw = Vec<String>;

    fn check(raw: Vec<String>) -> Result<Self, Why> {
        if raw.is_empty() {
            return Err(Why("the list is empty"));
        }
        if raw.iter().all(|prefix| is_prefix(prefix)) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// How a number in E.164 may begin. No country code begins with 0.
fn is_prefix(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// `policy.new_phone`: how long a new number waits.
#[derive(Clone, Copy)]
pub struct NewPhone(pub Duration);

impl Leaf for NewPhone {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if raw == "allow" {
            return Ok(Self(Duration::ZERO));
        }
        Lasting::<1_000, MONTH>::check(raw).map(|wait| Self(wait.0))
    }
}

/// `ledger.path`: a folder, but not the one that holds everything.
#[derive(Clone)]
pub struct Folder(pub String);

impl Leaf for Folder {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        let FilePath(path) = FilePath::check(raw)?;
        if path.split('/').any(|part| !matches!(part, "" | "." | "..")) {
            Ok(Self(path))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// `ledger.redis_user`: an ACL user, whose name holds no space (Redis, `ACLStringHasSpaces`).
#[derive(Clone)]
pub struct RedisUser(pub String);

impl Leaf for RedisUser {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        let Line(name) = Line::check(raw)?;
        if name.contains(char::is_whitespace) {
            Err(Why("it has a space"))
        } else {
            Ok(Self(name))
        }
    }
}

impl Leaf for Unreachable {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        match raw.as_str() {
            "local" => Ok(Self::Local),
            "deny" => Ok(Self::Deny),
            _ => Err(Why::PLAIN),
        }
    }
}
