//! What is true of every message, whatever its bytes: for `make fuzz`, and in small for the tests.
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use super::{
    Answer, Code, FromHelper, Header, MAX_ANSWER, MAX_COUNTS, MAX_FROM_HELPER, MAX_MESSAGE,
    MAX_TEXT, Request, Verdict, kind, logfmt, most, speaks,
};

/// Where a verdict has its code.
const CODE: usize = 8;

/// What the module reads. A message that is one is written the same way again, within its bounds; a
/// success stands in the one byte that says so and nowhere else, and no other byte of a message
/// that is none, set to anything, makes one of it.
pub fn from_helper(bytes: &[u8]) {
    let read = FromHelper::read(bytes);
    if let Ok((wait_ms, message)) = &read {
        assert!(Header::read(bytes).is_ok_and(|header| header.wait_ms == *wait_ms));
        let written = message.write(*wait_ms);
        if !matches!(message, FromHelper::Stillborn(_)) {
            let again = FromHelper::read(&written);
            assert_eq!(again.as_ref(), Ok(&(*wait_ms, reread(message))));
        }
        assert!(written.len() <= MAX_FROM_HELPER);
        match message {
            FromHelper::Ask(_, text) | FromHelper::Tell(text) | FromHelper::Inform(text) => {
                assert!(text.len() <= MAX_TEXT);
            }
            FromHelper::Verdict(verdict) => assert!(verdict.counts.len() <= MAX_COUNTS),
            FromHelper::Working | FromHelper::Unspoken | FromHelper::Stillborn(_) => {}
        }
        cut_or_longer(bytes, *message == FromHelper::Unspoken, |bytes| {
            FromHelper::read(bytes).is_ok()
        });
    }
    let success = is_success(bytes);
    let said = bytes.get(CODE) == Some(&(Code::Success as u8));
    let is_verdict = Header::read(bytes)
        .is_ok_and(|header| header.kind == kind::VERDICT && speaks(header.version));
    assert!(!success || (said && is_verdict));
    // One damaged byte, chosen by the message itself so that each run is the same.
    let sum = bytes.iter().fold(bytes.len(), |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
    });
    let at = sum.checked_rem(bytes.len()).unwrap_or(0);
    let mut damaged = bytes.to_vec();
    if let Some(byte) = damaged.get_mut(at) {
        *byte = sum.to_le_bytes().iter().fold(0, |all, byte| all ^ byte);
    }
    let was_verdict = matches!(read, Ok((_, FromHelper::Verdict(_))));
    if is_success(&damaged) && !success && was_verdict {
        assert_eq!(at, CODE, "a damaged byte has become a success");
    }
}

fn is_success(bytes: &[u8]) -> bool {
    let code = Code::Success;
    matches!(FromHelper::read(bytes), Ok((_, FromHelper::Verdict(Verdict { code: read, .. }))) if read == code)
}

/// The same message, to be compared with.
fn reread<'a>(message: &FromHelper<'a>) -> FromHelper<'a> {
    match *message {
        FromHelper::Working => FromHelper::Working,
        FromHelper::Ask(style, text) => FromHelper::Ask(style, text),
        FromHelper::Tell(text) => FromHelper::Tell(text),
        FromHelper::Inform(text) => FromHelper::Inform(text),
        FromHelper::Verdict(Verdict { code, counts }) => {
            FromHelper::Verdict(Verdict { code, counts })
        }
        FromHelper::Unspoken => FromHelper::Unspoken,
        FromHelper::Stillborn(why) => FromHelper::Stillborn(why),
    }
}

/// What the helper reads: the request, then answers. Each is written the same way again, within
/// its bounds, and what the host put into it can end no field of a line of log.
pub fn to_helper(bytes: &[u8]) {
    if let Ok(request) = Request::read(bytes) {
        let written = request.write();
        assert!(written.len() <= MAX_MESSAGE);
        assert_eq!(Request::read(&written), Ok(request));
        assert!(request.user.len() <= most::NAME && request.rhost.len() <= most::NAME);
        assert!(request.config.len() <= most::PATH && request.counts.len() <= MAX_COUNTS);
        assert_eq!(FromHelper::read(bytes).map(|_| ()), Err(super::Nonsense));
        assert_eq!(Answer::read(bytes), Err(super::Nonsense));
        for text in [request.tag, request.service, request.user, request.rhost] {
            logged(text);
        }
        cut_or_longer(bytes, false, |bytes| Request::read(bytes).is_ok());
    }
    if let Ok(answer) = Answer::read(bytes) {
        let written = answer.write();
        assert!(written.len() <= MAX_MESSAGE);
        assert_eq!(Answer::read(&written).as_ref(), Ok(&answer));
        if let Answer::Said { words, .. } = answer {
            assert!(words.len() <= MAX_ANSWER);
        }
        cut_or_longer(bytes, false, |bytes| Answer::read(bytes).is_ok());
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
    use crate::mutation::ask;

    #[test]
    fn from_helper() {
        ask("from_helper", super::from_helper);
    }

    #[test]
    fn to_helper() {
        ask("to_helper", super::to_helper);
    }
}
