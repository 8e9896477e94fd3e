//! Ends of a connection without a request.
#![forbid(unsafe_code)]

use super::server::{Tls, send};
use crate::listeners::reset;
use std::io;
use std::net::Shutdown;

/// How the connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disconnect {
    /// close_notify, then FIN.
    Orderly,
    /// FIN without close_notify.
    CutOff,
    /// RST.
    Reset,
    /// A 408 without a request, as servers send it after a timeout.
    TimedOut,
}

impl Disconnect {
    pub const ALL: [Self; 4] = [Self::Orderly, Self::CutOff, Self::Reset, Self::TimedOut];

    pub(super) fn end(self, mut tls: Tls) -> io::Result<()> {
        match self {
            Self::Orderly => {
                tls.conn.send_close_notify();
                tls.conn.complete_io(&mut tls.sock)?;
                tls.sock.shutdown(Shutdown::Both)
            }
            // Not by dropping it: a process that another case forks at this moment may hold a copy until it
            // calls exec.
            Self::CutOff => tls.sock.shutdown(Shutdown::Both),
            Self::Reset => {
                reset(&tls.sock);
                // Disconnecting sends the reset at once.
                Ok(rustix::net::connect_unspec(&tls.sock)?)
            }
            Self::TimedOut => send(
                &mut tls,
                "HTTP/1.1 408 REQUEST TIMEOUT\r\nContent-Length: 0\r\n\r\n",
            ),
        }
    }
}
