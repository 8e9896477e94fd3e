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
mod written;

use std::fmt;

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

impl Phone {
    /// Reads a number as people write it; without country code it is one of `region`.
    /// `None`: cannot be read with certainty.
    #[must_use]
    pub fn read(text: &str, region: Option<Region>) -> Option<Self> {
        let written = Written::read(text)?;
        if written.plus {
            international(written.digits())
        } else {
            national(region?.plan, written.digits())
        }
    }

    fn new(plan: &'static Plan, number: &str) -> Option<Self> {
        let e164 = format!("+{}{number}", plan.code);
        let most = e164.len() <= MOST_DIGITS.saturating_add(1);
        most.then_some(Self {
            e164,
            code: plan.code,
        })
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
fn international(digits: Digits<'_>) -> Option<Phone> {
    // No country code is the beginning of another one.
    let plan = regions::PLANS
        .iter()
        .find(|plan| digits.text.starts_with(plan.code))?;
    let number = only(plan.readings(digits.after(plan.code)?, Plan::possible))?;
    Phone::new(plan, number)
}

/// What is written as in its own country.
fn national(plan: &'static Plan, digits: Digits<'_>) -> Option<Phone> {
    // "00" leads abroad in most countries (ITU-T E.164), but people use it in all of them, as
    // they would at home.
    let goes_abroad = !plan.abroad.is_empty() && digits.text.starts_with(plan.abroad);
    if goes_abroad || digits.text.starts_with("00") {
        return international(digits.after(plan.abroad).filter(|_| goes_abroad)?);
    }
    if plan.carrier(digits.text) {
        return None;
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
    Phone::new(plan, number).filter(|_| whole)
}

/// The only reading there is.
fn only<'a>(mut readings: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let first = readings.next()?;
    readings.all(|other| other == first).then_some(first)
}
