//! How a connection ends on which nothing was asked yet.
#![forbid(unsafe_code)]

use super::server::{Tls, say};
use crate::listeners::reset;
use std::io;

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
                tls.conn.complete_io(&mut tls.sock).map(drop)
            }
            Self::CutOff => Ok(()),
            Self::Reset => {
                reset(&tls.sock);
                Ok(())
            }
            Self::TimedOut => say(
                &mut tls,
                "HTTP/1.1 408 REQUEST TIMEOUT\r\nContent-Length: 0\r\n\r\n",
            ),
        }
    }
}
