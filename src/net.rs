//! Connections. Only this module opens network sockets and reads CA certificates.
#![forbid(unsafe_code)]
#![allow(
    clippy::disallowed_methods,
    reason = "this module resolves names, connects and reads the system's CA certificates"
)]

mod dial;
pub mod http;
mod ready;
mod resolve;
mod roots;
mod socket;
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

pub use dial::{AttemptError, Connected, Timeouts, dial, dial_unix};
pub use resolve::{Addresses, Lookup, Lookups, lookup_limit, prefetch_deadline};
pub use roots::{preload_system_roots, tls_config};
pub use stream::Stream;
pub use tls::server_name;

/// Why a connection could not be opened or was lost. Texts are one line of printable ASCII, without
/// secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Not reachable: name not found, refused, timed out, closed, or a protocol error.
    Outage(String),
    /// The server is reachable and accepts no connection: it closed this one before TLS was complete, or the
    /// backlog of its local socket is full.
    ClosedEarly(String),
    /// The server or the proxy refuses this client, or the certificate does not verify.
    Refused {
        /// What happened.
        what: String,
        /// What the administrator can do about it.
        remedy: &'static str,
    },
    /// A wait ended much later than its end: this process did not run meanwhile.
    Late(String),
    /// A problem of this machine, such as an unreadable CA file or a lack of descriptors or threads.
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
    /// Whether it may be temporary.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Outage(_) | Self::ClosedEarly(_) => true,
            Self::Refused { .. } | Self::Late(_) | Self::Local(_) => false,
        }
    }

    /// Converts it to the failure of a stage, with the remedies of that stage.
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

    /// Classifies an I/O error of a connection to this peer, with or without TLS.
    pub(crate) fn io(peer: &str, error: &io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(late) = inner.downcast_ref::<Late>() {
                return Self::Late(format!("{peer}: {late}"));
            }
            if let Some(error) = inner.downcast_ref() {
                return tls::classify(peer, error);
            }
        }
        if is_local(error) {
            return Self::Local(format!("{peer}: {error}"));
        }
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                Self::Outage(format!("{peer}: timed out"))
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                Self::Outage(format!("{peer}: connection reset"))
            }
            // The text of rustls about a missing close_notify is long.
            io::ErrorKind::UnexpectedEof => {
                Self::Outage(format!("{peer}: the server closed the connection"))
            }
            _ => Self::Outage(printable(&format!("{peer}: {error}"))),
        }
    }
}

/// Whether an error is a problem of this machine: no descriptors, memory or local ports, or a rule of the
/// kernel (filter, route, LSM). Local users can cause some of these, so they must not count as an outage,
/// which some stacks ignore. The list therefore contains the errors that a peer or the network can cause
/// (tcp(7), ip(7), unix(7)); all others are local.
fn is_local(error: &io::Error) -> bool {
    // An error without a number is not from the system, but from the protocol.
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
                // From ICMP: unreachable protocol, or a damaged header.
                | Errno::NOPROTOOPT
                | Errno::PROTO
                // An address of a family that is disabled on this machine.
                | Errno::AFNOSUPPORT
                // A local socket whose server is not running.
                | Errno::NOENT
        )
    })
}

/// Formats host and port as in a URI: an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Describes a peer for error texts.
fn peer(host: &str, port: u16) -> String {
    authority(&printable(host), port)
}

/// Makes a text one line of printable ASCII, at most 200 characters long.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}
