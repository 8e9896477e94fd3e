//! The properties of the argument parser that hold for every PAM line, for `make fuzz` and the tests.
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics if it does not hold"
)]

use std::ffi::{CStr, CString};

use protocol::limits;

use super::Arguments;

/// Splits the input at blanks and NULs, as libpam does. The parser accepts it if and only if every
/// argument is known and every path is absolute; the last of several values is used.
pub fn arguments(bytes: &[u8]) {
    let words = bytes.split(|byte| byte.is_ascii_whitespace() || *byte == 0);
    let words = words.filter(|word| !word.is_empty());
    let owned: Vec<CString> = words.filter_map(|word| CString::new(word).ok()).collect();
    let words: Vec<&CStr> = owned.iter().map(CString::as_c_str).collect();
    let parsed = Arguments::parse(&words);
    let known = words.iter().all(|word| is_known(word.to_bytes()));
    assert_eq!(parsed.is_ok(), known, "{words:?}");
    let Ok(parsed) = parsed else { return };
    let last = |key: &[u8]| {
        let mut values = words
            .iter()
            .filter_map(|word| word.to_bytes().strip_prefix(key));
        values.next_back()
    };
    for (key, path) in [("config=", &parsed.config), ("helper=", &parsed.helper)] {
        let path = path.to_bytes();
        assert!(path.starts_with(b"/") && path.len() <= limits::MAX_PATH);
        assert!(last(key.as_bytes()).is_none_or(|given| given == path));
    }
    let given = |word: &[u8]| words.iter().any(|other| other.to_bytes() == word);
    assert_eq!(parsed.debug, given(b"debug"));
    assert_eq!(parsed.use_first_pass, given(b"use_first_pass"));
    let source = parsed.source.map(|source| source as u8);
    let expected = last(b"password=").map(|source| match source {
        b"ldap" => 1,
        b"ssh" => 2,
        b"auto" => 3,
        _ => 4,
    });
    assert_eq!(source, expected);
}

fn is_known(word: &[u8]) -> bool {
    match word.iter().position(|byte| *byte == b'=') {
        None => [&b"debug"[..], b"try_first_pass", b"use_first_pass"].contains(&word),
        Some(at) => {
            let (key, value) = word.split_at(at);
            match (key, value) {
                (b"config" | b"helper", [b'=', b'/', ..]) => {
                    value.len() <= limits::MAX_PATH.saturating_add(1)
                }
                (b"password", b"=ldap" | b"=ssh" | b"=auto" | b"=stack") => true,
                _ => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::mutation::check;

    #[test]
    fn arguments() {
        check("arguments", super::arguments);
    }
}
