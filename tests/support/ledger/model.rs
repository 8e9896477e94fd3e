//! The reference implementation of a ledger, for tests: lists in memory that are never cut, and a clock
//! that the test sets. The conformance tests compare the real ledgers with it, and the tests of a login
//! use it.

mod model_state;
mod model_user;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::*;
use crate::failure::FailureKind;
use failures::failure;
use model_user::User;
use window::millis;

/// The longest lock.
const MAX_LOCK: u64 = 86_400_000;

/// Clones share their state, as two logins share a ledger.
#[derive(Clone, Default)]
pub struct Model(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    now: u64,
    users: BTreeMap<String, User>,
    phones: BTreeMap<String, Vec<u64>>,
    all: Vec<(u64, u16)>,
    reserved: u32,
    /// As in Redis: a login is remembered from its admission on, and for one password and phone.
    seals: bool,
    admitted: Option<u64>,
    down: Option<Failure>,
}

impl Model {
    /// Moves the clock forward.
    pub fn pass(&self, time: Duration) {
        self.0.borrow_mut().now += millis(time);
    }

    /// A ledger whose records are sealed, as those in Redis.
    #[must_use]
    pub fn sealing() -> Self {
        let model = Self::default();
        model.0.borrow_mut().seals = true;
        model
    }

    /// Makes every question fail, or succeed again.
    pub fn fail(&self, error: Option<Failure>) {
        self.0.borrow_mut().down = error;
    }

    fn state(&self) -> Result<std::cell::RefMut<'_, State>, Failure> {
        let state = self.0.borrow_mut();
        match &state.down {
            Some(error) => Err(error.clone()),
            None => Ok(state),
        }
    }
}

/// A shared ledger that cannot be reached.
pub(crate) fn outage() -> Failure {
    failure(FailureKind::Outage, "x:6379: timed out", "check x")
}

/// A local ledger that cannot be written.
pub(crate) fn disk_full() -> Failure {
    failure(FailureKind::Local, "the disk is full", "free some space")
}

