//! What is true of every number that is read: for `make fuzz`, and in small for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use super::{MOST_DIGITS, Phone, Region};

/// A number as somebody wrote it, perhaps behind the letters of a region (`US:`). It is no number, or one
/// in E.164 that ends as it was written, is read again as the same one, whatever the region, and shows
/// no more than its country code and two digits.
pub fn phone(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let (region, text) = match text.split_once(':') {
        Some((letters, rest)) if letters.len() == 2 => (Region::named(letters), rest),
        _ => (None, text),
    };
    let Ok(phone) = Phone::read(text, region) else {
        return;
    };
    let e164 = phone.e164();
    let number = e164.strip_prefix('+').unwrap_or_default();
    assert!((5..=MOST_DIGITS).contains(&number.len()), "{e164}");
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
        assert_eq!(Phone::read(e164, region).as_ref(), Ok(&phone), "{e164}");
    }
    let within_spaces = format!(" {} ", text.trim());
    assert_eq!(
        Phone::read(&within_spaces, region).ok().as_ref(),
        Some(&phone).filter(|_| within_spaces.len() <= 64),
        "{text}"
    );
    masked(&phone, number);
}

fn masked(phone: &Phone, number: &str) {
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
