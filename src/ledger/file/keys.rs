//! Keyed hashes: people, phones and places are in the file by these alone, and every sector is
//! sealed with one.
#![forbid(unsafe_code)]

use ring::hmac;

use super::sector::{self, Name, Sector};

/// This ledger's own key (HMAC-SHA-256, RFC 2104): what is hashed here cannot be looked up in
/// another ledger, nor guessed by somebody who has the names and not the file.
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

    /// A place is hashed with its person: nobody sees who comes from the same one.
    #[must_use]
    pub fn place(&self, user: &Name, place: &str) -> Name {
        self.hash(b"place\0", &[user, place.as_bytes()])
    }

    /// When a password was changed. Hashed with its person, as above; nothing is no time.
    #[must_use]
    pub fn password(&self, user: &Name, changed: &str) -> Option<[u8; 8]> {
        let hash = || self.hash(b"password\0", &[user, changed.as_bytes()]);
        (!changed.is_empty()).then(|| half(hash()))
    }

    /// Seals it, for that place in the file.
    pub fn seal(&self, at: u64, sector: &mut Sector) {
        let seal = self.seal_of(at, sector);
        sector::put_seal(sector, seal);
    }

    /// Whether it is as it was sealed, and where it was.
    #[must_use]
    pub fn fits(&self, at: u64, sector: &Sector) -> bool {
        sector::seal(sector) == self.seal_of(at, sector)
    }

    fn seal_of(&self, at: u64, sector: &Sector) -> [u8; 8] {
        let [name, content] = sector::sealed_parts(sector);
        half(self.hash(b"sector\0", &[&at.to_le_bytes(), name, content]))
    }

    /// What is hashed for one purpose is no hash for another.
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

/// Where 8 bytes are enough.
#[must_use]
pub fn half(name: Name) -> [u8; 8] {
    name.first_chunk().copied().unwrap_or_default()
}
