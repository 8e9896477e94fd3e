//! A number: E.164 for the carrier, masked for everyone else.
#![forbid(unsafe_code)]

/// A country or territory (ISO 3166-1 alpha-2), for numbers that are written without country code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region([u8; 2]);

impl Region {
    /// Finds a region by its two letters.
    #[must_use]
    pub fn named(_letters: &str) -> Option<Self> {
        None
    }
}

/// A phone number that was read with certainty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone(String);

impl Phone {
    /// Reads a number as people write it; without country code it is one of `region`.
    /// `None`: cannot be read with certainty.
    #[must_use]
    pub fn read(_text: &str, _region: Option<Region>) -> Option<Self> {
        None
    }
    /// For the carrier: `+` and digits (E.164). The only way to the whole number.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.0
    }
    /// For everyone else: country code, seven stars, last two digits.
    #[must_use]
    pub fn masked(&self) -> String {
        String::new()
    }
}
