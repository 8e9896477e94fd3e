//! One person's row, and what is decided from it alone.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{
    keys::{Keys, half},
    row::{LOGINS, NUMBERS, PERSON_LOG},
    sector::Name,
};
use crate::{
    config::Limits,
    id::LoginId,
    ledger::{
        Account, Refusal, Rules, Standing, Try,
        window::{Log, millis},
    },
    phone::Phone,
};

/// No login is remembered for longer (`remember` is at most 30 days).
const LONGEST_MEMORY: u64 = 30 * 86_400_000;
/// A lock does not grow beyond a day.
const LONGEST_LOCK: u64 = 86_400_000;
/// So often it is written down that somebody was here, if there is nothing else to write.
const FRESH: u64 = 86_400_000;

/// What is known of one person. Times are the ledger's, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Wrong codes since the last success.
    pub failures: u32,
    pub locked_until: u64,
    /// When he was last here.
    pub touched: u64,
    /// An administrator has unlocked him: what is damaged may be begun anew.
    pub vouched: bool,
    /// Kept only while wrong codes are counted.
    pub name: String,
    /// When his password was changed, hashed.
    pub password: Option<[u8; 8]>,
    pub numbers: Vec<Known>,
    /// Oldest first.
    pub logins: Vec<Remembered>,
    pub log: Log,
}

/// A number, hashed, and since when it is his. Nothing: since ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub number: [u8; 8],
    pub since: u64,
}

/// A login that needed a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    pub place: Name,
    pub at: u64,
    pub login: LoginId,
}

impl Remembered {
    /// Whether nobody remembers so long.
    #[must_use]
    pub const fn is_over(&self, now: u64) -> bool {
        now.saturating_sub(self.at) >= LONGEST_MEMORY
    }
}

impl Default for Person {
    fn default() -> Self {
        Self {
            failures: 0,
            locked_until: 0,
            touched: 0,
            vouched: false,
            name: String::new(),
            password: None,
            numbers: Vec::new(),
            logins: Vec::new(),
            log: Log::new(PERSON_LOG),
        }
    }
}

impl Person {
    /// Learns his password's date, and says which numbers are new; then, and with another password,
    /// nothing is remembered. `trusted`: whether the first ones are not, and so are learned here.
    pub fn meet(&mut self, him: &Name, who: &Account, keys: &Keys, trusted: bool) -> Vec<Phone> {
        if trusted && self.numbers.is_empty() {
            self.keep(who, keys, |_| Some(0));
        }
        let unknown = current(who, keys).into_iter();
        let unknown = unknown.filter(|(number, _)| self.since(*number).is_none());
        let new: Vec<Phone> = unknown.map(|(_, phone)| phone.clone()).collect();
        let password = keys.password(him, &who.password_changed);
        let other = password.is_some() && self.password != password;
        self.password = password.or(self.password);
        if other || !new.is_empty() {
            self.logins.clear();
        }
        new
    }

    /// Learns new numbers, once it is logged that they are new.
    pub fn told(&mut self, who: &Account, new: &[Phone], keys: &Keys, now: u64) {
        if self.keep(who, keys, |phone| new.contains(phone).then_some(now)) {
            self.logins.clear();
        }
    }

    /// Learns his numbers from another ledger, which has let him pass by these rules. Those that it
    /// has found to be new are not logged yet. Of the others it has said only that the one that the
    /// code goes to has waited as long as the rules want; the rest may be waiting there still.
    pub fn learn(&mut self, who: &Account, new: &[Phone], rules: Rules<'_>, keys: &Keys, now: u64) {
        let has_waited = now.saturating_sub(millis(rules.new_phone));
        let learns = self.keep(who, keys, |phone| {
            let since = if *phone == who.phone { has_waited } else { now };
            (!new.contains(phone)).then_some(since)
        });
        // Another number is another way in.
        if learns {
            self.logins.clear();
        }
    }

    /// Learns his numbers of today that are not known yet, if it is said since when they are his.
    /// Says whether there were any.
    fn keep(&mut self, who: &Account, keys: &Keys, since: impl Fn(&Phone) -> Option<u64>) -> bool {
        let current = current(who, keys);
        let mut learns = false;
        for (number, phone) in &current {
            let (number, known) = (*number, self.since(*number));
            if let (None, Some(since)) = (known, since(phone)) {
                self.numbers.push(Known { number, since });
                learns = true;
            }
        }
        self.forget_numbers(&current);
        learns
    }

    fn since(&self, number: [u8; 8]) -> Option<u64> {
        let mut known = self.numbers.iter();
        known
            .find(|known| known.number == number)
            .map(|known| known.since)
    }

