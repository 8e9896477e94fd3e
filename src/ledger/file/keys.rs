//! Keyed hashes. The file contains users, phones and origins only as such hashes, and every sector is
//! sealed with one.
#![forbid(unsafe_code)]

use ring::hmac;

use super::sector::{self, Name, Sector};

/// The ledger's key for HMAC-SHA-256 (RFC 2104). Without it, hashes of two ledgers cannot be compared, and
/// names cannot be tried against a hash.
#[derive(Clone)]
pub struct Keys(hmac::Key);

impl Keys {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    #[must_use]
    pub fn user(&self, user: &str) -> Name {
        self.hash(b"person\0", &[user.as_bytes()])
    }

    #[must_use]
    pub fn phone(&self, e164: &str) -> Name {
        self.hash(b"phone\0", &[e164.as_bytes()])
    }

    /// Hashes an origin together with its user, so that equal origins of two users differ.
    #[must_use]
    pub fn origin(&self, user: &Name, origin: &str) -> Name {
        self.hash(b"place\0", &[user, origin.as_bytes()])
    }

    /// Hashes the date of a password change together with its user. `None` for an empty date.
    #[must_use]
    pub fn password(&self, user: &Name, changed: &str) -> Option<[u8; 8]> {
        let hash = || self.hash(b"password\0", &[user, changed.as_bytes()]);
        (!changed.is_empty()).then(|| half(hash()))
    }

    /// Writes the seal of a sector at this offset.
    pub fn seal(&self, at: u64, sector: &mut Sector) {
        let seal = self.seal_of(at, sector);
        sector::put_seal(sector, seal);
    }

    /// Checks that a sector is unchanged since it was sealed for this offset.
    #[must_use]
    pub fn verify(&self, at: u64, sector: &Sector) -> bool {
        sector::seal(sector) == self.seal_of(at, sector)
    }

    fn seal_of(&self, at: u64, sector: &Sector) -> [u8; 8] {
        let [name, content] = sector::sealed_parts(sector);
        half(self.hash(b"sector\0", &[&at.to_le_bytes(), name, content]))
    }

    /// Computes the hash for one purpose. Hashes for different purposes never match.
    fn hash(&self, purpose: &[u8], parts: &[&[u8]]) -> Name {
        let mut hash = hmac::Context::with_key(&self.0);
        hash.update(purpose);
        for part in parts {
            hash.update(part);
        }
        let mut name = Name::default();
        for (into, from) in name.iter_mut().zip(hash.sign().as_ref()) {
            *into = *from;
        }
        name
    }
}

/// The first half of a hash, where 8 bytes are enough.
#[must_use]
pub fn half(name: Name) -> [u8; 8] {
    name.first_chunk().copied().unwrap_or_default()
}
