//! What the person reads: the texts filled in, and the last words.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::Login;
use crate::{
    config::{Field, Text, a_while, tries_left},
    phone::Phone,
    verdict::{Denied, Outcome},
};

impl Login<'_> {
    /// A text that is shown at the prompt.
    pub(super) fn fill(&self, text: &Text) -> String {
        self.fill_with(text, "", self.settings.code.lifetime)
    }

    /// The SMS. It says how long this code still lives, which for a resent one is less than its
    /// lifetime.
    pub(super) fn sms_text(&self, digits: &str, left: Duration) -> String {
        self.fill_with(&self.settings.messages.sms, digits, left)
    }

    fn fill_with(&self, text: &Text, code: &str, life: Duration) -> String {
        let user = String::from_utf8_lossy(self.request.user);
        let phone = self.phone.as_ref().map(Phone::masked).unwrap_or_default();
        let minutes = minutes(life).to_string();
        let left = tries_left(self.settings.code.tries.saturating_sub(self.counts.wrong));
        let wait = self.wait.map(a_while).unwrap_or_default();
        let login = self.request.id.to_string();
        text.fill(&[
            (Field::Code, code),
            (Field::Host, self.request.host),
            (Field::Service, self.request.service),
            (Field::Rhost, self.request.rhost),
            (Field::User, &user),
            (Field::Phone, &phone),
            (Field::Minutes, &minutes),
            (Field::Left, &left),
            (Field::Wait, &wait),
            (Field::Login, &login),
        ])
    }

    /// The text that ends the login. Before the first factor is proved there is none: nothing on
    /// the screen may tell names apart. Nor has anybody who hung up a screen.
    pub(super) fn last_words(&self, outcome: &Outcome) -> Option<String> {
        self.first?;
        let messages = &self.settings.messages;
        let text = match outcome {
            Outcome::Granted(_)
            | Outcome::LeftToStack(_)
            | Outcome::Denied(Denied::Abandoned | Denied::Cancelled) => return None,
            Outcome::Denied(Denied::Limited | Denied::Locked) if self.wait.is_some() => {
                &messages.later
            }
            Outcome::Denied(Denied::WrongCode | Denied::Locked) => &messages.too_many,
            Outcome::Denied(Denied::ExpiredCode) => &messages.too_late,
            Outcome::Denied(Denied::NotVerified | Denied::NoNumber) => &messages.not_verified,
            Outcome::Denied(
                Denied::WrongPassword
                | Denied::PasswordExpired
                | Denied::DirectoryLocked
                | Denied::NoSuchUser(_)
                | Denied::SystemUser(_)
                | Denied::Ambiguous
                | Denied::NoFirstFactor
                | Denied::Prefix
                | Denied::NewPhone
                | Denied::NoCode
                | Denied::Limited,
            )
            | Outcome::Failed(_) => &messages.not_sent,
        };
        Some(self.fill(text))
    }
}

/// In whole minutes, rounded up.
const fn minutes(life: Duration) -> u64 {
    life.as_secs()
        .saturating_add(if life.subsec_nanos() > 0 { 1 } else { 0 })
        .div_ceil(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_that_have_begun_count_whole() {
        for (life, whole) in [
            (0, 0),
            (1, 1),
            (59_999, 1),
            (60_000, 1),
            (60_001, 2),
            (300_000, 5),
        ] {
            assert_eq!(minutes(Duration::from_millis(life)), whole, "{life} ms");
        }
    }
}
