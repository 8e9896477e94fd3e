//! Made-up people, the limits as they come, and the names that peers keep them by.
#![forbid(unsafe_code)]

use ring::hmac;
use sms_otp::{
    config::{Limits, Rule},
    id::LoginId,
    ledger::{Account, Rules},
    phone::Phone,
};
use std::time::{Duration, SystemTime};

/// A name as the peers keep it: a keyed hash, as long as the ledger's own.
pub type Name = [u8; 16];

/// Person so-and-so. Numbers are Ofcom's for drama, which are a thousand.
pub fn account(person: u64) -> Account {
    let phone = Phone::read(&number(person), None).expect("a number");
    Account {
        allowed: true,
        login: LoginId([0; 4]),
        person: dn(person),
        name: format!("person{person}"),
        numbers: vec![phone.clone()],
        phone,
        password_changed: "20260101000000Z".to_owned(),
        place: None,
        segments: 1,
    }
}

fn dn(person: u64) -> String {
    format!("uid=person{person},ou=people,dc=example,dc=org")
}

fn number(person: u64) -> String {
    format!("+447700900{:03}", person % 1000)
}

/// As `conf/sms_otp.toml` names them.
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
        stands_in: false,
        limits,
        remember: None,
        new_phone: Duration::ZERO,
    }
}

/// A person and his phone, by keyed hashes.
pub fn names(person: u64) -> (Name, Name) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"the key of this host's peers");
    let name = |text: String| {
        let hash = hmac::sign(&key, text.as_bytes());
        let mut name = Name::default();
        name.copy_from_slice(&hash.as_ref()[..16]);
        name
    };
    (name(dn(person)), name(number(person)))
}

/// The calendar's time, in milliseconds: what the peers go by.
pub fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}
