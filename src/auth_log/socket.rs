//! The connection to the system log: a line is one datagram, or ends with a NUL in a stream.
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

use crate::{deadline::Deadline, sys};

/// Longer than any line, so that a stream receives each line in one write.
const BUFFER: usize = 64 * 1024;

/// The result of writing a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The system log accepted it.
    Accepted,
    /// There is no space now.
    Full,
    /// There is no system log.
    NoLog,
}

/// A connection that never blocks.
pub(crate) struct Socket {
    logger: Option<Logger<LoggerBackend, Tag>>,
    tag: Tag,
    /// Whether a stream has accepted a part of a line only.
    is_pending: bool,
}

impl Socket {
    /// Connects to the system log.
    pub(crate) fn open(tag: Tag) -> Self {
        Self {
            logger: connect(&tag),
            tag,
            is_pending: false,
        }
    }

    #[cfg(test)]
    pub(super) fn from_datagram(near: UnixDatagram, tag: Tag) -> Self {
        near.set_nonblocking(true).unwrap();
        let backend = LoggerBackend::Unix(near);
        Self {
            logger: Some(Logger::new(backend, tag.clone())),
            tag,
            is_pending: false,
        }
    }

    #[cfg(test)]
    pub(super) fn from_stream(near: UnixStream, tag: Tag) -> Self {
        near.set_nonblocking(true).unwrap();
        let backend = LoggerBackend::UnixStream(BufWriter::with_capacity(BUFFER, near));
        Self {
            logger: Some(Logger::new(backend, tag.clone())),
            tag,
            is_pending: false,
        }
    }

    /// Whether a stream has accepted a part of a line only.
    pub(crate) const fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Writes a line, if there is space; or the rest of the line that is pending.
    pub(crate) fn attempt(&mut self, severity: Severity, text: &str) -> Attempt {
        // A system log that was restarted has a new socket: connects again once, as syslog(3) does.
        for _ in 0..2 {
            if let Some(logger) = &mut self.logger {
                let sent = if self.is_pending {
                    logger.backend.flush()
                } else {
                    self.tag.write_line(&mut logger.backend, severity, text)
                };
                match sent {
                    Ok(()) => {
                        self.is_pending = false;
                        return Attempt::Accepted;
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        self.is_pending = matches!(logger.backend, LoggerBackend::UnixStream(_));
                        return Attempt::Full;
                    }
                    Err(_) => {}
                }
            }
            self.reconnect();
        }
        Attempt::NoLog
    }

    /// Waits for space until `by`, and only while the module is connected. Returns whether there may be
    /// space now.
    pub(crate) fn wait(&self, by: Deadline, module: Option<&Arc<OwnedFd>>) -> bool {
        let Some(logger) = &self.logger else {
            return false;
        };
        let (datagram, stream);
        let writable = match &logger.backend {
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
        let mut sockets = vec![writable];
        sockets.extend(module.map(|module| PollFd::new(module, PollFlags::RDHUP)));
        let is_ready = loop {
            let left = Timespec::try_from(by.left().max(Duration::from_millis(1)));
            match poll(&mut sockets, Some(&left.unwrap_or_default())) {
                Ok(0) if by.is_over() => break false,
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => break true,
                Err(_) => break false,
            }
        };
        let is_module_connected = sockets
            .get(1)
            .is_none_or(|module| module.revents().is_empty());
        is_ready && is_module_connected
    }

    /// Drops the rest of a pending line: connects again.
    pub(crate) fn abandon_pending(&mut self) {
        if self.is_pending {
            self.reconnect();
        }
    }

    fn reconnect(&mut self) {
        self.is_pending = false;
        self.logger = connect(&self.tag);
    }
}

/// Connects to the system log as `syslog(3)` does, by datagrams or a stream. Never waits.
fn connect(tag: &Tag) -> Option<Logger<LoggerBackend, Tag>> {
    let backend = match open(SocketType::DGRAM) {
        Ok(socket) => LoggerBackend::Unix(UnixDatagram::from(socket)),
        Err(Errno::PROTOTYPE) => {
            let stream = UnixStream::from(open(SocketType::STREAM).ok()?);
            LoggerBackend::UnixStream(BufWriter::with_capacity(BUFFER, stream))
        }
        Err(_) => return None,
    };
    Some(Logger::new(backend, tag.clone()))
}

fn open(kind: SocketType) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new("/dev/log")?)?;
    Ok(socket)
}

/// Name and process id of the host process, and with them the line format that `syslog(3)` uses on the
/// local socket. The crate's own formatter panics in a process with threads, where it cannot determine
/// the time zone.
#[derive(Clone)]
pub(crate) struct Tag {
    pub name: String,
    pub pid: u32,
}

impl Tag {
    fn write_line(
        &self,
        to: &mut impl Write,
        severity: Severity,
        message: &str,
    ) -> std::io::Result<()> {
        // RFC 3164 §4.1.1
        let priority = Facility::LOG_AUTHPRIV as u8 | severity as u8;
        let Self { name, pid } = self;
        let line = format!("<{priority}>{} {name}[{pid}]: {message}", sys::log_time());
        to.write_all(line.as_bytes())
    }
}

impl LogFormat<&str> for Tag {
    fn format<W: Write>(
        &self,
        to: &mut W,
        severity: Severity,
        message: &str,
    ) -> syslog::Result<()> {
        self.write_line(to, severity, message)
            .map_err(syslog::Error::Write)
    }
}
