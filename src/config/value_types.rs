//! The types of values: what each allows, and how a TOML value is parsed.
#![forbid(unsafe_code)]

pub(super) mod ldap;
pub(super) mod ledger;
pub(super) mod secret;
#[cfg(test)]
mod tests;
pub(super) mod twilio;

use std::time::Duration;

use serde::{Deserialize, de::DeserializeOwned};
use toml::{
    Spanned,
    de::{DeValue, ValueDeserializer},
};

use super::{Grace, Source, Subject, Unreachable};
use crate::phone::Region;

/// Why a value is invalid, as a fixed text: a value may be a secret, so no text that was made from one
/// is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

impl Invalid {
    /// There is nothing to add to what the key allows.
    pub const VALUE: Self = Self("invalid value");
}

/// The type of a key's value.
pub trait ValueType {
    /// The type in TOML.
    type Raw: DeserializeOwned;
    type Value: Clone;
    /// Whether the value is a secret, so that others must not be able to read the settings file.
    const IS_SECRET: bool = false;

    /// Returns type and range as a text.
    fn allowed() -> String;

    /// Returns the range in a short form, if the type has one.
    fn range() -> Option<String> {
        None
    }

    fn parse(raw: Self::Raw) -> Result<Self::Value, Invalid>;
}

/// Parses a value as its key's type. The error message of serde quotes the value and is dropped.
pub(super) fn parse_value<T: ValueType>(value: Spanned<DeValue<'_>>) -> Result<T::Value, Invalid> {
    let raw = T::Raw::deserialize(ValueDeserializer::from(value)).map_err(|_| Invalid::VALUE)?;
    T::parse(raw)
}

/// True or false.
pub enum Flag {}

impl ValueType for Flag {
    type Raw = bool;
    type Value = bool;

    fn allowed() -> String {
        "true or false".into()
    }

    fn parse(raw: bool) -> Result<bool, Invalid> {
        Ok(raw)
    }
}

/// A whole number in a range.
pub enum IntIn<const MIN: u32, const MAX: u32> {}

impl<const MIN: u32, const MAX: u32> ValueType for IntIn<MIN, MAX> {
    type Raw = i64;
    type Value = u32;

    fn allowed() -> String {
        format!("a whole number from {MIN} to {MAX}")
    }

    fn range() -> Option<String> {
        Some(format!("{MIN} to {MAX}"))
    }

    fn parse(raw: i64) -> Result<u32, Invalid> {
        u32::try_from(raw)
            .ok()
            .filter(|number| (MIN..=MAX).contains(number))
            .ok_or(Invalid::VALUE)
    }
}

/// `code.digits`
pub enum Digits {}

impl ValueType for Digits {
    type Raw = i64;
    type Value = u8;

    fn allowed() -> String {
        IntIn::<6, 10>::allowed()
    }

    fn range() -> Option<String> {
        IntIn::<6, 10>::range()
    }

    fn parse(raw: i64) -> Result<u8, Invalid> {
        let digits = IntIn::<6, 10>::parse(raw)?;
        digits.try_into().map_err(|_| Invalid::VALUE)
    }
}

/// A duration in a range of milliseconds.
pub enum DurationIn<const MIN: u64, const MAX: u64> {}

/// `twilio.timeout`, `ldap.timeout`, `ledger.timeout`
pub type Timeout = DurationIn<100, 60_000>;

impl<const MIN: u64, const MAX: u64> ValueType for DurationIn<MIN, MAX> {
    type Raw = String;
    type Value = Duration;

    fn allowed() -> String {
        let (min, max) = (duration_text(MIN), duration_text(MAX));
        format!("a duration in quotes, from \"{min}\" to \"{max}\"")
    }

    fn range() -> Option<String> {
        let (min, max) = (duration_text(MIN), duration_text(MAX));
        Some(format!("\"{min}\" to \"{max}\""))
    }

