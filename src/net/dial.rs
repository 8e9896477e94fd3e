//! Connecting to the addresses of a server.
#![forbid(unsafe_code)]

use std::{
    io,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType,
        sockopt::{Timeout, set_socket_timeout, socket_error},
    },
};

use super::{
    Addresses, Error, printable,
    ready::{expired, failed, wait_until_ready},
};
use crate::deadline::{Deadline, Moment, Wait};

/// The time limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// For everything.
    pub by: Deadline,
    /// For connecting, and for each step after that.
    pub step: Duration,
}

impl Timeouts {
    /// Returns the deadline of a step that begins now.
    #[must_use]
    pub fn step(self) -> Deadline {
        self.by.or_within(self.step)
    }
}

/// A connection to one address of a server.
#[derive(Debug)]
pub struct Connected {
    pub tcp: TcpStream,
    /// The limits for this address.
    pub timeouts: Timeouts,
    /// The address for error texts, ` (192.0.2.1)`; empty if the server has only one.
    pub which: String,
}

/// Why an address could not be used.
pub trait AttemptError: From<Error> {
    /// Whether the other addresses must not be tried: their result would be the same, or a request must not be
    /// repeated.
    fn is_final(&self) -> bool;

    /// Whether it may be temporary.
    fn is_outage(&self) -> bool;
}

impl AttemptError for Error {
    fn is_final(&self) -> bool {
        false
    }

    fn is_outage(&self) -> bool {
        Self::is_outage(self)
    }
}

/// Opens TCP connections (`TCP_NODELAY`) to a server's addresses in turn until `attempt` succeeds with one.
///
/// Each address gets an equal share of the time for connecting, so that an address that drops packets leaves
/// time for the next one. A connected address gets half of the remaining time, because a slow server is slow
/// at all of its addresses. Of several errors, the first that is not temporary is returned, otherwise the
/// last one: a certificate that does not verify must not be hidden by another address that is down.
pub fn dial<T, F: AttemptError>(
    server: &Addresses,
    timeouts: Timeouts,
    mut attempt: impl FnMut(Connected) -> Result<T, F>,
) -> Result<T, F> {
    let (peer, addresses) = (server.peer(), &server.found);
    let mut result = F::from(Error::Outage(format!("{peer}: no address")));
    let mut remaining = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut connect_time = timeouts.step;
    for address in addresses {
        let share = |of: Duration| of.checked_div(remaining).unwrap_or_default();
        let limit = share(connect_time).min(share(timeouts.by.left()));
        let began = Moment::now();
        let tcp = connect(address, timeouts.by.or_within(limit));
        connect_time = connect_time.saturating_sub(Moment::now().since(began));
        remaining = remaining.saturating_sub(1);
        let parts = if remaining > 0 { 2 } else { 1 };
        let part = timeouts.by.left().checked_div(parts).unwrap_or_default();
        let by = timeouts.by.or_within(part);
        let error = match tcp {
            Ok(tcp) => {
                let connected = Connected {
                    tcp,
                    timeouts: Timeouts { by, ..timeouts },
                    which: which(address, addresses),
                };
                match attempt(connected) {
                    Err(error) if !error.is_final() => error,
                    end => return end,
                }
            }
            Err(error) if is_disabled_loopback(address, &error) && addresses.len() > 1 => continue,
            Err(error) => connect_error(address, &peer, &error).into(),
        };
        if result.is_outage() {
            result = error;
        }
    }
    Err(result)
}

fn connect(address: &SocketAddr, by: Deadline) -> io::Result<TcpStream> {
    let wait = Wait::until(by);
    if by.is_over() {
        return Err(expired(wait));
    }
    let family = if address.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    match rustix::net::connect(&socket, address) {
        Err(Errno::INPROGRESS) => {
            wait_until_ready(&socket, PollFlags::OUT, by, wait)?;
            socket_error(&socket)?.map_err(|errno| failed(wait, errno.into()))?;
        }
        other => other?,
    }
    let tcp = TcpStream::from(socket);
    tcp.set_nonblocking(false)?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// Returns the address for error texts if there are several.
fn which(address: &SocketAddr, among: &[SocketAddr]) -> String {
    if among.len() > 1 {
        format!(" ({})", address.ip())
    } else {
        String::new()
    }
}

/// Classifies a failed connect. The text contains the address if it differs from the host.
fn connect_error(address: &SocketAddr, host: &str, error: &io::Error) -> Error {
    let shown = address.to_string();
    let peer = if shown == host {
        shown
    } else {
        format!("{host} ({})", address.ip())
    };
    Error::io(&peer, error)
}

/// Whether an address is `::1` while IPv6 is disabled: `/etc/hosts` may still contain it. That is not a
/// problem of this machine. A lack of local ports has the same error number, but then the IPv4 address fails
/// too.
fn is_disabled_loopback(address: &SocketAddr, error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::ADDRNOTAVAIL)
        && address.is_ipv6()
        && address.ip().is_loopback()
}

/// Connects to a local socket.
pub fn dial_unix(path: &Path, by: Deadline) -> Result<UnixStream, Error> {
    let peer = printable(&path.display().to_string());
    connect_unix(path, by).map_err(|error| match Errno::from_io_error(&error) {
        // A path that cannot be a socket is a wrong setting. A missing one is a server that is down.
        Some(errno @ (Errno::NAMETOOLONG | Errno::INVAL | Errno::NOTDIR | Errno::LOOP)) => {
            Error::Local(format!("{peer}: {errno}"))
        }
        // The backlog was full until SO_SNDTIMEO (unix(7)). The server is running, and every local user
        // with access to the socket can fill its backlog.
        _ if error.kind() == io::ErrorKind::TimedOut => {
            Error::ClosedEarly(format!("{peer}: accepts no more connections"))
        }
        _ => Error::io(&peer, &error),
    })
}

fn connect_unix(path: &Path, by: Deadline) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    let wait = Wait::until(by);
    loop {
        let left = by.left();
        // A socket timeout of zero means no timeout.
        if left.is_zero() {
            return Err(expired(wait));
        }
        set_socket_timeout(&socket, Timeout::Send, Some(left))?;
        match rustix::net::connect(&socket, &address) {
            Err(Errno::INTR | Errno::AGAIN) => {}
            done => break done?,
        }
    }
    set_socket_timeout(&socket, Timeout::Send, None)?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests;
