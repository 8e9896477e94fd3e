//! How a connection ends on which nothing was asked yet.
#![forbid(unsafe_code)]

use super::server::{Tls, say};
use crate::listeners::reset;
use std::io;
use std::net::Shutdown;

/// A way to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// TLS says goodbye, TCP does too.
    Orderly,
    /// TCP ends without a word of TLS.
    CutOff,
    /// TCP is reset.
    Reset,
    /// An answer that nobody asked for, as a server gives it that waited too long.
    TimedOut,
}

impl HangUp {
    pub const ALL: [Self; 4] = [Self::Orderly, Self::CutOff, Self::Reset, Self::TimedOut];

    pub(super) fn end(self, mut tls: Tls) -> io::Result<()> {
        match self {
            Self::Orderly => {
                tls.conn.send_close_notify();
                tls.conn.complete_io(&mut tls.sock)?;
                tls.sock.shutdown(Shutdown::Both)
            }
            // Dropping it would not do: a program that some other case starts just now may hold a copy
            // until it executes.
            Self::CutOff => tls.sock.shutdown(Shutdown::Both),
            Self::Reset => {
                reset(&tls.sock);
                // tcp(7) has no other word for it: this sends the reset at once.
                Ok(rustix::net::connect_unspec(&tls.sock)?)
            }
            Self::TimedOut => say(
                &mut tls,
                "HTTP/1.1 408 REQUEST TIMEOUT\r\nContent-Length: 0\r\n\r\n",
            ),
        }
    }
}
