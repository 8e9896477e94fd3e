//! HTTP: one POST over one connection, which may have been opened earlier.
#![forbid(unsafe_code)]

mod exchange;
mod pages;
#[cfg(any(test, fuzzing))]
pub mod properties;

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{Addresses, Error, Pace, Reached, Stream, dial, line::Line, place};
use crate::deadline::{Deadline, Moment};

pub use exchange::{Post, Reply, Unanswered, post};

/// Steps of opening that may each take their whole time: TCP, the proxy's answer, TLS.
const STEPS: u32 = 3;

/// Longest answer of a proxy to CONNECT.
const LONGEST_HEAD: usize = 8 * 1024;

/// How long an open connection may wait to be asked something.
///
/// Servers, balancers and firewalls give up on one that is idle, the usual ones after a minute:
/// nginx (`client_header_timeout`, 60 s) and AWS's load balancers (60 s) close it, which can be
/// seen from here unless it crosses with our request; address translation on the way forgets it
/// without a word (Azure after 4 minutes, others sooner). So: well below a minute.
const LONGEST_IDLE: Duration = Duration::from_secs(45);

/// A server, and the way to it.
#[derive(Debug, Clone)]
pub struct Server {
    /// Name or address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// `None`: plain HTTP, for a loopback host.
    pub tls: Option<Arc<ClientConfig>>,
    /// Host and port of a proxy that knows CONNECT.
    pub proxy: Option<(String, u16)>,
}

/// An open connection on which nothing has been asked yet.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    opened: Moment,
}

impl Connection {
    /// Opens: TCP, the proxy's tunnel, TLS. Each of them may take as long as a `step`, over all
    /// addresses `at` which the server (or the proxy) is. Nothing has been asked by then, so the
    /// next address may be tried.
    pub fn open(
        server: &Server,
        at: &Addresses,
        step: Duration,
        by: Deadline,
    ) -> Result<Self, Error> {
        let by = by.or_within(step.saturating_mul(STEPS));
        dial(at, Pace { by, step }, |reached: Reached| {
            let every = reached.pace;
            let line = match &server.proxy {
                None => {
                    let place = format!("{}{}", at.place(), reached.which);
                    Line::new(reached.tcp, place)
                }
                Some(_) => tunnel(at, server, reached)?,
            };
            let stream = Stream::over(line, &server.host, server.tls.as_ref(), every.step())?;
            let opened = Moment::now();
            Ok(Self { stream, opened })
        })
    }

    /// Whether it may still be asked something: it is not older than 45 s, and
    /// [quiet](Stream::is_quiet). Waits for nothing.
    pub fn is_usable(&mut self) -> bool {
        Moment::now().since(self.opened) < LONGEST_IDLE && self.stream.is_quiet()
    }

    /// One without TLS that somebody else has opened.
    #[cfg(any(test, fuzzing))]
    #[allow(
        clippy::unwrap_used,
        reason = "nothing is waited for, and nothing can fail"
    )]
    pub(crate) fn over(tcp: std::net::TcpStream) -> Self {
        let line = Line::new(tcp, "test".to_owned());
        let by = Deadline::within(Duration::ZERO);
        Self {
            stream: Stream::over(line, "test", None, by).unwrap(),
            opened: Moment::now(),
        }
    }

    /// The same, opened so much earlier.
    #[cfg(test)]
    pub(crate) fn aged(self, by: Duration) -> Self {
        let boot = Moment::at(Duration::ZERO);
        let opened = Moment::at(self.opened.since(boot).saturating_sub(by));
        Self { opened, ..self }
    }
}

/// A line through a proxy (RFC 9110 section 9.3.6).
///
/// Not ureq's connector: that one looks the proxy up through its resolver and keeps time by its own
/// timeouts. The answer is read a byte at a time, so that none of what follows it is taken away
/// from TLS; there are few.
fn tunnel(proxy: &Addresses, server: &Server, reached: Reached) -> Result<Line, Error> {
    let target = authority(&server.host, server.port);
    let way = format!(
        "{} through the proxy {}{}",
        place(&server.host, server.port),
        proxy.place(),
        reached.which
    );
    let mut line = Line::new(reached.tcp, way);
    let by = reached.pace.step();
    let ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    line.write_all(ask.as_bytes(), by)?;

    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= LONGEST_HEAD || line.read(&mut byte, by)? == 0 {
            return Err(Error::Outage(format!(
                "{}: no answer to CONNECT",
                line.place()
            )));
        }
        head.extend_from_slice(&byte);
    }
    match status(&head) {
        Some(200..=299) => Ok(line),
        // It could not reach the server, or has too much to do.
        Some(code @ (408 | 429 | 500..=599)) => Err(Error::Outage(format!(
            "{}: it answers {code}",
            line.place()
        ))),
        Some(code) => Err(refused(line.place(), code)),
        None => Err(Error::Outage(format!(
            "{}: its answer is not HTTP",
            line.place()
        ))),
    }
}

/// A proxy that does not let us through: a matter of settings, here or there.
fn refused(place: &str, code: u16) -> Error {
    let (what, remedy) = match code {
        407 => (
            "the proxy demands a login",
            "let the proxy admit this host without one: there is no setting for user and password",
        ),
        403 => (
            "the proxy forbids the way there",
            "allow CONNECT from this host to that name and port in the proxy's rules",
        ),
        _ => (
            "the proxy refuses CONNECT",
            "check twilio.proxy: it must be a proxy that knows CONNECT",
        ),
    };
    Error::Refused {
        what: format!("{place}: {what} ({code})"),
        remedy,
    }
}

/// The code of `HTTP/1.x 200 …`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let (code, after) = rest.get(2..)?.split_at_checked(3)?;
    let sound = rest.first().is_some_and(u8::is_ascii_digit)
        && rest.get(1) == Some(&b' ')
        && matches!(after.first(), Some(b' ' | b'\r'))
        && code.iter().all(u8::is_ascii_digit);
    sound
        .then(|| std::str::from_utf8(code).ok()?.parse().ok())
        .flatten()
}

/// Host and port as they stand in a URI: an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
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
