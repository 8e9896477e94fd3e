//! A panic in the helper, and the time that a failed login uses.
#![forbid(unsafe_code)]

use std::{os::unix::net::UnixDatagram, panic::panic_any, sync::OnceLock, time::Duration};

use super::{conclusion, host_watcher::is_stopped, module_link::End, panics::catch_panic};
use crate::{
    auth_log::{AuthLog, LogContext},
    deadline::Moment,
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
    login::{Counts, LoginResult},
    verdict::Outcome,
};

/// A payload that panics when it is dropped.
struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("a second panic");
    }
}

/// A secret in the message of a panic.
const CODE: &str = "493817";

/// A log, and the socket that receives its lines.
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

/// There is one line. It contains the place of the panic, but not its message.
fn is_logged_once(lines: &UnixDatagram) {
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
    assert_eq!(catch_panic(&log, || 7), Some(7));
    let code = catch_panic::<()>(&log, || panic!("an odd code {CODE}"));
    assert_eq!(code, None);
    is_logged_once(&lines);
    // The final line of the login is written already.
    let again = catch_panic::<()>(&log, || panic_any(PanicsAgain));
    assert_eq!(again, None);
    assert!(lines.recv(&mut [0; 1]).is_err());
    // Before there is a log.
    let early = catch_panic::<()>(&OnceLock::new(), || panic!("{CODE}"));
    assert_eq!(early, None);
}

/// The process ends after it: no login continues without this thread.
#[test]
fn a_panic_while_watching_the_host_is_logged() {
    let (log, lines) = log();
    assert!(!is_stopped(&log, || panic!("the clock, and {CODE}")));
    is_logged_once(&lines);
    assert!(!is_stopped(&log, || panic_any(PanicsAgain)));
    assert!(lines.recv(&mut [0; 1]).is_err());
    assert!(!is_stopped(&OnceLock::new(), || End::Disconnected));
    assert!(is_stopped(&OnceLock::new(), || End::Stopped));
}

/// A later login on the handle keeps its whole deadline.
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
        conclusion::waited(counts(2), &ended)
    };
    assert_eq!(waited(FailureKind::Local), Duration::from_secs(2));
    assert_eq!(waited(FailureKind::Outage), Duration::from_secs(7));
    assert_eq!(waited(FailureKind::Helper), Duration::from_secs(7));
}
