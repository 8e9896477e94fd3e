//! Requests to the scripts, encoded as JSON. Times are in milliseconds. The JSON names are those that the
//! scripts use.
#![forbid(unsafe_code)]

use serde::Serialize;

use super::{Account, Rules, keys::Hasher};
use crate::{config::Rule, ledger::window::millis, phone::Phone};

/// The number of characters that are stored of a login name.
const MAX_NAME: usize = 64;

/// The maximum number of phone numbers of one login, so that a user who may write the directory cannot fill
/// the server's memory.
pub(super) const MAX_NUMBERS: usize = 100;

/// A request about one account. Missing values are left out, because a JSON null is not nil in Lua.
#[derive(Debug, Serialize)]
pub(super) struct AccountRequest {
    /// Identifies the request: if it is sent twice, it counts once.
    id: String,
    #[serde(rename = "person")]
    pub(super) user: String,
    pub(super) phone: String,
    numbers: Vec<String>,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(rename = "place", skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    login: String,
    parts: u16,
    sms: Vec<Limit>,
    total: Vec<Limit>,
    failures: u32,
    lock: u64,
    disable_after: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    remember: Option<u64>,
    new_phone: u64,
    /// The time that `admit` returned, and the seal of the record that remembers this login.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seal: Option<String>,
    /// The number of attempts of this login that were recorded.
    #[serde(rename = "tries", skip_serializing_if = "Option::is_none")]
    pub(super) attempts: Option<u32>,
    /// Sent only to the script that stores it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct Limit {
    most: u32,
    within: u64,
}

impl From<&Rule> for Limit {
    fn from(rule: &Rule) -> Self {
        Self {
            most: rule.most.max(1),
            within: millis(rule.within),
        }
    }
}

impl AccountRequest {
    pub(super) fn new(id: String, account: &Account, rules: Rules<'_>, hasher: &Hasher) -> Self {
        let limits = rules.limits;
        let changed = &account.password_changed;
        Self {
            id,
            user: hasher.user(&account.dn),
            phone: hasher.phone(&account.phone),
            numbers: counted_numbers(account)
                .map(|number| hasher.phone(number))
                .collect(),
            allowed: account.allowed,
            password: (!changed.is_empty()).then(|| hasher.password(changed)),
            origin: account.origin_key.as_deref().map(|key| hasher.origin(key)),
            login: account.login.to_string(),
            parts: account.segments,
            sms: limits.sms.iter().map(Limit::from).collect(),
            total: limits.sms_total.iter().map(Limit::from).collect(),
            failures: limits.failures,
            lock: millis(limits.lock),
            disable_after: limits.disable_after,
            remember: rules.remember.map(millis),
            new_phone: millis(rules.new_phone),
            at: None,
            seal: None,
            attempts: None,
            name: None,
        }
    }

    /// Removes the origin, so that no remembered login counts.
    pub(super) fn without_origin(mut self) -> Self {
        self.origin = None;
        self
    }

    /// Adds the sealed record that remembers this login, which was admitted at this time.
    pub(super) fn with_record(mut self, at: Option<u64>, hasher: &Hasher) -> Self {
        self.seal = at.and_then(|at| self.seal(&self.login, at, hasher));
        self.at = at;
        self
    }

    /// Computes the seal of a record of this user, with this origin, password and phone, for the login that
    /// it remembers and its time. `None`: the account has no origin.
    pub(super) fn seal(&self, login: &str, at: u64, hasher: &Hasher) -> Option<String> {
        let origin = self.origin.as_deref()?;
        let password = self.password.as_deref().unwrap_or_default();
        let at = at.to_string();
        Some(hasher.seal(&[&self.user, origin, login, &at, password, &self.phone]))
    }

    pub(super) fn with_name(mut self, name: &str) -> Self {
        self.name = Some(name.chars().take(MAX_NAME).collect());
        self
    }
}

/// Returns the numbers of an account that count, in an order that does not change: of too many, the one that
/// receives the code and always the same others.
pub(super) fn counted_numbers(account: &Account) -> impl Iterator<Item = &Phone> {
    let mut numbers: Vec<&Phone> = account.numbers.iter().collect();
    if numbers.len() > MAX_NUMBERS {
        numbers.sort_by_key(|number| (**number != account.phone, *number));
        numbers.dedup();
    }
    numbers.into_iter().take(MAX_NUMBERS)
}

/// Releases an SMS.
#[derive(Debug, Serialize)]
pub(super) struct ReleaseRequest {
    pub(super) id: String,
    pub(super) at: u64,
    pub(super) parts: u16,
}

/// Records that the system log has announced these numbers.
#[derive(Debug, Serialize)]
pub(super) struct AnnouncedRequest {
    pub(super) new: Vec<String>,
}

/// Subtracts guesses that were shown to the user.
#[derive(Debug, Serialize)]
pub(super) struct GuessesRequest {
    pub(super) id: String,
    pub(super) guesses: u32,
}

/// Asks for the status of a user, or unlocks them.
#[derive(Debug, Serialize)]
pub(super) struct UserRequest<'a> {
    #[serde(rename = "person")]
    pub(super) user: &'a str,
    pub(super) forget: bool,
}
