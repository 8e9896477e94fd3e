//! Whose login it is, and what the ledger has to say of him.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{End, Login, failed};
use crate::{
    config::human_duration,
    deadline::Deadline,
    directory::{Entry, NoPhone},
    failure::{Failure, FailureKind, Stage},
    ledger::{self, Account, Attempt, Decision, Ledger, LimitScope, Rejection, Reservation, Rules},
    phone::Phone,
    policy::{self, Exemption, Origin, Traces},
    sms,
    verdict::Denied,
};

/// What comes next for somebody whose first factor is proved.
pub(super) enum Admitted {
    /// An SMS.
    Sms(Reservation),
    /// Nothing.
    Exempt(Exemption),
}

/// Why there is no further SMS now.
pub(super) enum Stopped {
    /// The pause between two of one login.
    Paused(Duration),
    Limited(Rejection),
}

impl Login<'_> {
    /// His account: his entry, his verified phone, and where he comes from.
    pub(super) fn account(
        &mut self,
        person: &policy::Person,
        entry: &Entry,
    ) -> Result<Account, End> {
        let numbers = entry.phones(&self.settings.ldap).map_err(|none| {
            let (denied, why) = match none {
                NoPhone::NotVerified(why) => (Denied::NotVerified, why),
                NoPhone::NoNumber(why) => (Denied::NoNumber, why),
            };
            self.detail = Some(entry.pointer().map_or(why, str::to_owned));
            denied
        })?;
        let phone = numbers.first().cloned().ok_or(Denied::NoNumber)?;
        self.phone = Some(phone.clone());
        let request = self.request;
        self.origin = Origin::of(&Traces {
            ssh_auth_info: request.ssh_auth_info,
            rhost: request.rhost,
            ruser: request.ruser,
            caller: request.caller,
            session: request.session,
        });
        let key = |origin: &Origin| origin.place(request.user, request.service);
        let longest = "0".repeat(self.settings.code.digits.into());
        let text = self.sms_text(&longest, self.settings.code.lifetime);
        Ok(Account {
            login: request.id,
            dn: entry.person(),
            // It is shown to an administrator: nothing of it moves his cursor.
            name: person.name().escape_debug().to_string(),
            allowed: self.is_allowed(&phone),
            phone,
            numbers,
            password_changed: entry.password_changed().to_owned(),
            origin_key: self.origin.as_ref().map(key),
            segments: sms::segments(&text),
        })
    }

    fn is_allowed(&self, phone: &Phone) -> bool {
        let prefixes = &self.settings.limits.allowed_prefixes;
        let begins = |prefix: &String| phone.e164().starts_with(prefix);
        prefixes.is_empty() || prefixes.iter().any(begins)
    }

    /// What the ledger says of him: a new number, a lock, a limit, a remembered login, or that an
    /// SMS is his.
    pub(super) fn admit(&mut self, who: &Account) -> Result<Admitted, End> {
        if !self.counts.may_send(self.settings.code.resends) {
            self.detail = Some("no SMS is left in this login (code.resends)".into());
            return Err(Denied::Limited.into());
        }
        if let Some(wait) = self.pause() {
            let next = human_duration(wait);
            self.detail = Some(format!(
                "the pause between two SMS (limits.pause); next in {next}"
            ));
            self.wait = Some(wait);
            return Err(Denied::Paused.into());
        }
        let admission = self.ask(|ledger, rules, by| ledger.admit(who, rules, by))?;
        self.tell(who, &admission.new_numbers)?;
        match admission.decision {
            Decision::Rejected(refusal) => Err(self.refused(refusal)),
            Decision::Remembered { earned_by } => self
                .origin
                .as_ref()
                .and_then(|origin| {
                    let policy = &self.settings.policy;
                    Exemption::remembered(policy, origin, self.request.id, earned_by)
                })
                .map(Admitted::Exempt)
                .ok_or_else(|| {
                    let detail = "the ledger remembers what it was not asked; please report this";
                    failed(Stage::Ledger, FailureKind::Local, detail)
                }),
            Decision::Reserved(slot) => Ok(Admitted::Sms(slot)),
        }
    }

    /// Logs new numbers, and only then has the ledger know them: whoever ends this process in between
    /// (su's and sudo's callers can), or breaks the ledger, has them logged again at the next login. So
    /// does a system log that does not take the line: the number stays new, and where new numbers wait
    /// its wait has not begun. What the ledger does not take down ends this login, so that nothing goes
    /// to a number that is new still.
    fn tell(&mut self, who: &Account, new: &[Phone]) -> Result<(), End> {
        let mut announced = new.to_vec();
        announced.retain(|number| self.services.log.phone_changed(number));
        if announced.is_empty() {
            return Ok(());
        }
        self.ask(|ledger, _, by| ledger.mark_announced(who, &announced, by))
    }

    /// How long the next SMS has to wait for the pause after the last one on this handle.
    fn pause(&self) -> Option<Duration> {
        let ago = self.services.clock.now().since(self.counts.last_sms?);
        let rest = self.settings.limits.pause.saturating_sub(ago);
        (!rest.is_zero()).then_some(rest)
    }

    /// A slot for a further SMS.
    pub(super) fn next_slot(&mut self, who: &Account) -> Result<Result<Reservation, Stopped>, End> {
        if let Some(pause) = self.pause() {
            return Ok(Err(Stopped::Paused(pause)));
        }
        let slot = self.ask(|ledger, rules, by| ledger.reserve(who, rules, by))?;
        Ok(slot.map_err(Stopped::Limited))
    }

    pub(super) fn record_attempt(&mut self, who: &Account) -> Result<Attempt, End> {
        let counted = self.ask(|ledger, rules, by| ledger.record_attempt(who, rules, by))?;
        counted.map_err(|refusal| self.refused(refusal))
    }

    /// The right code clears the count. If that cannot be written down he is let in all the same,
    /// and it stays counted.
    pub(super) fn record_success(&mut self, who: &Account) {
        let tries = self.counts.wrong;
        let mut guesses = 0;
        self.note(|ledger, rules, by| {
            guesses = ledger.record_success(who, rules, tries, by)?.guesses;
            Ok(())
        });
        self.guesses = guesses;
    }

    /// Shows the wrong codes of others to the user who has given the right one, and only then clears
    /// them: in a silent host they stay for the next login.
    pub(super) fn show_guesses(&mut self, who: &Account) {
        if self.guesses == 0 || self.request.silent {
            return;
        }
        let text = self.guesses_text();
        if self.services.conversation.show_info(&text) {
            let shown = self.guesses;
            self.note(|ledger, _, by| ledger.clear_guesses(who, shown, by));
        }
    }

    /// An SMS that was surely not sent. If that cannot be written down it stays counted.
    pub(super) fn release(&mut self, who: &Account, slot: Reservation) {
        self.note(|ledger, _, by| ledger.release(who, slot, by));
    }

    /// What a refusal of the ledger's means to the person and to the log.
    pub(super) fn refused(&mut self, refusal: Rejection) -> End {
        let (denied, wait, detail) = match refusal {
            Rejection::Locked { wait } => (Denied::Locked, wait, way_of(wait)),
            Rejection::Limited { wait, scope, rule } => {
                let scope = match scope {
                    LimitScope::User => "this person (limits.sms)",
                    LimitScope::Phone => "this phone (limits.sms)",
                    LimitScope::Total => "the whole ledger (limits.sms_total)",
                };
                let detail = format!("{rule} SMS for {scope}; next in {}", human_duration(wait));
                (Denied::Limited, Some(wait), detail)
            }
            Rejection::Prefix => {
                let detail = "no SMS goes to such a number (limits.allowed_prefixes)";
                (Denied::Prefix, None, detail.to_owned())
            }
            Rejection::NewPhone { wait } => {
                let detail = format!("it counts in {} (policy.new_phone)", human_duration(wait));
                (Denied::NewPhone, Some(wait), detail)
            }
        };
        self.wait = wait;
        self.detail = Some(detail);
        denied.into()
    }

    /// A question without whose answer the login does not go on.
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut dyn Ledger, Rules<'_>, Deadline) -> Result<T, ledger::Error>,
    ) -> Result<T, End> {
        let rules = self.rules();
        let answer = question(self.services.ledger, rules, self.patience.deadline());
        if let Some(error) = self.services.ledger.take_warning() {
            self.services.log.warning(&of_ledger(&error));
        }
        answer.map_err(|error| End::Failed(of_ledger(&error)))
    }

    /// Something to be written down, if it can be.
    fn note(
        &mut self,
        what: impl FnOnce(&mut dyn Ledger, Rules<'_>, Deadline) -> Result<(), ledger::Error>,
    ) {
        if let Err(End::Failed(failed)) = self.ask(what) {
            self.services.log.warning(&failed);
        }
    }
}

impl<'a> Login<'a> {
    const fn rules(&self) -> Rules<'a> {
        let settings = self.settings;
        Rules {
            limits: &settings.limits,
            remember: settings.policy.remember,
            new_phone: settings.policy.new_phone,
            is_fallback: false,
        }
    }
}

/// How a lock ends, for the log.
pub(super) fn way_of(wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!(
            "locked by wrong codes for {} (limits.lock)",
            human_duration(wait)
        ),
        None => "locked by wrong codes until `sms-otp unlock` (limits.disable_after)".into(),
    }
}

fn of_ledger(error: &ledger::Error) -> Failure {
    let kind = match error {
        ledger::Error::Outage(_) => FailureKind::Outage,
        ledger::Error::Refused { .. } => FailureKind::Refused,
        ledger::Error::Local { .. } => FailureKind::Local,
    };
    let remedy = error.remedy().to_owned();
    Failure::new(Stage::Ledger, kind, error.to_string(), remedy)
}
