//! The code prompt: asked until the code is right, used up or given up.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{End, Heard, Login};
use crate::{
    code::{self, Answer, Code, CodeProof, Typed, Unproved},
    config::Text,
    phone::Phone,
    secret::Secret,
    verdict::{Denied, Failed, Fault, Stage},
};

/// A code with less life left than this is not sent again: a new one takes its place.
const WORTH_RESENDING: Duration = Duration::from_secs(60);

/// What the next prompt says first.
#[derive(Clone, Copy)]
enum Said {
    Sent,
    Resent,
    Wrong,
    Expired,
    NotACode,
    NoResend,
}

impl Login<'_> {
    /// Asks for the code until it is right. A try is counted as failed before it is compared, so
    /// that whoever is killed in between has gained nothing; the right code takes it back.
    pub(super) fn ask_until_right(
        &mut self,
        phone: &Phone,
        mut code: Code,
    ) -> Result<CodeProof, End> {
        let mut said = Said::Sent;
        loop {
            said = match self.ask_code(said)? {
                Answer::Another => self.send_another(phone, &mut code)?,
                Answer::NoCode => self.no_code(Said::NotACode)?,
                Answer::Code(_) if code.left(self.cast.clock.now()).is_zero() => {
                    self.replace(phone, &mut code)?
                }
                Answer::Code(typed) => match self.compare(code, &typed) {
                    Ok(proof) => return Ok(proof),
                    Err(Unproved::Wrong(same)) => {
                        if self.counts.wrong >= self.settings.code.tries {
                            return Err(Denied::WrongCode.into());
                        }
                        code = same;
                        Said::Wrong
                    }
                    // It died between the look and the comparison: no try, as above.
                    Err(Unproved::Expired) => {
                        self.counts.take_back();
                        code = self.draw()?;
                        self.send_new(phone, &code)?
                    }
                },
            };
        }
    }

    fn ask_code(&mut self, said: Said) -> Result<Answer, End> {
        let messages = &self.settings.messages;
        let text: &Text = match said {
            Said::Sent => &messages.sent,
            Said::Resent => &messages.resent,
            Said::Wrong => &messages.wrong,
            Said::Expired => &messages.expired,
            Said::NotACode => &messages.not_a_code,
            Said::NoResend => &messages.no_resend,
        };
        let prompt = format!("{} {}", self.fill(text), self.fill(&messages.code));
        self.patience.rest(self.cast.clock.now());
        let heard = self.cast.person.code(&prompt, self.settings.code.echo);
        self.patience.resume(self.cast.clock.now());
        match heard {
            Heard::Words { words, .. } => Ok(code::read(&words, self.settings.code.digits)),
            Heard::TooLong => Ok(Answer::NoCode),
            Heard::Missing | Heard::HungUp => Err(Denied::Abandoned.into()),
        }
    }

    fn compare(&mut self, code: Code, typed: &Typed) -> Result<CodeProof, Unproved> {
        self.counts.begin_try();
        let proof = code.check(typed, self.cast.clock.now())?;
        self.counts.take_back();
        Ok(proof)
    }

    fn no_code(&mut self, said: Said) -> Result<Said, End> {
        if self.counts.no_code() {
            return Err(Denied::NoCode.into());
        }
        Ok(said)
    }

    /// Another SMS: the same code, because SMS arrive out of order; a new one in the last minute.
    /// While a code lives, an SMS that cannot be had is only an answer that is no code.
    fn send_another(&mut self, phone: &Phone, code: &mut Code) -> Result<Said, End> {
        let left = code.left(self.cast.clock.now());
        if left.is_zero() {
            return self.replace(phone, code);
        }
        if !self.counts.may_send(self.settings.code.resends) {
            return self.no_code(Said::NoResend);
        }
        let sent = if left < WORTH_RESENDING {
            let new = self.draw()?;
            self.send(phone, &new).map(|()| {
                *code = new;
                Said::Expired
            })
        } else {
            self.send(phone, code).map(|()| Said::Resent)
        };
        sent.or_else(|failed| {
            self.cast.journal.unsent(&failed);
            self.no_code(Said::NoResend)
        })
    }

    /// The code is dead: a new one, or the end.
    fn replace(&mut self, phone: &Phone, code: &mut Code) -> Result<Said, End> {
        *code = self.draw()?;
        self.send_new(phone, code)
    }

    fn send_new(&mut self, phone: &Phone, code: &Code) -> Result<Said, End> {
        if !self.counts.may_send(self.settings.code.resends) {
            return Err(Denied::ExpiredCode.into());
        }
        self.send(phone, code).map_err(End::Failed)?;
        Ok(Said::Expired)
    }

    /// Hands a code to the carrier. It counts before it goes: the host may end at any moment.
    pub(super) fn send(&mut self, phone: &Phone, code: &Code) -> Result<(), Failed> {
        self.counts.sms = self.counts.sms.saturating_add(1);
        let validity = code.left(self.cast.clock.now());
        let text = Secret::new(self.sms_text(code, validity));
        let by = self.patience.deadline();
        match self.cast.carrier.send(phone, &text, validity, by) {
            Ok(sent) => {
                self.cast.journal.sent(phone, &sent);
                Ok(())
            }
            Err(error) => Err(Failed {
                stage: Stage::Twilio,
                fault: match error.kind {
                    crate::sms::Kind::Outage => Fault::Outage,
                    crate::sms::Kind::Refused => Fault::Refused,
                    crate::sms::Kind::NumberRefused => Fault::NumberRefused,
                    crate::sms::Kind::Limited => Fault::Limited,
                    crate::sms::Kind::Local => Fault::Local,
                },
                error: error.code,
                detail: format!("{error}: {}", error.remedy()),
            }),
        }
    }
}
