//! The record of one user, and the decisions that need only this record.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    keys::{Keys, half},
    sector::Name,
};
use crate::{
    config::Limits,
    id::LoginId,
    ledger::{
        Account, AccountStatus, Attempt, Rejection, Rules,
        window::{SlidingWindow, millis},
    },
    phone::Phone,
};

/// Most entries of a user's window: with the default limits, every SMS that counts has its own.
pub const MAX_ENTRIES: usize = 20;
/// Longest login name, in bytes.
pub const MAX_NAME: usize = 34;
/// Most numbers of one login that are looked at, and most numbers of a reference set.
const MAX_NUMBERS: usize = 6;
/// Most numbers that are stored for a user: a full reference set, and one that waits.
pub const MAX_KNOWN: usize = MAX_NUMBERS + 1;
/// Most remembered logins of a user.
pub const MAX_LOGINS: usize = 6;
/// The longest time that a login is remembered (`remember` is at most 30 days).
const MAX_REMEMBER: u64 = 30 * 86_400_000;
/// The longest lock.
const MAX_LOCK: u64 = 86_400_000;
/// How often the last use is written, if nothing else changes.
const TOUCH_INTERVAL: u64 = 86_400_000;

/// The record of a user. Times are the ledger's, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Wrong codes since the last success.
    pub failures: u32,
    /// Wrong codes in logins that were not granted, and that were not shown to the user yet. Neither a
    /// success nor an unlock clears them.
    pub guesses: u16,
    pub locked_until: u64,
    /// The last login.
    pub last_used: u64,
    /// An administrator has unlocked the account: damaged rows of it may be replaced.
    pub is_unlocked: bool,
    /// Kept only while wrong codes are counted.
    pub name: String,
    /// The date of the last password change, hashed.
    pub password: Option<[u8; 8]>,
    /// The reference set, and waiting numbers.
    pub numbers: Vec<KnownNumber>,
    /// Whether there is a reference set. Then a number outside of it is new, even if the set is empty.
    pub has_reference: bool,
    /// Oldest first.
    pub logins: Vec<Remembered>,
    pub log: SlidingWindow,
}

/// A number that is no longer new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownNumber {
    /// Hashed.
    pub number: [u8; 8],
    /// When it was announced. 0: one of the user's first numbers.
    pub since: u64,
    /// Whether it is in the reference set, the numbers of the last granted login. The others wait, and are
    /// forgotten when a login no longer sees them.
    pub granted: bool,
}

impl KnownNumber {
    /// How long the number still has to wait, in milliseconds.
    fn wait(&self, rules: Rules<'_>, now: u64) -> u64 {
        match self.since {
            0 => 0,
            since => since
                .saturating_add(millis(rules.new_phone))
                .saturating_sub(now),
        }
    }
}

/// A login that was granted with a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    pub origin: Name,
    pub at: u64,
    pub login: LoginId,
}

impl Remembered {
    /// Whether it is too old for any setting of `remember`.
    #[must_use]
    pub const fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.at) >= MAX_REMEMBER
    }
}

impl Default for User {
    fn default() -> Self {
        Self {
            failures: 0,
            guesses: 0,
            locked_until: 0,
            last_used: 0,
            is_unlocked: false,
            name: String::new(),
            password: None,
            numbers: Vec::new(),
            has_reference: false,
            logins: Vec::new(),
            log: SlidingWindow::new(MAX_ENTRIES),
        }
    }
}

impl User {
    /// Records the password's date, forgets waiting numbers that the directory no longer has, and
    /// returns the new numbers. A new number or another password ends all remembered logins.
    /// `trusted`: the first numbers of a user are not new.
    pub fn observe(
        &mut self,
        name: &Name,
        account: &Account,
        keys: &Keys,
        trusted: bool,
    ) -> Vec<Phone> {
        self.forget_unseen(account, keys);
        self.take_first(account, keys, trusted);
        let unknown = current(account, keys).into_iter();
        let unknown = unknown.filter(|(number, _)| self.since(*number).is_none());
        let new: Vec<Phone> = unknown.map(|(_, phone)| phone.clone()).collect();
        let password = keys.password(name, &account.password_changed);
        let other = password.is_some() && self.password != password;
        self.password = password.or(self.password);
        if other || !new.is_empty() {
            self.logins.clear();
        }
        new
    }

