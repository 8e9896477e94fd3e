//! The filter and the attributes of the search for a user.
#![forbid(unsafe_code)]

use super::{
    entry::{OBJECT_CLASS, PASSWORD_TIMES},
    failures,
};
use crate::{config, failure::Failure};

/// Placeholder of the user name in `[ldap] filter`.
const PLACEHOLDER: &str = "{user}";

/// Inserts a user name into the filter. It can only be a value: every byte that is not a letter, a digit
/// or one of `- _ . @` is escaped (RFC 4515 §3 requires it for `* ( ) \` and NUL, and allows it for all).
pub fn filter(pattern: &str, user: &str) -> String {
    pattern.replace(PLACEHOLDER, &escape(user))
}

fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'@' => {
                text.push(char::from(byte));
            }
            _ => {
                text.push('\\');
                for half in [byte >> 4, byte & 0xf] {
                    text.extend(char::from_digit(u32::from(half), 16));
                }
            }
        }
    }
    text
}

/// Checks that a filter is valid and contains the placeholder: without it every name would find the same
/// entry.
pub fn check(pattern: &str) -> Result<(), Failure> {
    if !pattern.contains(PLACEHOLDER) {
        return Err(failures::filter_without_user());
    }
    ldap3::parse_filter(filter(pattern, "x"))
        .map(|_| ())
        .map_err(|()| failures::invalid_filter())
}

/// Returns the attributes to request, each once: the one that verifies phones, the phones, the times of
/// password changes, those that the filter compares with the name, and the object class. Names are
/// compared without case (RFC 4512 §2.5); a server ignores those that it does not know (RFC 4511 §4.5.1.8).
pub fn attributes(settings: &config::Ldap) -> Vec<&str> {
    let mut names: Vec<&str> = vec![&settings.verified_attribute];
    let phones = settings.phone_attributes.iter().map(String::as_str);
    let compared = config::comparisons(&settings.filter);
    let compared = compared.map(|comparison| comparison.attribute);
    for name in phones
        .chain(PASSWORD_TIMES)
        .chain(compared)
        .chain([OBJECT_CLASS])
    {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_only_ever_a_value() {
        let pattern = "(&(objectClass=person)(|(uid={user})(mail={user})))";
        assert_eq!(
            filter(pattern, "alice"),
            "(&(objectClass=person)(|(uid=alice)(mail=alice)))"
        );
        let cases = [
            ("*", "\\2a"),
            (")(uid=*", "\\29\\28uid\\3d\\2a"),
            ("a\\b", "a\\5cb"),
            ("a\0b", "a\\00b"),
            ("jos\u{e9}", "jos\\c3\\a9"),
            ("a\r\nb", "a\\0d\\0ab"),
            ("a b", "a\\20b"),
            ("{user}", "\\7buser\\7d"),
            ("first.last@example.org", "first.last@example.org"),
        ];
        for (name, value) in cases {
            assert_eq!(escape(name), value);
            assert!(ldap3::parse_filter(filter(pattern, name)).is_ok());
        }
    }

    #[test]
    fn the_library_decodes_the_escapes() {
        for name in ["*)(uid=*", "jos\u{e9}\0\\5c", "\u{7f}\u{1}~!|&"] {
            let read = ldap3::parse_filter(filter("(uid={user})", name)).unwrap();
            let plain = format!("{read:?}");
            assert!(plain.contains(&format!("{:?}", name.as_bytes())), "{plain}");
        }
    }

    #[test]
    fn filters_that_cannot_work_are_refused() {
        assert_eq!(check("(uid={user})"), Ok(()));
        assert!(check("(uid=alice)").is_err());
        assert!(check("(uid={user}").is_err());
        assert!(check("(uid={user}) ").is_err());
    }
}