    /// Makes room: by those that are his no longer, the longest known first.
    fn forget_numbers(&mut self, current: &[([u8; 8], &Phone)]) {
        while self.numbers.len() > NUMBERS {
            let is_his = |known: &Known| current.iter().any(|(number, _)| *number == known.number);
            let place = self.numbers.iter().position(|known| !is_his(known));
            self.numbers.remove(place.unwrap_or(0));
        }
    }

    /// How long this number is too new for, in milliseconds. One that nobody has been told of yet
    /// has not begun to wait.
    #[must_use]
    pub fn new_phone(&self, number: Name, rules: Rules<'_>, now: u64) -> u64 {
        let span = millis(rules.new_phone);
        match self.since(half(number)) {
            None => span,
            Some(0) => 0,
            Some(since) => since.saturating_add(span).saturating_sub(now),
        }
    }

    /// Too many wrong codes.
    #[must_use]
    pub fn locked(&self, limits: &Limits, now: u64) -> Option<Refusal> {
        if self.failures >= limits.disable_after {
            return Some(Refusal::Locked { wait: None });
        }
        self.lock_left(now)
            .map(|left| Refusal::Locked { wait: Some(left) })
    }

    fn lock_left(&self, now: u64) -> Option<Duration> {
        let left = self.locked_until.saturating_sub(now);
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// The login that was granted there and is remembered still.
    #[must_use]
    pub fn remembered(&self, place: Name, rules: Rules<'_>, now: u64) -> Option<LoginId> {
        let span = millis(rules.remember?);
        let login = self.logins.iter().find(|login| login.place == place)?;
        // One of a time that is still to come was never earned.
        (login.at <= now && login.at.saturating_add(span) > now).then_some(login.login)
    }

    /// One more wrong code, until it is taken back.
    pub fn fail(&mut self, name: &str, limits: &Limits, now: u64) -> Try {
        self.failures = self.failures.saturating_add(1);
        name.clone_into(&mut self.name);
        let disabled = self.failures >= limits.disable_after;
        let beyond = self.failures.checked_sub(limits.failures);
        if beyond.is_none() && !disabled {
            return Try::Counted;
        }
        self.logins.clear();
        let Some(beyond) = beyond else {
            return Try::Last { wait: None };
        };
        let doubled = 2_u64
            .saturating_pow(beyond)
            .saturating_mul(millis(limits.lock));
        let lock = doubled.min(LONGEST_LOCK);
        self.locked_until = now.saturating_add(lock);
        let wait = (!disabled).then(|| Duration::from_millis(lock));
        Try::Last { wait }
    }

    /// Remembers a login there.
    pub fn remember(&mut self, place: Name, login: LoginId, now: u64) {
        self.logins
            .retain(|login| login.place != place && !login.is_over(now));
        if self.logins.len() >= LOGINS {
            self.logins.remove(0);
        }
        self.logins.push(Remembered {
            place,
            at: now,
            login,
        });
    }

    /// Ends lock and count.
    pub fn clear(&mut self) {
        self.failures = 0;
        self.locked_until = 0;
        self.name.clear();
    }

    /// Whether it must be written that he was here.
    #[must_use]
    pub const fn is_stale(&self, now: u64) -> bool {
        now.saturating_sub(self.touched) >= FRESH
    }

    /// As an administrator sees him.
    #[must_use]
    pub fn standing(&self, now: u64) -> Standing {
        let ago = |at: u64| Duration::from_millis(now.saturating_sub(at));
        let sms = self.log.sent().iter();
        let logins = self.logins.iter().filter(|login| !login.is_over(now));
        Standing {
            known: true,
            failures: self.failures,
            locked: self.lock_left(now),
            sms: sms.map(|(at, number)| (ago(*at), *number)).collect(),
            remembered: logins.map(|login| (login.login, ago(login.at))).collect(),
            numbers: self.numbers.len(),
        }
    }
}

/// His numbers of today, hashed; of more than there is room for always the same ones, and the one
/// that the code goes to.
fn current<'a>(who: &'a Account, keys: &Keys) -> Vec<([u8; 8], &'a Phone)> {
    let hashed = |phone: &'a Phone| (half(keys.phone(phone.e164())), phone);
    let mut all: Vec<_> = who.numbers.iter().map(hashed).collect();
    if all.len() > NUMBERS {
        all.sort_by_key(|(number, phone)| (**phone != who.phone, *number));
        all.dedup_by_key(|(number, _)| *number);
        all.truncate(NUMBERS);
    }
    all
}