    /// Makes the first numbers of a user the reference set. They need not wait.
    fn take_first(&mut self, account: &Account, keys: &Keys, trusted: bool) {
        if self.has_reference || !trusted {
            return;
        }
        self.has_reference = true;
        for (number, _) in current(account, keys) {
            if self.since(number).is_none() {
                self.numbers.push(KnownNumber {
                    number,
                    since: 0,
                    granted: true,
                });
            }
        }
    }

    /// Forgets the waiting numbers that the directory no longer has. If they return, their wait starts
    /// again.
    pub fn forget_unseen(&mut self, account: &Account, keys: &Keys) {
        let current = current(account, keys);
        self.numbers
            .retain(|known| known.granted || is_current(known, &current));
    }

    /// Starts the wait of numbers that the system log has announced.
    pub fn mark_announced(&mut self, account: &Account, new: &[Phone], keys: &Keys, now: u64) {
        let mut begins = false;
        for (number, phone) in current(account, keys) {
            if new.contains(phone) && self.since(number).is_none() {
                self.numbers.push(KnownNumber {
                    number,
                    since: now,
                    granted: false,
                });
                begins = true;
            }
        }
        self.has_reference = true;
        // A remembered login must not outlive a change of the numbers.
        if begins {
            self.logins.clear();
        }
        self.drop_surplus(half(keys.phone(account.phone.e164())));
    }

    /// Forgets waiting numbers until the rest fits, except the number for the code. They are announced
    /// again at the next login. The reference set always fits, so a denied login never changes it.
    fn drop_surplus(&mut self, code: [u8; 8]) {
        while self.numbers.len() > MAX_KNOWN {
            let spare = |known: &KnownNumber| !known.granted && known.number != code;
            match self.numbers.iter().rposition(spare) {
                Some(index) => drop(self.numbers.remove(index)),
                None => self.numbers.truncate(MAX_KNOWN),
            }
        }
    }

    /// Makes the numbers of a granted login, without those that still wait, the reference set, and forgets
    /// every other number. A number that was never announced is left out, so that the next login
    /// announces it. Returns the set.
    pub fn grant(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        keys: &Keys,
        now: u64,
    ) -> Vec<Phone> {
        self.take_first(account, keys, rules.trust_first_numbers());
        let current = current(account, keys);
        self.numbers.retain(|known| is_current(known, &current));
        for known in &mut self.numbers {
            known.granted = known.wait(rules, now) == 0;
        }
        let granted = |number| {
            let mut known = self.numbers.iter();
            known.any(|known| known.number == number && known.granted)
        };
        let reference = current.iter().filter(|(number, _)| granted(*number));
        reference.map(|(_, phone)| (*phone).clone()).collect()
    }

    /// Takes over the reference set of another ledger, which has granted the login by these rules. So its
    /// numbers have waited there at least as long as the rules require.
    pub fn import_numbers(
        &mut self,
        account: &Account,
        reference: &[Phone],
        rules: Rules<'_>,
        keys: &Keys,
        now: u64,
    ) {
        let has_waited = now.saturating_sub(millis(rules.new_phone));
        let mut numbers: Vec<KnownNumber> = Vec::new();
        let mut is_new = false;
        for (number, phone) in current(account, keys) {
            let granted = reference.contains(phone);
            let known = self.numbers.iter().find(|known| known.number == number);
            let since = match known {
                Some(known) if granted => known.since.min(has_waited),
                Some(known) if !known.granted => known.since,
                None if granted => {
                    is_new = true;
                    has_waited
                }
                // In the other ledger the number is new or waits.
                _ => continue,
            };
            numbers.push(KnownNumber {
                number,
                since,
                granted,
            });
        }
        self.numbers = numbers;
        self.has_reference = true;
        // A remembered login must not outlive a change of the numbers.
        if is_new {
            self.logins.clear();
        }
    }

    fn since(&self, number: [u8; 8]) -> Option<u64> {
        let mut known = self.numbers.iter();
        known
            .find(|known| known.number == number)
            .map(|known| known.since)
    }

    /// How long this number still has to wait, in milliseconds. The wait of a number that is not announced
    /// yet has not started.
    #[must_use]
    pub fn new_phone_wait(&self, number: Name, rules: Rules<'_>, now: u64) -> u64 {
        let mut known = self.numbers.iter();
        known
            .find(|known| known.number == half(number))
            .map_or_else(|| millis(rules.new_phone), |known| known.wait(rules, now))
    }

