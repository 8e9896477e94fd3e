//! Connections: the only room that opens sockets and holds TLS roots.
#![forbid(unsafe_code)]

use std::{net::TcpStream, os::unix::net::UnixStream, path::Path, sync::Arc};

use rustls::ClientConfig;

use crate::deadline::Deadline;

/// Why there is no connection, or no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Out of reach: name not found, refused, timed out, cut off, or not the protocol.
    Outage(String),
    /// The server's certificate does not verify.
    Untrusted(String),
    /// Something is wrong on this machine: CA file unreadable, no descriptors, no threads.
    Local(String),
}

/// Opens a TCP connection (TCP_NODELAY) to the first address of `host` that answers.
pub fn dial(_host: &str, _port: u16, _by: Deadline) -> Result<TcpStream, Error> {
    Err(Error::Local(String::new()))
}

/// Opens a connection to a local socket.
pub fn dial_unix(_path: &Path, _by: Deadline) -> Result<UnixStream, Error> {
    Err(Error::Local(String::new()))
}

/// What TLS needs: the roots of `ca` (PEM), else of the system's bundle. ring is the provider.
pub fn tls_config(_ca: Option<&[u8]>) -> Result<Arc<ClientConfig>, Error> {
    Err(Error::Local(String::new()))
}
