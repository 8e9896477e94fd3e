//! One connection, by TCP or a local socket, on which every wait ends with a deadline.
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

/// What may come in on one connection. A handshake and an answer are some ten kilobytes; whoever
/// sends without end shall cost no more than this.
const MOST_RECEIVED: usize = 512 * 1024;

/// The connection, and what it has cost so far.
#[derive(Debug)]
pub(super) struct Line {
    socket: OwnedFd,
    place: String,
    received: usize,
    sent: usize,
}

impl Line {
    pub(super) fn new(socket: impl Into<OwnedFd>, place: String) -> Self {
        Self {
            socket: socket.into(),
            place,
            received: 0,
            sent: 0,
        }
    }

    /// Where it leads, for error texts.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// How many bytes have left so far.
    pub(super) const fn sent(&self) -> usize {
        self.sent
    }

    /// For what takes a reader and a writer.
    pub(super) const fn until(&mut self, by: Deadline) -> Timed<'_> {
        Timed { line: self, by }
    }

    /// For what reads no more than has come in already.
    pub(super) const fn arrived(&mut self) -> Arrived<'_> {
        Arrived { line: self }
    }

    /// Whether it is open still, and nothing has come in: see [`super::Stream::is_quiet`].
    pub(super) fn is_quiet(&mut self) -> bool {
        let read = self.arrived().read(&mut [0]);
        read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Reads something. 0: the other side has closed.
    pub(super) fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        self.until(by)
            .read(into)
            .map_err(|error| Error::io(&self.place, &error))
    }

    /// Writes all of it.
    pub(super) fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        self.until(by)
            .write_all(bytes)
            .map_err(|error| Error::io(&self.place, &error))
    }
}

/// A line with the deadline of what is being done on it.
///
/// Each read and write waits at most until the deadline, so that a peer that sends a byte a second cannot
/// extend it.
pub(super) struct Timed<'a> {
    line: &'a mut Line,
    by: Deadline,
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.line.received >= MOST_RECEIVED {
            return Err(io::Error::other("sends without end"));
        }
        let wait = Wait::until(self.by);
        loop {
            wait_until_ready(&self.line.socket, PollFlags::IN, self.by, wait)?;
            match self.line.arrived().read(into) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The peer may have closed the connection because this process did not run.
                Ok(0) if wait.late().is_some() => return Err(expired(wait)),
                done => return done.map_err(|error| failed(wait, error)),
            }
        }
    }
}

/// What has come in on a line. Where that is nothing it says so (`WouldBlock`) and does not wait.
pub(super) struct Arrived<'a> {
    line: &'a mut Line,
}

impl Read for Arrived<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.line.received >= MOST_RECEIVED {
            return Err(io::Error::other("sends without end"));
        }
        loop {
            match rustix::net::recv(&self.line.socket, &mut *into, RecvFlags::DONTWAIT) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok((some, _)) => {
                    self.line.received = self.line.received.saturating_add(some);
                    return Ok(some);
                }
            }
        }
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    /// Gathers, so that what belongs to one flight of TLS records leaves in one packet; with
    /// `MSG_NOSIGNAL`, so that no process dies of a peer that has gone.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = &self.line.socket;
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let wait = Wait::until(self.by);
        loop {
            if self.by.is_over() {
                return Err(expired(wait));
            }
            let mut nothing = SendAncillaryBuffer::default();
            match rustix::net::sendmsg(socket, pieces, &mut nothing, flags) {
                Ok(some) => {
                    self.line.sent = self.line.sent.saturating_add(some);
                    return Ok(some);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => wait_until_ready(socket, PollFlags::OUT, self.by, wait)?,
                Err(errno) => return Err(failed(wait, errno.into())),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
