//! What can be seen of an open connection on which nothing was asked yet.
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

/// The other end.
struct Peer {
    tcp: TcpStream,
    tls: Option<ServerConnection>,
}

impl Peer {
    /// Sends all that TLS has to say.
    fn flush(&mut self) {
        if let Some(tls) = &mut self.tls {
            while tls.is_handshaking() || tls.wants_write() {
                tls.complete_io(&mut self.tcp).unwrap();
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) {
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

/// A connection and its other end.
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

/// Whether it is noticed, as soon as it has arrived.
fn ends(stream: &mut Stream) -> bool {
    let by = Deadline::within(LONG);
    while stream.is_quiet() {
        if by.is_over() {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    // And it stays so.
    !stream.is_quiet()
}

/// It is as open as it looks: something is asked and answered.
fn answers(stream: &mut Stream, peer: &mut Peer) {
    let by = Deadline::within(LONG);
    stream.write_all(b"?", by).unwrap();
    peer.say(b"!");
    let mut answer = [0; 2];
    assert_eq!(stream.read(&mut answer, by).unwrap(), 1);
    assert_eq!(&answer[..1], b"!");
}

fn loopback(port: u16) -> Addresses {
    let lookup = Lookup::begin("127.0.0.1", port);
    lookup.wait(Deadline::within(LONG)).unwrap()
}

#[test]
fn an_open_connection_is_quiet() {
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
            assert!(stream.is_quiet());
            thread::sleep(Duration::from_millis(5));
        }
        answers(&mut stream, &mut peer);
    }
}

/// A key update is TLS's own affair, and is answered with the next record.
#[test]
fn new_keys_are_no_answer() {
    let ca = TestCa::new();
    let (mut stream, mut peer) = secured(&ca);
    peer.tls().refresh_traffic_keys().unwrap();
    peer.flush();
    for _ in 0..20 {
        assert!(stream.is_quiet());
        thread::sleep(Duration::from_millis(5));
    }
    answers(&mut stream, &mut peer);
}

#[test]
fn an_end_is_noticed_however_it_is_said() {
    let ca = TestCa::new();
    for secure in [false, true] {
        let open = || if secure { secured(&ca) } else { open(None) };
        let (mut stream, peer) = open();
        peer.tcp.shutdown(Shutdown::Write).unwrap();
        assert!(ends(&mut stream), "half closed");

        let (mut stream, peer) = open();
        drop(peer);
        assert!(ends(&mut stream), "closed");

        let (mut stream, peer) = open();
        rustix::net::sockopt::set_socket_linger(&peer.tcp, Some(Duration::ZERO)).unwrap();
        drop(peer);
        assert!(ends(&mut stream), "reset");
    }
    let (mut stream, mut peer) = secured(&ca);
    peer.tls().send_close_notify();
    peer.flush();
    assert!(ends(&mut stream), "close_notify alone");
}

#[test]
fn what_nobody_asked_for_is_noticed() {
    let ca = TestCa::new();
    let late = b"HTTP/1.1 408 REQUEST TIMEOUT\r\n\r\n";
    for secure in [false, true] {
        let (mut stream, mut peer) = if secure { secured(&ca) } else { open(None) };
        peer.say(late);
        assert!(ends(&mut stream), "secure: {secure}");
    }
    // Under TLS it is no TLS.
    let (mut stream, mut peer) = secured(&ca);
    peer.tcp.write_all(late).unwrap();
    assert!(ends(&mut stream));
}

/// What came behind the handshake, and was read with it, counts as well.
#[test]
fn an_end_that_comes_with_the_handshake_is_noticed() {
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
        assert!(ends(&mut stream));
    }
}

#[test]
fn a_connection_is_good_while_it_is_quiet_and_young() {
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
    for (seconds, good) in [(0, true), (20, true), (46, false), (3600, false)] {
        let (connection, _peer) = open();
        let mut connection = connection.aged(Duration::from_secs(seconds));
        assert_eq!(connection.is_usable(), good, "{seconds} s");
    }
    let (mut connection, mut peer) = open();
    peer.write_all(b"x").unwrap();
    while connection.is_usable() {
        assert!(!by.is_over());
    }
}
