//! Ports for servers: below 1024, which only root can bind (the settings accept `ldap://` without TLS on these
//! only), and below the range from which the kernel takes ports for connections (ip_local_port_range).
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports that only root can bind. Well-known servers may use those below.
const LOW: Range<u16> = 640..1024;

/// Ports that the kernel gives to no connection by default.
const OWN: Range<u16> = 12_000..32_000;

/// Returns all ports of a range. Each call and each process starts with another one, so that a port is not
/// reused immediately, and far enough from the one before, so that a call that skips a port in use does not
/// meet the next call.
fn candidates(range: Range<u16>) -> impl Iterator<Item = u16> {
    static SERIAL: AtomicU16 = AtomicU16::new(0);
    let count = range.end - range.start;
    let serial = u32::from(SERIAL.fetch_add(1, Ordering::Relaxed));
    let first = std::process::id().wrapping_add(serial).wrapping_mul(61) % u32::from(count);
    let first = u16::try_from(first).expect("less than the count");
    (0..count).map(move |step| range.start + (first + step) % count)
}

/// Returns a port that a server can bind a moment later: no connection gets it meanwhile. `None`: this
/// machine does not have the address.
pub fn free(address: IpAddr) -> Option<u16> {
    candidates(OWN).find_map(|port| match TcpListener::bind((address, port)) {
        Ok(_) => Some(Some(port)),
        Err(error) if error.kind() == ErrorKind::AddrInUse => None,
        Err(_) => Some(None),
    })?
}

/// Listens on a port below 1024 of 127.0.0.1. Without root it is any free port.
pub fn low() -> TcpListener {
    for port in candidates(LOW) {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener,
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(_) => break,
        }
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback")
}

/// Binds a socket to such a port.
pub fn bind_low(socket: impl AsFd) {
    let to = |port| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        rustix::net::bind(socket.as_fd(), &address)
    };
    let low = candidates(LOW).find(|port| to(*port).is_ok());
    if low.is_none() {
        to(0).expect("a port on loopback");
    }
}

/// Returns port 389 of a loopback address that this run has not used yet. There are more such addresses
/// than ports.
pub fn ldap_address() -> SocketAddr {
    static SERIAL: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let [page, last] = SERIAL.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    // 127.128.0.0/9, from process id and serial number.
    let second = 128 | ((high ^ page) & 0x7f);
    (Ipv4Addr::new(127, second, low, last), 389).into()
}
