use std::thread;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::*;

/// A link, and the other end of its socket.
fn link() -> (ModuleLink, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    (ModuleLink::new(near), far)
}

#[test]
fn the_wait_for_a_disconnect_ends_with_the_module() {
    let (link, far) = link();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| link.wait_for_disconnect());
        drop(far);
        waiting.join().unwrap();
    });
}
