//! Encoding of requests. All of it contains secrets: each buffer is allocated with its final capacity,
//! since a buffer that grows leaves copies behind.
#![forbid(unsafe_code)]

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use zeroize::Zeroizing;

use crate::{config::Sender, secret::Secret};

/// The longest validity that Twilio accepts, in seconds (Message resource, `ValidityPeriod`).
const MAX_VALIDITY: u64 = 36_000;

/// Upper bound for the names of the fields together.
const NAMES_CAPACITY: usize = 64;

/// Encodes the `Authorization` header, basic scheme (RFC 7617).
pub(super) fn basic(user: &str, secret: &str) -> Secret {
    let mut pair = Zeroizing::new(String::with_capacity(
        user.len().saturating_add(secret.len()).saturating_add(1),
    ));
    pair.push_str(user);
    pair.push(':');
    pair.push_str(secret);
    let mut value = String::with_capacity(pair.len().saturating_mul(2).saturating_add(16));
    value.push_str("Basic ");
    BASE64_STANDARD.encode_string(pair.as_bytes(), &mut value);
    Secret::new(value)
}

/// Encodes the form that makes Twilio send a text. Twilio counts in whole seconds; a part of a second is
/// rounded up.
pub(super) fn form(to: &str, sender: &Sender, body: &Secret, valid: Duration) -> Secret {
    let (sender_field, sender) = match sender {
        Sender::Number(number) => ("From", number),
        Sender::Service(sid) => ("MessagingServiceSid", sid),
    };
    let rounded_up = u64::from(valid.subsec_nanos() > 0);
    let valid = valid.as_secs().saturating_add(rounded_up);
    let valid = valid.clamp(1, MAX_VALIDITY).to_string();
    let fields = [
        ("To", to),
        (sender_field, sender),
        ("Body", body.reveal()),
        ("ValidityPeriod", &valid),
    ];
    let capacity = fields.iter().fold(NAMES_CAPACITY, |sum, (_, value)| {
        sum.saturating_add(value.len().saturating_mul(3))
    });
    let mut form = String::with_capacity(capacity);
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        encode(value, &mut form);
    }
    Secret::new(form)
}

/// Encodes a value as `application/x-www-form-urlencoded` (URL standard, section 5.2).
fn encode(value: &str, form: &mut String) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                form.push(char::from(byte));
            }
            b' ' => form.push('+'),
            _ => form.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_encoded_as_browsers_encode_it() {
        let body = Secret::new("042137 is your code. Not you? +1 & caf\u{e9} %".to_owned());
        let number = Sender::Number("+15005550006".to_owned());
        let valid = Duration::from_secs(300);
        assert_eq!(
            form("+12025550142", &number, &body, valid).reveal(),
            "To=%2B12025550142&From=%2B15005550006&Body=042137+is+your+code.+Not+you%3F+%2B1+%26+caf%C3%A9+%25&ValidityPeriod=300"
        );
        let service = Sender::Service("MG00000000000000000000000000000000".to_owned());
        let body = Secret::new("x".to_owned());
        assert_eq!(
            form("+12025550142", &service, &body, Duration::ZERO).reveal(),
            "To=%2B12025550142&MessagingServiceSid=MG00000000000000000000000000000000&Body=x&ValidityPeriod=1"
        );
        let part = Duration::from_millis(299_001);
        let rounded = form("+12025550142", &number, &body, part);
        assert!(rounded.reveal().ends_with("&ValidityPeriod=300"));
        let day = Duration::from_secs(86_400);
        let long = form("+12025550142", &number, &body, day);
        assert!(long.reveal().ends_with("&ValidityPeriod=36000"));
    }

    #[test]
    fn no_buffer_grows() {
        let body = Secret::new("\u{1f512}".repeat(400));
        let number = Sender::Number("+15005550006".to_owned());
        let form = form("+12025550142", &number, &body, Duration::from_secs(36_000));
        let names = "To=&MessagingServiceSid=&Body=&ValidityPeriod=".len();
        assert!(names <= NAMES_CAPACITY);
        assert!(form.reveal().len() > 4800);
    }

    #[test]
    fn basic_authorization() {
        // RFC 7617 section 2.
        assert_eq!(
            basic("Aladdin", "open sesame").reveal(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }
}
