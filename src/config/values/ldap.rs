//! Single values of `[ldap]` that say how its entries are read and found.
#![forbid(unsafe_code)]

use super::{Leaf, Why};

/// Longest domain (RFC 1035 §2.3.4).
const MAX_DOMAIN: usize = 255;

/// `ldap.plain_numbers`
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PlainNumbers {
    National,
    International,
}

impl Leaf for PlainNumbers {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        match raw.as_str() {
            "national" => Ok(Self::National),
            "international" => Ok(Self::International),
            _ => Err(Why::PLAIN),
        }
    }
}

/// `ldap.strip_domains`
#[derive(Clone)]
pub struct Domains(pub Vec<String>);

impl Leaf for Domains {
    type Raw = Vec<String>;

    fn check(raw: Vec<String>) -> Result<Self, Why> {
        if raw.is_empty() {
            return Err(Why("the list is empty"));
        }
        if raw.iter().all(|domain| is_domain(domain)) {
            Ok(Self(raw))
        } else {
            Err(Why::PLAIN)
        }
    }
}

/// A DNS domain or realm, or a NetBIOS name, as it stands behind `@` or before `\`.
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
        let check = |text: &str| Domains::check(vec!["example.org".into(), text.into()]);
        let longest = "a".repeat(255);
        for text in [
            "example.org",
            "EXAMPLE",
            "sub-1.example.org",
            "A_B",
            "1",
            &longest,
        ] {
            assert!(check(text).is_ok(), "{text}");
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
            assert!(check(text).is_err(), "{text:?}");
        }
        assert!(Domains::check(Vec::new()).is_err());
    }

    #[test]
    fn numbers_are_plain_in_one_of_two_ways() {
        for text in ["", "National", "e164", "US"] {
            assert!(PlainNumbers::check(text.into()).is_err(), "{text}");
        }
        assert!(
            PlainNumbers::check("national".into())
                .is_ok_and(|plain| plain == PlainNumbers::National)
        );
        assert!(
            PlainNumbers::check("international".into())
                .is_ok_and(|plain| plain == PlainNumbers::International)
        );
    }
}
