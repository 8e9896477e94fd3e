//! A connection to one server, under TLS or in the clear.
#![forbid(unsafe_code)]

use std::{path::Path, sync::Arc};

use rustls::ClientConfig;

use super::{
    Addresses, Error, Failure, Pace, Reached, Secured, dial, dial_unix, line::Line, printable,
};
use crate::deadline::Deadline;

/// An open connection. Every wait on it ends with a deadline, what it may bring is bounded, and a
/// peer that has gone raises no signal.
#[derive(Debug)]
pub struct Stream(Wire);

#[derive(Debug)]
enum Wire {
    Plain(Line),
    Tls(Box<Secured>),
}

impl Stream {
    /// Connects and, with a configuration, shakes hands: at the first address at which both can be
    /// done, and what comes first as well. The certificate must be for the server's name.
    pub fn open<T, F: Failure>(
        server: &Addresses,
        tls: Option<&Arc<ClientConfig>>,
        by: Deadline,
        mut greet: impl FnMut(Self, Deadline) -> Result<T, F>,
    ) -> Result<T, F> {
        let step = by.left();
        dial(server, Pace { by, step }, |reached: Reached| {
            let place = format!("{}{}", server.place(), reached.which);
            let line = Line::new(reached.tcp, place);
            let stream = Self::over(line, &server.host, tls, reached.pace.by)?;
            greet(stream, reached.pace.by)
        })
    }

    /// Connects to a local socket.
    pub fn open_local(path: &Path, by: Deadline) -> Result<Self, Error> {
        let socket = dial_unix(path, by)?;
        let place = printable(&path.display().to_string());
        Ok(Self(Wire::Plain(Line::new(socket, place))))
    }

    /// The same on a line that is open.
    pub(super) fn over(
        line: Line,
        host: &str,
        tls: Option<&Arc<ClientConfig>>,
        by: Deadline,
    ) -> Result<Self, Error> {
        Ok(Self(match tls {
            None => Wire::Plain(line),
            Some(config) => Wire::Tls(Box::new(Secured::over(line, host, config, by)?)),
        }))
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.0, Wire::Tls(_))
    }

    /// Where it leads, for error texts.
    #[must_use]
    pub fn place(&self) -> &str {
        match &self.0 {
            Wire::Plain(line) => line.place(),
            Wire::Tls(tls) => tls.place(),
        }
    }

    /// How many bytes have left.
    pub(super) fn sent(&self) -> usize {
        match &self.0 {
            Wire::Plain(line) => line.sent(),
            Wire::Tls(tls) => tls.sent(),
        }
    }

    /// Whether something can still be asked: it is open as far as can be seen from here, and
    /// nothing has come in that belongs to an answer. Waits for nothing.
    ///
    /// What TLS itself has to say in the meantime is no harm: with version 1.3 session tickets come
    /// behind the handshake (RFC 8446 section 4.6.1). An end is one however it is said: by
    /// `close_notify`, FIN or reset. Whoever has gone without a word is not noticed.
    pub fn is_quiet(&mut self) -> bool {
        match &mut self.0 {
            Wire::Plain(line) => line.is_quiet(),
            Wire::Tls(tls) => tls.is_quiet(),
        }
    }

    /// Reads something. 0: the other side has closed.
    pub fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        match &mut self.0 {
            Wire::Plain(line) => line.read(into, by),
            Wire::Tls(tls) => tls.read(into, by),
        }
    }

    /// Writes all of it.
    pub fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        match &mut self.0 {
            Wire::Plain(line) => line.write_all(bytes, by),
            Wire::Tls(tls) => tls.write_all(bytes, by),
        }
    }
}
