//! What becomes of a panic in a login's process.
#![forbid(unsafe_code)]

use std::{os::unix::net::UnixDatagram, panic::panic_any, sync::OnceLock};

use super::{caught, remote::End, watch::rests};
use crate::{
    auth_log::{AuthLog, LogContext},
    id::LoginId,
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

/// A login that nobody watches does not go on.
#[test]
fn a_panic_in_the_watch_is_its_end() {
    let (log, lines) = log();
    assert!(rests(&log, || End::Rest));
    assert!(!rests(&log, || panic!("the clock, and {CODE}")));
    told_once(&lines);
    assert!(!rests(&log, || panic_any(Again)));
    assert!(lines.recv(&mut [0; 1]).is_err());
    assert!(!rests(&OnceLock::new(), || End::Gone));
}

/// Time that was spent on what fails on this machine leaves a later login its whole deadline.
#[test]
fn a_local_failure_uses_up_no_time_of_the_handle() {
    let failed =
        |kind| super::Outcome::Failed(super::Failure::new(super::Stage::Ledger, kind, "", ""));
    let second = super::Duration::from_secs(1);
    let forgiven = |kind| super::forgiven(&failed(kind), second);
    assert_eq!(forgiven(super::FailureKind::Local), super::Duration::MAX);
    assert_eq!(forgiven(super::FailureKind::Outage), second);
    assert_eq!(forgiven(super::FailureKind::Helper), second);
}
