//! A shared ledger with this host's own as its replacement during an outage.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::{
    Account, AccountStatus, Admission, Attempt, Backend, Decision, Ledger, LostLines, Rejection,
    Reservation, Rules, Success, Summary, failures::failure, file::FileStore, redis::RedisStore,
};
use crate::{
    config::{self, Unreachable},
    deadline::Deadline,
    failure::{Failure, FailureKind},
    phone::Phone,
    prefetch::Permit,
};

/// A ledger, or why it could not be opened. A login that ends before it needs the ledger does not fail
/// for that.
type Opened = Result<Box<dyn Ledger>, Failure>;

/// The ledger of the settings: shared or local. With `unreachable = "local"` the local one replaces a
/// shared one that cannot be reached, with the same limits but for this host alone.
pub struct FallbackStore {
    shared: Option<Opened>,
    local: Opened,
    lost_lines: Option<LostLines>,
    /// In this login, the shared ledger could not be reached.
    is_fallback: bool,
    /// The shared ledger did not reject this login.
    is_admitted: bool,
    /// Guesses that the local ledger has counted, of those that `record_success` has returned.
    local_guesses: u32,
    unreachable: Unreachable,
    warning: Option<Failure>,
}

impl FallbackStore {
    /// Opens the files that a ledger needs, and makes no connection.
    #[must_use]
    pub fn open(settings: &config::Ledger) -> Self {
        let redis = settings.redis.as_ref();
        let unreachable = redis.map_or(Unreachable::Local, |redis| redis.unreachable);
        let mut lost_lines = None;
        let local = match unreachable {
            Unreachable::Local => FileStore::open(&settings.path).map(|store| {
                lost_lines = store.lost_lines();
                boxed(store)
            }),
            Unreachable::Deny => Err(not_in_use()),
        };
        Self {
            shared: redis.map(|redis| RedisStore::new(redis).map(boxed)),
            local,
            lost_lines,
            is_fallback: false,
            is_admitted: false,
            local_guesses: 0,
            unreachable,
            warning: None,
        }
    }

    /// Returns the counter of lost log lines, which the local ledger stores. `None`: that ledger is not
    /// in use, or cannot be opened.
    pub const fn take_lost_lines(&mut self) -> Option<LostLines> {
        self.lost_lines.take()
    }

    /// Returns each ledger that logins on this host are counted in.
    pub fn each(&mut self) -> impl Iterator<Item = (Backend, Result<&mut dyn Ledger, Failure>)> {
        let shared = self.shared.as_mut();
        let shared = shared.map(|shared| (Backend::Redis, opened(shared)));
        let is_used = self.unreachable == Unreachable::Local;
        let local = is_used.then(|| (Backend::Local, opened(&mut self.local)));
        shared.into_iter().chain(local)
    }

    /// Copies to the local ledger what the shared one has decided. A failure is a warning only.
    fn copy<T>(&mut self, what: impl FnOnce(&mut dyn Ledger) -> Result<T, Failure>) -> Option<T> {
        if self.shared.is_none() || self.unreachable != Unreachable::Local {
            return None;
        }
        match opened(&mut self.local).and_then(what) {
            Ok(copied) => Some(copied),
            Err(error) => {
                self.warning.get_or_insert(error);
                None
            }
        }
    }

    /// Asks the shared ledger. If it cannot be reached, asks the local one, from then on for the whole
    /// login, so that no second question waits for the same time-out. `question` gets whether the
    /// ledger is a fallback.
    ///
    /// When the login's own time is over, this is an outage and the local ledger is not asked: a caller
    /// who uses the time up at other servers could choose the ledger that knows less of them.
    fn ask<T>(
        &mut self,
        by: Deadline,
        question: impl Fn(&mut dyn Ledger, bool) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(shared) = &mut self.shared {
            match opened(shared).and_then(|shared| question(shared, false)) {
                Err(mut outage) if is_outage(&outage) && by.is_over() => {
                    outage.what.push_str(" (this login's time is up)");
                    return Err(outage);
                }
                Err(mut outage) if is_outage(&outage) && self.unreachable == Unreachable::Local => {
                    let and = "; this host's ledger is used for this login";
                    outage.what.push_str(and);
                    self.warning = Some(outage);
                    self.shared = None;
                    self.is_fallback = true;
                }
                answer => return answer,
            }
        }
        let is_fallback = self.is_fallback;
        opened(&mut self.local).and_then(|local| question(local, is_fallback))
    }
}

