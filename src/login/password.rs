//! The password: prompted for, verified once, and recognized if it comes back at the code prompt.
#![forbid(unsafe_code)]

use ring::{hmac, rand::SystemRandom};
use zeroize::Zeroizing;

use super::{Login, LoginError, PromptReply, Services};
use crate::{
    config::Source,
    directory::{Entry, PasswordError},
    prefetch,
    secret::{self, Secret},
    verdict::{Denied, FirstFactor, Refusal},
};

/// An HMAC of this login's password, under a random key that is used only here.
pub(super) struct PasswordHash {
    key: hmac::Key,
    tag: hmac::Tag,
}

impl PasswordHash {
    /// `None` if the operating system provides no random numbers. Then generating a code fails too.
    fn new(password: &Secret) -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let tag = secret::with_wiped_stack(|| hmac::sign(&key, password.reveal().as_bytes()));
        Some(Self { key, tag })
    }

    /// Compares in constant time.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        secret::with_wiped_stack(|| hmac::verify(&self.key, text, self.tag.as_ref()).is_ok())
    }
}

/// The reply to the password prompt, or why it cannot be verified.
type Typed = Result<Zeroizing<Vec<u8>>, &'static str>;

impl Login<'_> {
    /// Prompts for the password, if this product verifies it. The prompt is the same for every user name,
    /// so that the screen does not show which names exist.
    pub(super) fn prompt_password(&mut self, source: Source) -> Result<Option<Typed>, LoginError> {
        if source != Source::Ldap {
            return Ok(None);
        }
        let prompt = self.fill(&self.settings.messages.password);
        self.budget.pause(self.services.clock.now());
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
        self.budget.resume(now);
        match reply {
            PromptReply::Answer { text, prompted } => {
                if prompted {
                    self.delay_start = now;
                }
                if is_junk(&text) {
                    let why = "sshd's placeholder for a user that it refuses";
                    return Err(Refusal::new(Denied::WrongPassword, why).into());
                }
                Ok(Some(Ok(secret::without_paste_brackets(&text))))
            }
            PromptReply::TooLong => {
                self.delay_start = now;
                Ok(Some(Err("longer than a password can be")))
            }
            PromptReply::Missing => Ok(Some(Err(
                "no earlier module has left a password, and prompting is not allowed",
            ))),
            PromptReply::Disconnected => Err(Denied::Cancelled.into()),
        }
    }

    /// Verifies the password with one bind as the user's entry.
    pub(super) fn verify_password(
        &mut self,
        entry: &Entry,
        password: Option<Typed>,
    ) -> Result<FirstFactor, LoginError> {
        let password = password
            .unwrap_or(Err("no password was prompted for"))
            .and_then(parse_password)
            .map_err(|why| Refusal::new(Denied::WrongPassword, why))?;
        self.password = PasswordHash::new(&password);
        let by = self.budget.deadline();
        let verified = self
            .services
            .directory
            .verify_password(entry, &password, self.request.id, by)
            .map_err(|error| match error {
                PasswordError::Wrong => {
                    let why = entry
                        .alias_or_referral()
                        .unwrap_or("refused by the directory");
                    Refusal::new(Denied::WrongPassword, why).into()
                }
                PasswordError::Expired(why) => {
                    // The password is correct, so the user may be shown a text.
                    self.first = Some(FirstFactor::PASSWORD);
                    Refusal::new(Denied::PasswordExpired, why).into()
                }
                PasswordError::Locked(why) => Refusal::new(Denied::DirectoryLocked, why).into(),
                PasswordError::Failed(failure) => LoginError::Failed(failure),
            })?;
        self.grace = verified.grace;
        let first = FirstFactor::Password(verified.proof);
        self.record_first_factor(&first);
        Ok(first)
    }

    pub(super) fn record_first_factor(&mut self, first: &FirstFactor) {
        self.first = Some(first.name());
        self.services.log.record_first_factor(first.name());
    }
}

/// Converts a password to what LDAP accepts: UTF-8 (RFC 4513 §5.1.3), and not empty, because an LDAP bind
/// with an empty password succeeds as anonymous (RFC 4513 §5.1.2).
fn parse_password(mut text: Zeroizing<Vec<u8>>) -> Result<Secret, &'static str> {
    if text.is_empty() {
        return Err("empty");
    }
    String::from_utf8(std::mem::take(&mut *text))
        .map(Secret::new)
        .map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            "not UTF-8"
        })
}

/// Whether this is what sshd sends for a user that it refuses in any case (auth-pam.c: `"\b\n\r\177INCORRECT"`
/// repeated to the length of what was typed). No server is contacted for it.
fn is_junk(text: &[u8]) -> bool {
    const JUNK: &[u8] = b"\x08\n\r\x7fINCORRECT";
    !text.is_empty()
        && text
            .iter()
            .zip(JUNK.iter().cycle())
            .all(|(typed, junk)| typed == junk)
}
