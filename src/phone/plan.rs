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
    /// What may stand before a national number inside the country.
    pub trunks: &'static [&'static str],
    /// What is dialled inside the country before the number of another one, where that is the
    /// same digits for everybody; else nothing.
    pub abroad: &'static str,
    /// For each first digit, how long the national numbers that begin with it may be: bit n stands
    /// for n digits. Kinds of number that can have an SMS count, no others: mobile, fixed
    /// (American mobile numbers cannot be told from fixed ones), internet and personal numbers.
    /// Free-phone and premium numbers would only make certain readings look uncertain.
    pub lengths: [u16; 10],
}

impl Plan {
    /// Is there a kind of national number that is as long as this?
    pub fn possible(&self, number: &str) -> bool {
        self.lengths.iter().any(|mask| has(*mask, number))
    }

    /// Is there a kind of national number that is as long as this and begins with its first digit?
    pub fn expected(&self, number: &str) -> bool {
        let first = number.chars().next().and_then(|first| first.to_digit(10));
        first
            .and_then(|first| self.lengths.get(usize::try_from(first).ok()?))
            .is_some_and(|mask| has(*mask, number))
    }

    /// Is it as long as the longest? Then no area code can be missing in front of it.
    pub fn longest(&self, number: &str) -> bool {
        let all = self.lengths.iter().fold(0, |all, mask| all | mask);
        shifted(all, number) == Some(1)
    }

    /// Each national number that these digits can stand for: as they are, and without a trunk
    /// prefix. `fits` says which national numbers there are.
    pub fn readings<'a>(
        &self,
        digits: Digits<'a>,
        fits: impl Fn(&Self, &str) -> bool,
    ) -> impl Iterator<Item = &'a str> {
        // "(0)" is a trunk prefix and nothing else, and only where it stands first. Where the
        // country has none (in Italy a 0 belongs to the number) it could mean either.
        let bare = match digits.zero {
            None => Some(digits.text),
            Some(_) => None,
        };
        let trunks = self.trunks.iter().filter_map(move |trunk| {
            let rest = digits.text.strip_prefix(trunk);
            match digits.zero {
                None => rest,
                Some(0) if *trunk == "0" => rest,
                Some(_) => None,
            }
        });
        // A number that begins like a trunk prefix, where no number does, has one too many.
        bare.into_iter().chain(trunks).filter(move |number| {
            let trunk = self.trunks.iter().any(|trunk| number.starts_with(trunk));
            fits(self, number) && (!trunk || self.expected(number))
        })
    }
}

fn has(mask: u16, number: &str) -> bool {
    shifted(mask, number).is_some_and(|rest| rest & 1 == 1)
}

fn shifted(mask: u16, number: &str) -> Option<u16> {
    mask.checked_shr(u32::try_from(number.len()).ok()?)
}
