//! What the ledger decides about a login, and what is recorded there.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Login, LoginError};
use crate::{
    config::human_duration,
    deadline::Deadline,
    failure::{Failure, FailureKind, Stage},
    ledger::{Account, Attempt, Decision, Ledger, LimitScope, Rejection, Reservation, Rules},
    phone::Phone,
    policy::Exemption,
    verdict::{Denied, Refusal},
};

/// What follows a verified first factor.
pub(super) enum NextStep {
    /// An SMS, which is reserved.
    Reserved(Reservation),
    /// No code.
    Exempt(Exemption),
}

/// Why no further SMS can be sent now.
pub(super) enum NoSms {
    /// `limits.pause` between two SMS of one login.
    Paused(Duration),
    Rejected(Rejection),
}

impl Login<'_> {
    /// Asks the ledger whether this login needs a code and may have an SMS, and announces new numbers.
    pub(super) fn admit(&mut self, account: &Account) -> Result<NextStep, LoginError> {
        if !self.counts.may_send(self.settings.code.resends) {
            let why = "no SMS is left in this login (code.resends)";
            return Err(Refusal::new(Denied::Limited, why).into());
        }
        if let Some(wait) = self.remaining_pause() {
            let next = human_duration(wait);
            let why = format!("the pause between two SMS (limits.pause); next in {next}");
            let refusal = Refusal::new(Denied::Paused, why);
            return Err(refusal.with_wait(Some(wait)).into());
        }
        let admission = self.query(|ledger, rules, by| ledger.admit(account, rules, by))?;
        self.announce(account, &admission.new_numbers)?;
        match admission.decision {
            Decision::Rejected(rejection) => Err(refusal(rejection).into()),
            Decision::Remembered { earned_by } => self
                .origin
                .as_ref()
                .and_then(|origin| {
                    let policy = &self.settings.policy;
                    Exemption::remembered(policy, origin, self.request.id, earned_by)
                })
                .map(NextStep::Exempt)
                .ok_or_else(|| {
                    let what = "the ledger returned a remembered login that was not requested; please report this";
                    Failure::new(Stage::Ledger, FailureKind::Local, what, "").into()
                }),
            Decision::Reserved(reservation) => Ok(NextStep::Reserved(reservation)),
        }
    }

    /// Logs new numbers, then records in the ledger that they are announced. If a caller (of su or sudo)
    /// kills this process in between, or the system log does not accept the line, the next login logs the
    /// number again, and its `new_phone` wait has not begun. If the ledger cannot record it, the login
    /// ends, so that no SMS is sent to a number that was not announced.
    fn announce(&mut self, account: &Account, new: &[Phone]) -> Result<(), LoginError> {
        let mut announced = new.to_vec();
        announced.retain(|number| self.services.log.phone_changed(number));
        if announced.is_empty() {
            return Ok(());
        }
        self.query(|ledger, _, by| ledger.mark_announced(account, &announced, by))
    }

    /// Returns what is left of the pause after the previous SMS on this handle.
    fn remaining_pause(&self) -> Option<Duration> {
        let elapsed = self.services.clock.now().since(self.counts.last_sms?);
        let remaining = self.settings.limits.pause.saturating_sub(elapsed);
        (!remaining.is_zero()).then_some(remaining)
    }

    /// Reserves a further SMS.
    pub(super) fn reserve(
        &mut self,
        account: &Account,
    ) -> Result<Result<Reservation, NoSms>, LoginError> {
        if let Some(pause) = self.remaining_pause() {
            return Ok(Err(NoSms::Paused(pause)));
        }
        let reserved = self.query(|ledger, rules, by| ledger.reserve(account, rules, by))?;
        Ok(reserved.map_err(NoSms::Rejected))
    }

    /// Releases an SMS that was certainly not sent. If the ledger cannot record this, it stays counted.
    pub(super) fn release(&mut self, account: &Account, reservation: Reservation) {
        self.record(|ledger, _, by| ledger.release(account, reservation, by));
    }

    /// Records an attempt as failed, before the code is compared.
    pub(super) fn record_attempt(&mut self, account: &Account) -> Result<Attempt, LoginError> {
        let recorded = self.query(|ledger, rules, by| ledger.record_attempt(account, rules, by))?;
        recorded.map_err(|rejection| refusal(rejection).into())
    }

    /// Records a correct code, which reverts the attempt. If the ledger cannot record it, the user is let
    /// in and the attempt stays counted as failed.
    pub(super) fn record_success(&mut self, account: &Account) {
        let attempts = self.counts.wrong;
        let mut guesses = 0;
        self.record(|ledger, rules, by| {
            let success = ledger.record_success(account, rules, attempts, by)?;
            guesses = success.guesses;
            Ok(())
        });
        self.guesses = guesses;
    }

    /// Shows the wrong codes of others to the user who has entered the correct one, and then clears them.
    /// If the host process is silent, they stay for the next login.
    pub(super) fn show_guesses(&mut self, account: &Account) {
        if self.guesses == 0 || self.request.silent {
            return;
        }
        let text = self.guesses_message();
        if self.services.conversation.show_info(&text) {
            let shown = self.guesses;
            self.record(|ledger, _, by| ledger.clear_guesses(account, shown, by));
        }
    }

    /// Calls the ledger. The login ends if the ledger fails.
    fn query<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Ledger, Rules<'_>, Deadline) -> Result<T, Failure>,
    ) -> Result<T, LoginError> {
        self.try_query(call).map_err(LoginError::Failed)
    }

    /// Records something in the ledger. If the ledger fails, this is logged and the login goes on.
    fn record(
        &mut self,
        call: impl FnOnce(&mut dyn Ledger, Rules<'_>, Deadline) -> Result<(), Failure>,
    ) {
        if let Err(failure) = self.try_query(call) {
            self.services.log.warning(&failure);
        }
    }

    fn try_query<T>(
        &mut self,
        call: impl FnOnce(&mut dyn Ledger, Rules<'_>, Deadline) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let rules = self.rules();
        let result = call(self.services.ledger, rules, self.budget.deadline());
        if let Some(error) = self.services.ledger.take_warning() {
            self.services.log.warning(&error);
        }
        result
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

/// Converts a rejection by the ledger.
pub(super) fn refusal(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Locked { wait } => {
            Refusal::new(Denied::Locked, lock_detail(wait)).with_wait(wait)
        }
        Rejection::Limited { wait, scope, rule } => {
            let scope = match scope {
                LimitScope::User => "this user (limits.sms)",
                LimitScope::Phone => "this phone (limits.sms)",
                LimitScope::Total => "the whole ledger (limits.sms_total)",
            };
            let why = format!("{rule} SMS for {scope}; next in {}", human_duration(wait));
            Refusal::new(Denied::Limited, why).with_wait(Some(wait))
        }
        Rejection::Prefix => {
            let why = "the number has no allowed prefix (limits.allowed_prefixes)";
            Refusal::new(Denied::Prefix, why)
        }
        Rejection::NewPhone { wait } => {
            let why = format!("usable in {} (policy.new_phone)", human_duration(wait));
            Refusal::new(Denied::NewPhone, why).with_wait(Some(wait))
        }
    }
}

/// Describes a lock, for the log.
pub(super) fn lock_detail(wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!(
            "locked by wrong codes for {} (limits.lock)",
            human_duration(wait)
        ),
        None => "locked by wrong codes until `sms-otp unlock` (limits.disable_after)".into(),
    }
}
