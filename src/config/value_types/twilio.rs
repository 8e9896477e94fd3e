//! The types of values of `[twilio]`.
#![forbid(unsafe_code)]

use super::{Invalid, ValueType, check};

/// One of Twilio's identifiers: two letters and 32 hexadecimal digits.
pub enum Sid<const A: char, const B: char> {}

impl<const A: char, const B: char> ValueType for Sid<A, B> {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        format!("a SID in quotes: {A}{B} and 32 hexadecimal digits")
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        check(raw, |sid| {
            let digits = sid.strip_prefix(A).and_then(|rest| rest.strip_prefix(B));
            digits.is_some_and(|digits| {
                digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
            })
        })
    }
}

/// `twilio.from_number`
pub enum FromNumber {}

impl ValueType for FromNumber {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "in quotes: + and 8 to 15 digits, a short code of 3 to 8 digits, or a sender ID of up to 11 \
         letters, digits, spaces, + - _ & with at least one letter"
            .into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        check(raw, |from| {
            is_e164(from) || is_short_code(from) || is_sender_id(from)
        })
    }
}

fn is_e164(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

fn is_short_code(text: &str) -> bool {
    (3..=8).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit())
}

/// Twilio's alphanumeric sender IDs: letters, digits, space and `+ - _ &`, at least one letter.
fn is_sender_id(text: &str) -> bool {
    text.len() <= 11
        && text.trim() == text
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" +-_&".contains(&byte))
}
