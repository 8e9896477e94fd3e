//! A number: E.164 for the carrier, masked for everyone else.
//!
//! People write numbers for people, who know which country they are in. Here a number is read
//! only where it can be one number and no other, because a code that is sent to a guess is sent
//! to a stranger: what is uncertain is no number, and the directory's owner writes it with `+`.
#![forbid(unsafe_code)]

mod plan;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod regions;
#[cfg(test)]
mod tests;
mod unreadable;
mod written;

use std::fmt;

pub use unreadable::Unreadable;

use plan::Plan;
use written::{Digits, Written};

/// Most digits of a number with its country code (ITU-T E.164, 6.1).
const MOST_DIGITS: usize = 15;

/// A country or territory (ISO 3166-1 alpha-2), for numbers that are written without country code.
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

    /// Its two letters, upper case.
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

/// A phone number that was read with certainty. In order of their E.164 texts. `Display` and
/// `Debug` show it masked, so that no log line or error can have it whole by accident.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone {
    e164: String,
    code: &'static str,
}

/// How numbers that are written without `+` are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// As in this country. Without one, none of them is read.
    National(Option<Region>),
    /// Digits and nothing else are a whole number that begins with its country code, as Gluu Casa
    /// stores them. Anything else is not read: what is written for people, with blanks or
    /// brackets, is written as they dial it, and so is a leading 0.
    International,
}

impl From<Option<Region>> for Plain {
    fn from(region: Option<Region>) -> Self {
        Self::National(region)
    }
}

impl Phone {
    /// Reads a number as people write it, if that can be done with certainty; `plain` is about
    /// those without country code.
    pub fn read(text: &str, plain: impl Into<Plain>) -> Result<Self, Unreadable> {
        let written = Written::read(text)?;
        if written.plus {
            return international(written.digits());
        }
        match plain.into() {
            Plain::National(region) => {
                let region = region.ok_or(Unreadable::NoCountryCode)?;
                national(region.plan, written.digits())
            }
            Plain::International => {
                let digits = written.digits();
                if digits.text != text || text.starts_with('0') {
                    return Err(Unreadable::NoCountryCode);
                }
                international(digits)
            }
        }
    }

    fn new(plan: &'static Plan, number: &str) -> Result<Self, Unreadable> {
        let e164 = format!("+{}{number}", plan.code);
        if e164.len() > MOST_DIGITS.saturating_add(1) {
            return Err(Unreadable::TooManyDigits);
        }
        let code = plan.code;
        Ok(Self { e164, code })
    }

    /// For the carrier: `+` and digits (E.164). The only way to the whole number.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// For everyone else: country code, seven stars whatever its length, last two digits.
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

/// What follows a `+`. Nothing has to be guessed here, only typing errors to be seen.
fn international(digits: Digits<'_>) -> Result<Phone, Unreadable> {
    // No country code is the beginning of another one.
    let plan = regions::PLANS
        .iter()
        .find(|plan| digits.text.starts_with(plan.code))
        .ok_or(Unreadable::UnknownCountryCode)?;
    let rest = digits.after(plan.code).ok_or(Unreadable::Ambiguous)?;
    let number = only(plan.readings(rest, Plan::possible))?;
    Phone::new(plan, number)
}

/// What is written as in its own country.
fn national(plan: &'static Plan, digits: Digits<'_>) -> Result<Phone, Unreadable> {
    // "00" leads abroad in most countries (ITU-T E.164), but people use it in all of them, as
    // they would at home.
    let goes_abroad = !plan.abroad.is_empty() && digits.text.starts_with(plan.abroad);
    if goes_abroad || digits.text.starts_with("00") {
        let rest = digits.after(plan.abroad).filter(|_| goes_abroad);
        return international(rest.ok_or(Unreadable::OtherPrefix)?);
    }
    if plan.carrier(digits.text) {
        return Err(Unreadable::CarrierCode);
    }
    // The country code without its "+" is certain only as long as nothing else is: German numbers
    // have no fixed length, and some begin with 49.
    let coded = digits.after(plan.code).into_iter().flat_map(|rest| {
        let numbers = plan.readings(rest, Plan::expected);
        numbers.filter(move |number| *number == rest.text || rest.zero.is_some())
    });
    let number = only(plan.readings(digits, Plan::expected).chain(coded))?;
    // Where a trunk prefix goes before the area code, a number without it may lack both.
    let whole = number != digits.text || plan.trunks.is_empty() || plan.longest(number);
    if !whole {
        return Err(Unreadable::NoAreaCode);
    }
    Phone::new(plan, number)
}

/// The only reading there is.
fn only<'a>(mut readings: impl Iterator<Item = &'a str>) -> Result<&'a str, Unreadable> {
    let first = readings.next().ok_or(Unreadable::Impossible)?;
    if readings.all(|other| other == first) {
        Ok(first)
    } else {
        Err(Unreadable::Ambiguous)
    }
}
