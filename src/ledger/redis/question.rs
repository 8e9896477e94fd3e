//! The question about an account, as the scripts read it. Times are in milliseconds.
#![forbid(unsafe_code)]

use serde::Serialize;

use super::{Account, Rules, keys::Hasher};
use crate::{config::Rule, ledger::window::millis, phone::Phone};

/// Of a name so many characters are kept.
const LONGEST_NAME: usize = 64;

/// Most numbers that one login is judged by: people who may write the directory do not fill the
/// server's memory.
pub const MAX_NUMBERS: usize = 100;

/// The question about an account. What is not there is left out: a JSON null is no nil in Lua.
#[derive(Debug, Serialize)]
pub struct Question {
    /// The request's own: what comes twice counts once.
    pub id: String,
    pub person: String,
    pub phone: String,
    numbers: Vec<String>,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    login: String,
    parts: u16,
    sms: Vec<Span>,
    total: Vec<Span>,
    failures: u32,
    lock: u64,
    disable_after: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember: Option<u64>,
    new_phone: u64,
    /// When `admit` has returned, and the seal of the record that this login is to leave behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
    /// How many tries of this login were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// Only told where it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Span {
    most: u32,
    within: u64,
}

impl From<&Rule> for Span {
    fn from(rule: &Rule) -> Self {
        Self {
            most: rule.most.max(1),
            within: millis(rule.within),
        }
    }
}

impl Question {
    pub fn new(id: String, who: &Account, rules: Rules<'_>, hasher: &Hasher) -> Self {
        let limits = rules.limits;
        let changed = &who.password_changed;
        Self {
            id,
            person: hasher.person(&who.dn),
            phone: hasher.phone(&who.phone),
            numbers: judged(who).map(|n| hasher.phone(n)).collect(),
            allowed: who.allowed,
            password: (!changed.is_empty()).then(|| hasher.password(changed)),
            place: who.origin_key.as_deref().map(|place| hasher.place(place)),
            login: who.login.to_string(),
            parts: who.segments,
            sms: limits.sms.iter().map(Span::from).collect(),
            total: limits.sms_total.iter().map(Span::from).collect(),
            failures: limits.failures,
            lock: millis(limits.lock),
            disable_after: limits.disable_after,
            remember: rules.remember.map(millis),
            new_phone: millis(rules.new_phone),
            at: None,
            seal: None,
            tries: None,
            name: None,
        }
    }

    /// Without the place there is nothing to be remembered for.
    pub fn without_place(mut self) -> Self {
        self.place = None;
        self
    }

    /// With the record of this login, sealed, if it is to be remembered.
    pub fn sealed(mut self, at: Option<u64>, hasher: &Hasher) -> Self {
        self.seal = at.and_then(|at| self.seal(&self.login, at, hasher));
        self.at = at;
        self
    }

    /// The seal of a record: of this person, at this place, with this password and phone, and of the
    /// login that has earned it and when. `None`: without a place there is none.
    pub fn seal(&self, login: &str, at: u64, hasher: &Hasher) -> Option<String> {
        let place = self.place.as_deref()?;
        let password = self.password.as_deref().unwrap_or_default();
        let at = at.to_string();
        Some(hasher.seal(&[&self.person, place, login, &at, password, &self.phone]))
    }

    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.chars().take(LONGEST_NAME).collect());
        self
    }
}

/// The numbers that a login is judged by, in an order that does not change: of too many, the one that
/// the code goes to and always the same others.
pub fn judged(who: &Account) -> impl Iterator<Item = &Phone> {
    let mut numbers: Vec<&Phone> = who.numbers.iter().collect();
    if numbers.len() > MAX_NUMBERS {
        numbers.sort_by_key(|number| (**number != who.phone, *number));
        numbers.dedup();
    }
    numbers.into_iter().take(MAX_NUMBERS)
}
