//! How people write numbers: digits, and what may stand around them.
#![forbid(unsafe_code)]

use super::unreadable::{Unreadable, foreign};

/// Longer values are not looked at: a number with its punctuation has 20 to 30 bytes.
const LONGEST: usize = 64;

/// What was written, without what only helps the eye.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    /// It began with `+`: a country code comes first.
    pub plus: bool,
    text: String,
    zero: Option<usize>,
}

/// The digits of a number, or the rest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits<'a> {
    pub text: &'a str,
    /// Where among them a 0 stood alone in parentheses, first time.
    pub zero: Option<usize>,
}

impl Digits<'_> {
    /// What follows a prefix; `None` without it, or when the "(0)" stood within it.
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

impl Written {
    pub fn digits(&self) -> Digits<'_> {
        Digits {
            text: &self.text,
            zero: self.zero,
        }
    }

    /// Takes a value apart. Refused is what has anything in it that one number does not have:
    /// letters (extensions among them), a second `+`, digits of other scripts, control
    /// characters, a parenthesis without its other half.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        if text.len() > LONGEST {
            return Err(Unreadable::TooLong);
        }
        // RFC 3966; its parameters (";ext=", ";phone-context=") have letters, and are refused.
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
        foreign(text, is_known)?;
        let begins = text.starts_with(['+', '(']) || text.starts_with(is_digit);
        let ends = text.ends_with(')') || text.ends_with(is_digit);
        if !begins || !ends {
            return Err(Unreadable::Edges);
        }
        let mut pen = Pen::default();
        for character in text.chars() {
            pen.see(character)?;
        }
        pen.lift()
    }
}

/// Where we are in a value.
#[derive(Default)]
struct Pen {
    plus: bool,
    text: String,
    zero: Option<usize>,
    /// How many digits had been seen when the parenthesis opened.
    open: Option<usize>,
    /// Groups of digits so far, where the last of them began, and whether it goes on.
    groups: usize,
    began: usize,
    goes_on: bool,
    /// How many digits had been seen when the slash came.
    slash: Option<usize>,
}

impl Pen {
    fn see(&mut self, character: char) -> Result<(), Unreadable> {
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
        self.goes_on = false;
        Ok(())
    }

    fn digit(&mut self, digit: char) -> Result<(), Unreadable> {
        if !self.goes_on {
            self.goes_on = true;
            self.began = self.text.len();
            self.groups = self.groups.checked_add(1).ok_or(Unreadable::TooLong)?;
        }
        self.text.push(digit);
        Ok(())
    }

    /// A slash ends an area code ("0171/1234567", "+49 (0)30/123456"), but stands between two
    /// numbers, or two last parts of one, as well ("123456/57"). So it is an area code that has
    /// to come before it, and a number after it.
    fn slash(&mut self) -> Option<()> {
        let group = self.text.len().checked_sub(self.began)?;
        let most = [true, self.plus, self.zero.is_some()]
            .iter()
            .filter(|yes| **yes)
            .count();
        if self.slash.is_some() || !(1..=6).contains(&group) || self.groups > most {
            return None;
        }
        self.slash = Some(self.text.len());
        Some(())
    }

    fn lift(self) -> Result<Written, Unreadable> {
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
        Ok(Written {
            plus: self.plus,
            text: self.text,
            zero: self.zero,
        })
    }
}

/// What a number may have in it.
fn is_known(character: char) -> bool {
    is_digit(character)
        || is_space(character)
        || matches!(
            character,
            '+' | '(' | ')' | '/' | '-' | '.' | '\u{2010}'..='\u{2013}'
        )
}

/// The space, and the two that keep a number on one line.
fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\u{a0}' | '\u{202f}')
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}
