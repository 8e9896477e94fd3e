use std::thread;

use rustix::{
    event::{EventfdFlags, eventfd},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};

use super::*;
use crate::failure::Stage;

/// A remote, and the other end of its wire.
fn remote() -> (Remote, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    (Remote::new(near), far)
}

fn blamed(remote: &Remote, kind: FailureKind) -> Failure {
    let mut failed = Failure::new(Stage::Directory, kind, "timed out", "");
    remote.blame_this_machine(&mut failed, Duration::from_secs(5));
    failed
}

#[test]
fn whoever_has_stood_still_is_blamed() {
    let (remote, _far) = remote();
    // What passes before the work begins uses no time up, and is no concern of anybody's.
    thread::sleep(Duration::from_millis(1300));
    let _duty = remote.begin();
    assert_eq!(
        blamed(&remote, FailureKind::Outage).kind,
        FailureKind::Outage
    );
    // As good as stopped: it says nothing meanwhile.
    thread::sleep(Duration::from_millis(1300));
    let failed = blamed(&remote, FailureKind::Outage);
    assert_eq!(failed.kind, FailureKind::Local);
    assert!(failed.what.starts_with("this process stood still for "));
    assert!(failed.what.ends_with(", then: timed out"));
    assert_eq!(
        blamed(&remote, FailureKind::Refused).kind,
        FailureKind::Refused
    );
    assert!(remote.stood_still_at_work() >= Duration::from_millis(1200));
}

#[test]
fn the_watch_ends_with_the_module() {
    let (remote, far) = remote();
    let rest = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    thread::scope(|scope| {
        let watch = scope.spawn(|| remote.wait_for_end(&rest));
        drop(far);
        assert!(matches!(watch.join().unwrap(), End::Gone));
    });
}
