//! Single values: each type can hold only what its key allows.
#![forbid(unsafe_code)]

pub(super) mod ldap;
pub(super) mod ledger;
pub(super) mod secret;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{Grace, Source, Subject};
use crate::phone::Region;

/// Why a value is not allowed, in words of our own: a value may be the token, so no text that was
/// made from one gets in here. Empty: there is nothing to add to what the key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Why(pub &'static str);

impl Why {
    /// Nothing to add.
    pub const PLAIN: Self = Self("");
}

/// A value of one key.
pub(super) trait Leaf: Sized {
    /// Its type in TOML.
    type Raw: DeserializeOwned;
    fn check(raw: Self::Raw) -> Result<Self, Why>;
}

/// Reads a value as its key's type. What serde says about a wrong type quotes the value, and is
/// dropped.
pub(super) fn read<T: Leaf>(value: Spanned<DeValue<'_>>) -> Result<T, Why> {
    let raw = T::Raw::deserialize(ValueDeserializer::from(value)).map_err(|_| Why::PLAIN)?;
    T::check(raw)
}

impl Leaf for bool {
    type Raw = Self;

    fn check(raw: Self) -> Result<Self, Why> {
        Ok(raw)
    }
}

/// A whole number.
#[derive(Clone, Copy)]
pub(super) struct Whole<const MIN: u32, const MAX: u32>(pub u32);

impl<const MIN: u32, const MAX: u32> Leaf for Whole<MIN, MAX> {
    type Raw = i64;

    fn check(raw: i64) -> Result<Self, Why> {
        let number = u32::try_from(raw).map_err(|_| Why::PLAIN)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// A duration, between so many milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Lasting<const MIN: u64, const MAX: u64>(pub Duration);

impl<const MIN: u64, const MAX: u64> Leaf for Lasting<MIN, MAX> {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        let duration = duration(&raw).ok_or(Why::PLAIN)?;
        let allowed = Duration::from_millis(MIN)..=Duration::from_millis(MAX);
        if allowed.contains(&duration) {
            Ok(Self(duration))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// `^[0-9]+(ms|s|m|h|d)$`
fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let unit = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    number.checked_mul(unit).map(Duration::from_secs)
}

/// A text of one line that is not empty.
#[derive(Clone)]
pub(super) struct Line(pub String);

/// Whether a text is one line with something in it.
fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

impl Leaf for Line {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if is_line(&raw) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// The path of a file.
#[derive(Clone)]
pub(super) struct FilePath(pub String);

impl Leaf for FilePath {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if raw.starts_with('/') && raw.len() < safe_path::PATH_MAX && is_line(&raw) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// One of Twilio's identifiers: two letters and 32 hexadecimal digits.
#[derive(Clone)]
pub(super) struct Sid<const A: char, const B: char>(pub String);

impl<const A: char, const B: char> Leaf for Sid<A, B> {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        let digits = raw.strip_prefix(A).and_then(|rest| rest.strip_prefix(B));
        let fine = digits.is_some_and(|digits| {
            digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        if fine { Ok(Self(raw)) } else { Err(Why::PLAIN) }
    }
}

/// `from_number`
#[derive(Clone)]
pub(super) struct FromNumber(pub String);

impl Leaf for FromNumber {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if is_e164(&raw) || is_short_code(&raw) || is_sender_id(&raw) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

fn is_short_code(text: &str) -> bool {
    (3..=8).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// Twilio's alphanumeric sender ids: letters, digits, space and `+ - _ &`, at least one letter.
fn is_sender_id(text: &str) -> bool {
    text.len() <= 11
        && text.trim() == text
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte))
}

impl Leaf for Source {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        match raw.as_str() {
            "ldap" => Ok(Self::Ldap),
            "ssh" => Ok(Self::Ssh),
            "auto" => Ok(Self::Auto),
            "stack" => Ok(Self::Stack),
            _ => Err(Why::PLAIN),
        }
    }
}

impl Leaf for Grace {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        match raw.as_str() {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(Why::PLAIN),
        }
    }
}

impl Leaf for Subject {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        match raw.as_str() {
            "user" => Ok(Self::User),
            "caller" => Ok(Self::Caller),
            _ => Err(Why::PLAIN),
        }
    }
}

impl Leaf for Region {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        Self::named(&raw).ok_or(Why::PLAIN)
    }
}

/// The name of a folder that entries lie below.
#[derive(Clone)]
pub(super) struct Base(pub String);

impl Leaf for Base {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if is_line(&raw) && raw.contains('=') {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// The name of an attribute.
#[derive(Clone)]
pub(super) struct Attribute(pub String);

impl Leaf for Attribute {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        if is_attribute(&raw) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// Names of attributes, at least one.
#[derive(Clone)]
pub(super) struct Attributes(pub Vec<String>);

impl Leaf for Attributes {
    type Raw = Vec<String>;

    fn check(raw: Vec<String>) -> Result<Self, Why> {
        if raw.is_empty() {
            return Err(Why("the list is empty"));
        }
        if raw.iter().all(|name| is_attribute(name)) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// An attribute description (RFC 4512 §2.5): a name or an OID, perhaps with options.
pub(super) fn is_attribute(text: &str) -> bool {
    let is_key = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut parts = text.split(';');
    let kind = parts.next().unwrap_or_default();
    let is_name = is_key(kind) && kind.starts_with(|first: char| first.is_ascii_alphabetic());
    (is_name || is_oid(kind)) && parts.all(is_key)
}

fn is_oid(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|arc| {
            !arc.is_empty()
                && arc.bytes().all(|digit| digit.is_ascii_digit())
                && (arc == "0" || !arc.starts_with('0'))
        })
}
