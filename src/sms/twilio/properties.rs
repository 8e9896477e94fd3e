//! Properties of every response, for `make fuzz` and, with fewer inputs, for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use std::time::Duration;

use super::{
    error_codes::is_about_the_number,
    response::{parse, retry_after},
};
use crate::{failure::FailureKind, net::http::Response, sms::SendError};

/// Checks one response: a status on the first line, headers on the next ones, an empty line, the body.
/// Only a 201 is an accepted text; the kind of failure depends on status and code alone; and nothing
/// from the response that could be a phone number, a one-time code or a token appears in the error.
pub fn twilio(bytes: &[u8]) {
    let end = bytes.windows(2).position(|two| two == b"\n\n");
    let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.trim().parse().ok());
    let status = status
        .filter(|status| (100..=999).contains(status))
        .unwrap_or(201);
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let reply = Response::of(status, &headers, body.get(2..).unwrap_or_default());
    match parse(&reply) {
        Ok(sid) => {
            assert_eq!(status, 201);
            let is_one =
                |sid: &str| sid.len() == 34 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
            assert!(sid.as_deref().is_none_or(is_one));
        }
        Err(error) => check_error(status, &error),
    }
    assert!(retry_after(&reply).is_none_or(|wait| wait >= Duration::from_secs(1)));
}

fn check_error(status: u16, error: &SendError) {
    let failure = &error.failure;
    let kind = match (status, failure.code) {
        (429, _) => FailureKind::Limited,
        (201 | 400..=499, Some(code)) if is_about_the_number(code) => FailureKind::NumberRefused,
        (201 | 300..=499, _) => FailureKind::Refused,
        _ => FailureKind::Outage,
    };
    assert_eq!(failure.kind, kind, "{status}: {failure:?}");
    // A refusal means that the text was not sent; an outage leaves it open.
    assert_eq!(
        error.may_be_sent,
        kind == FailureKind::Outage,
        "{status}: {error:?}"
    );
    for text in [failure.what.as_str(), &failure.remedy] {
        assert!(
            text.chars().all(|letter| matches!(letter, ' '..='~')),
            "{text:?}"
        );
        assert!(text.len() <= 300, "{text}");
        let digits = |run: &str| run.bytes().all(|byte| byte.is_ascii_digit());
        let longest = |is: &dyn Fn(char) -> bool| text.split(|c| !is(c)).map(str::len).max();
        assert!(longest(&|c| c.is_ascii_digit()) <= Some(5), "{text}");
        assert!(
            longest(&|c| c.is_ascii_alphanumeric()) <= Some(24),
            "{text}"
        );
        let numbers = text
            .split([' ', '-', '.'])
            .filter(|run| !run.is_empty() && digits(run));
        assert!(numbers.count() <= 3, "{text}");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn twilio() {
        crate::mutation::check("twilio", super::twilio);
    }
}
