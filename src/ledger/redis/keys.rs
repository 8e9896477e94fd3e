//! Keys and hashes of the shared ledger: without the key of the hosts, no user or phone can be read from them.
#![forbid(unsafe_code)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;

use crate::{phone::Phone, secret::Secret};

/// The prefix of all keys. Redis Cluster computes the slot from the part in braces only, so that all keys are
/// in one slot and one script may use them together (Redis cluster specification, "Hash tags").
const PREFIX: &str = "pam_sms_otp:{otp}:";

/// The number of bytes that are kept of a hash: a collision is likely among 2^64 users.
const HASH_LENGTH: usize = 16;

/// Returns the key of the day's sums and of the longest time span of a rule.
pub(super) fn tally() -> String {
    format!("{PREFIX}tally")
}

/// Returns the keys of the whole ledger, in the order in which the scripts take them.
pub(super) fn shared() -> Vec<String> {
    let other = ["all", "suspects", "names"].map(|name| format!("{PREFIX}{name}"));
    std::iter::once(tally()).chain(other).collect()
}

/// Returns the shared keys and those of a user.
pub(super) fn of_user(user: &str) -> Vec<String> {
    let mut keys = shared();
    keys.push(format!("{PREFIX}person:{user}"));
    keys.push(format!("{PREFIX}person-sms:{user}"));
    keys
}

/// Returns the keys of a user and of a phone.
pub(super) fn of_account(user: &str, phone: &str) -> Vec<String> {
    let mut keys = of_user(user);
    keys.push(format!("{PREFIX}phone-sms:{phone}"));
    keys
}

/// Computes keyed hashes with the key of all hosts.
pub(super) struct Hasher(hmac::Key);

impl Hasher {
    pub(super) fn new(key: &Secret) -> Self {
        let key = key.reveal().as_bytes();
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    pub(super) fn user(&self, dn: &str) -> String {
        self.hash("person", dn)
    }

    pub(super) fn phone(&self, phone: &Phone) -> String {
        self.hash("phone", phone.e164())
    }

    pub(super) fn origin(&self, origin_key: &str) -> String {
        self.hash("place", origin_key)
    }

    pub(super) fn password(&self, changed: &str) -> String {
        self.hash("password", changed)
    }

    /// Computes the seal of a record: it shows that a host with this key has written the fields, which
    /// contain no NUL.
    pub(super) fn seal(&self, fields: &[&str]) -> String {
        self.hash("remembered", &fields.join("\0"))
    }

    /// Hashes a text for one purpose; the same text has another hash for each purpose.
    fn hash(&self, purpose: &str, text: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose.as_bytes());
        context.update(b"\0");
        context.update(text.as_bytes());
        let tag = context.sign();
        URL_SAFE_NO_PAD.encode(tag.as_ref().get(..HASH_LENGTH).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_differ_by_key_purpose_and_text() {
        let one = Hasher::new(&Secret::new("one".to_owned()));
        let two = Hasher::new(&Secret::new("two".to_owned()));
        assert_eq!(one.user("alice"), one.user("alice"));
        assert_eq!(one.user("alice").len(), 22);
        assert_ne!(one.user("alice"), two.user("alice"));
        assert_ne!(one.user("alice"), one.origin("alice"));
        assert_ne!(one.user("alice"), one.user("alicf"));
        // HMAC-SHA-256 of "person\0alice" under "one", as computed by OpenSSL.
        assert_eq!(one.user("alice"), "UQmXoiVW73Nyg-sGrFDYtg");
    }

    #[test]
    fn all_keys_are_in_one_slot() {
        for key in of_account("p", "n") {
            assert!(key.starts_with("pam_sms_otp:{otp}:"), "{key}");
            assert_eq!(key.matches('{').count(), 1, "{key}");
        }
    }
}
