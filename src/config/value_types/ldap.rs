//! The types of values of `[ldap]`.
#![forbid(unsafe_code)]

use super::{Invalid, ValueType, check, check_list, is_line};

/// The maximum length of a domain name (RFC 1035 §2.3.4).
const MAX_DOMAIN: usize = 255;

/// `ldap.plain_numbers`
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PlainNumbers {
    National,
    International,
}

/// `ldap.bind_dn`
pub enum BindDn {}

impl ValueType for BindDn {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "the DN of an account in quotes".into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        check(raw, is_line)
    }
}

/// `ldap.base`
pub enum Base {}

impl ValueType for Base {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "a DN in quotes, such as \"ou=people,dc=example,dc=org\"".into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        check(raw, |base| is_line(base) && base.contains('='))
    }
}

/// The name of an attribute.
pub enum Attribute {}

impl ValueType for Attribute {
    type Raw = String;
    type Value = String;

    fn allowed() -> String {
        "the name of an attribute in quotes".into()
    }

    fn parse(raw: String) -> Result<String, Invalid> {
        check(raw, is_attribute)
    }
}

/// Names of attributes, at least one.
pub enum Attributes {}

impl ValueType for Attributes {
    type Raw = Vec<String>;
    type Value = Vec<String>;

    fn allowed() -> String {
        "a list in brackets of at least one name of an attribute".into()
    }

    fn parse(raw: Vec<String>) -> Result<Vec<String>, Invalid> {
        check_list(raw, is_attribute)
    }
}

/// Whether a text is an attribute description (RFC 4512 §2.5): a name or an OID, perhaps with options.
pub fn is_attribute(text: &str) -> bool {
    let is_key = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut parts = text.split(';');
    let kind = parts.next().unwrap_or_default();
    let is_name = is_key(kind) && kind.starts_with(|first: char| first.is_ascii_alphabetic());
    (is_name || is_oid(kind)) && parts.all(is_key)
}

fn is_oid(text: &str) -> bool {
    text.contains('.')
        && text.split('.').all(|arc| {
            !arc.is_empty()
                && arc.bytes().all(|digit| digit.is_ascii_digit())
                && (arc == "0" || !arc.starts_with('0'))
        })
}

/// `ldap.strip_domains`
pub enum Domains {}

impl ValueType for Domains {
    type Raw = Vec<String>;
    type Value = Vec<String>;

    fn allowed() -> String {
        "a list in brackets of at least one domain (letters, digits, . - _), such as \"example.org\" \
         or \"EXAMPLE\""
            .into()
    }

    fn parse(raw: Vec<String>) -> Result<Vec<String>, Invalid> {
        check_list(raw, is_domain)
    }
}

/// Whether a text is a DNS domain or realm, or a NetBIOS name, as it is written after `@` or before
/// `\`.
fn is_domain(text: &str) -> bool {
    (1..=MAX_DOMAIN).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        let parse = |text: &str| Domains::parse(vec!["example.org".into(), text.into()]);
        let longest = "a".repeat(255);
        for text in [
            "example.org",
            "EXAMPLE",
            "sub-1.example.org",
            "A_B",
            "1",
            &longest,
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        let long = "a".repeat(256);
        for text in [
            "",
            ".",
            "@example.org",
            "EXAMPLE\\",
            "a b",
            "ex\u{e4}mple.org",
            "a\n",
            &long,
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(Domains::parse(Vec::new()).is_err());
    }

    #[test]
    fn plain_numbers() {
        for text in ["", "National", "e164", "US"] {
            assert!(PlainNumbers::parse(text.into()).is_err(), "{text}");
        }
        assert!(
            PlainNumbers::parse("national".into())
                .is_ok_and(|plain| plain == PlainNumbers::National)
        );
        assert!(
            PlainNumbers::parse("international".into())
                .is_ok_and(|plain| plain == PlainNumbers::International)
        );
    }

    #[test]
    fn attributes() {
        for text in [
            "mobile",
            "x-phone",
            "1.3.6.1.4.1.48710.1.3.329",
            "cn;lang-en",
            "a;b;c",
        ] {
            assert!(is_attribute(text), "{text}");
        }
        for text in [
            "", "a b", "-a", "1a", "1", "1..2", "01.2", "a;", ";a", "a_b", "é", "a=b", "*",
        ] {
            assert!(!is_attribute(text), "{text}");
        }
    }
}
