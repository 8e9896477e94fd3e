//! One user of the model.

use std::collections::BTreeMap;

use super::{super::*, millis};

#[derive(Default)]
pub struct User {
    pub failures: u32,
    /// Wrong codes that the user was not shown yet.
    pub guesses: u32,
    pub locked_until: u64,
    pub name: String,
    pub password_changed: String,
    /// Numbers of the last granted login, and when each was announced; 0 for the first ones.
    /// `None`: the user never logged in.
    pub reference: Option<BTreeMap<String, u64>>,
    /// Other numbers that were announced, and when.
    pub waiting: BTreeMap<String, u64>,
    pub remembered: Vec<(String, u64, LoginId, (String, Phone))>,
    pub sms: Vec<u64>,
}

impl User {
    /// When a number was announced. `None`: it is new.
    pub fn since(&self, number: &Phone) -> Option<u64> {
        let reference = self.reference.as_ref();
        let known = reference.and_then(|reference| reference.get(number.e164()));
        known.or_else(|| self.waiting.get(number.e164())).copied()
    }

    /// How long a number still has to wait. A new one has the whole wait before it.
    pub fn wait(&self, number: &Phone, rules: Rules<'_>, now: u64) -> u64 {
        match self.since(number).unwrap_or(now) {
            0 => 0,
            since => (since + millis(rules.new_phone)).saturating_sub(now),
        }
    }

    pub fn take_first(&mut self, account: &Account, trusted: bool) {
        if self.reference.is_none() && trusted {
            let numbers = account.numbers.iter();
            let first = numbers.filter(|number| self.since(number).is_none());
            self.reference = Some(first.map(|number| (number.e164().into(), 0)).collect());
        }
    }

    pub fn forget_unseen(&mut self, account: &Account) {
        let sees = |number: &String| account.numbers.iter().any(|seen| seen.e164() == number);
        self.waiting.retain(|number, _| sees(number));
    }

    pub fn mark_announced(&mut self, new: &[Phone], now: u64) {
        for number in new {
            if self.since(number).is_none() {
                self.waiting.insert(number.e164().into(), now);
                self.remembered.clear();
            }
        }
        self.reference.get_or_insert_default();
    }

    pub fn import_numbers(
        &mut self,
        account: &Account,
        reference: &[Phone],
        rules: Rules<'_>,
        now: u64,
    ) {
        let has_waited = now.saturating_sub(millis(rules.new_phone));
        let mut imported = BTreeMap::new();
        for number in reference {
            if self.since(number).is_none() {
                self.remembered.clear();
            }
            let since = self.since(number).unwrap_or(has_waited).min(has_waited);
            imported.insert(number.e164().into(), since);
        }
        self.forget_unseen(account);
        self.waiting
            .retain(|number, _| !imported.contains_key(number));
        self.reference = Some(imported);
    }

    pub fn grant(&mut self, account: &Account, rules: Rules<'_>, now: u64) -> Vec<Phone> {
        self.take_first(account, rules.trust_first_numbers());
        let (mut reference, mut waiting) = (BTreeMap::new(), BTreeMap::new());
        for number in &account.numbers {
            if let Some(since) = self.since(number) {
                let waits = self.wait(number, rules, now) > 0;
                let set = if waits { &mut waiting } else { &mut reference };
                set.insert(number.e164().to_owned(), since);
            }
        }
        let granted = account.numbers.iter();
        let granted = granted.filter(|number| reference.contains_key(number.e164()));
        let granted = granted.cloned().collect();
        self.waiting = waiting;
        // If the first numbers are not trusted, there is no reference set before one is announced.
        self.reference = self.reference.take().map(|_| reference);
        granted
    }
}