    /// The rejection, if the account is locked.
    #[must_use]
    pub fn locked(&self, limits: &Limits, now: u64) -> Option<Rejection> {
        if self.failures >= limits.disable_after {
            return Some(Rejection::Locked { wait: None });
        }
        self.lock_left(now)
            .map(|left| Rejection::Locked { wait: Some(left) })
    }

    fn lock_left(&self, now: u64) -> Option<Duration> {
        let left = self.locked_until.saturating_sub(now);
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// The remembered login with this origin, if it is still valid.
    #[must_use]
    pub fn remembered(&self, origin: Name, rules: Rules<'_>, now: u64) -> Option<LoginId> {
        let span = millis(rules.remember?);
        let login = self.logins.iter().find(|login| login.origin == origin)?;
        // A time in the future is not valid.
        (login.at <= now && login.at.saturating_add(span) > now).then_some(login.login)
    }

    /// Records a wrong code, until a success clears it.
    pub fn record_failure(&mut self, name: &str, limits: &Limits, now: u64) -> Attempt {
        self.failures = self.failures.saturating_add(1);
        self.guesses = self.guesses.saturating_add(1);
        name.clone_into(&mut self.name);
        let disabled = self.failures >= limits.disable_after;
        let beyond = self.failures.checked_sub(limits.failures);
        if beyond.is_none() && !disabled {
            return Attempt::Counted;
        }
        self.logins.clear();
        let Some(beyond) = beyond else {
            return Attempt::Locks { wait: None };
        };
        let doubled = 2_u64
            .saturating_pow(beyond)
            .saturating_mul(millis(limits.lock));
        let lock = doubled.min(MAX_LOCK);
        self.locked_until = now.saturating_add(lock);
        let wait = (!disabled).then(|| Duration::from_millis(lock));
        Attempt::Locks { wait }
    }

    /// Remembers a login with this origin.
    pub fn remember(&mut self, origin: Name, login: LoginId, now: u64) {
        self.logins
            .retain(|login| login.origin != origin && !login.is_over(now));
        if self.logins.len() >= MAX_LOGINS {
            self.logins.remove(0);
        }
        self.logins.push(Remembered {
            origin,
            at: now,
            login,
        });
    }

    /// Subtracts guesses that need not be shown.
    pub fn clear_guesses(&mut self, number: u32) {
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        self.guesses = self.guesses.saturating_sub(number);
    }

    /// Ends the lock and clears the failures.
    pub fn clear_failures(&mut self) {
        self.failures = 0;
        self.locked_until = 0;
        self.name.clear();
    }
    /// Whether the last use has to be written again.
    #[must_use]
    pub const fn is_stale(&self, now: u64) -> bool {
        now.saturating_sub(self.last_used) >= TOUCH_INTERVAL
    }

    /// The status for administrators.
    #[must_use]
    pub fn status(&self, now: u64) -> AccountStatus {
        let ago = |at: u64| Duration::from_millis(now.saturating_sub(at));
        let sms = self.log.sent().iter();
        let logins = self.logins.iter().filter(|login| !login.is_over(now));
        AccountStatus {
            known: true,
            failures: self.failures,
            locked: self.lock_left(now),
            sms: sms.map(|(at, number)| (ago(*at), *number)).collect(),
            remembered: logins.map(|login| (login.login, ago(login.at))).collect(),
            numbers: self.numbers.len(),
        }
    }
}

fn is_current(known: &KnownNumber, current: &[([u8; 8], &Phone)]) -> bool {
    current.iter().any(|(number, _)| *number == known.number)
}

/// The numbers of this login, hashed. Of too many, always the same ones and the one for the code.
fn current<'a>(account: &'a Account, keys: &Keys) -> Vec<([u8; 8], &'a Phone)> {
    let hashed = |phone: &'a Phone| (half(keys.phone(phone.e164())), phone);
    let mut all: Vec<_> = account.numbers.iter().map(hashed).collect();
    if all.len() > MAX_NUMBERS {
        all.sort_by_key(|(number, phone)| (**phone != account.phone, *number));
        all.dedup_by_key(|(number, _)| *number);
        all.truncate(MAX_NUMBERS);
    }
    all
}
