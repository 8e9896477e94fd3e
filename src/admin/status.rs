//! `sms-otp status`: what the ledger knows, of one person or in all.
#![forbid(unsafe_code)]

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{Refused, Told, person};
use crate::{
    config::{Limits, Rule, Settings, human_duration},
    deadline::Deadline,
    ledger::{AccountStatus, Backend, Summary},
};

/// Looks into every ledger that this host counts in, also where another of them does not answer.
pub(super) fn tell(
    settings: &Settings,
    user: Option<&str>,
    json: bool,
    by: Deadline,
) -> Result<Told, Refused> {
    let person = user
        .map(|user| person::find(settings, user, by))
        .transpose()?;
    let mut told = Told::default();
    let mut ledgers = Vec::new();
    for (backend, store) in super::books(settings).each() {
        let page = store.and_then(|store| match (user, &person) {
            (Some(user), Some(person)) => store
                .status(person, by)
                .map(|status| Page::of_person(backend, user, &status, settings)),
            _ => store
                .summary(by)
                .map(|all| Page::of_all(backend, &all, &settings.limits)),
        });
        match page {
            Ok(page) => {
                told.text.push_str(&page.text);
                ledgers.push(page.json);
            }
            Err(error) => {
                ledgers.push(json!({ "ledger": backend.name(), "error": error.to_string() }));
                told.failed(backend, &error);
            }
        }
    }
    if json {
        told.text = format!("{:#}\n", json!({ "ledgers": ledgers }));
    }
    Ok(told)
}

/// One ledger's answer, for people and for machines.
struct Page {
    text: String,
    json: Value,
}

impl Page {
    fn of_person(
        backend: Backend,
        user: &str,
        status: &AccountStatus,
        settings: &Settings,
    ) -> Self {
        let limits = &settings.limits;
        let disabled = limits.disable(status.failures);
        let lock = match status.locked {
            _ if disabled => format!("until `sms-otp unlock {user}`"),
            Some(left) => format!("for {} more", human_duration(left)),
            None => "none".to_owned(),
        };
        let mut text = format!("{user}, in {backend}\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<18}{value}");
        };
        if !status.known {
            line("known", "no");
        }
        line(
            "wrong codes",
            &format!("{} since the last success", status.failures),
        );
        line("lock", &lock);
        let sms: Vec<Value> = limits
            .sms
            .iter()
            .map(|rule| window(status, *rule))
            .collect();
        for rule in &limits.sms {
            let sent = status.used(*rule);
            let wait = status.wait(*rule);
            let room = match wait {
                Duration::ZERO => String::new(),
                wait => format!(", the next in {}", human_duration(wait)),
            };
            line("SMS", &format!("{sent} of {rule}{room}"));
        }
        line("numbers known", &status.numbers.to_string());
        let remembered: Vec<_> = status
            .remembered
            .iter()
            .map(|(login, ago)| (login, ago, left(settings, *ago)))
            .filter(|(_, _, left)| *left != Some(Duration::ZERO))
            .collect();
        for (login, ago, left) in &remembered {
            let until = match left {
                Some(left) => format!(", for {} more", human_duration(*left)),
                None => ", for as long as its service says".to_owned(),
            };
            line(
                "remembered",
                &format!("login {login}, {} ago{until}", human_duration(**ago)),
            );
        }
        let json = json!({
            "ledger": backend.name(),
            "user": user,
            "known": status.known,
            "failures": status.failures,
            "locked": disabled || status.locked.is_some(),
            "disabled": disabled,
            "locked_for_s": status.locked.filter(|_| !disabled).map(seconds),
            "sms": sms,
            "numbers": status.numbers,
            "remembered": remembered
                .iter()
                .map(|(login, ago, left)| json!({
                    "login": login.to_string(),
                    "ago_s": ago.as_secs(),
                    "left_s": left.map(seconds),
                }))
                .collect::<Vec<_>>(),
        });
        Self { text, json }
    }

    fn of_all(backend: Backend, all: &Summary, limits: &Limits) -> Self {
        let mut text = format!("{backend}\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<18}{value}");
        };
        let brake = limits.sms_total.map(|rule| format!(", limit {rule}"));
        let sent = format!("{} SMS in {} segments", all.sms, all.segments);
        line("last 24 hours", &(sent + &brake.unwrap_or_default()));
        let known = [
            ("people", all.users),
            ("phones", all.phones),
            ("remembered", all.remembered),
        ];
        for (name, number) in known {
            if let Some(number) = number {
                line(name, &number.to_string());
            }
        }
        if let Some(size) = all.size {
            line("size", &format!("{} KB", size.div_ceil(1024)));
        }
        for account in &all.failed {
            let lock = match account.locked {
                _ if limits.disable(account.failures) => {
                    format!(", locked until `sms-otp unlock {}`", shown(&account.name))
                }
                Some(left) => format!(", locked for {} more", human_duration(left)),
                None => String::new(),
            };
            line(
                "wrong codes",
                &format!("{}: {}{lock}", shown(&account.name), account.failures),
            );
        }
        let json = json!({
            "ledger": backend.name(),
            "sms_24h": all.sms,
            "segments_24h": all.segments,
            "people": all.users,
            "phones": all.phones,
            "remembered": all.remembered,
            "size_bytes": all.size,
            "wrong_codes": all.failed.iter()
                .map(|account| {
                    let disabled = limits.disable(account.failures);
                    json!({
                        "user": shown(&account.name),
                        "failures": account.failures,
                        "locked": disabled || account.locked.is_some(),
                        "disabled": disabled,
                        "locked_for_s": account.locked.filter(|_| !disabled).map(seconds),
                    })
                })
                .collect::<Vec<_>>(),
        });
        Self { text, json }
    }
}

/// A name that came from elsewhere, fit for a terminal.
fn shown(name: &str) -> String {
    let fit = |letter: char| matches!(letter, ' '..='~') || letter.is_alphanumeric();
    let letters = name.chars();
    letters.map(|c| if fit(c) { c } else { '?' }).collect()
}

/// What is left of a remembered login. `None`: only services of their own remember, each for as
/// long as it says.
fn left(settings: &Settings, ago: Duration) -> Option<Duration> {
    settings
        .policy
        .remember
        .map(|span| span.saturating_sub(ago))
}

fn window(status: &AccountStatus, rule: Rule) -> Value {
    json!({
        "rule": rule.to_string(),
        "used": status.used(rule),
        "next_in_s": seconds(status.wait(rule)),
    })
}

/// Whole seconds, rounded up: who waits as long is not too early.
fn seconds(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0))
}
