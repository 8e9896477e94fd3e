//! The code prompt: asked until the code is right, used up or given up.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    End, Login, PromptReply,
    account::{Stopped, way_of},
};
use crate::{
    code::{self, Answer, Code, CodeProof, Typed, Unproved},
    config::Template,
    deadline::Moment,
    failure::{Failure, FailureKind, Stage},
    ledger::{Account, Attempt, Rejection, Reservation},
    secret::{self, Secret},
    verdict::Denied,
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
    /// Another SMS can be had then.
    Wait,
}

impl Login<'_> {
    /// Asks for the code until it is right.
    pub(super) fn ask_until_right(
        &mut self,
        who: &Account,
        mut code: Code,
    ) -> Result<CodeProof, End> {
        let mut said = Said::Sent;
        loop {
            let answer = self.ask_code(said)?;
            // In time is what was typed in time, however long counting it takes.
            let now = self.services.clock.now();
            said = match answer {
                Answer::Another => self.send_another(who, &mut code)?,
                Answer::NoCode => self.no_code(Said::NotACode)?,
                Answer::Code(_) if code.left(now).is_zero() => self.replace(who, &mut code)?,
                Answer::Code(typed) => match self.compare(who, code, &typed, now)? {
                    Ok(proof) => return Ok(proof),
                    Err(same) => {
                        code = same;
                        Said::Wrong
                    }
                },
            };
        }
    }

    fn ask_code(&mut self, said: Said) -> Result<Answer, End> {
        let messages = &self.settings.messages;
        let text: &Template = match said {
            Said::Sent => &messages.sent,
            Said::Resent => &messages.resent,
            Said::Wrong => &messages.wrong,
            Said::Expired => &messages.expired,
            Said::NotACode => &messages.not_a_code,
            Said::NoResend => &messages.no_resend,
            Said::Wait => &messages.wait,
        };
        let prompt = format!("{} {}", self.fill(text), self.fill(&messages.code));
        self.patience.rest(self.services.clock.now());
        let reply = self
            .services
            .conversation
            .prompt_code(&prompt, self.settings.code.echo);
        self.patience.resume(self.services.clock.now());
        match reply {
            PromptReply::Answer { text, .. } => self.read(&text),
            PromptReply::TooLong => Ok(Answer::NoCode),
            PromptReply::Missing | PromptReply::Disconnected => Err(Denied::Abandoned.into()),
        }
    }

    /// What an answer means. A client that answers every prompt with the password, or with the
    /// login name, would do so at each further prompt.
    fn read(&mut self, words: &[u8]) -> Result<Answer, End> {
        let answer = code::read(words, self.settings.code.digits);
        let repeated = match answer {
            Answer::Another => None,
            Answer::Code(_) | Answer::NoCode => self.repeated(words),
        };
        let Some(what) = repeated else {
            return Ok(answer);
        };
        let why = format!("the client answers every prompt with {what}");
        Err(self.deny(Denied::NoCode, why))
    }

    fn repeated(&self, words: &[u8]) -> Option<&'static str> {
        let words = secret::without_paste_brackets(words);
        if self
            .password
            .as_ref()
            .is_some_and(|hash| hash.is_of(&words))
        {
            return Some("the password");
        }
        (*words == self.request.user).then_some("the login name")
    }

    /// One try. It is counted as failed, on this handle and in the ledger, before it is compared,
    /// so that whoever is killed in between has gained nothing; the right code takes it back. What
    /// cannot be counted is not compared.
    fn compare(
        &mut self,
        who: &Account,
        code: Code,
        typed: &Typed,
        now: Moment,
    ) -> Result<Result<CodeProof, Code>, End> {
        self.counts.record_attempt();
        let counted = self.record_attempt(who)?;
        match code.check(typed, now) {
            Ok(proof) => {
                self.record_success(who);
                self.counts.take_back();
                Ok(Ok(proof))
            }
            Err(Unproved::Wrong(code)) => {
                let used_up = self.counts.wrong >= self.settings.code.tries;
                if let Attempt::Locks { wait } = counted {
                    self.detail = Some(way_of(wait));
                    self.wait = wait;
                    if !used_up {
                        return Err(Denied::Locked.into());
                    }
                }
                if used_up {
                    return Err(Denied::WrongCode.into());
                }
                Ok(Err(code))
            }
            // It was alive at that very moment.
            Err(Unproved::Expired) => {
                Err(self.deny(Denied::ExpiredCode, "it expired while it was compared"))
            }
        }
    }

    fn no_code(&mut self, said: Said) -> Result<Said, End> {
        if self.counts.no_code() {
            return Err(self.deny(Denied::NoCode, "three answers that are no code"));
        }
        Ok(said)
    }

    /// Another SMS: the same code, because SMS arrive out of order; a new one in the last minute.
    /// While a code lives, an SMS that cannot be had is only an answer that is no code.
    fn send_another(&mut self, who: &Account, code: &mut Code) -> Result<Said, End> {
        let left = code.left(self.services.clock.now());
        if left.is_zero() {
            return self.replace(who, code);
        }
        if !self.counts.may_send(self.settings.code.resends) {
            return self.no_code(Said::NoResend);
        }
        let slot = match self.next_slot(who)? {
            Ok(slot) => slot,
            Err(Stopped::Paused(wait) | Stopped::Limited(Rejection::Limited { wait, .. })) => {
                self.wait = Some(wait);
                return self.no_code(Said::Wait);
            }
            Err(Stopped::Limited(refusal)) => return Err(self.refused(refusal)),
        };
        let sent = if left < WORTH_RESENDING {
            let new = self.draw()?;
            self.send(who, &new, slot).map(|()| {
                *code = new;
                Said::Expired
            })
        } else {
            self.send(who, code, slot).map(|()| Said::Resent)
        };
        sent.or_else(|failed| {
            self.services.log.warning(&failed);
            self.no_code(Said::NoResend)
        })
    }

    /// The code is dead: a new one, or the end. In the pause there is none; a login that begins
    /// anew has no pause to wait for.
    fn replace(&mut self, who: &Account, code: &mut Code) -> Result<Said, End> {
        if !self.counts.may_send(self.settings.code.resends) {
            let why = "no SMS is left in this login (code.resends)";
            return Err(self.deny(Denied::ExpiredCode, why));
        }
        let slot = match self.next_slot(who)? {
            Ok(slot) => slot,
            Err(Stopped::Paused(_)) => {
                let why = "the next SMS has to wait (limits.pause)";
                return Err(self.deny(Denied::ExpiredCode, why));
            }
            Err(Stopped::Limited(refusal)) => return Err(self.refused(refusal)),
        };
        *code = self.draw()?;
        self.send(who, code, slot).map_err(End::Failed)?;
        Ok(Said::Expired)
    }

    /// The first SMS of this login. On a handle that was asked before it counts as a resend.
    pub(super) fn send_first(&mut self, who: &Account, slot: Reservation) -> Result<Code, End> {
        let code = self.draw()?;
        self.send(who, &code, slot).map_err(End::Failed)?;
        Ok(code)
    }

    fn draw(&self) -> Result<Code, End> {
        let crate::config::Code {
            digits, lifetime, ..
        } = self.settings.code;
        Code::draw(digits, lifetime, self.request.id, self.services.clock.now())
            .map_err(|none| super::failed(Stage::Code, FailureKind::Local, none.to_string()))
    }

    /// Hands a code to the carrier. It counts before it goes: the host may end at any moment. What
    /// was surely not sent is given back to the ledger.
    fn send(&mut self, who: &Account, code: &Code, slot: Reservation) -> Result<(), Failure> {
        self.counts.sms = self.counts.sms.saturating_add(1);
        let now = self.services.clock.now();
        let validity = code.left(now);
        let text = Secret::new(self.sms_text(code.digits(), validity));
        let by = self.patience.deadline();
        let error = match self.services.carrier.send(&who.phone, &text, validity, by) {
            Ok(sent) => {
                self.counts.last_sms = Some(self.services.clock.now());
                self.services.log.sent(&who.phone, &sent);
                return Ok(());
            }
            Err(error) => error,
        };
        if error.may_be_sent {
            self.counts.last_sms = Some(self.services.clock.now());
        } else {
            self.release(who, slot);
        }
        Err(error.failure)
    }
}
