//! What is true of whatever is answered to a request: for `make fuzz`, and in small for the tests.
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

use super::{Connection, Post, Reply, Server, Unanswered, exchange::LONGEST_BODY, post, status};
use crate::{deadline::Deadline, net::Error, secret::Secret};

/// What is sent goes into the socket at once: nobody reads it meanwhile.
const MOST: usize = 48 * 1024;

const AUTHORIZATION: &str = "Basic bm90OnJlYWw=";
const FORM: &str = "To=%2B12025550142&Body=042137";

/// All that the server says, before it closes. It is an answer within bounds, with the status of its own
/// first line, or none; it was asked once; and why there is none is said in our own words. The same bytes
/// are a proxy's answer as well.
pub fn http(bytes: &[u8]) {
    let bytes = bytes.get(..MOST).unwrap_or(bytes);
    let line = read_as_a_line(bytes);
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
    let asked = Post {
        path,
        authorization,
        form,
    };
    let by = Deadline::within(Duration::from_secs(20));
    match post(&server, Connection::over(near), &asked, by) {
        Ok(reply) => answered(&reply, bytes),
        Err(unanswered) => told(&unanswered),
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

/// A connection on which all has come in that ever will.
fn pair(bytes: &[u8]) -> Option<(TcpStream, UnixStream)> {
    let (near, mut far) = UnixStream::pair().ok()?;
    far.write_all(bytes).ok()?;
    far.shutdown(Shutdown::Write).ok()?;
    far.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    Some((TcpStream::from(OwnedFd::from(near)), far))
}

/// Version and code of a status line, read in another way than ours.
fn read_as_a_line(bytes: &[u8]) -> Option<(char, &str)> {
    let head = bytes.get(..13)?;
    let head = std::str::from_utf8(head.get(..12)?)
        .ok()
        .filter(|_| matches!(head.last(), Some(b' ' | b'\r')))?;
    let rest = head.strip_prefix("HTTP/1.")?;
    let (version, code) = rest.split_once(' ')?;
    let version = version.parse().ok().filter(char::is_ascii_digit)?;
    (code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit())).then_some((version, code))
}

fn answered(reply: &Reply, bytes: &[u8]) {
    assert!((100..=999).contains(&reply.status));
    assert!(reply.body.len() <= LONGEST_BODY);
    assert_eq!(format!("{reply:?}"), format!("Reply({})", reply.status));
    if let Some((_, code)) = read_as_a_line(bytes) {
        // What only announces an answer is passed over.
        assert!(
            code.starts_with('1') || code.parse() == Ok(reply.status),
            "{code}"
        );
    }
    if let Some(host) = reply.redirected_to() {
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

fn told(unanswered: &Unanswered) {
    assert!(unanswered.asked);
    let words = [
        "no answer",
        "closed the connection without an answer",
        "its answer is longer than any",
        "its answer is not HTTP",
        "it closed the connection",
        "sends without end",
    ];
    let told = unanswered.error.to_string();
    let known = told
        .strip_prefix("test: ")
        .is_some_and(|why| words.contains(&why));
    assert!(
        known && matches!(unanswered.error, Error::Outage(_)),
        "{told}"
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn http() {
        crate::mutation::check_slow("http", super::http);
    }
}
