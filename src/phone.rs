//! Phone numbers: E.164 for the SMS provider, masked for everything else.
//!
//! Numbers in directories are written for human readers in one country. A number is accepted here only if
//! it can have one meaning, because a code sent to a wrong guess is sent to another person. The
//! administrator of the directory writes an ambiguous number with `+`.
#![forbid(unsafe_code)]

mod notation;
mod plan;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod regions;
#[cfg(test)]
mod tests;
mod unreadable;

use std::fmt;

pub use unreadable::Unreadable;

use notation::{Digits, Notation};
use plan::Plan;

/// Maximum number of digits, with the country code (ITU-T E.164, 6.1).
const MAX_DIGITS: usize = 15;

/// A country or territory (ISO 3166-1 alpha-2), for numbers without a country code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region {
    letters: &'static str,
    plan: &'static Plan,
}

impl Region {
    /// Finds a region by its two letters, upper or lower case.
    #[must_use]
    pub fn named(letters: &str) -> Option<Self> {
        regions::PLANS.iter().find_map(|plan| {
            let mut regions = plan.regions.split_ascii_whitespace();
            let letters = regions.find(|region| region.eq_ignore_ascii_case(letters))?;
            Some(Self { letters, plan })
        })
    }

    /// Returns the two letters, upper case.
    #[must_use]
    pub const fn letters(self) -> &'static str {
        self.letters
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letters)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.letters)
    }
}

/// A phone number with one meaning. `Display` and `Debug` mask it, so that no log line or error contains it
/// whole by accident. Numbers are ordered by their E.164 texts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone {
    e164: String,
    code: &'static str,
}

/// The meaning of numbers without `+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// Numbers as dialled in this country. Without a country, none is accepted.
    National(Option<Region>),
    /// Only digits, beginning with the country code, as Gluu Casa stores them. Nothing else is accepted:
    /// a number with spaces, brackets or a leading 0 is written as it is dialled.
    International,
}

impl From<Option<Region>> for Plain {
    fn from(region: Option<Region>) -> Self {
        Self::National(region)
    }
}

impl Phone {
    /// Parses a number as people write it, if it has one meaning. `plain` is the meaning of numbers without
    /// a country code.
    ///
    /// # Errors
    /// The text is not a number, or has more than one meaning.
    pub fn parse(text: &str, plain: impl Into<Plain>) -> Result<Self, Unreadable> {
        let notation = Notation::parse(text)?;
        if notation.plus {
            return international(notation.digits());
        }
        match plain.into() {
            Plain::National(region) => {
                let region = region.ok_or(Unreadable::NoCountryCode)?;
                national(region.plan, notation.digits())
            }
            Plain::International => {
                let digits = notation.digits();
                if digits.text != text || text.starts_with('0') {
                    return Err(Unreadable::NoCountryCode);
                }
                international(digits)
            }
        }
    }

    fn new(plan: &'static Plan, number: &str) -> Result<Self, Unreadable> {
        let e164 = format!("+{}{number}", plan.code);
        if e164.len() > MAX_DIGITS.saturating_add(1) {
            return Err(Unreadable::TooManyDigits);
        }
        let code = plan.code;
        Ok(Self { e164, code })
    }

    /// Returns `+` and all digits (E.164), for the SMS provider. Nothing else returns the whole number.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// Returns the country code, seven stars (whatever the length), and the last two digits.
    #[must_use]
    pub fn masked(&self) -> String {
        let last = self.e164.len().saturating_sub(2);
        let last = self.e164.get(last..).unwrap_or_default();
        format!("+{}*******{last}", self.code)
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Parses what follows a `+`. It has one meaning; only typing errors are detected.
fn international(digits: Digits<'_>) -> Result<Phone, Unreadable> {
    // No country code is a prefix of another.
    let plan = regions::PLANS
        .iter()
        .find(|plan| digits.text.starts_with(plan.code))
        .ok_or(Unreadable::UnknownCountryCode)?;
    let rest = digits.after(plan.code).ok_or(Unreadable::Ambiguous)?;
    let number = only(plan.readings(rest, Plan::is_possible))?;
    Phone::new(plan, number)
}

/// Parses a number as it is dialled in its own country.
fn national(plan: &'static Plan, digits: Digits<'_>) -> Result<Phone, Unreadable> {
    // "00" is the international prefix of most countries (ITU-T E.164). People also write it in others.
    let is_abroad = !plan.abroad.is_empty() && digits.text.starts_with(plan.abroad);
    if is_abroad || digits.text.starts_with("00") {
        let rest = digits.after(plan.abroad).filter(|_| is_abroad);
        return international(rest.ok_or(Unreadable::OtherPrefix)?);
    }
    if plan.has_carrier_code(digits.text) {
        return Err(Unreadable::CarrierCode);
    }
    // A country code without "+" is accepted only if the digits have no other meaning: German numbers
    // have no fixed length, and some begin with 49.
    let coded = digits.after(plan.code).into_iter().flat_map(|rest| {
        let numbers = plan.readings(rest, Plan::is_expected);
        numbers.filter(move |number| *number == rest.text || rest.zero.is_some())
    });
    let number = only(plan.readings(digits, Plan::is_expected).chain(coded))?;
    // In countries with a trunk prefix, a number without it may also lack the area code.
    let is_complete =
        number != digits.text || plan.trunks.is_empty() || plan.has_maximum_length(number);
    if !is_complete {
        return Err(Unreadable::NoAreaCode);
    }
    Phone::new(plan, number)
}

/// Returns the reading, if there is exactly one.
fn only<'a>(mut readings: impl Iterator<Item = &'a str>) -> Result<&'a str, Unreadable> {
    let first = readings.next().ok_or(Unreadable::Impossible)?;
    if readings.all(|other| other == first) {
        Ok(first)
    } else {
        Err(Unreadable::Ambiguous)
    }
}
