//! Decoding of Twilio's responses.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::error_codes;
use crate::{
    deadline,
    failure::{Failure, FailureKind, Stage},
    net::http::Response,
    sms::SendError,
};

/// The shortest wait after a 429: a `Retry-After: 0` must not cause requests without a pause.
const MIN_WAIT: Duration = Duration::from_secs(1);

/// The largest error code of Twilio.
const MAX_CODE: u32 = 99_999;

/// The fields of a response that are decoded, of a message and of an error. All others (the text with
/// the one-time code, the number, Twilio's `message`) are skipped without being copied.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    sid: Value,
    status: Value,
    error_code: Value,
    code: Value,
}

/// Decodes a response: the identifier of the accepted text, or the refusal.
pub(super) fn parse(reply: &Response) -> Result<Option<String>, SendError> {
    let body: Body = serde_json::from_slice(&reply.body).unwrap_or_default();
    match reply.status {
        201 => match body.status.as_str() {
            // Accepted and dropped at once: the reason is in the body, not in the status line.
            Some("failed" | "undelivered") => Err(refused(201, error_code(&body.error_code))),
            // Any other 201 is an accepted text, whatever the rest of the body is.
            _ => Ok(sid(&body.sid)),
        },
        status @ 300..=399 => Err(redirected(status, reply)),
        429 => {
            let failure = error_codes::explain(FailureKind::Limited, 429, error_code(&body.code));
            Err(SendError::not_sent(failure))
        }
        status @ 400..=499 => Err(refused(status, error_code(&body.code))),
        // The text may have been accepted before the server failed.
        status @ 500..=599 => Err(outage(status, error_code(&body.code))),
        // Not a response of Twilio.
        status => Err(outage(status, None)),
    }
}

fn outage(status: u16, code: Option<u32>) -> SendError {
    SendError::unknown(error_codes::explain(FailureKind::Outage, status, code))
}

/// A refusal of the phone number if the code is about the number, otherwise of the account.
fn refused(status: u16, code: Option<u32>) -> SendError {
    let kind = match code {
        Some(code) if error_codes::is_about_the_number(code) => FailureKind::NumberRefused,
        _ => FailureKind::Refused,
    };
    SendError::not_sent(error_codes::explain(kind, status, code))
}

fn redirected(status: u16, reply: &Response) -> SendError {
    let target = match reply.redirected_to() {
        Some(host) => format!(" to {host}"),
        None => String::new(),
    };
    SendError::not_sent(Failure::new(
        Stage::Twilio,
        FailureKind::Refused,
        format!("twilio.api_url returns HTTP {status}, a redirect{target}"),
        "set twilio.api_url to the address of Twilio's API: a redirect is not followed, since it would receive the account's token",
    ))
}

/// The message's identifier: `SM` or `MM` and 32 hexadecimal digits. Everything else is dropped: it may
/// contain a secret.
fn sid(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("SM").or(text.strip_prefix("MM"))?;
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

/// An error code: a JSON number, as Twilio sends it, or a string, as a gateway might. It has at most five
/// digits: a longer number may be the one-time code or the phone number, and error codes are logged.
fn error_code(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) if text.len() <= 5 => text.parse().ok(),
        _ => None,
    }
    .filter(|code| (1..=MAX_CODE).contains(code))
}

/// The wait before the next request (`Retry-After`, RFC 9110 section 10.2.3): seconds, or a date. A date
/// is compared with the response's own `Date`, since the two clocks may differ.
pub(super) fn retry_after(reply: &Response) -> Option<Duration> {
    let after = reply.header("retry-after")?.trim();
    let wait = if after.bytes().all(|b| b.is_ascii_digit()) {
        Duration::from_secs(after.parse().ok()?)
    } else {
        let then = httpdate::parse_http_date(after).ok()?;
        let now = reply
            .header("date")
            .and_then(|date| httpdate::parse_http_date(date.trim()).ok())
            .unwrap_or_else(deadline::calendar);
        since(then, now)
    };
    Some(wait.max(MIN_WAIT))
}

fn since(then: SystemTime, now: SystemTime) -> Duration {
    then.duration_since(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sids() {
        let good = "SM0123456789abcdefABCDEF0123456789";
        assert_eq!(sid(&Value::from(good)).as_deref(), Some(good));
        let mms = "MM0123456789abcdefABCDEF0123456789";
        assert_eq!(sid(&Value::from(mms)).as_deref(), Some(mms));
        for bad in [
            Value::Null,
            Value::from(7),
            Value::from(""),
            Value::from("SM"),
            Value::from("SM0123456789abcdefABCDEF012345678"),
            Value::from("SM0123456789abcdefABCDEF01234567890"),
            Value::from("AC0123456789abcdefABCDEF0123456789"),
            Value::from("SM0123456789abcdefABCDEF012345678\n"),
            Value::from("SM0123456789abcdefABCDEF01234567\u{e9}"),
        ] {
            assert_eq!(sid(&bad), None, "{bad}");
        }
    }

    #[test]
    fn error_codes() {
        for (json, expected) in [
            ("21608", Some(21608)),
            ("\"21608\"", Some(21608)),
            ("0", None),
            ("-1", None),
            ("null", None),
            ("1.5", None),
            ("99999999999999999999", None),
            ("\"+1202555\"", None),
            ("[21608]", None),
            ("421370", None),
            ("\"042137\"", None),
            ("2025550142", None),
        ] {
            let value = serde_json::from_str(json).unwrap();
            assert_eq!(error_code(&value), expected, "{json}");
        }
    }
}
