//! Ports below 1024, which only root can bind: `ldap://` without TLS is accepted on no others.
#![forbid(unsafe_code)]

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, Ordering};

/// The highest one.
const HIGHEST: u16 = 1023;

/// The lowest one that is tried: below it well-known servers may run.
const LOWEST: u16 = 640;

/// All of them, each call and each process from another one on: a port that was free for one server is
/// not at once given to the next.
fn candidates() -> impl Iterator<Item = u16> {
    static SERIAL: AtomicU16 = AtomicU16::new(0);
    let count = HIGHEST - LOWEST + 1;
    let serial = u32::from(SERIAL.fetch_add(1, Ordering::Relaxed));
    let first = (std::process::id().wrapping_mul(61) + serial) % u32::from(count);
    let first = u16::try_from(first).expect("less than 1024");
    (0..count).map(move |step| LOWEST + (first + step) % count)
}

/// A listener below 1024 on 127.0.0.1. Without root it is any other.
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

/// Port 389 of an address on loopback that nothing else in this run has: there are more of them than
/// ports.
pub fn ldap_address() -> SocketAddr {
    static SERIAL: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let [page, last] = SERIAL.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    // 127.128.0.0/9, by process and serial.
    let second = 128 | ((high ^ page) & 0x7f);
    (Ipv4Addr::new(127, second, low, last), 389).into()
}
