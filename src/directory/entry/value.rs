//! One value of an attribute.
#![forbid(unsafe_code)]

use crate::phone::Unreadable;

/// Longest value that may be a number or a boolean, in bytes.
pub(super) const MAX_VALUE: usize = 256;

/// A value as the server sent it. `Debug` does not show it, because it may be a phone number.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    /// Not UTF-8.
    Bytes(Vec<u8>),
}

impl Value {
    /// Decodes a value.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|e| Self::Bytes(e.into_bytes()), Self::Text)
    }

    /// Returns the text, if it is UTF-8 and not too long.
    pub(super) fn text(&self) -> Result<&str, Unreadable> {
        match self {
            Self::Text(text) if text.len() <= MAX_VALUE => Ok(text),
            Self::Text(_) => Err(Unreadable::TooLong),
            Self::Bytes(_) => Err(Unreadable::NotUtf8),
        }
    }

    /// Whether it is this text, in any case.
    pub(super) fn is(&self, text: &str) -> bool {
        self.text().is_ok_and(|own| own.eq_ignore_ascii_case(text))
    }

    /// Whether it is `TRUE`. The syntax of booleans is upper case (RFC 4517 §3.3.3), but Gluu's entries
    /// contain `true`.
    pub(super) fn is_true(&self) -> bool {
        self.is("TRUE")
    }

    pub(super) fn is_boolean(&self) -> bool {
        self.is_true() || self.is("FALSE")
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}
