//! Whether a text may be delivered although no response accepted it: then it counts as sent.
#![forbid(unsafe_code)]

use std::{
    io::Read,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType};

use super::*;

const HALF: Duration = Duration::from_millis(500);

/// Sends a text to a server with this behavior.
fn error_with(behavior: &Behavior, tls: Option<&TestCa>) -> SendError {
    let server = FakeServer::new(tls.map(|ca| ca.server("127.0.0.1")), vec![behavior.clone()]);
    let mut settings = settings(server.address.port(), tls);
    settings.timeout = HALF;
    send(&settings, LONG).unwrap_err()
}

fn response(head: &str, body: &str) -> Behavior {
    let length = body.len();
    Behavior::reply(format!(
        "HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn a_refused_text_is_not_sent() {
    for head in [
        "301 MOVED\r\nLocation: https://example.org/",
        "304 NOT MODIFIED",
        "400 BAD REQUEST",
        "401 UNAUTHORIZED",
        "404 NOT FOUND",
        "408 REQUEST TIMEOUT",
        "429 TOO MANY REQUESTS",
        "499 CLOSED",
    ] {
        for body in ["", "{\"code\":21610}", "{\"code\":20003}", "no JSON"] {
            let error = error_with(&response(head, body), None);
            assert!(!error.may_be_sent, "{head} {body}: {error:?}");
        }
    }
    for status in ["failed", "undelivered"] {
        for code in ["30006", "30002", "null"] {
            let body = format!("{{\"status\":\"{status}\",\"error_code\":{code}}}");
            let error = error_with(&response("201 CREATED", &body), None);
            assert!(!error.may_be_sent, "{body}: {error:?}");
        }
    }
}

#[test]
fn server_errors_and_unexpected_statuses_leave_it_open() {
    for head in [
        "200 OK",
        "202 ACCEPTED",
        "204 NO CONTENT",
        "500 INTERNAL SERVER ERROR",
        "502 BAD GATEWAY",
        "503 SERVICE UNAVAILABLE",
        "504 GATEWAY TIMEOUT",
        "600 WHAT",
        "999 WHAT",
    ] {
        for body in ["", "{\"code\":20503}", "{\"status\":\"failed\"}"] {
            // A 204 has no body (RFC 9110 section 15.3.5).
            let body = if head.starts_with("204") { "" } else { body };
            let error = error_with(&response(head, body), None);
            assert_eq!(
                error.failure.kind,
                FailureKind::Outage,
                "{head} {body}: {error:?}"
            );
            assert!(error.may_be_sent, "{head} {body}: {error:?}");
        }
    }
}

#[test]
fn a_text_without_a_response_may_be_sent() {
    let ca = TestCa::new();
    for behavior in [
        Behavior::Reset,
        Behavior::reply(""),
        Behavior::reply("SSH-2.0-OpenSSH\r\n"),
        Behavior::reply("HTTP/1.1 201 CREATED\r\n"),
        Behavior::Silent,
        Behavior::Endless(b"HTTP/1.1 100 CONTINUE\r\n".to_vec(), b"X: y\r\n".to_vec()),
        Behavior::Drip(b"HTTP/1.1 400 BAD REQUEST\r\n".to_vec(), HALF),
    ] {
        let error = error_with(&behavior, None);
        assert!(error.may_be_sent, "{behavior:?}: {error:?}");
        if !matches!(behavior, Behavior::Silent) {
            let error = error_with(&behavior, Some(&ca));
            assert!(error.may_be_sent, "TLS {behavior:?}: {error:?}");
        }
    }
}

#[test]
fn a_text_without_a_request_is_not_sent() {
    let (ca, other) = (TestCa::new(), TestCa::new());
    let check = |mut settings: config::Twilio| {
        settings.timeout = HALF;
        let error = send(&settings, LONG).unwrap_err();
        assert!(!error.may_be_sent, "{error:?}");
    };
    // Bound and not listening: every connection is refused, and no other process can take the port.
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    let closed = rustix::net::getsockname(&socket).unwrap();
    let closed = SocketAddr::try_from(closed).unwrap().port();
    check(settings(closed, None));
    // The TLS handshake fails: no bytes, a closed connection, a certificate of another CA.
    for behavior in [Behavior::Silent, Behavior::Close] {
        let server = FakeServer::new(Some(ca.server("127.0.0.1")), vec![behavior; 2]);
        check(settings(server.address.port(), Some(&ca)));
    }
    let server = FakeServer::new(Some(other.server("127.0.0.1")), vec![created()]);
    check(settings(server.address.port(), Some(&ca)));
    // The proxy refuses CONNECT, or its reply is not HTTP.
    for answer in [
        "HTTP/1.1 407 NO\r\n\r\n",
        "HTTP/1.1 502 NO\r\n\r\n",
        "what?",
    ] {
        let proxy = FakeServer::new(None, vec![Behavior::reply(answer); 2]);
        let mut settings = settings(closed, Some(&ca));
        settings.proxy = Some(Proxy {
            host: "127.0.0.1".to_owned(),
            port: proxy.address.port(),
        });
        check(settings);
    }
    // No connection is possible with these settings.
    let mut no_roots = settings(1, Some(&ca));
    no_roots.ca_file = Some(b"no PEM".as_slice().into());
    assert!(!send(&no_roots, LONG).unwrap_err().may_be_sent);
}

#[test]
fn after_a_429_the_last_attempt_decides() {
    for (last, may_be_sent) in [(Behavior::Reset, true), (response("400 NO", ""), false)] {
        let server = FakeServer::new(None, vec![busy("Retry-After: 0\r\n"), last.clone()]);
        let error = send(&settings(server.address.port(), None), LONG).unwrap_err();
        assert_eq!(error.may_be_sent, may_be_sent, "{last:?}: {error:?}");
        assert_eq!(server.finish().len(), 2);
    }
    // The server is down after that: a refused text stays refused.
    let server = FakeServer::new(None, vec![busy("Retry-After: 0\r\n")]);
    let error = send(&settings(server.address.port(), None), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Outage);
    assert!(!error.may_be_sent);
}

/// Opens a connection; returns both ends.
fn open() -> (Twilio, crate::net::http::Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let twilio = Twilio::new(&settings(listener.local_addr().unwrap().port(), None));
    let connection = twilio.endpoint.open(Deadline::within(LONG)).unwrap();
    (twilio, connection, listener.accept().unwrap().0)
}

#[test]
fn a_text_of_which_no_byte_was_sent_is_not_sent() {
    let text = Secret::new(TEXT.to_owned());
    let valid = Duration::from_secs(300);
    let send = |(twilio, connection): (Twilio, _), by| {
        twilio
            .deliver(Some(Preconnect::of(connection)), TO, &text, valid, by)
            .unwrap_err()
    };
    // No time is left.
    let (twilio, connection, mut peer) = open();
    let error = send((twilio, connection), Deadline::within(Duration::ZERO));
    assert!(!error.may_be_sent, "{error:?}");
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
    // The code has expired.
    let (twilio, connection, mut peer) = open();
    let by = Deadline::within(LONG);
    let error = twilio
        .deliver(
            Some(Preconnect::of(connection)),
            TO,
            &text,
            Duration::ZERO,
            by,
        )
        .unwrap_err();
    assert!(!error.may_be_sent, "{error:?}");
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
    // The peer has reset the connection before.
    let (twilio, connection, peer) = open();
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let error = send((twilio, connection), by);
    assert!(!error.may_be_sent, "{error:?}");
    // The peer has closed it: that is detected before a byte is sent, and no server listens any more.
    let (twilio, connection, mut peer) = open();
    peer.shutdown(Shutdown::Write).unwrap();
    let error = send((twilio, connection), by);
    assert!(!error.may_be_sent, "{error:?}");
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
}
