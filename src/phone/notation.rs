//! The notation of numbers: digits and punctuation.
#![forbid(unsafe_code)]

use super::unreadable::{Unreadable, check_characters};

/// Longer values are not parsed: a number with punctuation has 20 to 30 bytes.
const MAX_LENGTH: usize = 64;

/// A number without its punctuation.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Notation {
    /// Whether it began with `+`, so that the digits begin with a country code.
    pub plus: bool,
    text: String,
    zero: Option<usize>,
}

/// The digits of a number, or the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits<'a> {
    pub text: &'a str,
    /// Position of the first 0 that was alone in parentheses.
    pub zero: Option<usize>,
}

impl Digits<'_> {
    /// Returns what follows a prefix. `None` without it, or if "(0)" was part of it.
    pub fn after(self, prefix: &str) -> Option<Self> {
        Some(Self {
            text: self.text.strip_prefix(prefix)?,
            zero: match self.zero {
                Some(at) => Some(at.checked_sub(prefix.len())?),
                None => None,
            },
        })
    }
}

impl Notation {
    pub fn digits(&self) -> Digits<'_> {
        Digits {
            text: &self.text,
            zero: self.zero,
        }
    }

    /// Parses a value. It is refused if it contains anything that one number does not have: letters
    /// (also extensions), a second `+`, digits of other scripts, control characters, a single parenthesis.
    pub fn parse(text: &str) -> Result<Self, Unreadable> {
        if text.len() > MAX_LENGTH {
            return Err(Unreadable::TooLong);
        }
        // RFC 3966. Its parameters (";ext=", ";phone-context=") contain letters and are refused.
        let text = text.trim_matches(is_space);
        let text = match text.split_at_checked(4) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel:") => {
                rest.trim_start_matches(is_space)
            }
            _ => text,
        };
        if text.is_empty() {
            return Err(Unreadable::Empty);
        }
        check_characters(text, is_known)?;
        let begins = text.starts_with(['+', '(']) || text.starts_with(is_digit);
        let ends = text.ends_with(')') || text.ends_with(is_digit);
        if !begins || !ends {
            return Err(Unreadable::Edges);
        }
        let mut scanner = Scanner::default();
        for character in text.chars() {
            scanner.push(character)?;
        }
        scanner.finish()
    }
}

/// The state of the parser within a value.
#[derive(Default)]
struct Scanner {
    plus: bool,
    text: String,
    zero: Option<usize>,
    /// Digits before the open parenthesis.
    open: Option<usize>,
    /// Number of groups of digits, start of the last one, and whether the next digit belongs to it.
    groups: usize,
    began: usize,
    is_in_group: bool,
    /// Digits before the slash.
    slash: Option<usize>,
}

impl Scanner {
    fn push(&mut self, character: char) -> Result<(), Unreadable> {
        match character {
            '0'..='9' => return self.digit(character),
            '+' => {
                if self.plus || !self.text.is_empty() {
                    return Err(Unreadable::InnerPlus);
                }
                self.plus = true;
            }
            '(' if self.open.replace(self.text.len()).is_some() => {
                return Err(Unreadable::Parentheses);
            }
            ')' => {
                let within = self.open.take().and_then(|open| self.text.get(open..));
                match within.ok_or(Unreadable::Parentheses)? {
                    "" => return Err(Unreadable::Parentheses),
                    "0" => self.zero = self.zero.or(self.text.len().checked_sub(1)),
                    _ => {}
                }
            }
            '/' => self.slash().ok_or(Unreadable::Slash)?,
            _ => {}
        }
        self.is_in_group = false;
        Ok(())
    }

    fn digit(&mut self, digit: char) -> Result<(), Unreadable> {
        if !self.is_in_group {
            self.is_in_group = true;
            self.began = self.text.len();
            self.groups = self.groups.checked_add(1).ok_or(Unreadable::TooLong)?;
        }
        self.text.push(digit);
        Ok(())
    }

    /// Accepts a slash after an area code ("0171/1234567", "+49 (0)30/123456"), and refuses one between two
    /// numbers or two endings of a number ("123456/57"): an area code must precede it, and a number follow.
    fn slash(&mut self) -> Option<()> {
        let group = self.text.len().checked_sub(self.began)?;
        let max_groups = [true, self.plus, self.zero.is_some()]
            .iter()
            .filter(|yes| **yes)
            .count();
        if self.slash.is_some() || !(1..=6).contains(&group) || self.groups > max_groups {
            return None;
        }
        self.slash = Some(self.text.len());
        Some(())
    }

    fn finish(self) -> Result<Notation, Unreadable> {
        if self.open.is_some() {
            return Err(Unreadable::Parentheses);
        }
        if self.text.is_empty() {
            return Err(Unreadable::Empty);
        }
        if self
            .slash
            .is_some_and(|at| self.text.len().saturating_sub(at) < 5)
        {
            return Err(Unreadable::Slash);
        }
        Ok(Notation {
            plus: self.plus,
            text: self.text,
            zero: self.zero,
        })
    }
}

/// Whether a number may contain this character.
fn is_known(character: char) -> bool {
    is_digit(character)
        || is_space(character)
        || matches!(
            character,
            '+' | '(' | ')' | '/' | '-' | '.' | '\u{2010}'..='\u{2013}'
        )
}

/// Whether this is a space, or one of the two non-breaking spaces.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '\u{202f}')
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}
