//! Properties of every message, whatever its bytes: for `make fuzz`, and for a sample in the tests.
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use super::{
    Answer, Code, FromHelper, Header, MAX_ANSWER, MAX_COUNTS, MAX_FROM_HELPER, MAX_MESSAGE,
    MAX_TEXT, Request, Verdict, is_supported, kind, limits, logfmt,
};

/// The offset of the code in a verdict.
const CODE: usize = 8;

/// The messages that the module decodes. A valid message encodes to an equal one, within its limits; a
/// success needs its code at its offset, and no damage to another byte of another message makes one.
pub fn from_helper(bytes: &[u8]) {
    let decoded = FromHelper::decode(bytes);
    if let Ok((wait_ms, message)) = &decoded {
        assert!(Header::decode(bytes).is_ok_and(|header| header.wait_ms == *wait_ms));
        let encoded = message.encode(*wait_ms);
        if !matches!(message, FromHelper::SpawnError(_)) {
            let again = FromHelper::decode(&encoded);
            assert_eq!(again.as_ref(), Ok(&(*wait_ms, copy_of(message))));
        }
        assert!(encoded.len() <= MAX_FROM_HELPER);
        match message {
            FromHelper::Prompt(_, text)
            | FromHelper::ShowError(text)
            | FromHelper::ShowInfo(text) => {
                assert!(text.len() <= MAX_TEXT);
            }
            FromHelper::Verdict(verdict) => assert!(verdict.counts.len() <= MAX_COUNTS),
            FromHelper::KeepAlive | FromHelper::VersionMismatch | FromHelper::SpawnError(_) => {}
        }
        cut_or_longer(bytes, *message == FromHelper::VersionMismatch, |bytes| {
            FromHelper::decode(bytes).is_ok()
        });
    }
    let success = is_success(bytes);
    let encoded = bytes.get(CODE) == Some(&(Code::Success as u8));
    let is_verdict = Header::decode(bytes)
        .is_ok_and(|header| header.kind == kind::VERDICT && is_supported(header.version));
    assert!(!success || (encoded && is_verdict));
    // One damaged byte, chosen by the message itself so that each run is the same.
    let sum = bytes.iter().fold(bytes.len(), |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let at = sum.checked_rem(bytes.len()).unwrap_or(0);
    let mut damaged = bytes.to_vec();
    if let Some(byte) = damaged.get_mut(at) {
        *byte = sum.to_le_bytes().iter().fold(0, |all, byte| all ^ byte);
    }
    let was_verdict = matches!(decoded, Ok((_, FromHelper::Verdict(_))));
    if is_success(&damaged) && !success && was_verdict {
        assert_eq!(at, CODE, "a damaged byte became a success");
    }
}

fn is_success(bytes: &[u8]) -> bool {
    let code = Code::Success;
    matches!(FromHelper::decode(bytes), Ok((_, FromHelper::Verdict(Verdict { code: decoded, .. }))) if decoded == code)
}

/// A copy, to compare with.
fn copy_of<'a>(message: &FromHelper<'a>) -> FromHelper<'a> {
    match *message {
        FromHelper::KeepAlive => FromHelper::KeepAlive,
        FromHelper::Prompt(style, text) => FromHelper::Prompt(style, text),
        FromHelper::ShowError(text) => FromHelper::ShowError(text),
        FromHelper::ShowInfo(text) => FromHelper::ShowInfo(text),
        FromHelper::Verdict(Verdict { code, counts }) => {
            FromHelper::Verdict(Verdict { code, counts })
        }
        FromHelper::VersionMismatch => FromHelper::VersionMismatch,
        FromHelper::SpawnError(error) => FromHelper::SpawnError(error),
    }
}

/// The messages that the helper decodes: the request, then answers. Each encodes to an equal one,
/// within its limits, and no value of the host process ends a field of a log line.
pub fn to_helper(bytes: &[u8]) {
    if let Ok(request) = Request::decode(bytes) {
        let encoded = request.encode();
        assert!(encoded.len() <= MAX_MESSAGE);
        assert_eq!(Request::decode(&encoded), Ok(request));
        assert!(request.user.len() <= limits::MAX_NAME && request.rhost.len() <= limits::MAX_NAME);
        assert!(request.config.len() <= limits::MAX_PATH && request.counts.len() <= MAX_COUNTS);
        assert_eq!(
            FromHelper::decode(bytes).map(|_| ()),
            Err(super::DecodeError)
        );
        assert_eq!(Answer::decode(bytes), Err(super::DecodeError));
        for text in [request.tag, request.service, request.user, request.rhost] {
            logged(text);
        }
        cut_or_longer(bytes, false, |bytes| Request::decode(bytes).is_ok());
    }
    if let Ok(answer) = Answer::decode(bytes) {
        let encoded = answer.encode();
        assert!(encoded.len() <= MAX_MESSAGE);
        assert_eq!(Answer::decode(&encoded).as_ref(), Ok(&answer));
        if let Answer::Text { text, .. } = answer {
            assert!(text.len() <= MAX_ANSWER);
        }
        cut_or_longer(bytes, false, |bytes| Answer::decode(bytes).is_ok());
    }
    logged(bytes);
}

/// No message is the beginning of another one.
fn cut_or_longer(bytes: &[u8], open: bool, is_one: impl Fn(&[u8]) -> bool) {
    if open {
        return;
    }
    let lengths = [
        0,
        1,
        7,
        8,
        9,
        bytes.len() / 2,
        bytes.len().saturating_sub(1),
    ];
    for length in lengths.into_iter().filter(|length| *length < bytes.len()) {
        assert!(!is_one(bytes.get(..length).unwrap_or_default()));
    }
    let mut longer = bytes.to_vec();
    longer.push(0);
    assert!(!is_one(&longer));
}

/// A value is one field, printable, and no longer than it may be.
fn logged(value: &[u8]) {
    let mut line = String::from("denied");
    logfmt::field(&mut line, "user", value);
    let field = line.strip_prefix("denied user=").unwrap_or_default();
    assert!(
        field.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
        "{field}"
    );
    assert!(
        field.len() <= logfmt::MAX_VALUE.saturating_add(9),
        "{field}"
    );
    match field.strip_prefix('"').map(|rest| rest.strip_suffix('"')) {
        None => assert!(!field.is_empty() && !field.contains([' ', '"', '\\', '='])),
        Some(inner) => {
            let inner = inner.unwrap_or("\"");
            let bare = inner.replace("\\\\", "").replace("\\\"", "");
            assert!(!bare.contains('"') && !bare.ends_with('\\'), "{field}");
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mutation::check;

    #[test]
    fn from_helper() {
        check("from_helper", super::from_helper);
    }

    #[test]
    fn to_helper() {
        check("to_helper", super::to_helper);
    }
}
