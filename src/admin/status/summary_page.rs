//! The totals of one ledger.
#![forbid(unsafe_code)]

use serde_json::{Value, json};

use super::format::{Page, add_line, seconds};
use crate::{
    config::{Limits, human_duration},
    ledger::{Backend, FailedAccount, Summary},
};

pub fn page(backend: Backend, summary: &Summary, limits: &Limits) -> Page {
    Page {
        text: text(backend, summary, limits),
        json: json(backend, summary, limits),
    }
}

fn text(backend: Backend, summary: &Summary, limits: &Limits) -> String {
    let mut text = format!("{backend}\n");
    let mut line = |name: &str, value: &str| add_line(&mut text, name, value);
    let sent = format!("{} SMS in {} segments", summary.sms, summary.segments);
    let limit = limits.sms_total.map(|rule| format!(", limit {rule}"));
    line("last 24 hours", &(sent + &limit.unwrap_or_default()));
    for (name, number) in [
        ("people", summary.users),
        ("phones", summary.phones),
        ("remembered", summary.remembered),
    ] {
        if let Some(number) = number {
            line(name, &number.to_string());
        }
    }
    if let Some(size) = summary.size {
        line("size", &format!("{} KB", size.div_ceil(1024)));
    }
    for account in &summary.failed {
        let (name, failures) = (printable(&account.name), account.failures);
        let lock = match account.locked {
            _ if limits.disable(failures) => {
                format!(", locked until `sms-otp unlock {name}`")
            }
            Some(remaining) => format!(", locked for {} more", human_duration(remaining)),
            None => String::new(),
        };
        line("wrong codes", &format!("{name}: {failures}{lock}"));
    }
    text
}

fn json(backend: Backend, summary: &Summary, limits: &Limits) -> Value {
    let failed = |account: &FailedAccount| {
        let is_disabled = limits.disable(account.failures);
        json!({
            "user": printable(&account.name),
            "failures": account.failures,
            "locked": is_disabled || account.locked.is_some(),
            "disabled": is_disabled,
            "locked_for_s": account.locked.filter(|_| !is_disabled).map(seconds),
        })
    };
    json!({
        "ledger": backend.name(),
        "sms_24h": summary.sms,
        "segments_24h": summary.segments,
        "people": summary.users,
        "phones": summary.phones,
        "remembered": summary.remembered,
        "size_bytes": summary.size,
        "wrong_codes": summary.failed.iter().map(failed).collect::<Vec<_>>(),
    })
}

/// A name from the directory, fit for a terminal.
fn printable(name: &str) -> String {
    let is_printable = |letter: char| matches!(letter, ' '..='~') || letter.is_alphanumeric();
    let letters = name.chars();
    letters
        .map(|letter| if is_printable(letter) { letter } else { '?' })
        .collect()
}
