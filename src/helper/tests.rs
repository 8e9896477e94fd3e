//! What becomes of a panic in a login's process.
#![forbid(unsafe_code)]

use std::{panic::panic_any, sync::OnceLock};

use super::{caught, remote::End, watch::rests};

/// A payload that is not done with when it has been caught.
struct Again;

impl Drop for Again {
    fn drop(&mut self) {
        panic!("once more");
    }
}

/// Without a verdict the module answers `PAM_SERVICE_ERR`.
#[test]
fn a_panic_leaves_no_verdict() {
    let log = OnceLock::new();
    assert_eq!(caught(&log, || 7), Some(7));
    assert_eq!(caught::<()>(&log, || panic!("an odd entry")), None);
    assert_eq!(caught::<()>(&log, || panic_any(Again)), None);
}

/// A login that nobody watches does not go on.
#[test]
fn a_panic_in_the_watch_is_its_end() {
    let log = OnceLock::new();
    assert!(rests(&log, || End::Rest));
    assert!(!rests(&log, || End::Gone));
    assert!(!rests(&log, || panic!("the clock")));
    assert!(!rests(&log, || panic_any(Again)));
}
