//! The code prompt, and the SMS that belong to it.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    Login, LoginError, PromptReply,
    admission::{NoSms, lock_detail, refusal},
};
use crate::{
    code::{self, Code, CodeProof, Input, Rejected, TypedCode},
    deadline::Moment,
    failure::Failure,
    ledger::{Account, Attempt, Rejection, Reservation},
    secret::{self, Secret},
    verdict::{Denied, Refusal},
};

/// A code that expires sooner is not sent again: a new one is generated.
const MIN_RESEND_LIFETIME: Duration = Duration::from_secs(60);

/// What the next prompt begins with.
#[derive(Clone, Copy)]
enum Notice {
    Sent,
    Resent,
    Wrong,
    Expired,
    NotACode,
    NoResend,
    /// Another SMS can be sent after this time.
    Wait(Duration),
}

impl Login<'_> {
    /// Prompts for the code until it is correct.
    pub(super) fn prompt_until_correct(
        &mut self,
        account: &Account,
        mut code: Code,
    ) -> Result<CodeProof, LoginError> {
        let mut notice = Notice::Sent;
        loop {
            let input = self.prompt_code(notice)?;
            // Decides whether the code was typed before it expired, however long the ledger takes.
            let now = self.services.clock.now();
            notice = match input {
                Input::Resend => self.resend(account, &mut code)?,
                Input::Malformed => self.count_malformed(Notice::NotACode)?,
                Input::Code(_) if code.remaining(now).is_zero() => {
                    self.replace_expired(account, &mut code)?
                }
                Input::Code(typed) => match self.attempt(account, code, &typed, now)? {
                    Ok(proof) => return Ok(proof),
                    Err(same) => {
                        code = same;
                        Notice::Wrong
                    }
                },
            };
        }
    }

    fn prompt_code(&mut self, notice: Notice) -> Result<Input, LoginError> {
        let messages = &self.settings.messages;
        let (text, wait) = match notice {
            Notice::Sent => (&messages.sent, None),
            Notice::Resent => (&messages.resent, None),
            Notice::Wrong => (&messages.wrong, None),
            Notice::Expired => (&messages.expired, None),
            Notice::NotACode => (&messages.not_a_code, None),
            Notice::NoResend => (&messages.no_resend, None),
            Notice::Wait(wait) => (&messages.wait, Some(wait)),
        };
        let notice = self.fill_with_wait(text, wait);
        let prompt = format!("{notice} {}", self.fill_with_wait(&messages.code, wait));
        self.budget.pause(self.services.clock.now());
        let echo = self.settings.code.echo;
        let reply = self.services.conversation.prompt_code(&prompt, echo);
        self.budget.resume(self.services.clock.now());
        match reply {
            PromptReply::Answer { text, .. } => self.parse_input(&text),
            PromptReply::TooLong => Ok(Input::Malformed),
            PromptReply::Missing | PromptReply::Disconnected => Err(Denied::Abandoned.into()),
        }
    }

    /// Parses the input. The login ends if the client answers with the password or the login name: it
    /// would do so at each further prompt.
    fn parse_input(&self, text: &[u8]) -> Result<Input, LoginError> {
        let input = code::parse(text, self.settings.code.digits);
        let repeated = match input {
            Input::Resend => None,
            Input::Code(_) | Input::Malformed => self.repeated(text),
        };
        let Some(what) = repeated else {
            return Ok(input);
        };
        let why = format!("the client answers every prompt with {what}");
        Err(Refusal::new(Denied::NoCode, why).into())
    }

    fn repeated(&self, text: &[u8]) -> Option<&'static str> {
        let text = secret::without_paste_brackets(text);
        if self
            .password
            .as_ref()
            .is_some_and(|password| password.matches(&text))
        {
            return Some("the password");
        }
        (*text == self.request.user).then_some("the login name")
    }

    /// Compares one typed code. The attempt is recorded as failed, on this handle and in the ledger,
    /// before the comparison, so that ending this process in between gains nothing. A correct code reverts
    /// the record. If the attempt cannot be recorded, nothing is compared.
    fn attempt(
        &mut self,
        account: &Account,
        code: Code,
        typed: &TypedCode,
        now: Moment,
    ) -> Result<Result<CodeProof, Code>, LoginError> {
        self.counts.record_attempt();
        let recorded = self.record_attempt(account)?;
        match code.check(typed, now) {
            Ok(proof) => {
                self.record_success(account);
                self.counts.revert_attempt();
                Ok(Ok(proof))
            }
            Err(Rejected::Wrong(code)) => {
                self.after_wrong_code(recorded)?;
                Ok(Err(code))
            }
            // It was valid a moment ago.
            Err(Rejected::Expired) => {
                let why = "it expired during the comparison";
                Err(Refusal::new(Denied::ExpiredCode, why).into())
            }
        }
    }

    /// Ends the login if a wrong code has caused a lock or used up the tries.
    fn after_wrong_code(&self, recorded: Attempt) -> Result<(), Refusal> {
        let is_used_up = self.counts.wrong >= self.settings.code.tries;
        let reason = if is_used_up {
            Denied::WrongCode
        } else {
            Denied::Locked
        };
        match recorded {
            Attempt::Locks { wait } => Err(Refusal::new(reason, lock_detail(wait)).with_wait(wait)),
            Attempt::Counted if is_used_up => Err(reason.into()),
            Attempt::Counted => Ok(()),
        }
    }

    fn count_malformed(&mut self, notice: Notice) -> Result<Notice, LoginError> {
        if self.counts.count_malformed() {
            let why = "three inputs that are not a code";
            return Err(Refusal::new(Denied::NoCode, why).into());
        }
        Ok(notice)
    }

    /// Sends another SMS: the same code, because SMS arrive out of order, or a new one if the code expires
    /// within a minute. While the code is valid, a request that cannot be fulfilled counts as malformed
    /// input.
    fn resend(&mut self, account: &Account, code: &mut Code) -> Result<Notice, LoginError> {
        let remaining = code.remaining(self.services.clock.now());
        if remaining.is_zero() {
            return self.replace_expired(account, code);
        }
        if !self.counts.may_send(self.settings.code.resends) {
            return self.count_malformed(Notice::NoResend);
        }
        let reservation = match self.reserve(account)? {
            Ok(reservation) => reservation,
            Err(NoSms::Paused(wait) | NoSms::Rejected(Rejection::Limited { wait, .. })) => {
                return self.count_malformed(Notice::Wait(wait));
            }
            Err(NoSms::Rejected(rejection)) => return Err(refusal(rejection).into()),
        };
        let sent = if remaining < MIN_RESEND_LIFETIME {
            let new = self.generate_code()?;
            self.send(account, &new, reservation).map(|()| {
                *code = new;
                Notice::Expired
            })
        } else {
            self.send(account, code, reservation)
                .map(|()| Notice::Resent)
        };
        sent.or_else(|failure| {
            self.services.log.warning(&failure);
            self.count_malformed(Notice::NoResend)
        })
    }

    /// Replaces an expired code by a new one. Ends the login if no SMS is left, or if the pause forbids one:
    /// a new login has no pause to wait for.
    fn replace_expired(
        &mut self,
        account: &Account,
        code: &mut Code,
    ) -> Result<Notice, LoginError> {
        if !self.counts.may_send(self.settings.code.resends) {
            let why = "no SMS is left in this login (code.resends)";
            return Err(Refusal::new(Denied::ExpiredCode, why).into());
        }
        let reservation = match self.reserve(account)? {
            Ok(reservation) => reservation,
            Err(NoSms::Paused(_)) => {
                let why = "the next SMS has to wait (limits.pause)";
                return Err(Refusal::new(Denied::ExpiredCode, why).into());
            }
            Err(NoSms::Rejected(rejection)) => return Err(refusal(rejection).into()),
        };
        *code = self.send_first(account, reservation)?;
        Ok(Notice::Expired)
    }

    /// Generates a code and sends it. The first SMS of a further call on a handle counts as a resend.
    pub(super) fn send_first(
        &mut self,
        account: &Account,
        reservation: Reservation,
    ) -> Result<Code, LoginError> {
        let code = self.generate_code()?;
        self.send(account, &code, reservation)?;
        Ok(code)
    }

    fn generate_code(&self) -> Result<Code, Failure> {
        let settings = &self.settings.code;
        let now = self.services.clock.now();
        Code::generate(settings.digits, settings.lifetime, self.request.id, now)
    }

    /// Sends a code to the account's phone. The SMS is counted before it is sent, because the host process
    /// may end at any moment. An SMS that was certainly not sent is released in the ledger.
    fn send(
        &mut self,
        account: &Account,
        code: &Code,
        reservation: Reservation,
    ) -> Result<(), Failure> {
        self.counts.sms = self.counts.sms.saturating_add(1);
        let validity = code.remaining(self.services.clock.now());
        let text = Secret::new(self.sms_text(code.digits(), validity));
        let by = self.budget.deadline();
        let phone = &account.phone;
        let error = match self.services.carrier.send(phone, &text, validity, by) {
            Ok(sent) => {
                self.counts.last_sms = Some(self.services.clock.now());
                self.services.log.sent(phone, &sent);
                return Ok(());
            }
            Err(error) => error,
        };
        if error.may_be_sent {
            self.counts.last_sms = Some(self.services.clock.now());
        } else {
            self.release(account, reservation);
        }
        Err(error.failure)
    }
}
