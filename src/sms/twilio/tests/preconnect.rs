//! Connections that are opened before they are needed.
#![forbid(unsafe_code)]

use std::{net::SocketAddr, sync::Arc};

use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::{net::http::Connection, prefetch::Permit};

/// A client, and the listener of its server.
struct Setup {
    listener: TcpListener,
    twilio: Twilio,
}

impl Setup {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let twilio = Twilio::new(&settings(listener.local_addr().unwrap().port(), None));
        Self { listener, twilio }
    }

    /// Opens a connection before it is needed; returns both ends.
    fn opened(&mut self) -> (Connection, TcpStream) {
        self.twilio.begin(Permit::for_a_test());
        let (peer, _) = self.listener.accept().unwrap();
        let preconnect = self.twilio.preconnect.take().unwrap();
        let open = preconnect.opened(LONG, Deadline::within(LONG)).unwrap();
        (open.unwrap(), peer)
    }

    /// Sends a text, and replies on the next new connection. Nothing may be sent on the old one.
    fn check_replaced(self, open: Connection, old: Option<TcpStream>) {
        let Self { listener, twilio } = self;
        let server = FakeServer::on(listener, None, vec![created()]);
        assert_eq!(
            outcome(&deliver(&twilio, Preconnect::of(open))),
            format!("sent {SID}")
        );
        assert_eq!(server.finish().len(), 1);
        let mut received = Vec::new();
        if let Some(mut old) = old {
            // The client may have reset it: then there is nothing to read either.
            let _ = old.read_to_end(&mut received);
        }
        assert!(received.is_empty(), "{received:?}");
    }
}

fn deliver(twilio: &Twilio, preconnect: Preconnect) -> Result<Sent, SendError> {
    let text = Secret::new(TEXT.to_owned());
    let valid = Duration::from_secs(300);
    twilio.deliver(Some(preconnect), TO, &text, valid, Deadline::within(LONG))
}

