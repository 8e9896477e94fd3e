//! `sms-otp status`: what the ledger knows, of one person or in all.
#![forbid(unsafe_code)]

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::{Refused, Told, person};
use crate::{
    config::{Limits, Rule, Settings, a_while},
    deadline::Deadline,
    ledger::{Keeper, Overview, Standing},
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
    for (keeper, store) in super::books(settings).each() {
        let page = store.and_then(|store| match (user, &person) {
            (Some(user), Some(person)) => store
                .standing(person, by)
                .map(|standing| Page::of_person(keeper, user, &standing, settings)),
            _ => store
                .overview(by)
                .map(|all| Page::of_all(keeper, &all, &settings.limits)),
        });
        match page {
            Ok(page) => {
                told.text.push_str(&page.text);
                ledgers.push(page.json);
            }
            Err(error) => {
                ledgers.push(json!({ "ledger": keeper.name(), "error": error.to_string() }));
                told.failed(keeper, &error);
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
    fn of_person(keeper: Keeper, user: &str, standing: &Standing, settings: &Settings) -> Self {
        let limits = &settings.limits;
        let disabled = limits.disable(standing.failures);
        let lock = match standing.locked {
            _ if disabled => format!("until `sms-otp unlock {user}`"),
            Some(left) => format!("for {} more", a_while(left)),
            None => "none".to_owned(),
        };
        let mut text = format!("{user}, in {keeper}\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<18}{value}");
        };
        if !standing.known {
            line("known", "no");
        }
        line(
            "wrong codes",
            &format!("{} since the last success", standing.failures),
        );
        line("lock", &lock);
        let sms: Vec<Value> = limits
            .sms
            .iter()
            .map(|rule| window(standing, *rule))
            .collect();
        for rule in &limits.sms {
            let sent = standing.used(*rule);
            let wait = standing.wait(*rule);
            let room = match wait {
                Duration::ZERO => String::new(),
                wait => format!(", the next in {}", a_while(wait)),
            };
            line("SMS", &format!("{sent} of {rule}{room}"));
        }
        line("numbers known", &standing.numbers.to_string());
        let remembered: Vec<_> = standing
            .remembered
            .iter()
            .map(|(login, ago)| (login, ago, left(settings, *ago)))
            .filter(|(_, _, left)| *left != Some(Duration::ZERO))
            .collect();
        for (login, ago, left) in &remembered {
            let until = match left {
                Some(left) => format!(", for {} more", a_while(*left)),
                None => ", for as long as its service says".to_owned(),
            };
            line(
                "remembered",
                &format!("login {login}, {} ago{until}", a_while(**ago)),
            );
        }
        let json = json!({
            "ledger": keeper.name(),
            "user": user,
            "known": standing.known,
            "failures": standing.failures,
            "locked": disabled || standing.locked.is_some(),
            "disabled": disabled,
            "locked_for_s": standing.locked.filter(|_| !disabled).map(seconds),
            "sms": sms,
            "numbers": standing.numbers,
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

    fn of_all(keeper: Keeper, all: &Overview, limits: &Limits) -> Self {
        let mut text = format!("{keeper}\n");
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<18}{value}");
        };
        let brake = limits.sms_total.map(|rule| format!(", limit {rule}"));
        let sent = format!("{} SMS in {} segments", all.sms, all.segments);
        line("last 24 hours", &(sent + &brake.unwrap_or_default()));
        let known = [
            ("people", all.people),
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
        for suspect in &all.suspects {
            let lock = match suspect.locked {
                _ if limits.disable(suspect.failures) => {
                    format!(", locked until `sms-otp unlock {}`", shown(&suspect.name))
                }
                Some(left) => format!(", locked for {} more", a_while(left)),
                None => String::new(),
            };
            line(
                "wrong codes",
                &format!("{}: {}{lock}", shown(&suspect.name), suspect.failures),
            );
        }
        let suspects = all.suspects.iter();
        let json = json!({
            "ledger": keeper.name(),
            "sms_24h": all.sms,
            "segments_24h": all.segments,
            "people": all.people,
            "phones": all.phones,
            "remembered": all.remembered,
            "size_bytes": all.size,
            "wrong_codes": suspects
                .map(|suspect| {
                    let disabled = limits.disable(suspect.failures);
                    json!({
                        "user": shown(&suspect.name),
                        "failures": suspect.failures,
                        "locked": disabled || suspect.locked.is_some(),
                        "disabled": disabled,
                        "locked_for_s": suspect.locked.filter(|_| !disabled).map(seconds),
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

fn window(standing: &Standing, rule: Rule) -> Value {
    json!({
        "rule": rule.to_string(),
        "used": standing.used(rule),
        "next_in_s": seconds(standing.wait(rule)),
    })
}

/// Whole seconds, rounded up: who waits as long is not too early.
fn seconds(time: Duration) -> u64 {
    time.as_secs()
        .saturating_add(u64::from(time.subsec_nanos() > 0))
}
