//! `sms-otp unlock`: ends a lock.
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use super::{Refused, person};
use crate::{
    config::{Settings, a_while},
    deadline::Deadline,
    ledger::{Books, Standing},
};

/// Unlocks in every ledger that this host counts in.
pub(super) fn tell(
    settings: &Settings,
    user: &str,
    forget: bool,
    by: Deadline,
) -> Result<String, Refused> {
    let person = person::find(settings, user, by)?;
    let mut text = String::new();
    for (keeper, store) in Books::open(&settings.ledger).each() {
        let was = store?.unlock(&person.key, forget, by)?;
        let _ = writeln!(text, "{keeper}: {}", said(&was, forget));
    }
    Ok(text)
}

fn said(was: &Standing, forget: bool) -> String {
    let codes = match was.failures {
        0 => "no wrong codes were counted".to_owned(),
        1 => "1 wrong code forgiven".to_owned(),
        many => format!("{many} wrong codes forgiven"),
    };
    let lock = was
        .locked
        .map(|left| format!(", a lock of {} more ended", a_while(left)));
    let forgotten = match was.remembered.len() {
        _ if !forget => String::new(),
        1 => ", 1 remembered login forgotten".to_owned(),
        many => format!(", {many} remembered logins forgotten"),
    };
    format!("{codes}{}{forgotten}", lock.unwrap_or_default())
}
