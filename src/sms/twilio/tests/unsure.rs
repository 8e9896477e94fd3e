//! Whether a text may have gone out although nobody said so: it decides whether it counts.
#![forbid(unsafe_code)]

use std::{
    io::Read,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketType};

use super::*;

const HALF: Duration = Duration::from_millis(500);

/// What becomes of a text with this server.
fn with(act: &Act, tls: Option<&Authority>) -> SendError {
    let stage = Stage::new(tls.map(|ca| ca.server("127.0.0.1")), vec![act.clone()]);
    let mut settings = settings(stage.at.port(), tls);
    settings.timeout = HALF;
    send(&settings, LONG).unwrap_err()
}

fn answered(head: &str, body: &str) -> Act {
    let length = body.len();
    Act::say(format!(
        "HTTP/1.1 {head}\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[test]
fn what_twilio_refused_was_not_sent() {
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
            let error = with(&answered(head, body), None);
            assert!(!error.may_be_sent, "{head} {body}: {error:?}");
        }
    }
    for status in ["failed", "undelivered"] {
        for code in ["30006", "30002", "null"] {
            let body = format!("{{\"status\":\"{status}\",\"error_code\":{code}}}");
            let error = with(&answered("201 CREATED", &body), None);
            assert!(!error.may_be_sent, "{body}: {error:?}");
        }
    }
}

#[test]
fn faults_and_odd_answers_leave_it_open() {
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
            // RFC 9110 section 15.3.5: after a 204 there is none.
            let body = if head.starts_with("204") { "" } else { body };
            let error = with(&answered(head, body), None);
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
fn what_was_asked_and_not_answered_may_be_sent() {
    let ca = Authority::new();
    for act in [
        Act::Reset,
        Act::say(""),
        Act::say("SSH-2.0-OpenSSH\r\n"),
        Act::say("HTTP/1.1 201 CREATED\r\n"),
        Act::Silent,
        Act::Endless(b"HTTP/1.1 100 CONTINUE\r\n".to_vec(), b"X: y\r\n".to_vec()),
        Act::Drip(b"HTTP/1.1 400 BAD REQUEST\r\n".to_vec(), HALF),
    ] {
        let error = with(&act, None);
        assert!(error.may_be_sent, "{act:?}: {error:?}");
        if !matches!(act, Act::Silent) {
            let error = with(&act, Some(&ca));
            assert!(error.may_be_sent, "TLS {act:?}: {error:?}");
        }
    }
}

#[test]
fn what_was_never_asked_was_not_sent() {
    let (ca, other) = (Authority::new(), Authority::new());
    let sure = |mut settings: config::Twilio| {
        settings.timeout = HALF;
        let error = send(&settings, LONG).unwrap_err();
        assert!(!error.may_be_sent, "{error:?}");
    };
    // Bound and not listening: nobody is there, and nobody else can come.
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    let closed = rustix::net::getsockname(&socket).unwrap();
    let closed = SocketAddr::try_from(closed).unwrap().port();
    sure(settings(closed, None));
    // TLS does not come about: silence, an end, a certificate of somebody else.
    for act in [Act::Silent, Act::Close] {
        let stage = Stage::new(Some(ca.server("127.0.0.1")), vec![act; 2]);
        sure(settings(stage.at.port(), Some(&ca)));
    }
    let stage = Stage::new(Some(other.server("127.0.0.1")), vec![created()]);
    sure(settings(stage.at.port(), Some(&ca)));
    // The proxy leads nowhere, whatever it says to CONNECT.
    for answer in [
        "HTTP/1.1 407 NO\r\n\r\n",
        "HTTP/1.1 502 NO\r\n\r\n",
        "what?",
    ] {
        let proxy = Stage::new(None, vec![Act::say(answer); 2]);
        let mut settings = settings(closed, Some(&ca));
        settings.proxy = Some(Proxy {
            host: "127.0.0.1".to_owned(),
            port: proxy.at.port(),
        });
        sure(settings);
    }
    // Settings with which nobody can be asked.
    let mut no_roots = settings(1, Some(&ca));
    no_roots.ca_file = Some(b"nothing".as_slice().into());
    assert!(!send(&no_roots, LONG).unwrap_err().may_be_sent);
}

#[test]
fn after_a_429_it_is_the_last_try_that_counts() {
    for (last, may_be_sent) in [(Act::Reset, true), (answered("400 NO", ""), false)] {
        let stage = Stage::new(None, vec![busy("Retry-After: 0\r\n"), last.clone()]);
        let error = send(&settings(stage.at.port(), None), LONG).unwrap_err();
        assert_eq!(error.may_be_sent, may_be_sent, "{last:?}: {error:?}");
        assert_eq!(stage.end().len(), 2);
    }
    // Nobody is there any more: what was refused stays refused.
    let stage = Stage::new(None, vec![busy("Retry-After: 0\r\n")]);
    let error = send(&settings(stage.at.port(), None), LONG).unwrap_err();
    assert_eq!(error.failure.kind, FailureKind::Outage);
    assert!(!error.may_be_sent);
}

/// An open connection, and its other end.
fn open() -> (Twilio, crate::net::http::Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let twilio = Twilio::new(&settings(listener.local_addr().unwrap().port(), None));
    let connection = twilio.way.open(Deadline::within(LONG)).unwrap();
    (twilio, connection, listener.accept().unwrap().0)
}

#[test]
fn an_open_connection_on_which_nothing_leaves() {
    let text = Secret::new(TEXT.to_owned());
    let valid = Duration::from_secs(300);
    let send = |(twilio, connection): (Twilio, _), by| {
        twilio
            .deliver(Some(Early::of(connection)), TO, &text, valid, by)
            .unwrap_err()
    };
    // No time is left.
    let (twilio, connection, mut peer) = open();
    let error = send((twilio, connection), Deadline::within(Duration::ZERO));
    assert!(!error.may_be_sent, "{error:?}");
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
    // What the code lives is over.
    let (twilio, connection, mut peer) = open();
    let by = Deadline::within(LONG);
    let error = twilio
        .deliver(Some(Early::of(connection)), TO, &text, Duration::ZERO, by)
        .unwrap_err();
    assert!(!error.may_be_sent, "{error:?}");
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
    // The other side has hung up before, and hard.
    let (twilio, connection, peer) = open();
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    let error = send((twilio, connection), by);
    assert!(!error.may_be_sent, "{error:?}");
    // And softly: that is seen before anything leaves, and nobody listens any more.
    let (twilio, connection, mut peer) = open();
    peer.shutdown(Shutdown::Write).unwrap();
    let error = send((twilio, connection), by);
    assert!(!error.may_be_sent, "{error:?}");
    assert_eq!(peer.read_to_end(&mut Vec::new()).unwrap(), 0);
}
