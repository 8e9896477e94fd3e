//! TLS: a stream on which every wait ends with a deadline.
#![forbid(unsafe_code)]

mod errors;

use std::{
    io,
    io::{Read, Write},
    sync::Arc,
};

use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;

use super::{Error, line::Line};
use crate::deadline::Deadline;

pub(super) use errors::classify;

/// The name that a server's certificate must be for. An address is looked for among the certificate's
/// addresses, and sent in no SNI.
pub fn server_name(host: &str, place: &str) -> Result<ServerName<'static>, Error> {
    ServerName::try_from(host.to_owned()).map_err(|_| Error::Refused {
        what: format!("{place}: no certificate can be for this name"),
        remedy: "write the server's address with letters, digits, hyphens and dots",
    })
}

/// A TLS connection to a server whose certificate has been verified.
#[derive(Debug)]
pub struct Secured {
    tls: ClientConnection,
    line: Line,
}

impl Secured {
    /// Shakes hands on an open line; `host` is whom the certificate must be for.
    pub(super) fn over(
        line: Line,
        host: &str,
        config: &Arc<ClientConfig>,
        by: Deadline,
    ) -> Result<Self, Error> {
        let name = server_name(host, line.place())?;
        let tls = ClientConnection::new(Arc::clone(config), name)
            .map_err(|error| classify(line.place(), &error))?;
        let mut stream = Self { tls, line };
        while stream.tls.is_handshaking() {
            let some = stream.flush_io(by).and_then(|()| stream.fill_io(by));
            let is_closed = match &some {
                Ok(some) => *some == 0,
                Err(error) => is_cut(error.kind()),
            };
            if is_closed {
                return Err(Error::ClosedEarly(format!(
                    "{}: the server closed the connection before TLS was complete",
                    stream.line.place()
                )));
            }
            some.map_err(|error| Error::io(stream.line.place(), &error))?;
            stream.process(by)?;
        }
        stream.flush(by)?;
        Ok(stream)
    }

    /// Where it leads, for error texts.
    pub(super) fn place(&self) -> &str {
        self.line.place()
    }

    /// How many bytes have left so far, in whatever records.
    pub(super) const fn sent(&self) -> usize {
        self.line.sent()
    }

    /// See [`super::Stream::is_quiet`].
    pub(super) fn is_quiet(&mut self) -> bool {
        loop {
            // First what came with the handshake's last bytes.
            match self.tls.process_new_packets() {
                Ok(state) if !state.peer_has_closed() && state.plaintext_bytes_to_read() == 0 => {}
                Ok(_) | Err(_) => return false,
            }
            match self.tls.read_tls(&mut self.line.arrived()) {
                Ok(some) if some > 0 => {}
                Ok(_) => return false,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
    }

    /// Reads something. 0: the other side has ended the stream properly.
    pub fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        loop {
            match self.tls.reader().read(into) {
                Ok(some) => return Ok(some),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.fill(by)?;
                    // A key update wants an answer (RFC 8446 section 4.6.3).
                    self.flush(by)?;
                }
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Error::Outage(format!("{}: cut off", self.line.place())));
                }
                Err(error) => return Err(Error::io(self.line.place(), &error)),
            }
        }
    }

    /// Writes all of it.
    pub fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = self
                .tls
                .writer()
                .write(rest)
                .map_err(|error| Error::io(self.line.place(), &error))?;
            self.flush(by)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends what rustls has ready, all records of a flight together.
    fn flush(&mut self, by: Deadline) -> Result<(), Error> {
        self.flush_io(by)
            .map_err(|error| Error::io(self.line.place(), &error))
    }

    fn flush_io(&mut self, by: Deadline) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.line.until(by))?;
        }
        Ok(())
    }

    /// Takes in what the server has sent. 0: it has closed.
    fn fill(&mut self, by: Deadline) -> Result<usize, Error> {
        let some = self
            .fill_io(by)
            .map_err(|error| Error::io(self.line.place(), &error))?;
        self.process(by)?;
        Ok(some)
    }

    fn fill_io(&mut self, by: Deadline) -> io::Result<usize> {
        self.tls.read_tls(&mut self.line.until(by))
    }

    fn process(&mut self, by: Deadline) -> Result<(), Error> {
        if let Err(error) = self.tls.process_new_packets() {
            // The alert tells the server's administrator why; whether it arrives is not our worry.
            let _ = self.flush(by);
            return Err(classify(self.line.place(), &error));
        }
        Ok(())
    }
}

/// Whether the other side has ended the connection.
const fn is_cut(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof
    )
}
