//! Ports below 1024, which only root can bind: the settings accept `ldap://` without TLS on these only.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, Ordering};

/// The highest port.
const MAX_PORT: u16 = 1023;

/// The lowest port that is tried: well-known servers may use those below.
const MIN_PORT: u16 = 640;

/// Returns all of them. Each call and each process starts with another one, so that a port is not reused
/// immediately.
fn candidates() -> impl Iterator<Item = u16> {
    static SERIAL: AtomicU16 = AtomicU16::new(0);
    let count = MAX_PORT - MIN_PORT + 1;
    let serial = u32::from(SERIAL.fetch_add(1, Ordering::Relaxed));
    let first = (std::process::id().wrapping_mul(61) + serial) % u32::from(count);
    let first = u16::try_from(first).expect("less than 1024");
    (0..count).map(move |step| MIN_PORT + (first + step) % count)
}

/// Listens on a port below 1024 of 127.0.0.1. Without root it is any free port.
pub fn low() -> TcpListener {
    for port in candidates() {
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
    let low = candidates().find(|port| to(*port).is_ok());
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
