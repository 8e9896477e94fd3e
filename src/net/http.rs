//! HTTP: one POST over one connection, which may have been opened before.
#![forbid(unsafe_code)]

mod buffers;
mod exchange;
#[cfg(any(test, fuzzing))]
pub mod properties;

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{Addresses, Connected, Error, Stream, Timeouts, authority, dial, peer, socket::Socket};
use crate::deadline::{Deadline, Moment};

pub use exchange::{Post, PostError, Response, post};

/// The steps of connecting, each with the whole timeout: TCP, the proxy's response, TLS.
const STEPS: u32 = 3;

/// The longest response of a proxy to CONNECT.
const MAX_HEAD: usize = 8 * 1024;

/// How long an open connection may be idle before its request.
///
/// Servers, load balancers and firewalls drop idle connections, typically after a minute: nginx
/// (`client_header_timeout`, 60 s) and AWS load balancers (60 s) close them, which is detected unless it
/// happens at the same time as the request; NAT drops its state silently (Azure after 4 minutes, others
/// earlier). The limit is therefore well below a minute.
const MAX_IDLE: Duration = Duration::from_secs(45);

/// A server and its proxy.
#[derive(Debug, Clone)]
pub struct Server {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// `None`: plain HTTP, for a loopback host.
    pub tls: Option<Arc<ClientConfig>>,
    /// Host and port of a proxy for CONNECT.
    pub proxy: Option<(String, u16)>,
}

/// An open connection without a request.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    opened: Moment,
}

impl Connection {
    /// Connects: TCP, the proxy's tunnel, TLS. Each of them may take a `step`, for all addresses of the server
    /// (or its proxy) together. There is no request yet, so the next address may be tried.
    pub fn open(
        server: &Server,
        addresses: &Addresses,
        step: Duration,
        by: Deadline,
    ) -> Result<Self, Error> {
        let by = by.or_within(step.saturating_mul(STEPS));
        dial(addresses, Timeouts { by, step }, |connected: Connected| {
            let timeouts = connected.timeouts;
            let socket = match &server.proxy {
                None => {
                    let peer = format!("{}{}", addresses.peer(), connected.which);
                    Socket::new(connected.tcp, peer)
                }
                Some(_) => tunnel(addresses, server, connected)?,
            };
            let stream = Stream::over(socket, &server.host, server.tls.as_ref(), timeouts.step())?;
            let opened = Moment::now();
            Ok(Self { stream, opened })
        })
    }

    /// Whether a request can be sent: it is younger than 45 s and [idle](Stream::is_idle). Does not wait.
    pub fn is_usable(&mut self) -> bool {
        Moment::now().since(self.opened) < MAX_IDLE && self.stream.is_idle()
    }

    /// Uses a connected socket without TLS.
    #[cfg(any(test, fuzzing))]
    #[allow(clippy::unwrap_used, reason = "without TLS this cannot fail")]
    pub(crate) fn over(tcp: std::net::TcpStream) -> Self {
        let socket = Socket::new(tcp, "test".to_owned());
        let by = Deadline::within(Duration::ZERO);
        Self {
            stream: Stream::over(socket, "test", None, by).unwrap(),
            opened: Moment::now(),
        }
    }

    /// Makes it older, for tests.
    #[cfg(test)]
    pub(crate) fn aged(self, by: Duration) -> Self {
        let boot = Moment::at(Duration::ZERO);
        let opened = Moment::at(self.opened.since(boot).saturating_sub(by));
        Self { opened, ..self }
    }
}

/// Opens a tunnel through a proxy (RFC 9110 section 9.3.6).
///
/// ureq's connector for proxies is not used: it has its own resolver and timeouts. The response is read byte
/// by byte, so that no byte of TLS after it is consumed; it is short.
fn tunnel(proxy: &Addresses, server: &Server, connected: Connected) -> Result<Socket, Error> {
    let target = authority(&server.host, server.port);
    let route = format!(
        "{} through the proxy {}{}",
        peer(&server.host, server.port),
        proxy.peer(),
        connected.which
    );
    let mut socket = Socket::new(connected.tcp, route);
    let by = connected.timeouts.step();
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    socket.write_all(request.as_bytes(), by)?;

    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= MAX_HEAD || socket.read(&mut byte, by)? == 0 {
            return Err(Error::Outage(format!(
                "{}: no response to CONNECT",
                socket.peer()
            )));
        }
        head.extend_from_slice(&byte);
    }
    match status(&head) {
        Some(200..=299) => Ok(socket),
        // The proxy could not reach the server, or is overloaded.
        Some(code @ (408 | 429 | 500..=599)) => Err(Error::Outage(format!(
            "{}: the proxy returns HTTP {code}",
            socket.peer()
        ))),
        Some(code) => Err(refused(socket.peer(), code)),
        None => Err(Error::Outage(format!(
            "{}: the response is not HTTP",
            socket.peer()
        ))),
    }
}

/// The proxy refuses the tunnel: its rules or the settings are wrong.
fn refused(peer: &str, code: u16) -> Error {
    let (what, remedy) = match code {
        407 => (
            "the proxy requires authentication",
            "allow this host without authentication in the proxy: there is no setting for user and password",
        ),
        403 => (
            "the proxy forbids this destination",
            "allow CONNECT from this host to this name and port in the proxy's rules",
        ),
        _ => (
            "the proxy refuses CONNECT",
            "check twilio.proxy: it must be an HTTP proxy that supports CONNECT",
        ),
    };
    Error::Refused {
        what: format!("{peer}: {what} ({code})"),
        remedy,
    }
}

/// Parses the code of `HTTP/1.x 200 …`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let (code, after) = rest.get(2..)?.split_at_checked(3)?;
    let is_valid = rest.first().is_some_and(u8::is_ascii_digit)
        && rest.get(1) == Some(&b' ')
        && matches!(after.first(), Some(b' ' | b'\r'))
        && code.iter().all(u8::is_ascii_digit);
    is_valid
        .then(|| std::str::from_utf8(code).ok()?.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_lines() {
        for (line, code) in [
            ("HTTP/1.1 200 Connection established\r\n", Some(200)),
            ("HTTP/1.0 407\r\n", Some(407)),
            ("HTTP/1.1 2000\r\n", None),
            ("HTTP/1.1 +20 \r\n", None),
            ("HTTP/1.x 200 OK\r\n", None),
            ("HTTP/1.  200 OK\r\n", None),
            ("HTTP/2 200 OK\r\n", None),
            ("HTTP/1.1  200 OK\r\n", None),
            ("SSH-2.0-OpenSSH\r\n", None),
            ("", None),
        ] {
            assert_eq!(status(line.as_bytes()), code, "{line:?}");
        }
    }
}
