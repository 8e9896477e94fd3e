//! The plainest ledger there is, for tests: lists in memory, nothing forgotten, a clock that is set
//! by hand. What the real ones are measured against, and what the story is tested with.

mod person;

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, time::Duration};

use super::*;
use person::Person;

/// A lock does not grow beyond this.
const LONGEST_LOCK: u64 = 86_400_000;

/// Clones share what they know: two logins at once.
#[derive(Clone, Default)]
pub struct Model(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    now: u64,
    people: BTreeMap<String, Person>,
    phones: BTreeMap<String, Vec<u64>>,
    all: Vec<(u64, u16)>,
    reserved: u32,
    /// As in Redis: a login is remembered from when it was admitted on, and for one password and phone.
    seals: bool,
    admitted: Option<u64>,
    down: Option<Failure>,
}

impl Model {
    /// Lets time pass.
    pub fn pass(&self, time: Duration) {
        self.0.borrow_mut().now += millis(time);
    }

    /// One whose records are sealed, as those in Redis.
    #[must_use]
    pub fn sealing() -> Self {
        let model = Self::default();
        model.0.borrow_mut().seals = true;
        model
    }

    /// From now on it answers this.
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

impl State {
    fn locked(&self, who: &Account, rules: Rules<'_>) -> Option<Rejection> {
        let person = self.people.get(&who.dn)?;
        if person.failures >= rules.limits.disable_after {
            return Some(Rejection::Locked { wait: None });
        }
        let left = person.locked_until.saturating_sub(self.now);
        (left > 0).then(|| Rejection::Locked {
            wait: Some(Duration::from_millis(left)),
        })
    }

    /// The limit that keeps him waiting longest.
    fn limited(&self, who: &Account, rules: Rules<'_>) -> Option<Rejection> {
        let nothing = Vec::new();
        let person = self.people.get(&who.dn).map_or(&nothing, |p| &p.sms);
        let phone = self.phones.get(who.phone.e164()).unwrap_or(&nothing);
        let all: Vec<u64> = self.all.iter().map(|(at, _)| *at).collect();
        let mut longest: Option<(u64, LimitScope, Rule)> = None;
        let mut look = |whose, sent: &[u64], rule: &Rule| {
            let wait = wait(sent, *rule, self.now);
            if wait > longest.map_or(0, |(longest, _, _)| longest) {
                longest = Some((wait, whose, *rule));
            }
        };
        for rule in &rules.limits.sms {
            look(LimitScope::User, person, rule);
        }
        for rule in &rules.limits.sms {
            look(LimitScope::Phone, phone, rule);
        }
        if let Some(rule) = &rules.limits.sms_total {
            look(LimitScope::Total, &all, rule);
        }
        longest.map(|(wait, whose, rule)| Rejection::Limited {
            wait: Duration::from_millis(wait),
            scope: whose,
            rule,
        })
    }

