//! The password: asked for, verified once, and recognized when it comes back at the code prompt.
#![forbid(unsafe_code)]

use ring::{hmac, rand::SystemRandom};
use zeroize::Zeroizing;

use super::{End, Login, PromptReply, Services};
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

/// What was entered, or why there is nothing that a directory could be asked about.
type Entered = Result<Zeroizing<Vec<u8>>, &'static str>;

impl Login<'_> {
    /// The password, where it is for us to prove. It is asked for whatever is known of the name, so
    /// that nothing on the screen tells names apart.
    pub(super) fn ask_password(&mut self, source: Source) -> Result<Option<Entered>, End> {
        if source != Source::Ldap {
            return Ok(None);
        }
        let prompt = self.fill(&self.settings.messages.password);
        self.patience.rest(self.services.clock.now());
        let Services {
            conversation,
            directory,
            ledger,
            carrier,
            ..
        } = &mut self.services;
        let reply = conversation.prompt_password(&prompt, prefetch::MAX_IDLE, &mut || {
            directory.close();
            ledger.close();
            carrier.close();
        });
        let now = self.services.clock.now();
        self.patience.resume(now);
        match reply {
            PromptReply::Answer { text, prompted } => {
                if prompted {
                    self.asked_at = now;
                }
                if is_junk(&text) {
                    let why = "sshd's own answer for a user that it refuses";
                    return Err(self.deny(Denied::WrongPassword, why));
                }
                Ok(Some(Ok(secret::without_paste_brackets(&text))))
            }
            PromptReply::TooLong => {
                self.asked_at = now;
                Ok(Some(Err("longer than a password can be")))
            }
            PromptReply::Missing => Ok(Some(Err(
                "no earlier module has left one, and none may be asked for",
            ))),
            PromptReply::Disconnected => Err(Denied::Cancelled.into()),
        }
    }

    /// The password, proved by binding as that entry, once. An empty one is refused before any
    /// bind: the directory would take it for an anonymous login (RFC 4513 §5.1.2).
    pub(super) fn prove(&mut self, entry: &Entry, password: Option<Entered>) -> Result<First, End> {
        let password = password.unwrap_or(Err("none was asked for"));
        let password = password
            .and_then(secret)
            .map_err(|why| self.deny(Denied::WrongPassword, why))?;
        self.password = PasswordHash::of(&password);
        let by = self.patience.deadline();
        let proved = self
            .services
            .directory
            .prove(entry, &password, self.request.id, by)
            .map_err(|unproved| match unproved {
                Unproved::Wrong => {
                    let why = entry.pointer().unwrap_or("the directory refuses it");
                    self.deny(Denied::WrongPassword, why)
                }
                Unproved::Expired(why) => {
                    // It is right all the same, so the user is told.
                    self.first = Some(First::PASSWORD);
                    self.deny(Denied::PasswordExpired, why)
                }
                Unproved::Locked(why) => self.deny(Denied::DirectoryLocked, why),
                Unproved::Failed(failure) => End::Failed(failure),
            })?;
        self.grace = proved.grace;
        let first = First::Password(proved.proof);
        self.is_proved(&first);
        Ok(first)
    }

    pub(super) fn is_proved(&mut self, first: &First) {
        self.first = Some(first.name());
        self.services.log.record_first_factor(first.name());
    }
}

/// A password as LDAP wants it (RFC 4513 §5.1.3: UTF-8). Others cannot be right, and the directory
/// would take an empty one for an anonymous login (RFC 4513 §5.1.2).
fn secret(mut words: Zeroizing<Vec<u8>>) -> Result<Secret, &'static str> {
    if words.is_empty() {
        return Err("empty");
    }
    String::from_utf8(std::mem::take(&mut *words))
        .map(Secret::new)
        .map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            "not UTF-8"
        })
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
