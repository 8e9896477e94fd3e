//! The texts that the user is shown.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::Login;
use crate::{
    config::{Placeholder, Template, guesses_made, human_duration, logins_left, tries_left},
    failure::{Failure, FailureKind},
    phone::Phone,
    verdict::{Denied, Outcome, Refusal},
};

impl Login<'_> {
    /// Fills in a text that is shown at the prompt.
    pub(super) fn fill(&self, text: &Template) -> String {
        self.fill_with_wait(text, None)
    }

    /// Fills in a text, with the time after which the user may try again.
    pub(super) fn fill_with_wait(&self, text: &Template, wait: Option<Duration>) -> String {
        let left = self.settings.code.tries.saturating_sub(self.counts.wrong);
        let values = Values {
            left: tries_left(left),
            wait,
            ..self.values()
        };
        self.fill_in(text, &values)
    }

    /// Fills in the SMS. It contains how long this code remains valid, which for a code that is sent
    /// again is less than its lifetime.
    pub(super) fn sms_text(&self, code: &str, remaining: Duration) -> String {
        let values = Values {
            code,
            lifetime: remaining,
            ..self.values()
        };
        self.fill_in(&self.settings.messages.sms, &values)
    }

    const fn values(&self) -> Values<'static> {
        Values {
            code: "",
            lifetime: self.settings.code.lifetime,
            left: String::new(),
            wait: None,
        }
    }

    fn fill_in(&self, text: &Template, values: &Values<'_>) -> String {
        let user = String::from_utf8_lossy(self.request.user);
        let phone = self.phone.as_ref().map(Phone::masked).unwrap_or_default();
        let minutes = minutes(values.lifetime).to_string();
        let wait = values.wait.map(human_duration).unwrap_or_default();
        let login = self.request.id.to_string();
        text.fill(&[
            (Placeholder::Code, values.code),
            (Placeholder::Host, self.request.host),
            (Placeholder::Service, self.request.service),
            (Placeholder::Rhost, self.request.rhost),
            (Placeholder::User, &user),
            (Placeholder::Phone, &phone),
            (Placeholder::Minutes, &minutes),
            (Placeholder::Left, &values.left),
            (Placeholder::Wait, &wait),
            (Placeholder::Login, &login),
        ])
    }

    /// Returns the text that ends the login. There is none before the first factor is verified, so that
    /// the screen does not show which names exist, and none for a user who has disconnected.
    pub(super) fn final_message(&self, outcome: &Outcome) -> Option<String> {
        self.first?;
        match outcome {
            Outcome::Granted(_) | Outcome::LeftToStack(_) => None,
            Outcome::Denied(refusal) => self
                .refusal_text(refusal)
                .map(|text| self.fill_with_wait(text, refusal.wait)),
            Outcome::Failed(failure) => Some(self.fill(self.failure_text(failure))),
        }
    }

    const fn refusal_text(&self, refusal: &Refusal) -> Option<&Template> {
        let messages = &self.settings.messages;
        Some(match refusal.reason {
            Denied::Abandoned
            | Denied::Cancelled
            // These come before a first factor is verified.
            | Denied::WrongPassword
            | Denied::DirectoryLocked
            | Denied::NoFirstFactor => return None,
            Denied::PasswordExpired => &messages.password_expired,
            Denied::NotVerified
            | Denied::NoNumber
            // After `ssh` and `stack`: the directory has no entry with a usable number.
            | Denied::NoSuchUser(_)
            | Denied::SystemUser(_)
            | Denied::SystemAlias
            | Denied::Ambiguous => &messages.not_verified,
            Denied::Prefix => &messages.bad_number,
            Denied::NewPhone => &messages.new_phone,
            Denied::NoCode => &messages.no_code,
            Denied::ExpiredCode => &messages.too_late,
            Denied::Limited | Denied::Paused | Denied::Locked if refusal.wait.is_some() => {
                &messages.later
            }
            Denied::Limited | Denied::Paused => &messages.not_sent,
            Denied::Locked | Denied::WrongCode => &messages.too_many,
        })
    }

    const fn failure_text(&self, failure: &Failure) -> &Template {
        let messages = &self.settings.messages;
        match failure.kind {
            FailureKind::NumberRefused => match failure.code {
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

    /// Returns the text about wrong codes that others have entered.
    pub(super) fn guesses_message(&self) -> String {
        let values = Values {
            left: guesses_made(self.guesses),
            ..self.values()
        };
        self.fill_in(&self.settings.messages.guesses, &values)
    }

    /// Returns the text about an expired password that accompanies a granted login.
    pub(super) fn grace_message(&self, outcome: &Outcome) -> Option<String> {
        let left = self.grace?;
        match outcome {
            Outcome::Granted(_) => {
                let messages = &self.settings.messages;
                let text = match left {
                    0 => &messages.last_grace,
                    _ => &messages.grace,
                };
                let values = Values {
                    left: logins_left(left),
                    ..self.values()
                };
                Some(self.fill_in(text, &values))
            }
            Outcome::LeftToStack(_) | Outcome::Denied(_) | Outcome::Failed(_) => None,
        }
    }
}

/// The values that differ between the texts of one login.
struct Values<'a> {
    code: &'a str,
    lifetime: Duration,
    /// What is left of tries or logins, or how many guesses were made, with the noun.
    left: String,
    wait: Option<Duration>,
}

/// Twilio's error code for a user who has replied STOP.
const STOPPED: u32 = 21610;

/// Rounds up to whole minutes.
const fn minutes(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(if time.subsec_nanos() > 0 { 1 } else { 0 })
        .div_ceil(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_minute_counts_as_a_whole_one() {
        for (ms, rounded) in [
            (0, 0),
            (1, 1),
            (59_999, 1),
            (60_000, 1),
            (60_001, 2),
            (300_000, 5),
        ] {
            assert_eq!(minutes(Duration::from_millis(ms)), rounded, "{ms} ms");
        }
    }
}