    fn take(&mut self, who: &Account) -> Reservation {
        let now = self.now;
        self.people.entry(who.dn.clone()).or_default().sms.push(now);
        self.phones
            .entry(who.phone.e164().into())
            .or_default()
            .push(now);
        self.all.push((now, who.segments));
        self.reserved += 1;
        Reservation {
            backend: Backend::Local,
            at: now,
            number: self.reserved,
        }
    }
}

/// How long until one more fits. An SMS counts for exactly as long as the rule's span.
fn wait(sent: &[u64], rule: Rule, now: u64) -> u64 {
    let span = millis(rule.within);
    let mut leaves: Vec<u64> = sent
        .iter()
        .map(|at| at + span)
        .filter(|at| *at > now)
        .collect();
    leaves.sort_unstable();
    let most = rule.most as usize;
    if leaves.len() < most {
        return 0;
    }
    // When so many have left that there is room for one.
    leaves[leaves.len() - most] - now
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

impl Ledger for Model {
    fn admit(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<Admission, Failure> {
        let mut state = self.state()?;
        let (now, seals) = (state.now, state.seals);
        let person = state.people.entry(who.dn.clone()).or_default();
        person.forget_unseen(who);
        person.take_first(who, rules.trust_first_numbers());
        let numbers = who.numbers.iter();
        let new = numbers.filter(|number| person.since(number).is_none());
        let new_numbers: Vec<Phone> = new.cloned().collect();
        let changed = &who.password_changed;
        // Many directories say nothing before the first change.
        let other_password = !changed.is_empty() && person.password_changed != *changed;
        if !changed.is_empty() {
            person.password_changed = changed.clone();
        }
        if other_password || !new_numbers.is_empty() {
            person.remembered.clear();
        }
        let remembered = person.remembered.iter().find(|(place, at, _, sealed)| {
            let span = rules.remember.map_or(0, millis);
            let is_his = !seals || *sealed == (changed.clone(), who.phone.clone());
            who.origin_key.as_deref() == Some(place) && at + span > now && is_his
        });
        let remembered = remembered.map(|(_, _, login, _)| *login);
        let new = person.wait(&who.phone, rules, now);
        let answer = if let Some(locked) = state.locked(who, rules) {
            Decision::Rejected(locked)
        } else if !who.allowed {
            Decision::Rejected(Rejection::Prefix)
        } else if new > 0 {
            Decision::Rejected(Rejection::NewPhone {
                wait: Duration::from_millis(new),
            })
        } else if let Some(earned_by) = remembered {
            Decision::Remembered { earned_by }
        } else if let Some(limited) = state.limited(who, rules) {
            Decision::Rejected(limited)
        } else {
            state.admitted = Some(now);
            Decision::Reserved(state.take(who))
        };
        Ok(Admission {
            decision: answer,
            new_numbers,
        })
    }

    fn mark_announced(&mut self, who: &Account, new: &[Phone], _: Deadline) -> Result<(), Failure> {
        let mut state = self.state()?;
        let now = state.now;
        let person = state.people.entry(who.dn.clone()).or_default();
        person.mark_announced(new, now);
        Ok(())
    }

    fn forget_unseen(&mut self, who: &Account, _: Deadline) -> Result<(), Failure> {
        let mut state = self.state()?;
        if let Some(person) = state.people.get_mut(&who.dn) {
            person.forget_unseen(who);
        }
        Ok(())
    }

    fn import_numbers(
        &mut self,
        who: &Account,
        reference: &[Phone],
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<u32, Failure> {
        let mut state = self.state()?;
        let now = state.now;
        let person = state.people.entry(who.dn.clone()).or_default();
        person.import_numbers(who, reference, rules, now);
        Ok(person.guesses)
    }

    fn reserve(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        let mut state = self.state()?;
        let refusal = state
            .locked(who, rules)
            .or_else(|| state.limited(who, rules));
        Ok(match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(state.take(who)),
        })
    }

    fn release(&mut self, who: &Account, slot: Reservation, _: Deadline) -> Result<(), Failure> {
        let mut state = self.state()?;
        let drop_one = |sent: &mut Vec<u64>| {
            if let Some(place) = sent.iter().position(|at| *at == slot.at) {
                sent.remove(place);
            }
        };
        drop_one(&mut state.people.entry(who.dn.clone()).or_default().sms);
        drop_one(state.phones.entry(who.phone.e164().into()).or_default());
        let same = |sent: &(u64, u16)| *sent == (slot.at, who.segments);
        if let Some(place) = state.all.iter().position(same) {
            state.all.remove(place);
        }
        Ok(())
    }

    fn record_attempt(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        _: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        let mut state = self.state()?;
        if let Some(locked) = state.locked(who, rules) {
            return Ok(Err(locked));
        }
        let now = state.now;
        let person = state.people.entry(who.dn.clone()).or_default();
        person.failures += 1;
        person.guesses += 1;
        person.name = who.name.clone();
        let limits = rules.limits;
        let disabled = person.failures >= limits.disable_after;
        let Some(beyond) = person.failures.checked_sub(limits.failures) else {
            if !disabled {
                return Ok(Ok(Attempt::Counted));
            }
            person.remembered.clear();
            return Ok(Ok(Attempt::Locks { wait: None }));
        };
        person.remembered.clear();
        let doubled = millis(limits.lock).saturating_mul(1 << beyond.min(40));
        let lock = doubled.min(LONGEST_LOCK);
        person.locked_until = now + lock;
        let wait = (!disabled).then(|| Duration::from_millis(lock));
        Ok(Ok(Attempt::Locks { wait }))
    }

    fn record_success(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        tries: u32,
        _: Deadline,
    ) -> Result<Success, Failure> {
        let mut state = self.state()?;
        let now = state.now;
        let at = if state.seals {
            state.admitted
        } else {
            Some(now)
        };
        let place = who.origin_key.as_ref().filter(|_| rules.remember.is_some());
        let person = state.people.entry(who.dn.clone()).or_default();
        person.failures = 0;
        person.locked_until = 0;
        person.name.clear();
        if let Some((place, at)) = place.zip(at) {
            let sealed = (who.password_changed.clone(), who.phone.clone());
            person.remembered.retain(|(other, ..)| other != place);
            person
                .remembered
                .push((place.clone(), at, who.login, sealed));
        }
        person.guesses = person.guesses.saturating_sub(tries);
        Ok(Success {
            reference: person.grant(who, rules, now),
            guesses: person.guesses,
        })
    }

    fn clear_guesses(&mut self, who: &Account, shown: u32, _: Deadline) -> Result<(), Failure> {
        let mut state = self.state()?;
        if let Some(person) = state.people.get_mut(&who.dn) {
            person.guesses = person.guesses.saturating_sub(shown);
        }
        Ok(())
    }

    fn status(&mut self, person: &str, _: Deadline) -> Result<AccountStatus, Failure> {
        let state = self.state()?;
        let ago = |at: u64| Duration::from_millis(state.now - at);
        let Some(person) = state.people.get(person) else {
            return Ok(AccountStatus::default());
        };
        let left = person.locked_until.saturating_sub(state.now);
        let remembered = person.remembered.iter();
        Ok(AccountStatus {
            known: true,
            failures: person.failures,
            locked: (left > 0).then(|| Duration::from_millis(left)),
            sms: person.sms.iter().map(|at| (ago(*at), 1)).collect(),
            remembered: remembered.map(|(_, at, by, _)| (*by, ago(*at))).collect(),
            numbers: person.reference.as_ref().map_or(0, BTreeMap::len) + person.waiting.len(),
        })
    }

    fn summary(&mut self, _: Deadline) -> Result<Summary, Failure> {
        let state = self.state()?;
        let today = |sent: &&(u64, u16)| sent.0 + 86_400_000 > state.now;
        let suspects = state.people.values().filter(|person| person.failures > 0);
        let count = |number: usize| u64::try_from(number).unwrap();
        Ok(Summary {
            sms: count(state.all.iter().filter(today).count()),
            segments: state
                .all
                .iter()
                .filter(today)
                .map(|sent| u64::from(sent.1))
                .sum(),
            users: Some(count(state.people.len())),
            phones: Some(count(state.phones.len())),
            remembered: Some(count(
                state.people.values().map(|p| p.remembered.len()).sum(),
            )),
            failed: suspects
                .map(|person| FailedAccount {
                    name: person.name.clone(),
                    failures: person.failures,
                    locked: match person.locked_until.saturating_sub(state.now) {
                        0 => None,
                        left => Some(Duration::from_millis(left)),
                    },
                })
                .collect(),
            size: None,
        })
    }

    fn unlock(
        &mut self,
        person: &str,
        forget: bool,
        by: Deadline,
    ) -> Result<AccountStatus, Failure> {
        let before = self.status(person, by)?;
        let mut state = self.state()?;
        if let Some(person) = state.people.get_mut(person) {
            person.failures = 0;
            person.locked_until = 0;
            person.name.clear();
            if forget {
                person.remembered.clear();
            }
        }
        Ok(before)
    }
}
