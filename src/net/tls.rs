//! A TLS connection on which every wait has a deadline.
#![forbid(unsafe_code)]

mod errors;

use std::{
    io,
    io::{Read, Write},
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use super::{Error, socket::Socket};
use crate::deadline::Deadline;

pub(super) use errors::classify;

/// Returns the name that a server's certificate must be for. An address is compared with the addresses of the
/// certificate, and not sent as SNI.
pub fn server_name(host: &str, peer: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned()).map_err(|_| Error::Refused {
        what: format!("{peer}: no certificate can be valid for this name"),
        remedy: "use letters, digits, hyphens and dots only in the server's name",
    })
}

/// A TLS connection to a server whose certificate has been verified.
#[derive(Debug)]
pub(super) struct TlsStream {
    tls: ClientConnection,
    socket: Socket,
}

impl TlsStream {
    /// Performs the handshake on a connected socket. The certificate must be for `host`.
    pub(super) fn over(
        socket: Socket,
        host: &str,
        config: &Arc<ClientConfig>,
        by: Deadline,
    ) -> Result<Self, Error> {
        let name = server_name(host, socket.peer())?;
        let tls = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| classify(socket.peer(), &error))?;
        let mut stream = Self { tls, socket };
        while stream.tls.is_handshaking() {
            let some = stream.flush_io(by).and_then(|()| stream.fill_io(by));
            let is_closed = match &some {
                Ok(some) => *some == 0,
                Err(error) => is_closed_by_peer(error.kind()),
            };
            if is_closed {
                return Err(Error::ClosedEarly(format!(
                    "{}: the server closed the connection before TLS was complete",
                    stream.socket.peer()
                )));
            }
            some.map_err(|error| Error::io(stream.socket.peer(), &error))?;
            stream.process(by)?;
        }
        stream.flush(by)?;
        Ok(stream)
    }

    /// Returns the description of the peer, for error texts.
    pub(super) fn peer(&self) -> &str {
        self.socket.peer()
    }

    /// Returns the number of bytes sent so far, TLS records included.
    pub(super) const fn sent(&self) -> usize {
        self.socket.sent()
    }

    /// See [`super::Stream::is_idle`].
    pub(super) fn is_idle(&mut self) -> bool {
        loop {
            // First the records that were read together with the end of the handshake.
            match self.tls.process_new_packets() {
                Ok(state) if !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 => {}
                Ok(_) | Err(_) => return false,
            }
            match self.tls.read_tls(&mut self.socket.non_blocking()) {
                Ok(some) if some > 0 => {}
                Ok(_) => return false,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Reads some bytes. 0: the peer has sent close_notify.
    pub(super) fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        loop {
            match self.tls.reader().read(into) {
                Ok(some) => return Ok(some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.fill(by)?;
                    // A key update requires an answer (RFC 8446 section 4.6.3).
                    self.flush(by)?;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Error::Outage(format!(
                        "{}: the connection ended without close_notify",
                        self.socket.peer()
                    )));
                }
                Err(error) => return Err(Error::io(self.socket.peer(), &error)),
            }
        }
    }

    /// Writes all bytes.
    pub(super) fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self
                .tls
                .writer()
                .write(rest)
                .map_err(|error| Error::io(self.socket.peer(), &error))?;
            self.flush(by)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends the pending records, all of a flight together.
    fn flush(&mut self, by: Deadline) -> Result<(), Error> {
        self.flush_io(by)
            .map_err(|error| Error::io(self.socket.peer(), &error))
    }

    fn flush_io(&mut self, by: Deadline) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket.with_deadline(by))?;
        }
        Ok(())
    }

    /// Reads and decrypts received records. 0: the peer has closed the connection.
    fn fill(&mut self, by: Deadline) -> Result<usize, Error> {
        let some = self
            .fill_io(by)
            .map_err(|error| Error::io(self.socket.peer(), &error))?;
        self.process(by)?;
        Ok(some)
    }

    fn fill_io(&mut self, by: Deadline) -> io::Result<usize> {
        self.tls.read_tls(&mut self.socket.with_deadline(by))
    }

    fn process(&mut self, by: Deadline) -> Result<(), Error> {
        if let Err(error) = self.tls.process_new_packets() {
            // The alert shows the reason in the server's log. A failure to send it is ignored.
            let _ = self.flush(by);
            return Err(classify(self.socket.peer(), &error));
        }
        Ok(())
    }
}

/// Whether the peer has closed the connection.
const fn is_closed_by_peer(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof
    )
}
