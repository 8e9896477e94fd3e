//! A ledger in memory that can fail.
#![forbid(unsafe_code)]

use super::fakes::World;
use crate::{
    deadline::Deadline,
    failure::Failure,
    ledger::{
        Account, AccountStatus, Admission, Attempt, Ledger, Rejection, Reservation, Rules, Success,
        Summary, model::Model,
    },
    phone::Phone,
};

/// A ledger in memory. The error occurs after a new number was logged.
pub struct FakeLedger<'a>(pub &'a World, pub Model, pub Option<Failure>);

impl Ledger for FakeLedger<'_> {
    fn close(&mut self) {
        self.0.note("close ledger");
    }

    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Failure> {
        self.0.call("admit");
        self.0.admissions.set(self.0.admissions.get() + 1);
        self.1.admit(account, rules, by)
    }

    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), Failure> {
        self.0.call("mark announced");
        self.0.note("mark announced");
        if let Some(error) = self.2.take() {
            self.1.fail(Some(error));
        }
        self.1.mark_announced(account, new, by)
    }

    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        self.0.call("reserve");
        self.1.reserve(account, rules, by)
    }

    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        by: Deadline,
    ) -> Result<(), Failure> {
        self.0.call("release");
        self.1.release(account, reservation, by)
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        self.0.call("record attempt");
        self.1.record_attempt(account, rules, by)
    }

    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        by: Deadline,
    ) -> Result<Success, Failure> {
        self.0.call("record success");
        self.1.record_success(account, rules, attempts, by)
    }

    fn clear_guesses(
        &mut self,
        account: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), Failure> {
        self.0.call("clear guesses");
        self.0.note("clear guesses");
        self.1.clear_guesses(account, shown, by)
    }

    fn take_warning(&mut self) -> Option<Failure> {
        self.0.call("take warning");
        None
    }

    fn status(&mut self, dn: &str, by: Deadline) -> Result<AccountStatus, Failure> {
        self.1.status(dn, by)
    }

    fn summary(&mut self, by: Deadline) -> Result<Summary, Failure> {
        self.1.summary(by)
    }

    fn unlock(&mut self, dn: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure> {
        self.1.unlock(dn, forget, by)
    }
}
