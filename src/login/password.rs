//! The password: asked for, verified once, and recognized when it comes back at the code prompt.
#![forbid(unsafe_code)]

use ring::{hmac, rand::SystemRandom};
use zeroize::Zeroizing;

use super::{Cast, End, Heard, Login, of_directory};
use crate::{
    config::Source,
    directory::{Entry, Unproved},
    prefetch,
    secret::{self, Secret},
    verdict::{Denied, First},
};

/// A keyed hash of this login's password, under a key that nothing else knows.
pub(super) struct PasswordHash {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl PasswordHash {
    /// `None`: the operating system has no random numbers; then there will be no code either.
    fn of(password: &Secret) -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let tag = hmac::sign(&key, password.reveal().as_bytes());
        Some(Self { key, tag })
    }

    /// Compares in constant time.
    pub(super) fn is_of(&self, words: &[u8]) -> bool {
        hmac::verify(&self.key, words, self.tag.as_ref()).is_ok()
    }
}

impl Login<'_> {
    /// The password, where it is for us to prove. It is asked for whatever is known of the name, so
    /// that nothing on the screen tells names apart.
    pub(super) fn ask_password(
        &mut self,
        source: Source,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, End> {
        if source != Source::Ldap {
            return Ok(None);
        }
        let prompt = self.fill(&self.settings.messages.password);
        self.patience.rest(self.cast.clock.now());
        let Cast {
            person,
            directory,
            ledger,
            carrier,
            ..
        } = &mut self.cast;
        let heard = person.password(&prompt, prefetch::MAX_IDLE, &mut || {
            directory.close();
            ledger.close();
            carrier.close();
        });
        let now = self.cast.clock.now();
        self.patience.resume(now);
        match heard {
            Heard::Words { words, asked } => {
                if asked {
                    self.asked_at = now;
                }
                if is_junk(&words) {
                    return Err(Denied::WrongPassword.into());
                }
                Ok(Some(secret::without_paste_brackets(&words)))
            }
            Heard::TooLong => {
                self.asked_at = now;
                Ok(Some(Zeroizing::default()))
            }
            Heard::Missing => Ok(Some(Zeroizing::default())),
            Heard::HungUp => Err(Denied::Cancelled.into()),
        }
    }

    /// The password, proved by binding as that entry, once. An empty one is refused before any
    /// bind: the directory would take it for an anonymous login (RFC 4513 §5.1.2).
    pub(super) fn prove(
        &mut self,
        entry: &Entry,
        password: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<First, End> {
        let password = password
            .filter(|words| !words.is_empty())
            .and_then(secret)
            .ok_or(Denied::WrongPassword)?;
        self.password = PasswordHash::of(&password);
        let by = self.patience.deadline();
        let proved = self
            .cast
            .directory
            .prove(entry, &password, self.request.id, by)
            .map_err(|unproved| match unproved {
                Unproved::Wrong => Denied::WrongPassword.into(),
                Unproved::Expired(why) => {
                    // It is right all the same, so the user is told.
                    self.first = Some(First::PASSWORD);
                    self.detail = Some(why);
                    Denied::PasswordExpired.into()
                }
                Unproved::Locked(why) => {
                    self.detail = Some(why);
                    Denied::DirectoryLocked.into()
                }
                Unproved::Error(error) => of_directory(&error),
            })?;
        self.grace = proved.grace;
        let first = First::Password(proved.proof);
        self.is_proved(&first);
        Ok(first)
    }

    pub(super) fn is_proved(&mut self, first: &First) {
        self.first = Some(first.name());
        self.cast.journal.proved(first.name());
    }
}

/// A password as LDAP wants it (RFC 4513 §5.1.3: UTF-8). Others cannot be right.
fn secret(mut words: Zeroizing<Vec<u8>>) -> Option<Secret> {
    match String::from_utf8(std::mem::take(&mut *words)) {
        Ok(text) => Some(Secret::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            None
        }
    }
}

/// What sshd hands over for a user that it will refuse in any case (auth-pam.c: `"\b\n\r\177INCORRECT"`
/// repeated to the length of what was typed). Nobody is asked about it.
fn is_junk(words: &[u8]) -> bool {
    const JUNK: &[u8] = b"\x08\n\r\x7fINCORRECT";
    !words.is_empty()
        && words
            .iter()
            .zip(JUNK.iter().cycle())
            .all(|(typed, junk)| typed == junk)
}
