//! Properties of every response to a request, for `make fuzz` and, with fewer inputs, for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    time::Duration,
};

use super::{Connection, Post, PostError, Response, Server, exchange::MAX_BODY, post, status};
use crate::{deadline::Deadline, net::Error, secret::Secret};

/// Fits into the socket's buffer: it is written before anything is read.
const MAX_INPUT: usize = 48 * 1024;

const AUTHORIZATION: &str = "Basic bm90OnJlYWw=";
const FORM: &str = "To=%2B12025550142&Body=042137";

/// Checks all bytes of a server until it closes: they are a response within the limits, with the status of its
/// first line, or an error with one of our own texts; and there is one request. The same bytes are parsed as a
/// proxy's response too.
pub fn http(bytes: &[u8]) {
    let bytes = bytes.get(..MAX_INPUT).unwrap_or(bytes);
    let line = parse_status_line(bytes);
    assert_eq!(status(bytes).is_some(), line.is_some());
    assert_eq!(status(bytes), line.and_then(|(_, code)| code.parse().ok()));
    let Some((near, mut far)) = pair(bytes) else {
        return;
    };
    let server = Server {
        host: "localhost".to_owned(),
        port: 80,
        tls: None,
        proxy: None,
    };
    let (authorization, form) = (
        &Secret::new(AUTHORIZATION.to_owned()),
        &Secret::new(FORM.to_owned()),
    );
    let path = "/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json";
    let form_post = Post {
        path,
        authorization,
        form,
    };
    let by = Deadline::within(Duration::from_secs(20));
    match post(&server, Connection::over(near), &form_post, by) {
        Ok(response) => check_response(&response, bytes),
        Err(error) => check_error(&error),
    }
    let mut request = String::new();
    let _ = far.read_to_string(&mut request);
    assert!(
        request.starts_with(&format!("POST {path} HTTP/1.1\r\n")),
        "{request}"
    );
    assert!(request.ends_with(&format!("\r\n\r\n{FORM}")), "{request}");
    assert_eq!(request.matches("POST ").count(), 1, "{request}");
}

/// Opens a connection on which all bytes have arrived already.
fn pair(bytes: &[u8]) -> Option<(TcpStream, UnixStream)> {
    let (near, mut far) = UnixStream::pair().ok()?;
    far.write_all(bytes).ok()?;
    far.shutdown(Shutdown::Write).ok()?;
    far.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    Some((TcpStream::from(OwnedFd::from(near)), far))
}

/// Parses version and code of a status line, independently of the code under test.
fn parse_status_line(bytes: &[u8]) -> Option<(char, &str)> {
    let head = bytes.get(..13)?;
    let head = std::str::from_utf8(head.get(..12)?)
        .ok()
        .filter(|_| matches!(head.last(), Some(b' ' | b'\r')))?;
    let rest = head.strip_prefix("HTTP/1.")?;
    let (version, code) = rest.split_once(' ')?;
    let version = version.parse().ok().filter(char::is_ascii_digit)?;
    (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit())).then_some((version, code))
}

fn check_response(response: &Response, bytes: &[u8]) {
    assert!((100..=999).contains(&response.status));
    assert!(response.body.len() <= MAX_BODY);
    assert_eq!(
        format!("{response:?}"),
        format!("Response({})", response.status)
    );
    if let Some((_, code)) = parse_status_line(bytes) {
        // Interim responses are skipped.
        assert!(
            code.starts_with('1') || code.parse() == Ok(response.status),
            "{code}"
        );
    }
    if let Some(host) = response.redirected_to() {
        assert!(
            host.bytes().filter(u8::is_ascii_digit).count() <= 2,
            "{host}"
        );
        assert!(
            host.split('.').all(|label| (1..=20).contains(&label.len())),
            "{host}"
        );
    }
}

fn check_error(error: &PostError) {
    assert!(error.is_sent);
    let texts = [
        "no response",
        "the server closed the connection without a response",
        "the header of the response is too long",
        "the response is not HTTP",
        "the server closed the connection",
        "the server sends without end",
    ];
    let text = error.error.to_string();
    let is_known = text
        .strip_prefix("test: ")
        .is_some_and(|why| texts.contains(&why));
    assert!(
        is_known && matches!(error.error, Error::Outage(_)),
        "{text}"
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn http() {
        crate::mutation::check_slow("http", super::http);
    }
}
