//! Numbering plans of countries.
//!
//! Terms of ITU-T E.164: a whole number is the *country code* followed by the *national number*; a *trunk
//! prefix* is dialled before a national number inside its country, and is not part of it.
#![forbid(unsafe_code)]

use super::notation::Digits;

/// The numbering plan behind one country code. Regions that share a code share the plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Country code.
    pub code: &'static str,
    /// ISO 3166-1 alpha-2 letters of its regions, separated by spaces. Empty for networks that belong to no
    /// country.
    pub regions: &'static str,
    /// Trunk prefixes, each with the lengths (bits, as below) of national numbers that begin with the same
    /// digits.
    pub trunks: &'static [(&'static str, u16)],
    /// The international prefix, if it is the same everywhere in the country. Otherwise empty.
    pub abroad: &'static str,
    /// Prefixes of up to three digits that begin a carrier selection code (those with "00" are not listed),
    /// or an Argentine mobile number, which is different from abroad. What follows them is ambiguous.
    pub carriers: &'static [&'static str],
    /// For each first digit, the possible lengths of national numbers: bit n means n digits. Only numbers that
    /// can receive SMS: mobile, fixed (in North America they look like mobile ones), internet and personal
    /// numbers. Toll-free and premium numbers would only make other numbers ambiguous.
    pub lengths: [u16; 10],
}

impl Plan {
    /// Whether national numbers with this first digit have this length.
    pub fn is_expected(&self, number: &str) -> bool {
        self.lengths_for(number)
            .is_some_and(|mask| has(mask, number))
    }

    /// As [`Self::is_expected`]; but a number whose first digit was unused when the table was made may have
    /// any length of the plan.
    pub fn is_possible(&self, number: &str) -> bool {
        match self.lengths_for(number) {
            Some(0) => has(self.all(), number) && !self.has_carrier_code(number),
            _ => self.is_expected(number),
        }
    }

    /// Whether the number has the maximum length, so that no area code is missing.
    pub fn has_maximum_length(&self, number: &str) -> bool {
        shifted(self.all(), number) == Some(1)
    }

    fn lengths_for(&self, number: &str) -> Option<u16> {
        let first = number.chars().next()?.to_digit(10)?;
        self.lengths.get(usize::try_from(first).ok()?).copied()
    }

    fn all(&self) -> u16 {
        self.lengths.iter().fold(0, |all, mask| all | mask)
    }

    /// Whether a carrier selection code may be at the start.
    pub fn has_carrier_code(&self, digits: &str) -> bool {
        self.carriers
            .iter()
            .any(|carrier| digits.starts_with(carrier))
    }

    /// Returns each national number that these digits can mean: unchanged (if `fits`), and without a trunk
    /// prefix.
    pub fn readings<'a>(
        &self,
        digits: Digits<'a>,
        fits: impl Fn(&Self, &str) -> bool,
    ) -> impl Iterator<Item = &'a str> {
        // "(0)" is the start of a trunk prefix, and only at the beginning. In a country without one (in Italy
        // the 0 is part of the number) it is ambiguous.
        let bare = Some(digits.text).filter(|number| digits.zero.is_none() && fits(self, number));
        let is_first = matches!(digits.zero, None | Some(0));
        let is_sure = is_first && !self.has_carrier_code(digits.text);
        let trunks = self.trunks.iter().filter_map(move |(trunk, _)| {
            let number = digits.text.strip_prefix(trunk)?;
            (is_sure && self.is_expected(number)).then_some(number)
        });
        // No number begins with a trunk prefix, except with the lengths that the plan lists for it.
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
