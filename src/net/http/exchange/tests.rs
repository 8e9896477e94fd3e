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

/// Also run in a process whose environment names proxies, see `sms::twilio::tests`.
#[test]
fn no_proxy_no_pool_no_redirect() {
    let handed = Handed::new(open().0, Deadline::within(Duration::ZERO));
    let agent = agent(handed);
    assert!(agent.config().proxy().is_none());
    assert_eq!(agent.config().max_redirects(), 0);
    assert_eq!(agent.config().max_idle_connections(), 0);
}

#[test]
fn header_and_body_leave_together() {
    let (connection, mut peer) = open();
    let by = Deadline::within(Duration::from_secs(5));
    let mut handed = Handed::new(connection, by);
    for piece in [b"head", b"body"] {
        handed.buffers().output()[..4].copy_from_slice(piece);
        handed.transmit_output(4, NextTimeout::default()).unwrap();
    }
    peer.set_nonblocking(true).unwrap();
    let mut come = [0; 16];
    assert!(peer.read(&mut come).is_err(), "left too early");
    assert!(!handed.asked.load(Ordering::Relaxed));
    handed.send().unwrap();
    peer.set_nonblocking(false).unwrap();
    assert_eq!(peer.read(&mut come).unwrap(), 8);
    assert_eq!(&come[..8], b"headbody");
    assert!(handed.waiting.is_empty());
    assert!(handed.asked.load(Ordering::Relaxed));
}

#[test]
fn a_request_is_asked_as_soon_as_a_byte_of_it_has_left() {
    let (connection, _peer) = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        sockopt::set_socket_recv_buffer_size(&listener, 2048).unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sockopt::set_socket_send_buffer_size(&tcp, 2048).unwrap();
        let connection = Connection::over(tcp);
        (connection, listener.accept().unwrap().0)
    };
    let by = Deadline::within(Duration::from_millis(300));
    let mut handed = Handed::new(connection, by);
    handed
        .transmit_output(PAGE, NextTimeout::default())
        .unwrap();
    assert!(
        handed.send().is_err(),
        "nobody reads, and all of it has left"
    );
    assert!(handed.asked.load(Ordering::Relaxed));
}

#[test]
fn a_redirect_names_a_host_only_where_it_can_be_nothing_else() {
    for host in [
        "api.twilio.com",
        "api.us1.twilio.com",
        "sms-gate.example.net",
        "LOGIN.example.org",
        "localhost",
    ] {
        assert!(is_telling(host), "{host}");
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
        assert!(!is_telling(host), "{host}");
    }
}