impl Ledger for FallbackStore {
    fn begin(&mut self, permit: Permit) {
        if let Some(Ok(shared)) = &mut self.shared {
            shared.begin(permit);
        }
    }

    fn close(&mut self) {
        if let Some(Ok(shared)) = &mut self.shared {
            shared.close();
        }
    }

    /// The local ledger forgets waiting numbers that the directory no longer has, too.
    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Failure> {
        let admission = self.ask(by, |ledger, is_fallback| {
            let rules = Rules {
                is_fallback,
                ..rules
            };
            ledger.admit(account, rules, by)
        })?;
        self.is_admitted = !matches!(admission.decision, Decision::Rejected(_));
        self.copy(|local| local.forget_unseen(account, by));
        Ok(admission)
    }

    /// The local ledger records it after the shared one, and only for a login that was not rejected.
    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), Failure> {
        self.ask(by, |ledger, _| ledger.mark_announced(account, new, by))?;
        if self.is_admitted {
            self.copy(|local| local.mark_announced(account, new, by));
        }
        Ok(())
    }

    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        self.ask(by, |ledger, _| ledger.reserve(account, rules, by))
    }

    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        by: Deadline,
    ) -> Result<(), Failure> {
        self.ask(by, |ledger, _| {
            ledger.release(account, reservation.clone(), by)
        })
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        self.ask(by, |ledger, _| ledger.record_attempt(account, rules, by))
    }

    /// The local ledger takes over the reference set of the shared one, for a later outage. The guesses
    /// include those that the local ledger has counted in an earlier one.
    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        by: Deadline,
    ) -> Result<Success, Failure> {
        let mut success = self.ask(by, |ledger, is_fallback| {
            let rules = Rules {
                is_fallback,
                ..rules
            };
            ledger.record_success(account, rules, attempts, by)
        })?;
        let local = self.copy(|local| local.import_numbers(account, &success.reference, rules, by));
        self.local_guesses = local.unwrap_or_default();
        success.guesses = success.guesses.saturating_add(self.local_guesses);
        Ok(success)
    }

    fn clear_guesses(
        &mut self,
        account: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), Failure> {
        let local = std::mem::take(&mut self.local_guesses).min(shown);
        if local > 0 {
            self.copy(|ledger| ledger.clear_guesses(account, local, by));
        }
        let others = shown.saturating_sub(local);
        if others == 0 {
            return Ok(());
        }
        self.ask(by, |ledger, _| ledger.clear_guesses(account, others, by))
    }

    fn take_warning(&mut self) -> Option<Failure> {
        self.warning.take()
    }

    fn status(&mut self, dn: &str, by: Deadline) -> Result<AccountStatus, Failure> {
        self.ask(by, |ledger, _| ledger.status(dn, by))
    }

    fn summary(&mut self, by: Deadline) -> Result<Summary, Failure> {
        self.ask(by, |ledger, _| ledger.summary(by))
    }

    fn unlock(&mut self, dn: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure> {
        self.ask(by, |ledger, _| ledger.unlock(dn, forget, by))
    }
}

fn not_in_use() -> Failure {
    failure(
        FailureKind::Local,
        "this host's ledger is not in use",
        "set ledger.unreachable = \"local\" to use it",
    )
}

fn is_outage(failure: &Failure) -> bool {
    failure.kind == FailureKind::Outage
}

fn boxed(ledger: impl Ledger + 'static) -> Box<dyn Ledger> {
    Box::new(ledger)
}

fn opened(ledger: &mut Opened) -> Result<&mut dyn Ledger, Failure> {
    match ledger {
        Ok(ledger) => Ok(&mut **ledger),
        Err(error) => Err(error.clone()),
    }
}
