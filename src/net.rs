//! Connections: the only room that opens sockets and holds TLS roots.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room that looks names up, connects and reads the system's roots"
)]

mod dial;
pub mod http;
mod line;
mod ready;
mod resolve;
mod roots;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::{fmt, io};

use rustix::io::Errno;

use crate::{
    deadline::Late,
    failure::{FailureKind, Stage},
};

#[cfg(test)]
pub(crate) use resolve::BOTH;

pub use dial::{Failure, Pace, Reached, dial, dial_unix};
pub use resolve::{Addresses, Lookup, Lookups, lookup_limit, prefetch_deadline};
pub use roots::{take_system_roots, tls_config};
pub use stream::Stream;
pub use tls::{Secured, server_name};

/// Why there is no connection, or no more. One line of printable ASCII, without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Out of reach: name not found, refused, timed out, cut off, or not the protocol.
    Outage(String),
    /// The server is there and takes no connection: it closed this one before TLS was complete, or the
    /// backlog of its local socket is full.
    ClosedEarly(String),
    /// The server or the proxy refuses us, or its certificate does not verify.
    Refused {
        /// What happened.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A wait ended much later than its end: this process did not run meanwhile.
    Late(String),
    /// Something is wrong on this machine: CA file unreadable, no descriptors, no threads.
    Local(String),
}

/// What the administrator can do about a failed connection of one client.
#[derive(Debug, Clone, Copy)]
pub struct Remedies {
    pub outage: &'static str,
    pub local: &'static str,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Outage(what)
        | Self::ClosedEarly(what)
        | Self::Refused { what, .. }
        | Self::Late(what)
        | Self::Local(what)) = self;
        f.write_str(what)
    }
}

impl std::error::Error for Error {}

impl Error {
    /// Whether it may pass by itself.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Outage(_) | Self::ClosedEarly(_) => true,
            Self::Refused { .. } | Self::Late(_) | Self::Local(_) => false,
        }
    }

    /// Converts it to the failure of a client, which knows the stage and what helps there.
    #[must_use]
    pub fn into_failure(self, stage: Stage, remedies: Remedies) -> crate::failure::Failure {
        let (kind, what, remedy) = match self {
            Self::Outage(what) | Self::ClosedEarly(what) => {
                (FailureKind::Outage, what, remedies.outage)
            }
            Self::Refused { what, remedy } => (FailureKind::Refused, what, remedy),
            Self::Late(what) => (FailureKind::Local, what, Late::REMEDY),
            Self::Local(what) => (FailureKind::Local, what, remedies.local),
        };
        crate::failure::Failure::new(stage, kind, what, remedy)
    }

    /// What an input or output error with this peer means; on a stream under TLS too.
    pub(crate) fn io(place: &str, error: &io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(late) = inner.downcast_ref::<Late>() {
                return Self::Late(format!("{place}: {late}"));
            }
            if let Some(error) = inner.downcast_ref() {
                return tls::classify(place, error);
            }
        }
        if is_local(error) {
            return Self::Local(format!("{place}: {error}"));
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Self::Outage(format!("{place}: timed out"))
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Self::Outage(format!("{place}: cut off"))
            }
            // rustls says it at length when there was no close_notify.
            io::ErrorKind::UnexpectedEof => {
                Self::Outage(format!("{place}: it closed the connection"))
            }
            _ => Self::Outage(printable(&format!("{place}: {error}"))),
        }
    }
}

/// Whether it is this machine that cannot, and not the other one: out of descriptors, memory or
/// local ports, or forbidden by the kernel (filter, route, LSM). Whoever is logged in here can bring
/// some of these about, so they must never pass for an outage, which some stacks forgive. Hence the
/// list is of what a peer or the network between can cause (tcp(7), ip(7), unix(7)): whatever does
/// not stand on it is ours.
fn is_local(error: &io::Error) -> bool {
    // Without a number it was not the system that failed, but what was said on the connection.
    Errno::from_io_error(error).is_some_and(|errno| {
        !matches!(
            errno,
            Errno::CONNREFUSED
                | Errno::CONNRESET
                | Errno::CONNABORTED
                | Errno::PIPE
                | Errno::TIMEDOUT
                | Errno::AGAIN
                | Errno::NETUNREACH
                | Errno::NETDOWN
                | Errno::NETRESET
                | Errno::HOSTUNREACH
                | Errno::HOSTDOWN
                // What ICMP says of a protocol that is not spoken there, or of a damaged header.
                | Errno::NOPROTOOPT
                | Errno::PROTO
                // A name with an address of a family that is switched off here.
                | Errno::AFNOSUPPORT
                // A local socket whose server is not running.
                | Errno::NOENT
        )
    })
}

/// Where a connection leads, for error texts.
fn place(host: &str, port: u16) -> String {
    let host = printable(host);
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// A text from elsewhere, fit to be shown on one line: printable ASCII, no longer than 200.
fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}
