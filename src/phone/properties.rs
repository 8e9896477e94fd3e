//! Properties of every parsed number, for `make fuzz` and for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property that does not hold panics"
)]

use super::{MAX_DIGITS, Phone, Region};

/// Checks a text, optionally after the letters of a region (`US:`). It is not a number, or a number in E.164
/// that ends with the digits of the text, parses to itself in every region, and when masked shows only the
/// country code and two digits.
pub fn phone(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (region, text) = match text.split_once(':') {
        Some((letters, rest)) if letters.len() == 2 => (Region::named(letters), rest),
        _ => (None, text),
    };
    let Ok(phone) = Phone::parse(text, region) else {
        return;
    };
    let e164 = phone.e164();
    let number = e164.strip_prefix('+').unwrap_or_default();
    assert!((5..=MAX_DIGITS).contains(&number.len()), "{e164}");
    assert!(number.bytes().all(|byte| byte.is_ascii_digit()), "{e164}");
    assert!(!number.starts_with('0'), "{e164}");
    let national = number.strip_prefix(phone.code).unwrap_or_default();
    let written: String = text.chars().filter(char::is_ascii_digit).collect();
    assert!(
        !national.is_empty() && written.ends_with(national),
        "{e164} of {text}"
    );
    if text.trim_start().starts_with('+') {
        assert!(written.starts_with(phone.code), "{e164} of {text}");
    }
    for region in [None, Region::named("US"), Region::named("DE"), region] {
        assert_eq!(Phone::parse(e164, region).as_ref(), Ok(&phone), "{e164}");
    }
    let within_spaces = format!(" {} ", text.trim());
    assert_eq!(
        Phone::parse(&within_spaces, region).ok().as_ref(),
        Some(&phone).filter(|_| within_spaces.len() <= 64),
        "{text}"
    );
    check_masked(&phone, number);
}

fn check_masked(phone: &Phone, number: &str) {
    let shown = phone.masked();
    let last = number
        .get(number.len().saturating_sub(2)..)
        .unwrap_or_default();
    assert_eq!(shown, format!("+{}*******{last}", phone.code));
    assert_eq!(format!("{phone}"), shown);
    assert_eq!(format!("{phone:?}"), shown);
}

#[cfg(test)]
mod tests {
    #[test]
    fn phone() {
        crate::mutation::check("phone", super::phone);
    }
}
