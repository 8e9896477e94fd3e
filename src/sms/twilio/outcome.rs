//! What Twilio's answer means.
#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::codes;
use crate::{
    deadline,
    failure::{Failure, FailureKind, Stage},
    net::http::Reply,
    sms::SendError,
};

/// The shortest wait after a 429: "0" must not make us knock without pause.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// Largest of Twilio's error codes.
const LARGEST_CODE: u32 = 99_999;

/// What is read of an answer; of a message, and of an error. Everything else in it (the text with
/// the code in it, the number, Twilio's `message`) is passed over without being copied anywhere.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    sid: Value,
    status: Value,
    error_code: Value,
    code: Value,
}

/// Whether the text was taken, and under which number.
pub(super) fn of(reply: &Reply) -> Result<Option<String>, SendError> {
    let answer: Answer = serde_json::from_slice(&reply.body).unwrap_or_default();
    match reply.status {
        201 => match answer.status.as_str() {
            // Taken and dropped at once: the reason stands in the message, not in the status line.
            Some("failed" | "undelivered") => Err(refused(201, number(&answer.error_code))),
            // Any other 201 is a text on its way, whatever can be read of the rest.
            _ => Ok(sid(&answer.sid)),
        },
        status @ 300..=399 => Err(redirected(status, reply)),
        429 => {
            let failure = codes::explain(FailureKind::Limited, 429, number(&answer.code));
            Err(SendError::not_sent(failure))
        }
        status @ 400..=499 => Err(refused(status, number(&answer.code))),
        // A fault may have come after the text was taken; and what is no answer of Twilio's says
        // nothing about it.
        status => {
            let code = (500..=599)
                .contains(&status)
                .then(|| number(&answer.code))
                .flatten();
            Err(SendError::unknown(codes::explain(
                FailureKind::Outage,
                status,
                code,
            )))
        }
    }
}

/// A refusal: of the number, where the code says so, else of us.
fn refused(status: u16, code: Option<u32>) -> SendError {
    let kind = match code {
        Some(code) if codes::is_about_the_number(code) => FailureKind::NumberRefused,
        _ => FailureKind::Refused,
    };
    SendError::not_sent(codes::explain(kind, status, code))
}

fn redirected(status: u16, reply: &Reply) -> SendError {
    let to = match reply.redirected_to() {
        Some(host) => format!(" to {host}"),
        None => " elsewhere".to_owned(),
    };
    SendError::not_sent(Failure::new(
        Stage::Twilio,
        FailureKind::Refused,
        format!("twilio.api_url answers HTTP {status}, a redirect{to}"),
        "set twilio.api_url to where Twilio is: a redirect is not followed, as it would take the account's token along",
    ))
}

/// `SM` or `MM` and 32 hexadecimal digits; anything else might be anything else.
fn sid(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let digits = text.strip_prefix("SM").or(text.strip_prefix("MM"))?;
    (digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
}

/// A code, as Twilio writes it (a number) or as somebody between might (a text). It has five digits:
/// what has more may be the one-time code or the phone number, and codes are logged.
fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) if text.len() <= 5 => text.parse().ok(),
        _ => None,
    }
    .filter(|code| (1..=LARGEST_CODE).contains(code))
}

/// How long to wait before asking again (RFC 9110 section 10.2.3): seconds, or a date, which is
/// compared with the answer's own date, since the clocks here and there may differ.
pub(super) fn later(reply: &Reply) -> Option<Duration> {
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
    Some(wait.max(SHORTEST_WAIT))
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
    fn numbers() {
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
            assert_eq!(number(&value), expected, "{json}");
        }
    }
}
