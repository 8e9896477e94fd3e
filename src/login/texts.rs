//! What the person reads: the texts filled in, and the last words.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::Login;
use crate::{
    config::{Placeholder, Template, guesses_made, human_duration, logins_left, tries_left},
    failure::{Failure, FailureKind},
    phone::Phone,
    verdict::{Denied, Outcome},
};

impl Login<'_> {
    /// A text that is shown at the prompt.
    pub(super) fn fill(&self, text: &Template) -> String {
        let left = self.settings.code.tries.saturating_sub(self.counts.wrong);
        self.fill_with(text, "", self.settings.code.lifetime, &tries_left(left))
    }

    /// The SMS. It says how long this code still lives, which for a resent one is less than its
    /// lifetime.
    pub(super) fn sms_text(&self, digits: &str, left: Duration) -> String {
        self.fill_with(&self.settings.messages.sms, digits, left, "")
    }

    fn fill_with(&self, text: &Template, code: &str, life: Duration, left: &str) -> String {
        let user = String::from_utf8_lossy(self.request.user);
        let phone = self.phone.as_ref().map(Phone::masked).unwrap_or_default();
        let minutes = minutes(life).to_string();
        let wait = self.wait.map(human_duration).unwrap_or_default();
        let login = self.request.id.to_string();
        text.fill(&[
            (Placeholder::Code, code),
            (Placeholder::Host, self.request.host),
            (Placeholder::Service, self.request.service),
            (Placeholder::Rhost, self.request.rhost),
            (Placeholder::User, &user),
            (Placeholder::Phone, &phone),
            (Placeholder::Minutes, &minutes),
            (Placeholder::Left, left),
            (Placeholder::Wait, &wait),
            (Placeholder::Login, &login),
        ])
    }

    /// The text that ends the login. Before the first factor is proved there is none: nothing on
    /// the screen may tell names apart. Nor has anybody who hung up a screen.
    pub(super) fn last_words(&self, outcome: &Outcome) -> Option<String> {
        self.first?;
        let text = match outcome {
            Outcome::Granted(_) | Outcome::LeftToStack(_) => None,
            Outcome::Denied(denied) => self.refusal(*denied),
            Outcome::Failed(failed) => Some(self.failure(failed)),
        };
        text.map(|text| self.fill(text))
    }

    fn refusal(&self, denied: Denied) -> Option<&Template> {
        let messages = &self.settings.messages;
        Some(match denied {
            Denied::Abandoned
            | Denied::Cancelled
            // These come before a first factor is proved.
            | Denied::WrongPassword
            | Denied::DirectoryLocked
            | Denied::NoFirstFactor => return None,
            Denied::PasswordExpired => &messages.password_expired,
            Denied::NotVerified
            | Denied::NoNumber
            // After `ssh` and `stack`: the directory has no entry whose number could be used.
            | Denied::NoSuchUser(_)
            | Denied::SystemUser(_)
            | Denied::SystemAlias
            | Denied::Ambiguous => &messages.not_verified,
            Denied::Prefix => &messages.bad_number,
            Denied::NewPhone => &messages.new_phone,
            Denied::NoCode => &messages.no_code,
            Denied::ExpiredCode => &messages.too_late,
            Denied::Limited | Denied::Paused | Denied::Locked if self.wait.is_some() => {
                &messages.later
            }
            Denied::Limited | Denied::Paused => &messages.not_sent,
            Denied::Locked | Denied::WrongCode => &messages.too_many,
        })
    }

    const fn failure(&self, failed: &Failure) -> &Template {
        let messages = &self.settings.messages;
        match failed.kind {
            FailureKind::NumberRefused => match failed.code {
                Some(STOPPED) => &messages.stopped,
                Some(_) | None => &messages.bad_number,
            },
            FailureKind::BadSettings
            | FailureKind::Outage
            | FailureKind::Refused
            | FailureKind::Limited
            | FailureKind::Local
            | FailureKind::Helper => &messages.not_sent,
        }
    }

    /// What others have guessed.
    pub(super) fn guesses_text(&self) -> String {
        let lifetime = self.settings.code.lifetime;
        let left = guesses_made(self.guesses);
        self.fill_with(&self.settings.messages.guesses, "", lifetime, &left)
    }

    /// What accompanies a granted login.
    pub(super) fn notice(&self, outcome: &Outcome) -> Option<String> {
        let messages = &self.settings.messages;
        match (outcome, self.grace?) {
            (Outcome::Granted(_), left) => {
                let text = match left {
                    0 => &messages.last_grace,
                    _ => &messages.grace,
                };
                let lifetime = self.settings.code.lifetime;
                Some(self.fill_with(text, "", lifetime, &logins_left(left)))
            }
            (Outcome::LeftToStack(_) | Outcome::Denied(_) | Outcome::Failed(_), _) => None,
        }
    }
}

/// Twilio's number for a user who has sent STOP.
const STOPPED: u32 = 21610;

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
