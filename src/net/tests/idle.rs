//! The state of an open connection without a request.
#![forbid(unsafe_code)]

use std::{
    io::Write,
    net::{Shutdown, TcpListener, TcpStream},
    thread,
};

use rustls::{ServerConfig, ServerConnection};

use super::*;
use crate::net::{Addresses, Stream};

const LONG: Duration = Duration::from_secs(20);

/// The server's end.
struct Peer {
    tcp: TcpStream,
    tls: Option<ServerConnection>,
}

impl Peer {
    /// Sends all pending TLS records.
    fn flush(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.is_handshaking() || tls.wants_write() {
                tls.complete_io(&mut self.tcp).unwrap();
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            None => self.tcp.write_all(bytes).unwrap(),
            Some(tls) => tls.writer().write_all(bytes).unwrap(),
        }
        self.flush();
    }

    fn tls(&mut self) -> &mut ServerConnection {
        self.tls.as_mut().unwrap()
    }
}

/// Opens a connection; returns both ends.
fn open(tls: Option<(&TestCa, Arc<ServerConfig>)>) -> (Stream, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (ca, config) = tls.unzip();
    let client = ca.map(|ca| tls_config(Some(&ca.pem().into_bytes().into())).unwrap());
    let server = thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let tls = config.map(|config| ServerConnection::new(config).unwrap());
        let mut peer = Peer { tcp, tls };
        peer.flush();
        peer
    });
    let by = Deadline::within(LONG);
    let stream = Stream::open(&loopback(port), client.as_ref(), by, |stream, _| {
        Ok::<_, Error>(stream)
    })
    .unwrap();
    (stream, server.join().unwrap())
}

fn secured(ca: &TestCa) -> (Stream, Peer) {
    open(Some((ca, ca.server("127.0.0.1"))))
}

/// Whether the end is detected once it has arrived.
fn end_is_detected(stream: &mut Stream) -> bool {
    let by = Deadline::within(LONG);
    while stream.is_idle() {
        if by.is_over() {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    // The result is permanent.
    !stream.is_idle()
}

/// Checks that the connection works: sends a byte and reads one.
fn check_open(stream: &mut Stream, peer: &mut Peer) {
    let by = Deadline::within(LONG);
    stream.write_all(b"?", by).unwrap();
    peer.send(b"!");
    let mut answer = [0; 2];
    assert_eq!(stream.read(&mut answer, by).unwrap(), 1);
    assert_eq!(&answer[..1], b"!");
}

fn loopback(port: u16) -> Addresses {
    let lookup = Lookup::begin("127.0.0.1", port);
    lookup.wait(Deadline::within(LONG)).unwrap()
}

#[test]
fn an_open_connection_is_idle() {
    let ca = TestCa::new();
    let mut many = (*ca.server("127.0.0.1")).clone();
    many.send_tls13_tickets = 8;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let only_12 = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&many.cert_resolver));
    for tls in [None, Some(many), Some(only_12)] {
        let (mut stream, mut peer) = open(tls.map(|config| (&ca, Arc::new(config))));
        for _ in 0..20 {
            assert!(stream.is_idle());
            thread::sleep(Duration::from_millis(5));
        }
        check_open(&mut stream, &mut peer);
    }
}

/// A key update is a TLS message; it is answered with the next record.
#[test]
fn a_key_update_is_not_application_data() {
    let ca = TestCa::new();
    let (mut stream, mut peer) = secured(&ca);
    peer.tls().refresh_traffic_keys().unwrap();
    peer.flush();
    for _ in 0..20 {
        assert!(stream.is_idle());
        thread::sleep(Duration::from_millis(5));
    }
    check_open(&mut stream, &mut peer);
}

#[test]
fn every_kind_of_end_is_detected() {
    let ca = TestCa::new();
    for secure in [false, true] {
        let open = || if secure { secured(&ca) } else { open(None) };
        let (mut stream, peer) = open();
        peer.tcp.shutdown(Shutdown::Write).unwrap();
        assert!(end_is_detected(&mut stream), "half closed");

        let (mut stream, peer) = open();
        drop(peer);
        assert!(end_is_detected(&mut stream), "closed");

        let (mut stream, peer) = open();
        rustix::net::sockopt::set_socket_linger(&peer.tcp, Some(Duration::ZERO)).unwrap();
        drop(peer);
        assert!(end_is_detected(&mut stream), "reset");
    }
    let (mut stream, mut peer) = secured(&ca);
    peer.tls().send_close_notify();
    peer.flush();
    assert!(end_is_detected(&mut stream), "close_notify alone");
}

#[test]
fn unexpected_data_is_detected() {
    let ca = TestCa::new();
    let late = b"HTTP/1.1 408 REQUEST TIMEOUT\r\n\r\n";
    for secure in [false, true] {
        let (mut stream, mut peer) = if secure { secured(&ca) } else { open(None) };
        peer.send(late);
        assert!(end_is_detected(&mut stream), "secure: {secure}");
    }
    // Plain text within a TLS connection.
    let (mut stream, mut peer) = secured(&ca);
    peer.tcp.write_all(late).unwrap();
    assert!(end_is_detected(&mut stream));
}

/// Records that were read together with the handshake count too.
#[test]
fn an_end_together_with_the_handshake_is_detected() {
    let ca = TestCa::new();
    let fake = FakeServer::new(
        Some(ca.server("127.0.0.1")),
        vec![Behavior::CloseAfterHandshake; 20],
    );
    let server = server(&fake, Some(&ca));
    for _ in 0..20 {
        let by = Deadline::within(LONG);
        let port = fake.address.port();
        let mut stream = Stream::open(&loopback(port), server.tls.as_ref(), by, |stream, _| {
            Ok::<_, Error>(stream)
        })
        .unwrap();
        assert!(end_is_detected(&mut stream));
    }
}

#[test]
fn a_connection_is_good_while_it_is_idle_and_young() {
    let (listener, by) = (
        TcpListener::bind("127.0.0.1:0").unwrap(),
        Deadline::within(LONG),
    );
    let server = Server {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
        tls: None,
        proxy: None,
    };
    let open = || {
        let connection = Connection::open(&server, &loopback(server.port), LONG, by).unwrap();
        (connection, listener.accept().unwrap().0)
    };
    for (seconds, expected) in [(0, true), (20, true), (46, false), (3600, false)] {
        let (connection, _peer) = open();
        let mut connection = connection.aged(Duration::from_secs(seconds));
        assert_eq!(connection.is_usable(), expected, "{seconds} s");
    }
    let (mut connection, mut peer) = open();
    peer.write_all(b"x").unwrap();
    while connection.is_usable() {
        assert!(!by.is_over());
    }
}
