use std::thread;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;

/// A remote, and the other end of its wire.
fn remote() -> (Remote, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    (Remote::new(near), far)
}

#[test]
fn the_watch_ends_with_the_module() {
    let (remote, far) = remote();
    thread::scope(|scope| {
        let watch = scope.spawn(|| remote.wait_for_end());
        drop(far);
        watch.join().unwrap();
    });
}
