//! What a numbering plan knows of its own numbers.
//!
//! Three words of ITU-T E.164: the *country code* stands first in the whole number; the
//! *national number* is all that follows it; a *trunk prefix* is dialled before a national number
//! inside its country, and is no part of it.
#![forbid(unsafe_code)]

use super::written::Digits;

/// The numbering plan behind one country code. Regions that share a code share the plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Country code.
    pub code: &'static str,
    /// ISO 3166-1 alpha-2 letters of its regions, a space between two; none for networks that
    /// belong to no country.
    pub regions: &'static str,
    /// What may stand before a national number inside the country, each with the lengths (bits, as
    /// below) of national numbers that begin with the same digits.
    pub trunks: &'static [(&'static str, u16)],
    /// What is dialled inside the country before the number of another one, where that is the
    /// same digits for everybody; else nothing.
    pub abroad: &'static str,
    /// Up to three digits with which a choice of phone company begins, for calls at home or
    /// abroad (what begins with "00" is not listed), or an Argentine mobile number, which is
    /// another one at home than abroad. Nothing behind them is certain.
    pub carriers: &'static [&'static str],
    /// For each first digit, how long the national numbers that begin with it may be: bit n stands
    /// for n digits. Kinds of number that can have an SMS count, no others: mobile, fixed
    /// (American mobile numbers cannot be told from fixed ones), internet and personal numbers.
    /// Free-phone and premium numbers would only make certain readings look uncertain.
    pub lengths: [u16; 10],
}

impl Plan {
    /// Is there a kind of national number that begins with this one's first digit and is as long?
    pub fn expected(&self, number: &str) -> bool {
        self.beginning(number).is_some_and(|mask| has(mask, number))
    }

    /// The same; but where no number began with this digit when the table was made, one that has
    /// been opened since may be as long as any other.
    pub fn possible(&self, number: &str) -> bool {
        match self.beginning(number) {
            Some(0) => has(self.all(), number) && !self.carrier(number),
            _ => self.expected(number),
        }
    }

    /// Is it as long as the longest? Then no area code can be missing in front of it.
    pub fn longest(&self, number: &str) -> bool {
        shifted(self.all(), number) == Some(1)
    }

    fn beginning(&self, number: &str) -> Option<u16> {
        let first = number.chars().next()?.to_digit(10)?;
        self.lengths.get(usize::try_from(first).ok()?).copied()
    }

    fn all(&self) -> u16 {
        self.lengths.iter().fold(0, |all, mask| all | mask)
    }

    /// Does a choice of phone company stand here, or could one?
    pub fn carrier(&self, digits: &str) -> bool {
        self.carriers
            .iter()
            .any(|carrier| digits.starts_with(carrier))
    }

    /// Each national number that these digits can stand for: as they are (`fits` says what there
    /// is), and without a trunk prefix.
    pub fn readings<'a>(
        &self,
        digits: Digits<'a>,
        fits: impl Fn(&Self, &str) -> bool,
    ) -> impl Iterator<Item = &'a str> {
        // "(0)" begins a trunk prefix and nothing else, and only where it stands first. Where the
        // country has none (in Italy a 0 belongs to the number) it could mean either.
        let bare = Some(digits.text).filter(|number| digits.zero.is_none() && fits(self, number));
        let first = matches!(digits.zero, None | Some(0));
        let sure = first && !self.carrier(digits.text);
        let trunks = self.trunks.iter().filter_map(move |(trunk, _)| {
            let number = digits.text.strip_prefix(trunk)?;
            (sure && self.expected(number)).then_some(number)
        });
        // A number that begins like a trunk prefix, where no number does, has one too many.
        bare.into_iter().chain(trunks).filter(|number| {
            let mut trunks = self.trunks.iter();
            trunks.all(|(trunk, own)| !number.starts_with(trunk) || has(*own, number))
        })
    }
}

fn has(mask: u16, number: &str) -> bool {
    shifted(mask, number).is_some_and(|rest| rest & 1 == 1)
}

fn shifted(mask: u16, number: &str) -> Option<u16> {
    mask.checked_shr(u32::try_from(number.len()).ok()?)
}
