//! What becomes of a panic in a login's process.
#![forbid(unsafe_code)]

use std::{os::unix::net::UnixDatagram, panic::panic_any, sync::OnceLock, time::Duration};

use super::{caught, host_watcher::watch};
use crate::{
    auth_log::{AuthLog, LogContext},
    deadline::Moment,
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
    login::{Counts, LoginResult},
    verdict::Outcome,
};

/// A payload that is not done with when it has been caught.
struct Again;

impl Drop for Again {
    fn drop(&mut self) {
        panic!("once more");
    }
}

/// What a panic's message may hold.
const CODE: &str = "493817";

/// A log, and where its lines come out.
fn log() -> (OnceLock<AuthLog>, UnixDatagram) {
    let (log, lines) = AuthLog::for_a_test(&LogContext {
        login: LoginId([0; 4]),
        service: "sshd",
        user: b"alice",
        rhost: "",
        tag: "sshd",
        pid: 1,
        debug: true,
    });
    lines.set_nonblocking(true).unwrap();
    (OnceLock::from(log), lines)
}

/// There is one line, and it says where and never what.
fn told_once(lines: &UnixDatagram) {
    let mut buffer = [0; 4096];
    let length = lines.recv(&mut buffer).unwrap();
    let line = String::from_utf8_lossy(&buffer[..length]).into_owned();
    assert!(line.starts_with("<83>"), "authpriv, an error: {line}");
    let failed = "pam_sms_otp(sshd:auth): failed login=00000000 user=? stage=helper reason=helper ";
    let detail = "detail=\"the helper panicked at ";
    assert!(line.contains(&format!("{failed}{detail}")), "{line}");
    assert!(!line.contains(CODE), "{line}");
    assert!(lines.recv(&mut buffer).is_err(), "a second line");
}

/// Without a verdict the module answers `PAM_SERVICE_ERR`.
#[test]
fn a_panic_leaves_no_verdict() {
    let (log, lines) = log();
    assert_eq!(caught(&log, || 7), Some(7));
    assert_eq!(caught::<()>(&log, || panic!("an odd code {CODE}")), None);
    told_once(&lines);
    // The login has had its last line.
    assert_eq!(caught::<()>(&log, || panic_any(Again)), None);
    assert!(lines.recv(&mut [0; 1]).is_err());
    // Before there is a log.
    assert_eq!(caught::<()>(&OnceLock::new(), || panic!("{CODE}")), None);
}

/// After it the process ends: a login without this thread does not go on.
#[test]
fn a_panic_while_watching_the_host_is_logged() {
    let (log, lines) = log();
    watch(&log, || panic!("the clock, and {CODE}"));
    told_once(&lines);
    watch(&log, || panic_any(Again));
    assert!(lines.recv(&mut [0; 1]).is_err());
    watch(&OnceLock::new(), || ());
}

/// Time that was spent on what fails on this machine leaves a later login its whole deadline.
#[test]
fn a_local_failure_uses_up_no_time_of_the_handle() {
    let counts = |seconds| Counts {
        waited: Duration::from_secs(seconds),
        ..Counts::default()
    };
    let waited = |kind| {
        let outcome = Outcome::Failed(Failure::new(Stage::Ledger, kind, "", ""));
        let ended = LoginResult {
            outcome,
            first: None,
            error_text: None,
            info_text: None,
            delay_start: Moment::at(Duration::ZERO),
            counts: counts(7),
        };
        super::waited(counts(2), &ended)
    };
    assert_eq!(waited(FailureKind::Local), Duration::from_secs(2));
    assert_eq!(waited(FailureKind::Outage), Duration::from_secs(7));
    assert_eq!(waited(FailureKind::Helper), Duration::from_secs(7));
}
