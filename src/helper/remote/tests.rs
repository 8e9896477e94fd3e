use std::thread;

use rustix::{
    event::{EventfdFlags, eventfd},
    net::{AddressFamily, SocketFlags, SocketType, socketpair},
};

use super::*;
use crate::verdict::Stage;

/// A remote that nobody has heard of for so long, and the other end of its wire.
fn unheard_for(while_: Duration) -> (Remote, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let remote = Remote::new(near);
    let tick = remote.tick.load(Ordering::Relaxed);
    remote.tick.store(tick - millis(while_), Ordering::Relaxed);
    (remote, far)
}

/// One watch that ends as soon as it has begun.
fn look_once(remote: &Remote) {
    let rest = eventfd(1, EventfdFlags::CLOEXEC).unwrap();
    assert!(matches!(remote.wait_for_end(&rest), End::Rest));
}

fn blamed(remote: &Remote, fault: Fault) -> Failed {
    let mut failed = Failed {
        stage: Stage::Directory,
        fault,
        error: None,
        detail: "timed out".into(),
    };
    remote.blame_this_machine(&mut failed, Duration::from_secs(5));
    failed
}

#[test]
fn a_standstill_between_two_watches_counts() {
    let (remote, _far) = unheard_for(Duration::from_secs(30));
    assert!(remote.standstill().long >= Duration::from_secs(29));
    for _ in 0..2 {
        look_once(&remote);
        let stood_still = remote.standstill().long;
        assert!(stood_still >= Duration::from_secs(29), "{stood_still:?}");
        // Counted once.
        assert!(stood_still < Duration::from_secs(50), "{stood_still:?}");
    }
    let failed = blamed(&remote, Fault::Outage);
    assert_eq!(failed.fault, Fault::Local);
    assert!(failed.detail.starts_with("this process stood still for "));
    assert!(failed.detail.ends_with(", then: timed out"));
    assert_eq!(blamed(&remote, Fault::Refused).fault, Fault::Refused);
}

#[test]
fn who_has_not_stood_still_is_not_blamed() {
    let (remote, _far) = unheard_for(Duration::ZERO);
    look_once(&remote);
    assert_eq!(blamed(&remote, Fault::Outage).fault, Fault::Outage);
}

#[test]
fn the_watch_ends_with_the_module() {
    let (remote, far) = unheard_for(Duration::ZERO);
    let rest = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    thread::scope(|scope| {
        let watch = scope.spawn(|| remote.wait_for_end(&rest));
        drop(far);
        assert!(matches!(watch.join().unwrap(), End::Gone));
    });
}
