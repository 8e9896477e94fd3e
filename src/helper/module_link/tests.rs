use std::thread;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use rustix::event::{EventfdFlags, eventfd};

use super::*;

/// A link, and the other end of its socket.
fn link() -> (ModuleLink, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (near, far) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    (ModuleLink::new(near), far)
}

#[test]
fn the_wait_for_the_end_ends_with_the_module_or_when_it_is_stopped() {
    let (link, far) = link();
    let event = || eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let stop = event();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| link.wait_for_end(&stop));
        rustix::io::write(&stop, &1_u64.to_ne_bytes()).unwrap();
        assert!(matches!(waiting.join().unwrap(), End::Stopped));
        // The end of the module counts more than a request to stop.
        drop(far);
        assert!(matches!(link.wait_for_end(&stop), End::Disconnected));
        assert!(matches!(link.wait_for_end(&event()), End::Disconnected));
    });
}
