//! `sms-otp unlock`: ends a lock.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use super::{
    account,
    report::{CommandError, Report},
};
use crate::{
    config::{Settings, human_duration},
    deadline::Deadline,
    ledger::{AccountStatus, FallbackStore},
};

/// Unlocks the account in every ledger of this host, even if another of them fails.
pub fn run(
    settings: &Settings,
    user: &str,
    forget: bool,
    by: Deadline,
) -> Result<Report, CommandError> {
    let account = account::resolve(settings, user, by)?;
    let mut report = Report::default();
    let mut is_known = false;
    for (backend, ledger) in FallbackStore::open(&settings.ledger).each() {
        match ledger.and_then(|ledger| ledger.unlock(&account, forget, by)) {
            Ok(before) => {
                is_known |= before.known;
                let _ = writeln!(report.text, "{backend}: {}", ended(&before, forget));
            }
            Err(failure) => report.add_failure(backend, &failure),
        }
    }
    // A DN is not searched in the directory, so a misspelled one is detected here.
    if !is_known && report.errors.is_empty() && user.contains('=') {
        let shown = user.escape_debug();
        return Err(CommandError(format!(
            "the ledger has no account with the DN {shown}"
        )));
    }
    Ok(report)
}

/// What was ended, in words.
fn ended(before: &AccountStatus, forget: bool) -> String {
    let codes = match before.failures {
        0 => "no wrong codes were counted".to_owned(),
        1 => "1 wrong code forgiven".to_owned(),
        many => format!("{many} wrong codes forgiven"),
    };
    let lock = before.locked.map(|remaining| {
        let remaining = human_duration(remaining);
        format!(", a lock of {remaining} more ended")
    });
    let forgotten = match before.remembered.len() {
        _ if !forget => String::new(),
        1 => ", 1 remembered login forgotten".to_owned(),
        many => format!(", {many} remembered logins forgotten"),
    };
    format!("{codes}{}{forgotten}", lock.unwrap_or_default())
}
