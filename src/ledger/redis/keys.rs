//! Names in the store: nobody reads a person or a phone out of them without the fleet's key.
#![forbid(unsafe_code)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{phone::Phone, secret::Secret};

/// All keys begin so. What stands in braces is all that Redis Cluster looks at, so that they are in
/// one slot and one script may use them together (Redis cluster specification, "Hash tags").
const PREFIX: &str = "pam_sms_otp:{otp}:";

/// Bytes of a hash that are kept: 2^64 people until two of them meet.
const KEPT: usize = 16;

/// The day's sums, and the longest span that is asked for.
pub fn tally() -> String {
    format!("{PREFIX}tally")
}

/// Those of the whole ledger, in the order in which the scripts take them.
pub fn shared() -> Vec<String> {
    let other = ["all", "suspects", "names"].map(|name| format!("{PREFIX}{name}"));
    std::iter::once(tally()).chain(other).collect()
}

/// Those of a person too.
pub fn of_person(person: &str) -> Vec<String> {
    let mut keys = shared();
    keys.push(format!("{PREFIX}person:{person}"));
    keys.push(format!("{PREFIX}person-sms:{person}"));
    keys
}

/// And of a phone.
pub fn of_account(person: &str, phone: &str) -> Vec<String> {
    let mut keys = of_person(person);
    keys.push(format!("{PREFIX}phone-sms:{phone}"));
    keys
}

/// What all hosts of the fleet hash with.
pub struct Hasher(hmac::Key);

impl Hasher {
    pub fn new(key: &Secret) -> Self {
        let key = key.reveal().as_bytes();
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub fn person(&self, person: &str) -> String {
        self.hash("person", person)
    }

    pub fn phone(&self, phone: &Phone) -> String {
        self.hash("phone", phone.e164())
    }

    pub fn place(&self, place: &str) -> String {
        self.hash("place", place)
    }

    pub fn password(&self, changed: &str) -> String {
        self.hash("password", changed)
    }

    /// What says that a host with this key has written these fields, which have no NUL in them.
    pub fn seal(&self, fields: &[&str]) -> String {
        self.hash("remembered", &fields.join("\0"))
    }

    /// Of the same text something else for each use.
    fn hash(&self, what: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(what.as_bytes());
        context.update(b"\0");
        context.update(text.as_bytes());
        let tag = context.sign();
        URL_SAFE_NO_PAD.encode(tag.as_ref().get(..KEPT).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ_by_key_use_and_text() {
        let one = Hasher::new(&Secret::new("one".to_owned()));
        let two = Hasher::new(&Secret::new("two".to_owned()));
        assert_eq!(one.person("alice"), one.person("alice"));
        assert_eq!(one.person("alice").len(), 22);
        assert_ne!(one.person("alice"), two.person("alice"));
        assert_ne!(one.person("alice"), one.place("alice"));
        assert_ne!(one.person("alice"), one.person("alicf"));
        // HMAC-SHA-256 of "person\0alice" under "one", as OpenSSL has it.
        assert_eq!(one.person("alice"), "UQmXoiVW73Nyg-sGrFDYtg");
    }

    #[test]
    fn all_keys_are_in_one_slot() {
        for key in of_account("p", "n") {
            assert!(key.starts_with("pam_sms_otp:{otp}:"), "{key}");
            assert_eq!(key.matches('{').count(), 1, "{key}");
        }
    }
}
