//! `sms-otp status`: the ledger's record of one account, or its totals.
#![forbid(unsafe_code)]

mod account_page;
mod format;
mod summary_page;

use serde_json::json;

use super::{
    account,
    report::{CommandError, Report},
};
use crate::{config::Settings, deadline::Deadline, ledger::FallbackStore};

/// Reports from every ledger of this host, even if another of them fails.
pub fn run(
    settings: &Settings,
    user: Option<&str>,
    json: bool,
    by: Deadline,
) -> Result<Report, CommandError> {
    let account = user
        .map(|user| account::resolve(settings, user, by))
        .transpose()?;
    let mut report = Report::default();
    let mut ledgers = Vec::new();
    for (backend, ledger) in FallbackStore::open(&settings.ledger).each() {
        let page = ledger.and_then(|ledger| match (user, &account) {
            (Some(user), Some(account)) => ledger
                .status(account, by)
                .map(|status| account_page::page(backend, user, &status, settings)),
            _ => ledger
                .summary(by)
                .map(|summary| summary_page::page(backend, &summary, &settings.limits)),
        });
        match page {
            Ok(page) => {
                report.text.push_str(&page.text);
                ledgers.push(page.json);
            }
            Err(failure) => {
                ledgers.push(json!({ "ledger": backend.name(), "error": failure.what }));
                report.add_failure(backend, &failure);
            }
        }
    }
    if json {
        report.text = format!("{:#}\n", json!({ "ledgers": ledgers }));
    }
    Ok(report)
}
