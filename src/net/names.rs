//! Names to addresses, before a deadline.
#![forbid(unsafe_code)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::mpsc,
    thread,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};

use super::{Error, printable};
use crate::deadline::{self, Deadline};

/// Addresses of one name that are tried. More are somebody's joke.
const MOST_ADDRESSES: usize = 16;

/// Where name servers listen.
const DNS: u16 = 53;

/// Stack of the thread that looks a name up: NSS modules (sss, resolve, mdns) run on it.
/// Explicit, because `RUST_MIN_STACK` would otherwise have a say.
const LOOK_UP_STACK: usize = 512 * 1024;

/// For tests: a name with two addresses, on any machine.
#[cfg(test)]
pub(crate) const BOTH: &str = "both.test";

/// What `host` stands for. Asks nobody when it is an address already, or this machine's own name.
pub(super) fn addresses(
    host: &str,
    port: u16,
    place: &str,
    by: Deadline,
) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        // The settings let this name go without TLS, so no name service says what it stands for
        // (RFC 6761 section 6.3). One address only: on the other one, which its server does not
        // listen on, anybody on this machine may, and would be asked as soon as the server is slow.
        return Ok(vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)]);
    }
    #[cfg(test)]
    if host == BOTH {
        let v6 = std::net::Ipv6Addr::LOCALHOST.into();
        let both = [Ipv4Addr::LOCALHOST.into(), v6];
        return Ok(both.map(|address| SocketAddr::new(address, port)).to_vec());
    }
    let name = host.to_owned();
    let answer = within(by, move || {
        (name.as_str(), port)
            .to_socket_addrs()
            .map(|found| found.take(MOST_ADDRESSES).collect::<Vec<_>>())
    })
    .map_err(|error| Error::Local(format!("{place}: no thread for the name look-up: {error}")))?;
    match answer {
        None => Err(Error::Outage(format!("{place}: name look-up timed out"))),
        Some(Ok(found)) if found.is_empty() => {
            Err(Error::Outage(format!("{place}: the name has no address")))
        }
        Some(Ok(found)) => Ok(found),
        // std tells an errno only for EAI_SYSTEM, and libc's words otherwise: of those failures one is
        // this machine's (EAI_MEMORY), all others are an outage.
        Some(Err(error)) if is_out_of_memory(&error) => Err(Error::Local(format!(
            "{place}: no memory for the name look-up"
        ))),
        Some(Err(error)) => Err(match Error::io(place, &error) {
            Error::Outage(_) if no_port_is_left() => Error::Local(format!(
                "{place}: no local port is left for the name look-up"
            )),
            Error::Outage(_) => {
                Error::Outage(printable(&format!("{place}: name look-up failed: {error}")))
            }
            other => other,
        }),
    }
}

/// As glibc and musl say it.
fn is_out_of_memory(error: &io::Error) -> bool {
    let text = error.to_string();
    text.ends_with("Memory allocation failure") || text.ends_with("Out of memory")
}

/// Whether no datagram can be sent because all local ports are taken, which anybody on this machine
/// may do. The C library does not tell that from a name server that is silent; `connect(2)` gives
/// EAGAIN before anything else (ip(7)).
fn no_port_is_left() -> bool {
    let is_left = |family, address: IpAddr| {
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        connect(socket, &SocketAddr::new(address, DNS))
    };
    let v4 = is_left(AddressFamily::INET, Ipv4Addr::LOCALHOST.into());
    let v6 = is_left(AddressFamily::INET6, Ipv6Addr::LOCALHOST.into());
    [v4, v6].contains(&Err(Errno::AGAIN))
}

/// Runs what cannot be interrupted (`getaddrinfo` has no timeout of its own) in a thread, and waits
/// for it no longer than the deadline. A thread that lingers ends with the process, and the
/// helper's process ends with the login. `Ok(None)`: too late.
pub(super) fn within<T: Send + 'static>(
    by: Deadline,
    slow: impl FnOnce() -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let (done, result) = mpsc::sync_channel(1);
    let thread = thread::Builder::new()
        .name("look-up".to_owned())
        .stack_size(LOOK_UP_STACK)
        .spawn(move || done.send(slow()))?;
    Ok(deadline::hear(&result, thread, by))
}
