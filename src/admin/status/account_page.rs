//! The status of one account.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde_json::{Value, json};

use super::format::{Page, add_line, seconds};
use crate::{
    config::{Rule, Settings, human_duration},
    id::LoginId,
    ledger::{AccountStatus, Backend},
};

/// A remembered login that has not expired.
struct Remembered {
    login: LoginId,
    age: Duration,
    /// The rest of its time. `None`: only services with settings of their own remember logins, each for its own
    /// time.
    remaining: Option<Duration>,
}

pub fn page(backend: Backend, user: &str, status: &AccountStatus, settings: &Settings) -> Page {
    let remembered: Vec<_> = status
        .remembered
        .iter()
        .map(|(login, age)| Remembered {
            login: *login,
            age: *age,
            remaining: { settings.policy.remember }.map(|span| span.saturating_sub(*age)),
        })
        .filter(|login| login.remaining != Some(Duration::ZERO))
        .collect();
    Page {
        text: text(backend, user, status, settings, &remembered),
        json: json(backend, user, status, settings, &remembered),
    }
}

fn text(
    backend: Backend,
    user: &str,
    status: &AccountStatus,
    settings: &Settings,
    remembered: &[Remembered],
) -> String {
    let lock = match status.locked {
        _ if settings.limits.disable(status.failures) => {
            format!("until `sms-otp unlock {user}`")
        }
        Some(remaining) => format!("for {} more", human_duration(remaining)),
        None => "none".to_owned(),
    };
    let mut text = format!("{user}, in {backend}\n");
    let mut line = |name: &str, value: &str| add_line(&mut text, name, value);
    if !status.known {
        line("known", "no");
    }
    let wrong_codes = format!("{} since the last success", status.failures);
    line("wrong codes", &wrong_codes);
    line("lock", &lock);
    for rule in &settings.limits.sms {
        let wait = match status.wait(*rule) {
            Duration::ZERO => String::new(),
            wait => format!(", the next in {}", human_duration(wait)),
        };
        line("SMS", &format!("{} of {rule}{wait}", status.used(*rule)));
    }
    line("numbers known", &status.numbers.to_string());
    for Remembered {
        login,
        age,
        remaining,
    } in remembered
    {
        let until = match remaining {
            Some(remaining) => format!(", for {} more", human_duration(*remaining)),
            None => ", for as long as the settings of its service allow".to_owned(),
        };
        let age = human_duration(*age);
        line("remembered", &format!("login {login}, {age} ago{until}"));
    }
    text
}

fn json(
    backend: Backend,
    user: &str,
    status: &AccountStatus,
    settings: &Settings,
    remembered: &[Remembered],
) -> Value {
    let is_disabled = settings.limits.disable(status.failures);
    let window = |rule: &Rule| {
        json!({
            "rule": rule.to_string(),
            "used": status.used(*rule),
            "next_in_s": seconds(status.wait(*rule)),
        })
    };
    let login = |login: &Remembered| {
        json!({
            "login": login.login.to_string(),
            "ago_s": login.age.as_secs(),
            "left_s": login.remaining.map(seconds),
        })
    };
    json!({
        "ledger": backend.name(),
        "user": user,
        "known": status.known,
        "failures": status.failures,
        "locked": is_disabled || status.locked.is_some(),
        "disabled": is_disabled,
        "locked_for_s": status.locked.filter(|_| !is_disabled).map(seconds),
        "sms": settings.limits.sms.iter().map(window).collect::<Vec<_>>(),
        "numbers": status.numbers,
        "remembered": remembered.iter().map(login).collect::<Vec<_>>(),
    })
}
