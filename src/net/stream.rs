//! A connection to a server, with or without TLS.
#![forbid(unsafe_code)]

use std::{path::Path, sync::Arc};

use rustls::ClientConfig;

use super::{
    Addresses, AttemptError, Connected, Error, Timeouts, dial, dial_unix, printable,
    socket::Socket, tls::TlsStream,
};
use crate::deadline::Deadline;

/// An open connection. Every wait on it has a deadline, the received bytes are limited, and a closed
/// connection raises no signal.
#[derive(Debug)]
pub struct Stream(Transport);

#[derive(Debug)]
enum Transport {
    Plain(Socket),
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Connects to the first address at which TCP, TLS (with a configuration) and `greet` succeed. The
    /// certificate must be for the server's name.
    pub fn open<T, F: AttemptError>(
        server: &Addresses,
        tls: Option<&Arc<ClientConfig>>,
        by: Deadline,
        mut greet: impl FnMut(Self, Deadline) -> Result<T, F>,
    ) -> Result<T, F> {
        let step = by.left();
        dial(server, Timeouts { by, step }, |connected: Connected| {
            let peer = format!("{}{}", server.peer(), connected.which);
            let socket = Socket::new(connected.tcp, peer);
            let by = connected.timeouts.by;
            let stream = Self::over(socket, &server.host, tls, by)?;
            greet(stream, by)
        })
    }

    /// Connects to a local socket.
    pub fn open_local(path: &Path, by: Deadline) -> Result<Self, Error> {
        let socket = dial_unix(path, by)?;
        let peer = printable(&path.display().to_string());
        Ok(Self(Transport::Plain(Socket::new(socket, peer))))
    }

    /// Uses a connected socket, with a TLS handshake if there is a configuration.
    pub(super) fn over(
        socket: Socket,
        host: &str,
        tls: Option<&Arc<ClientConfig>>,
        by: Deadline,
    ) -> Result<Self, Error> {
        Ok(Self(match tls {
            None => Transport::Plain(socket),
            Some(config) => Transport::Tls(Box::new(TlsStream::over(socket, host, config, by)?)),
        }))
    }

    pub(super) const fn is_tls(&self) -> bool {
        matches!(self.0, Transport::Tls(_))
    }

    /// Returns the description of the peer, for error texts.
    #[must_use]
    pub fn peer(&self) -> &str {
        match &self.0 {
            Transport::Plain(socket) => socket.peer(),
            Transport::Tls(tls) => tls.peer(),
        }
    }

    /// Returns the number of bytes sent so far.
    pub(super) fn sent(&self) -> usize {
        match &self.0 {
            Transport::Plain(socket) => socket.sent(),
            Transport::Tls(tls) => tls.sent(),
        }
    }

    /// Whether a request can be sent: the connection is open as far as this side can detect, and no
    /// application data was received. Does not wait.
    ///
    /// TLS messages are not application data: TLS 1.3 sends session tickets after the handshake (RFC 8446
    /// section 4.6.1). An end is detected by `close_notify`, FIN or reset, but not a peer that disappeared
    /// without any of them.
    pub fn is_idle(&mut self) -> bool {
        match &mut self.0 {
            Transport::Plain(socket) => socket.is_idle(),
            Transport::Tls(tls) => tls.is_idle(),
        }
    }

    /// Reads some bytes. 0: the peer has closed the connection.
    pub fn read(&mut self, into: &mut [u8], by: Deadline) -> Result<usize, Error> {
        match &mut self.0 {
            Transport::Plain(socket) => socket.read(into, by),
            Transport::Tls(tls) => tls.read(into, by),
        }
    }

    /// Writes all bytes.
    pub fn write_all(&mut self, bytes: &[u8], by: Deadline) -> Result<(), Error> {
        match &mut self.0 {
            Transport::Plain(socket) => socket.write_all(bytes, by),
            Transport::Tls(tls) => tls.write_all(bytes, by),
        }
    }
}
