//! Opening: addresses to sockets of use, all before a deadline.
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

/// How long reaching somebody may take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// All of it.
    pub by: Deadline,
    /// Connecting, and each step after that.
    pub step: Duration,
}

impl Pace {
    /// Until when the step may take that begins now.
    #[must_use]
    pub fn step(self) -> Deadline {
        self.by.or_within(self.step)
    }
}

/// Somebody who has answered at one address of a host.
#[derive(Debug)]
pub struct Reached {
    pub tcp: TcpStream,
    /// Until when this address may take.
    pub pace: Pace,
    /// Which of several addresses it is, for error texts: ` (192.0.2.1)`; nothing if there is one.
    pub which: String,
}

/// Why an address was of no use.
pub trait Failure: From<Error> {
    /// Whether it is over: the other addresses would say the same, or must not be asked.
    fn is_final(&self) -> bool;

    /// Whether it may pass by itself.
    fn is_outage(&self) -> bool;
}

impl Failure for Error {
    fn is_final(&self) -> bool {
        false
    }

    fn is_outage(&self) -> bool {
        Self::is_outage(self)
    }
}

/// Opens TCP connections (`TCP_NODELAY`) to a server's addresses in turn, until `try_it` finds that the
/// one at the other end is of use.
///
/// Each address gets its fair share of the
/// time for connecting, so that one that swallows packets does not keep us from the next; whoever has
/// answered may take half of what is left in all, for a server that is slow is slow at its other
/// addresses too. Of several failures one is told that does not pass by itself, else the
/// last: a certificate that does not verify stays one, whatever else was down.
pub fn dial<T, F: Failure>(
    server: &Addresses,
    pace: Pace,
    mut try_it: impl FnMut(Reached) -> Result<T, F>,
) -> Result<T, F> {
    let (named, addresses) = (server.place(), &server.found);
    let mut told = F::from(Error::Outage(format!("{named}: no address")));
    let mut still = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut connecting = pace.step;
    for address in addresses {
        let share = |of: Duration| of.checked_div(still).unwrap_or_default();
        let soon = share(connecting).min(share(pace.by.left()));
        let began = Moment::now();
        let connected = connect(address, pace.by.or_within(soon));
        connecting = connecting.saturating_sub(Moment::now().since(began));
        still = still.saturating_sub(1);
        let parts = if still > 0 { 2 } else { 1 };
        let part = pace.by.left().checked_div(parts).unwrap_or_default();
        let by = pace.by.or_within(part);
        let failure = match connected {
            Ok(tcp) => {
                let reached = Reached {
                    tcp,
                    pace: Pace { by, ..pace },
                    which: which(address, addresses),
                };
                match try_it(reached) {
                    Err(failure) if !failure.is_final() => failure,
                    end => return end,
                }
            }
            Err(error) if is_no_such_loopback(address, &error) && addresses.len() > 1 => continue,
            Err(error) => told_of(address, &named, &error).into(),
        };
        if told.is_outage() {
            told = failure;
        }
    }
    Err(told)
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

/// Which of them it is, where that has to be said.
fn which(address: &SocketAddr, among: &[SocketAddr]) -> String {
    if among.len() > 1 {
        format!(" ({})", address.ip())
    } else {
        String::new()
    }
}

/// A failed connect, told with the address where that says more than the host does.
fn told_of(address: &SocketAddr, host: &str, error: &io::Error) -> Error {
    let shown = address.to_string();
    let place = if shown == host {
        shown
    } else {
        format!("{host} ({})", address.ip())
    };
    Error::io(&place, error)
}

/// With IPv6 switched off `/etc/hosts` may still say that a name stands for `::1` too. Connecting to
/// it fails so, and that says nothing about this machine's health. (So it does where there are no local
/// ports any more: then the other address says so.)
fn is_no_such_loopback(address: &SocketAddr, error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::ADDRNOTAVAIL)
        && address.is_ipv6()
        && address.ip().is_loopback()
}

/// Opens a connection to a local socket.
pub fn dial_unix(path: &Path, by: Deadline) -> Result<UnixStream, Error> {
    let place = printable(&path.display().to_string());
    connect_unix(path, by).map_err(|error| match Errno::from_io_error(&error) {
        // A path that is no socket's is a wrong setting; one that is missing a server that is down.
        Some(errno @ (Errno::NAMETOOLONG | Errno::INVAL | Errno::NOTDIR | Errno::LOOP)) => {
            Error::Local(format!("{place}: {errno}"))
        }
        // unix(7): the backlog stayed full for as long as SO_SNDTIMEO allowed. The server is there, and
        // any local user who may connect can fill it.
        _ if error.kind() == io::ErrorKind::TimedOut => {
            Error::ClosedEarly(format!("{place}: accepts no more connections"))
        }
        _ => Error::io(&place, &error),
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
        // A socket timeout of zero would be none.
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
