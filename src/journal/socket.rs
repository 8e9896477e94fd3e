//! The way to the system log: one line is one datagram, or ends with a NUL in a stream.
#![forbid(unsafe_code)]

use std::{
    io::{BufWriter, ErrorKind, Write},
    os::{
        fd::OwnedFd,
        unix::net::{UnixDatagram, UnixStream},
    },
    sync::Arc,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};
use syslog::{Facility, LogFormat, Logger, LoggerBackend, Severity};

use crate::{
    deadline::{self, Deadline},
    sys,
};

/// Longer than any line: a stream takes a line in one piece.
const BUFFER: usize = 64 * 1024;

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The system log has taken it.
    Taken,
    /// There is no room now.
    Full,
    /// There is no system log.
    Gone,
}

/// A connection that never blocks.
pub struct Socket {
    to: Option<Logger<LoggerBackend, Line>>,
    line: Line,
    /// A stream has taken a part of a line, and the rest is to follow.
    pending: bool,
}

impl Socket {
    /// Connects to the system's log.
    pub fn open(line: Line) -> Self {
        Self {
            to: connect(&line),
            line,
            pending: false,
        }
    }

    #[cfg(test)]
    pub(super) fn onto(near: UnixDatagram, line: Line) -> Self {
        near.set_nonblocking(true).unwrap();
        let backend = LoggerBackend::Unix(near);
        Self {
            to: Some(Logger::new(backend, line.clone())),
            line,
            pending: false,
        }
    }

    #[cfg(test)]
    pub(super) fn onto_stream(near: UnixStream, line: Line) -> Self {
        near.set_nonblocking(true).unwrap();
        let backend = LoggerBackend::UnixStream(BufWriter::with_capacity(BUFFER, near));
        Self {
            to: Some(Logger::new(backend, line.clone())),
            line,
            pending: false,
        }
    }

    /// Whether the rest of a line is to follow.
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Hands a line over, if there is room; of a line that is pending, the rest.
    pub fn attempt(&mut self, severity: Severity, text: &str) -> Attempt {
        // A log that was restarted meanwhile has a new socket: once more, as syslog(3) does.
        for _ in 0..2 {
            if let Some(logger) = &mut self.to {
                let sent = if self.pending {
                    logger.backend.flush()
                } else {
                    self.line.send(&mut logger.backend, severity, text)
                };
                match sent {
                    Ok(()) => {
                        self.pending = false;
                        return Attempt::Taken;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.pending = matches!(logger.backend, LoggerBackend::UnixStream(_));
                        return Attempt::Full;
                    }
                    Err(_) => {}
                }
            }
            self.reconnect();
        }
        Attempt::Gone
    }

    /// Waits for room, until then and no longer than the host is there. Whether there may be some.
    pub fn wait(&self, by: Deadline, host: Option<&Arc<OwnedFd>>) -> bool {
        let Some(logger) = &self.to else { return false };
        let (datagram, stream);
        let room = match &logger.backend {
            LoggerBackend::Unix(socket) => {
                datagram = socket;
                PollFd::new(datagram, PollFlags::OUT)
            }
            LoggerBackend::UnixStream(socket) => {
                stream = socket.get_ref();
                PollFd::new(stream, PollFlags::OUT)
            }
            LoggerBackend::Udp(..) | LoggerBackend::Tcp(_) => return false,
        };
        let mut ends = vec![room];
        ends.extend(host.map(|host| PollFd::new(host, PollFlags::RDHUP)));
        let ready = deadline::in_turns(by, |turn| {
            let turn = Timespec::try_from(turn.max(Duration::from_millis(1))).ok()?;
            match poll(&mut ends, Some(&turn)) {
                Ok(0) | Err(Errno::INTR) => None,
                Ok(_) => Some(true),
                Err(_) => Some(false),
            }
        });
        let host_is_there = ends.get(1).is_none_or(|host| host.revents().is_empty());
        ready == Some(true) && host_is_there
    }

    /// Gives up what a stream has taken only in part.
    pub fn give_up(&mut self) {
        if self.pending {
            self.reconnect();
        }
    }

    fn reconnect(&mut self) {
        self.pending = false;
        self.to = connect(&self.line);
    }
}

/// Connects to the system's log as `syslog(3)` does: datagrams, or a stream. Never waits.
fn connect(line: &Line) -> Option<Logger<LoggerBackend, Line>> {
    let backend = match open(SocketType::DGRAM) {
        Ok(socket) => LoggerBackend::Unix(UnixDatagram::from(socket)),
        Err(Errno::PROTOTYPE) => {
            let stream = UnixStream::from(open(SocketType::STREAM).ok()?);
            LoggerBackend::UnixStream(BufWriter::with_capacity(BUFFER, stream))
        }
        Err(_) => return None,
    };
    Some(Logger::new(backend, line.clone()))
}

fn open(kind: SocketType) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new("/dev/log")?)?;
    Ok(socket)
}

/// A line as `syslog(3)` writes it to the local socket. The crate's own formatter panics in a
/// process with threads, where it may not ask for the time zone.
#[derive(Clone)]
pub struct Line {
    /// The host's name.
    pub tag: String,
    pub pid: u32,
}

impl Line {
    fn send(&self, to: &mut impl Write, severity: Severity, message: &str) -> std::io::Result<()> {
        // RFC 3164 §4.1.1
        let priority = Facility::LOG_AUTHPRIV as u8 | severity as u8;
        let Self { tag, pid } = self;
        let line = format!("<{priority}>{} {tag}[{pid}]: {message}", sys::log_time());
        to.write_all(line.as_bytes())
    }
}

impl LogFormat<&str> for Line {
    fn format<W: Write>(
        &self,
        to: &mut W,
        severity: Severity,
        message: &str,
    ) -> syslog::Result<()> {
        self.send(to, severity, message)
            .map_err(syslog::Error::Write)
    }
}