/// Waits until the client has detected that a connection is not usable.
fn wait_until_unusable(open: &mut Connection) {
    let by = Deadline::within(LONG);
    while open.is_usable() {
        assert!(!by.is_over());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_open_connection_is_used() {
    let ca = TestCa::new();
    for tls in [None, Some(&ca)] {
        // A second connection would be refused.
        let server = FakeServer::new(tls.map(|ca| ca.server("127.0.0.1")), vec![created()]);
        let mut twilio = Twilio::new(&settings(server.address.port(), tls));
        twilio.begin(Permit::for_a_test());
        twilio.begin(Permit::for_a_test());
        let preconnect = twilio.preconnect.take().unwrap();
        assert_eq!(
            outcome(&deliver(&twilio, preconnect)),
            format!("sent {SID}")
        );
        assert_eq!(server.finish().len(), 1);
    }
}

#[test]
fn nothing_is_sent_before_there_is_a_text() {
    let mut setup = Setup::new();
    let (open, mut peer) = setup.opened();
    peer.set_nonblocking(true).unwrap();
    let error = peer.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(open);
    peer.set_nonblocking(false).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_closed_connection_is_replaced() {
    let mut setup = Setup::new();
    let (mut open, peer) = setup.opened();
    peer.shutdown(Shutdown::Write).unwrap();
    wait_until_unusable(&mut open);
    setup.check_replaced(open, Some(peer));

    let mut setup = Setup::new();
    let (mut open, mut peer) = setup.opened();
    peer.write_all(b"HTTP/1.1 408 REQUEST TIMEOUT\r\n\r\n")
        .unwrap();
    wait_until_unusable(&mut open);
    setup.check_replaced(open, Some(peer));

    let mut setup = Setup::new();
    let (mut open, peer) = setup.opened();
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    wait_until_unusable(&mut open);
    setup.check_replaced(open, None);
}

#[test]
fn an_old_connection_is_replaced() {
    let mut setup = Setup::new();
    let (open, peer) = setup.opened();
    setup.check_replaced(open.aged(Duration::from_secs(60)), Some(peer));
}

/// The connection seems open, but no byte can be written.
#[test]
fn a_connection_that_fails_at_the_first_byte_is_replaced() {
    let setup = Setup::new();
    let tcp = TcpStream::connect(setup.listener.local_addr().unwrap()).unwrap();
    let (peer, _) = setup.listener.accept().unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let mut open = Connection::over(tcp);
    assert!(open.is_usable());
    setup.check_replaced(open, Some(peer));
}

/// A connection is replaced once, even if the new one fails too.
#[test]
fn there_is_no_third_connection() {
    let setup = Setup::new();
    let tcp = TcpStream::connect(setup.listener.local_addr().unwrap()).unwrap();
    let _peer = setup.listener.accept().unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let Setup { listener, twilio } = setup;
    let server = FakeServer::on(listener, None, vec![Behavior::Reset, created()]);
    let error = deliver(&twilio, Preconnect::of(Connection::over(tcp))).unwrap_err();
    assert!(error.may_be_sent);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_text_is_not_posted_again() {
    let ca = TestCa::new();
    for behavior in [
        Behavior::Reset,
        Behavior::reply(""),
        Behavior::reply("what?"),
    ] {
        // A second connection would get a reply.
        let behaviors = vec![behavior.clone(), created()];
        let server = FakeServer::new(Some(ca.server("127.0.0.1")), behaviors);
        let mut twilio = Twilio::new(&settings(server.address.port(), Some(&ca)));
        twilio.begin(Permit::for_a_test());
        let preconnect = twilio.preconnect.take().unwrap();
        let error = deliver(&twilio, preconnect).unwrap_err();
        check_texts(&error);
        assert!(error.may_be_sent, "{behavior:?}");
        assert_eq!(server.requests().len(), 1, "{behavior:?}");
    }
}

#[test]
fn a_connection_in_progress_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut settings = settings(1, None);
    settings.proxy = Some(Proxy {
        host: "127.0.0.1".to_owned(),
        port: listener.local_addr().unwrap().port(),
    });
    let mut twilio = Twilio::new(&settings);
    twilio.begin(Permit::for_a_test());
    let (mut tcp, _) = listener.accept().unwrap();
    // A second connection would be refused.
    drop(listener);
    let server = thread::spawn(move || {
        head(&mut tcp);
        thread::sleep(Duration::from_millis(200));
        tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        head(&mut tcp);
        let Behavior::Reply(reply) = created() else {
            panic!()
        };
        tcp.write_all(&reply).unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let preconnect = twilio.preconnect.take().unwrap();
    assert_eq!(
        outcome(&deliver(&twilio, preconnect)),
        format!("sent {SID}")
    );
    server.join().unwrap();
}

#[test]
fn a_connection_that_takes_too_long_is_replaced() {
    let ca = TestCa::new();
    let behaviors = vec![Behavior::Silent, created()];
    let server = FakeServer::new(Some(ca.server("127.0.0.1")), behaviors);
    let mut settings = settings(server.address.port(), Some(&ca));
    settings.timeout = Duration::from_secs(1);
    let mut twilio = Twilio::new(&settings);
    twilio.begin(Permit::for_a_test());
    let preconnect = twilio.preconnect.take().unwrap();
    // Its timeout ends before that of the wait, so there is time for a new connection.
    assert_eq!(
        outcome(&deliver(&twilio, preconnect)),
        format!("sent {SID}")
    );
    assert_eq!(server.finish().len(), 1);
}

#[test]
fn a_failed_connection_is_ignored() {
    // A socket that is bound and not listening refuses.
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    let at = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    let mut twilio = Twilio::new(&settings(at.port(), None));
    let failed = |twilio: &mut Twilio| {
        twilio.begin(Permit::for_a_test());
        let preconnect = twilio.preconnect.take().unwrap();
        assert!(
            preconnect
                .opened(LONG, Deadline::within(LONG))
                .unwrap()
                .is_none()
        );
        twilio.begin(Permit::for_a_test());
        twilio.preconnect.take().unwrap()
    };
    let preconnect = failed(&mut twilio);
    rustix::net::listen(&socket, 8).unwrap();
    let server = FakeServer::on(TcpListener::from(socket), None, vec![created()]);
    assert_eq!(
        outcome(&deliver(&twilio, preconnect)),
        format!("sent {SID}")
    );
    assert_eq!(server.finish().len(), 1);

    // The error is the same as without an early connection.
    let mut no_roots = settings(1, Some(&TestCa::new()));
    no_roots.ca_file = Some(b"no PEM".as_slice().into());
    let mut twilio = Twilio::new(&no_roots);
    let preconnect = failed(&mut twilio);
    let error = deliver(&twilio, preconnect).unwrap_err();
    assert_eq!(error, send(&no_roots, LONG).unwrap_err());
}

#[test]
fn the_ca_certificates_are_read_once_by_the_thread() {
    let ca = TestCa::new();
    let mut twilio = Twilio::new(&settings(1, Some(&ca)));
    let endpoint = Arc::clone(&twilio.endpoint);
    assert!(!endpoint.has_read_ca());
    twilio.begin(Permit::for_a_test());
    let preconnect = twilio.preconnect.take().unwrap();
    assert!(
        preconnect
            .opened(LONG, Deadline::within(LONG))
            .unwrap()
            .is_none()
    );
    assert!(endpoint.has_read_ca());
    let tls = || endpoint.server().unwrap().tls.clone().unwrap();
    assert!(Arc::ptr_eq(&tls(), &tls()));
}
