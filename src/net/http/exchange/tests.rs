use std::{
    net::{TcpListener, TcpStream},
    time::Duration,
};

use rustix::net::sockopt;

use super::*;

fn open() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (Connection::over(tcp), listener.accept().unwrap().0)
}

/// Also run in a process with proxy variables, see `sms::twilio::tests`.
#[test]
fn no_proxy_no_pool_no_redirect() {
    let transport = OpenTransport::new(open().0, Deadline::within(Duration::ZERO));
    let agent = agent(transport);
    assert!(agent.config().proxy().is_none());
    assert_eq!(agent.config().max_redirects(), 0);
    assert_eq!(agent.config().max_idle_connections(), 0);
}

#[test]
fn header_and_body_are_sent_together() {
    let (connection, mut peer) = open();
    let by = Deadline::within(Duration::from_secs(5));
    let mut transport = OpenTransport::new(connection, by);
    for piece in [b"head", b"body"] {
        transport.buffers().output()[..4].copy_from_slice(piece);
        transport
            .transmit_output(4, NextTimeout::default())
            .unwrap();
    }
    peer.set_nonblocking(true).unwrap();
    let mut received = [0; 16];
    assert!(peer.read(&mut received).is_err(), "sent too early");
    assert!(!transport.is_sent.load(Ordering::Relaxed));
    transport.send().unwrap();
    peer.set_nonblocking(false).unwrap();
    assert_eq!(peer.read(&mut received).unwrap(), 8);
    assert_eq!(&received[..8], b"headbody");
    assert!(transport.pending.is_empty());
    assert!(transport.is_sent.load(Ordering::Relaxed));
}

#[test]
fn a_request_counts_as_sent_from_its_first_byte() {
    let (connection, _peer) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        sockopt::set_socket_recv_buffer_size(&listener, 2048).unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sockopt::set_socket_send_buffer_size(&tcp, 2048).unwrap();
        let connection = Connection::over(tcp);
        (connection, listener.accept().unwrap().0)
    };
    let by = Deadline::within(Duration::from_millis(300));
    let mut transport = OpenTransport::new(connection, by);
    transport
        .transmit_output(CAPACITY, NextTimeout::default())
        .unwrap();
    assert!(
        transport.send().is_err(),
        "all of it was sent, although the peer does not read"
    );
    assert!(transport.is_sent.load(Ordering::Relaxed));
}

#[test]
fn only_host_names_without_secrets_are_safe_to_log() {
    for host in [
        "api.twilio.com",
        "api.us1.twilio.com",
        "sms-gate.example.net",
        "LOGIN.example.org",
        "localhost",
    ] {
        assert!(is_safe_to_log(host), "{host}");
    }
    for host in [
        "",
        "12025550142",
        "a12025550142.example.org",
        "a120.b255.c501.d42.example.org",
        "n042.n137.example.org",
        "192.0.2.7",
        "[2001:db8::7]",
        "d0-not-print-me-12.example.org",
        "abcdefabcdefabcdefabcdefabcdefab.example.org",
        "user%40host",
        "a..b",
        "a-.b",
        "a.",
    ] {
        assert!(!is_safe_to_log(host), "{host}");
    }
}
