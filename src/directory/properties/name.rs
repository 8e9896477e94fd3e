//! DNs, and user names in a filter.

use crate::directory::{dn, query};

/// A DN has one normal form, which is its own normal form, contains no control character, and does not depend
/// on case or on spaces around separators. As a typed name the same text is only a value in any filter, and
/// decoded byte by byte.
pub fn name(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let normal = dn::normalize(text);
    if !normal.starts_with('?') {
        assert_eq!(dn::normalize(&normal), normal, "{text:?}");
        assert!(!normal.chars().any(char::is_control), "{normal:?}");
        assert_eq!(dn::normalize(&format!(" {normal}")), normal, "{text:?}");
    }
    // Bytes that are not UTF-8 have no case.
    let is_text = |rest: &str| !rest.starts_with(|c| matches!(c, '8'..='9' | 'a'..='f'));
    if normal.split('\\').skip(1).all(is_text) {
        assert_eq!(
            dn::normalize(&text.to_ascii_uppercase()),
            normal,
            "{text:?}"
        );
    }
    let filter = query::filter("(&(a=b)(uid={user}))", text);
    let sent = ldap3::parse_filter(&filter).map(|sent| format!("{sent:?}"));
    let alone = ldap3::parse_filter(query::filter("(&(a=b)(uid={user}))", "x"));
    let alone = alone.map(|sent| format!("{sent:?}"));
    // The same filter, except for the bytes of one value.
    let expected = alone.map(|alone| alone.replace("[120]", &format!("{bytes:?}")));
    assert_eq!(sent, expected, "{filter}");
}
