//! `sms-otp unlock`: ends a lock.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use super::{Refused, Told, person};
use crate::{
    config::{Settings, human_duration},
    deadline::Deadline,
    ledger::AccountStatus,
};

/// Unlocks in every ledger that this host counts in, also where another of them does not answer.
pub(super) fn tell(
    settings: &Settings,
    user: &str,
    forget: bool,
    by: Deadline,
) -> Result<Told, Refused> {
    let person = person::find(settings, user, by)?;
    let mut told = Told::default();
    let mut known = false;
    for (backend, store) in super::books(settings).each() {
        match store.and_then(|store| store.unlock(&person, forget, by)) {
            Ok(was) => {
                known |= was.known;
                let _ = writeln!(told.text, "{backend}: {}", said(&was, forget));
            }
            Err(error) => told.failed(backend, &error),
        }
    }
    // Whoever gives a DN is not told by the directory that he has mistyped it.
    if !known && told.failures.is_empty() && user.contains('=') {
        let shown = user.escape_debug();
        return Err(Refused(format!("the ledger knows nobody by {shown}")));
    }
    Ok(told)
}

fn said(was: &AccountStatus, forget: bool) -> String {
    let codes = match was.failures {
        0 => "no wrong codes were counted".to_owned(),
        1 => "1 wrong code forgiven".to_owned(),
        many => format!("{many} wrong codes forgiven"),
    };
    let lock = was
        .locked
        .map(|left| format!(", a lock of {} more ended", human_duration(left)));
    let forgotten = match was.remembered.len() {
        _ if !forget => String::new(),
        1 => ", 1 remembered login forgotten".to_owned(),
        many => format!(", {many} remembered logins forgotten"),
    };
    format!("{codes}{}{forgotten}", lock.unwrap_or_default())
}