impl Ledger for Model {
    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<Admission, Failure> {
        let mut state = self.state()?;
        let (now, seals) = (state.now, state.seals);
        let user = state.users.entry(account.dn.clone()).or_default();
        user.forget_unseen(account);
        user.take_first(account, rules.trust_first_numbers());
        let numbers = account.numbers.iter();
        let new = numbers.filter(|number| user.since(number).is_none());
        let new_numbers: Vec<Phone> = new.cloned().collect();
        let changed = &account.password_changed;
        // Many directories show no date before the first change.
        let other_password = !changed.is_empty() && user.password_changed != *changed;
        if !changed.is_empty() {
            user.password_changed = changed.clone();
        }
        if other_password || !new_numbers.is_empty() {
            user.remembered.clear();
        }
        let remembered = user.remembered.iter().find(|(origin, at, _, sealed)| {
            let span = rules.remember.map_or(0, millis);
            let is_valid = !seals || *sealed == (changed.clone(), account.phone.clone());
            account.origin_key.as_deref() == Some(origin) && at + span > now && is_valid
        });
        let remembered = remembered.map(|(_, _, login, _)| *login);
        let new = user.wait(&account.phone, rules, now);
        let answer = if let Some(locked) = state.locked(account, rules) {
            Decision::Rejected(locked)
        } else if !account.allowed {
            Decision::Rejected(Rejection::Prefix)
        } else if new > 0 {
            Decision::Rejected(Rejection::NewPhone {
                wait: Duration::from_millis(new),
            })
        } else if let Some(earned_by) = remembered {
            Decision::Remembered { earned_by }
        } else if let Some(limited) = state.limited(account, rules) {
            Decision::Rejected(limited)
        } else {
            state.admitted = Some(now);
            Decision::Reserved(state.take(account))
        };
        Ok(Admission {
            decision: answer,
            new_numbers,
        })
    }

    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        _: Deadline,
    ) -> Result<(), Failure> {
        let mut state = self.state()?;
        let now = state.now;
        let user = state.users.entry(account.dn.clone()).or_default();
        user.mark_announced(new, now);
        Ok(())
    }

    fn forget_unseen(&mut self, account: &Account, _: Deadline) -> Result<(), Failure> {
        let mut state = self.state()?;
        if let Some(user) = state.users.get_mut(&account.dn) {
            user.forget_unseen(account);
        }
        Ok(())
    }

    fn import_numbers(
        &mut self,
        account: &Account,
        reference: &[Phone],
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<u32, Failure> {
        let mut state = self.state()?;
        let now = state.now;
        let user = state.users.entry(account.dn.clone()).or_default();
        user.import_numbers(account, reference, rules, now);
        Ok(user.guesses)
    }

    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        let mut state = self.state()?;
        let rejection = state
            .locked(account, rules)
            .or_else(|| state.limited(account, rules));
        Ok(match rejection {
            Some(rejection) => Err(rejection),
            None => Ok(state.take(account)),
        })
    }

    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        _: Deadline,
    ) -> Result<(), Failure> {
        let mut state = self.state()?;
        let drop_one = |sent: &mut Vec<u64>| {
            if let Some(index) = sent.iter().position(|at| *at == reservation.at) {
                sent.remove(index);
            }
        };
        drop_one(&mut state.users.entry(account.dn.clone()).or_default().sms);
        drop_one(state.phones.entry(account.phone.e164().into()).or_default());
        let same = |sent: &(u64, u16)| *sent == (reservation.at, account.segments);
        if let Some(index) = state.all.iter().position(same) {
            state.all.remove(index);
        }
        Ok(())
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        let mut state = self.state()?;
        if let Some(locked) = state.locked(account, rules) {
            return Ok(Err(locked));
        }
        let now = state.now;
        let user = state.users.entry(account.dn.clone()).or_default();
        user.failures += 1;
        user.guesses += 1;
        user.name = account.name.clone();
        let limits = rules.limits;
        let disabled = user.failures >= limits.disable_after;
        let Some(beyond) = user.failures.checked_sub(limits.failures) else {
            if !disabled {
                return Ok(Ok(Attempt::Counted));
            }
            user.remembered.clear();
            return Ok(Ok(Attempt::Locks { wait: None }));
        };
        user.remembered.clear();
        let doubled = millis(limits.lock).saturating_mul(1 << beyond.min(40));
        let lock = doubled.min(MAX_LOCK);
        user.locked_until = now + lock;
        let wait = (!disabled).then(|| Duration::from_millis(lock));
        Ok(Ok(Attempt::Locks { wait }))
    }

    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        _: Deadline,
    ) -> Result<Success, Failure> {
        let mut state = self.state()?;
        let now = state.now;
        let at = if state.seals {
            state.admitted
        } else {
            Some(now)
        };
        let origin = account
            .origin_key
            .as_ref()
            .filter(|_| rules.remember.is_some());
        let user = state.users.entry(account.dn.clone()).or_default();
        user.failures = 0;
        user.locked_until = 0;
        user.name.clear();
        if let Some((origin, at)) = origin.zip(at) {
            let sealed = (account.password_changed.clone(), account.phone.clone());
            user.remembered.retain(|(other, ..)| other != origin);
            user.remembered
                .push((origin.clone(), at, account.login, sealed));
        }
        user.guesses = user.guesses.saturating_sub(attempts);
        Ok(Success {
            reference: user.grant(account, rules, now),
            guesses: user.guesses,
        })
    }

    fn clear_guesses(&mut self, account: &Account, shown: u32, _: Deadline) -> Result<(), Failure> {
        let mut state = self.state()?;
        if let Some(user) = state.users.get_mut(&account.dn) {
            user.guesses = user.guesses.saturating_sub(shown);
        }
        Ok(())
    }

    fn status(&mut self, dn: &str, _: Deadline) -> Result<AccountStatus, Failure> {
        let state = self.state()?;
        let ago = |at: u64| Duration::from_millis(state.now - at);
        let Some(user) = state.users.get(dn) else {
            return Ok(AccountStatus::default());
        };
        let left = user.locked_until.saturating_sub(state.now);
        let remembered = user.remembered.iter();
        Ok(AccountStatus {
            known: true,
            failures: user.failures,
            locked: (left > 0).then(|| Duration::from_millis(left)),
            sms: user.sms.iter().map(|at| (ago(*at), 1)).collect(),
            remembered: remembered.map(|(_, at, by, _)| (*by, ago(*at))).collect(),
            numbers: user.reference.as_ref().map_or(0, BTreeMap::len) + user.waiting.len(),
        })
    }

    fn summary(&mut self, _: Deadline) -> Result<Summary, Failure> {
        let state = self.state()?;
        let today = |sent: &&(u64, u16)| sent.0 + 86_400_000 > state.now;
        let suspects = state.users.values().filter(|user| user.failures > 0);
        let count = |number: usize| u64::try_from(number).unwrap();
        Ok(Summary {
            sms: count(state.all.iter().filter(today).count()),
            segments: state
                .all
                .iter()
                .filter(today)
                .map(|sent| u64::from(sent.1))
                .sum(),
            users: Some(count(state.users.len())),
            phones: Some(count(state.phones.len())),
            remembered: Some(count(
                state.users.values().map(|p| p.remembered.len()).sum(),
            )),
            failed: suspects
                .map(|user| FailedAccount {
                    name: user.name.clone(),
                    failures: user.failures,
                    locked: match user.locked_until.saturating_sub(state.now) {
                        0 => None,
                        left => Some(Duration::from_millis(left)),
                    },
                })
                .collect(),
            size: None,
        })
    }

    fn unlock(&mut self, dn: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure> {
        let before = self.status(dn, by)?;
        let mut state = self.state()?;
        if let Some(user) = state.users.get_mut(dn) {
            user.failures = 0;
            user.locked_until = 0;
            user.name.clear();
            if forget {
                user.remembered.clear();
            }
        }
        Ok(before)
    }
}
