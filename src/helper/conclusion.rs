//! The end of a login: its final log line, the delay of a refusal, and the texts that are shown last.
#![forbid(unsafe_code)]

use std::time::Duration;

use protocol::{Code as Pam, FromHelper};

use super::module_link::{ModuleLink, SLACK};
use crate::{
    auth_log::AuthLog,
    config::Settings,
    deadline::Moment,
    failure::FailureKind,
    login::{self, Counts, LoginResult},
    sys,
    verdict::{Denied, Outcome},
};

/// Logs how the login ended, delays a refusal and shows the final texts. Returns what the module returns to
/// libpam, and the counts that it keeps.
pub fn conclude(
    result: &LoginResult,
    settings: &Settings,
    link: &ModuleLink,
    log: &AuthLog,
) -> (Pam, Counts) {
    match &result.outcome {
        Outcome::Granted(granted) => match granted.exemption() {
            None => log.granted(),
            Some(exemption) => log.skipped(exemption),
        },
        Outcome::LeftToStack(exemption) => log.skipped(exemption),
        Outcome::Denied(refusal) => {
            let remaining = settings.deadline.saturating_sub(result.counts.waited);
            log.denied(refusal, result.first, remaining);
        }
        Outcome::Failed(failure) => log.failed(failure),
    }
    let code = result.outcome.pam();
    if is_delayed(result, code) {
        let refuse_after = settings.password.refuse_after;
        let now = Moment::now();
        let return_at = login::refusal_time(result.delay_start, now, refuse_after, sys::random());
        std::thread::sleep(return_at.since(now));
    }
    if let Some(text) = &result.info_text {
        link.send(&FromHelper::ShowInfo(text), SLACK);
    }
    if let Some(text) = &result.error_text {
        link.send(&FromHelper::ShowError(text), SLACK);
    }
    (code, result.counts)
}

/// How long the user has waited on this handle. A local failure does not count: a caller can make it take long,
/// which would leave no time for the servers in a later login, and that would be an outage.
pub fn waited(before: Counts, result: &LoginResult) -> Duration {
    match &result.outcome {
        Outcome::Failed(failure) if failure.kind == FailureKind::Local => before.waited,
        _ => result.counts.waited,
    }
}

/// Whether `refuse_after` delays this end: it does where a quick return would distinguish user names or
/// passwords.
const fn is_delayed(result: &LoginResult, code: Pam) -> bool {
    if matches!(
        &result.outcome,
        Outcome::Denied(refusal) if matches!(refusal.reason, Denied::PasswordExpired)
    ) {
        return true;
    }
    match code {
        Pam::AuthErr | Pam::UserUnknown | Pam::AuthinfoUnavail => result.first.is_none(),
        Pam::Success
        | Pam::Ignore
        | Pam::MaxTries
        | Pam::MaxTriesForNow
        | Pam::ServiceErr
        | Pam::ConvErr => false,
    }
}
