//! A TCP or local socket on which every wait has a deadline.
#![forbid(unsafe_code)]

use std::{
    io::{self, IoSlice, Read, Write},
    os::fd::OwnedFd,
};

use rustix::{
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags},
};

use super::{
    Error,
    ready::{expired, failed, wait_until_ready},
};
use crate::deadline::{Deadline, Wait};

/// The limit of received bytes per connection. A handshake and a response are some ten kilobytes; a peer that
/// sends without end must not cost more than this.
const MAX_RECEIVED: usize = 512 * 1024;

/// A connected socket with its counters.
#[derive(Debug)]
pub(super) struct Socket {
    fd: OwnedFd,
    peer: String,
    received: usize,
    sent: usize,
}

impl Socket {
    pub(super) fn new(fd: impl Into<OwnedFd>, peer: String) -> Self {
        Self {
            fd: fd.into(),
            peer,
            received: 0,
            sent: 0,
        }
    }

    /// Returns the description of the peer, for error texts.
    pub(super) fn peer(&self) -> &str {
        &self.peer
    }

    /// Returns the number of bytes sent so far.
    pub(super) const fn sent(&self) -> usize {
        self.sent
    }

    /// Returns a reader and writer whose waits end at a deadline.
    pub(super) const fn with_deadline(&mut self, by: Deadline) -> WithDeadline<'_> {
        WithDeadline { socket: self, by }
    }

    /// Returns a reader that does not wait.
    pub(super) const fn non_blocking(&mut self) -> NonBlocking<'_> {
        NonBlocking { socket: self }
    }

    /// See [`super::Stream::is_idle`].
    pub(super) fn is_idle(&mut self) -> bool {
        let read = self.non_blocking().read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads some bytes. 0: the peer has closed the connection.
    pub(super) fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        self.with_deadline(by)
            .read(into)
            .map_err(|error| Error::io(&self.peer, &error))
    }

    /// Writes all bytes.
    pub(super) fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        self.with_deadline(by)
            .write_all(bytes)
            .map_err(|error| Error::io(&self.peer, &error))
    }
}

/// A socket with the deadline of the current operation.
///
/// Each read and write waits at most until the deadline, so that a peer that sends a byte per second cannot
/// extend it.
pub(super) struct WithDeadline<'a> {
    socket: &'a mut Socket,
    by: Deadline,
}

impl Read for WithDeadline<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.socket.received >= MAX_RECEIVED {
            return Err(io::Error::other("the server sends without end"));
        }
        let wait = Wait::until(self.by);
        loop {
            wait_until_ready(&self.socket.fd, PollFlags::IN, self.by, wait)?;
            match self.socket.non_blocking().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer may have closed the connection because this process did not run.
                Ok(0) if wait.late().is_some() => return Err(expired(wait)),
                done => return done.map_err(|error| failed(wait, error)),
            }
        }
    }
}

/// A socket for reads that do not wait. Without received bytes they return `WouldBlock`.
pub(super) struct NonBlocking<'a> {
    socket: &'a mut Socket,
}

impl Read for NonBlocking<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.socket.received >= MAX_RECEIVED {
            return Err(io::Error::other("the server sends without end"));
        }
        loop {
            match rustix::net::recv(&self.socket.fd, &mut *into, RecvFlags::DONTWAIT) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok((some, _)) => {
                    self.socket.received = self.socket.received.saturating_add(some);
                    return Ok(some);
                }
            }
        }
    }
}

impl Write for WithDeadline<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Sends all pieces at once, so that the TLS records of a flight are in one packet; with `MSG_NOSIGNAL`,
    /// so that a closed connection raises no SIGPIPE.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let fd = &self.socket.fd;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let wait = Wait::until(self.by);
        loop {
            if self.by.is_over() {
                return Err(expired(wait));
            }
            let mut no_control = SendAncillaryBuffer::default();
            match rustix::net::sendmsg(fd, pieces, &mut no_control, flags) {
                Ok(some) => {
                    self.socket.sent = self.socket.sent.saturating_add(some);
                    return Ok(some);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait_until_ready(fd, PollFlags::OUT, self.by, wait)?,
                Err(errno) => return Err(failed(wait, errno.into())),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
