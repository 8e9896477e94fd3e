//! Test users, the default limits, and the keyed hashes that the other engines use as keys.
#![forbid(unsafe_code)]

use ring::hmac;
use sms_otp::{
    config::{Limits, Rule},
    id::LoginId,
    ledger::{Account, Rules},
    phone::Phone,
};
use std::time::{Duration, SystemTime};

/// The key of a row in the other engines: a keyed hash of the same length as the ledger's own.
pub type Name = [u8; 16];

/// Returns the account of the user with this index. The phone numbers are the thousand that Ofcom
/// reserves for fiction.
pub fn account(user: u64) -> Account {
    let phone = Phone::parse(&number(user), None).expect("a number");
    Account {
        allowed: true,
        login: LoginId([0; 4]),
        dn: dn(user),
        name: format!("user{user}"),
        numbers: vec![phone.clone()],
        phone,
        password_changed: "20260101000000Z".to_owned(),
        origin_key: None,
        segments: 1,
    }
}

fn dn(user: u64) -> String {
    format!("uid=user{user},ou=people,dc=example,dc=org")
}

fn number(user: u64) -> String {
    format!("+447700900{:03}", user % 1000)
}

/// The values of the sample file `conf/sms_otp.toml`.
pub fn limits() -> Limits {
    let rule = |most, within| Rule {
        most,
        within: Duration::from_secs(within),
    };
    Limits {
        sms: vec![rule(5, 900), rule(20, 86_400)],
        sms_total: Some(rule(500, 86_400)),
        pause: Duration::from_secs(30),
        failures: 10,
        lock: Duration::from_secs(900),
        disable_after: 100,
        allowed_prefixes: Vec::new(),
    }
}

pub fn rules(limits: &Limits) -> Rules<'_> {
    Rules {
        is_fallback: false,
        limits,
        remember: None,
        new_phone: Duration::ZERO,
    }
}

/// Returns the keyed hashes of a user and of their phone.
pub fn names(user: u64) -> (Name, Name) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"key of the compared engines");
    let name = |text: String| {
        let hash = hmac::sign(&key, text.as_bytes());
        let mut name = Name::default();
        name.copy_from_slice(&hash.as_ref()[..16]);
        name
    };
    (name(dn(user)), name(number(user)))
}

/// Returns the wall-clock time in milliseconds, which the other engines store.
pub fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