    fn parse(raw: String) -> Result<Duration, Invalid> {
        let allowed = Duration::from_millis(MIN)..=Duration::from_millis(MAX);
        parse_duration(&raw)
            .filter(|duration| allowed.contains(duration))
            .ok_or(Invalid::VALUE)
    }
}

/// Writes milliseconds as the settings do: a whole number of the largest unit that divides them.
fn duration_text(millis: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let unit = units
        .into_iter()
        .find(|(unit, _)| millis >= *unit && millis.checked_rem(*unit) == Some(0));
    match unit {
        Some((unit, name)) => format!("{}{name}", millis.checked_div(unit).unwrap_or(millis)),
        None if millis == 0 => "0s".into(),
        None => format!("{millis}ms"),
    }
}

/// `^[0-9]+(ms|s|m|h|d)$`
fn parse_duration(text: &str) -> Option<Duration> {
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

/// Whether a text is one line that is not empty.
fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

fn check(raw: String, is_valid: impl FnOnce(&str) -> bool) -> Result<String, Invalid> {
    if is_valid(&raw) {
        Ok(raw)
    } else {
        Err(Invalid::VALUE)
    }
}

/// Checks a list that must have an element.
fn check_list(raw: Vec<String>, is_valid: fn(&str) -> bool) -> Result<Vec<String>, Invalid> {
    if raw.is_empty() {
        return Err(Invalid("the list is empty"));
    }
    if raw.iter().all(|element| is_valid(element)) {
        Ok(raw)
    } else {
        Err(Invalid::VALUE)
    }
}

fn parse_path(raw: String) -> Result<String, Invalid> {
    check(raw, |path| {
        path.starts_with('/') && path.len() < safe_path::PATH_MAX && is_line(path)
    })
}

/// The path of a file of one kind.
macro_rules! file_path {
    ($($(#[doc = $doc:literal])* $name:ident: $allowed:literal;)*) => {$(
        $(#[doc = $doc])*
        pub enum $name {}

        impl ValueType for $name {
            type Raw = String;
            type Value = String;

            fn allowed() -> String {
                $allowed.into()
            }

            fn parse(raw: String) -> Result<String, Invalid> {
                parse_path(raw)
            }
        }
    )*};
}

file_path! {
    /// A password.
    SecretFile: "the absolute path of a file of mode 0600 (or root's, 0640) with one line, the secret";
    /// Twilio's token, or the secret of an API key.
    TokenFile: "the absolute path of a file of mode 0600 (or root's, 0640) with one line of ASCII \
                letters and digits, the secret";
    /// `ledger.key_file`
    KeyFile: "the absolute path of a file of mode 0600 (or root's, 0640) with one line of at least \
              32 characters, the same on all hosts";
    /// `ca_file`
    CaFile: "the absolute path of a PEM file with CA certificates";
}

/// One of a few words.
macro_rules! choice {
    ($($type:ty { $($word:literal => $value:ident),* })*) => {$(
        impl ValueType for $type {
            type Raw = String;
            type Value = Self;

            fn allowed() -> String {
                one_of(&[$($word),*])
            }

            fn parse(raw: String) -> Result<Self, Invalid> {
                match raw.as_str() {
                    $($word => Ok(Self::$value),)*
                    _ => Err(Invalid::VALUE),
                }
            }
        }
    )*};
}

choice! {
    Source { "ldap" => Ldap, "ssh" => Ssh, "auto" => Auto, "stack" => Stack }
    Subject { "user" => User, "caller" => Caller }
    Grace { "allow" => Allow, "deny" => Deny }
    ldap::PlainNumbers { "national" => National, "international" => International }
    Unreachable { "local" => Local, "deny" => Deny }
}

/// `"a", "b" or "c"`
fn one_of(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

impl ValueType for Region {
    type Raw = String;
    type Value = Self;

    fn allowed() -> String {
        "the two capital letters of a country (ISO 3166-1) in quotes, such as \"US\"".into()
    }

    fn parse(raw: String) -> Result<Self, Invalid> {
        Self::named(&raw).ok_or(Invalid::VALUE)
    }
}
