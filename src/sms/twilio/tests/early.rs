//! A connection that was open before it was needed.
#![forbid(unsafe_code)]

use std::{net::SocketAddr, sync::Arc};

use rustix::net::{AddressFamily, SocketType};

use super::*;
use crate::{net::http::Connection, prefetch::Permit};

/// A server that is asked by hand.
struct Server {
    listener: TcpListener,
    twilio: Twilio,
}

impl Server {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let twilio = Twilio::new(&settings(listener.local_addr().unwrap().port(), None));
        Self { listener, twilio }
    }

    /// A connection that was begun and is open, and its other end.
    fn opened(&mut self) -> (Connection, TcpStream) {
        self.twilio.begin(Permit::for_a_test());
        let (peer, _) = self.listener.accept().unwrap();
        let early = self.twilio.early.take().unwrap();
        let open = early.opened(LONG, Deadline::within(LONG)).unwrap();
        (open.unwrap(), peer)
    }

    /// Sends, and answers on the next new connection. Nothing may come on the old one.
    fn replaces(self, open: Connection, old: Option<TcpStream>) {
        let Self { listener, twilio } = self;
        let stage = Stage::on(listener, None, vec![created()]);
        assert_eq!(
            outcome(&deliver(&twilio, Early::of(open))),
            format!("sent {SID}")
        );
        assert_eq!(stage.end().len(), 1);
        let mut heard = Vec::new();
        if let Some(mut old) = old {
            // Ours may have ended in a reset: then there is nothing to be read either.
            let _ = old.read_to_end(&mut heard);
        }
        assert!(heard.is_empty(), "{heard:?}");
    }
}

fn deliver(twilio: &Twilio, early: Early) -> Result<Sent, SendError> {
    let text = Secret::new(TEXT.to_owned());
    let valid = Duration::from_secs(300);
    twilio.deliver(Some(early), TO, &text, valid, Deadline::within(LONG))
}

/// Waits until it is seen that this connection is of no use.
fn wait_for_the_end(open: &mut Connection) {
    let by = Deadline::within(LONG);
    while open.is_good() {
        assert!(!by.is_over());
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_begun_is_taken() {
    let ca = Authority::new();
    for tls in [None, Some(&ca)] {
        // A second connection would be refused.
        let stage = Stage::new(tls.map(|ca| ca.server("127.0.0.1")), vec![created()]);
        let mut twilio = Twilio::new(&settings(stage.at.port(), tls));
        twilio.begin(Permit::for_a_test());
        twilio.begin(Permit::for_a_test());
        let early = twilio.early.take().unwrap();
        assert_eq!(outcome(&deliver(&twilio, early)), format!("sent {SID}"));
        assert_eq!(stage.end().len(), 1);
    }
}

#[test]
fn nothing_is_asked_before_there_is_something_to_send() {
    let mut server = Server::new();
    let (open, mut peer) = server.opened();
    peer.set_nonblocking(true).unwrap();
    let error = peer.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(open);
    peer.set_nonblocking(false).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}

#[test]
fn one_that_has_ended_is_replaced() {
    let mut server = Server::new();
    let (mut open, peer) = server.opened();
    peer.shutdown(Shutdown::Write).unwrap();
    wait_for_the_end(&mut open);
    server.replaces(open, Some(peer));

    let mut server = Server::new();
    let (mut open, mut peer) = server.opened();
    peer.write_all(b"HTTP/1.1 408 REQUEST TIMEOUT\r\n\r\n")
        .unwrap();
    wait_for_the_end(&mut open);
    server.replaces(open, Some(peer));

    let mut server = Server::new();
    let (mut open, peer) = server.opened();
    rustix::net::sockopt::set_socket_linger(&peer, Some(Duration::ZERO)).unwrap();
    drop(peer);
    wait_for_the_end(&mut open);
    server.replaces(open, None);
}

#[test]
fn one_that_has_grown_old_is_replaced() {
    let mut server = Server::new();
    let (open, peer) = server.opened();
    server.replaces(open.aged(Duration::from_secs(60)), Some(peer));
}

/// It looks open, and then not a byte can be written.
#[test]
fn one_that_has_died_unseen_is_replaced() {
    let server = Server::new();
    let tcp = TcpStream::connect(server.listener.local_addr().unwrap()).unwrap();
    let (peer, _) = server.listener.accept().unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let mut open = Connection::over(tcp);
    assert!(open.is_good());
    server.replaces(open, Some(peer));
}

/// And only once: the new one is as dead.
#[test]
fn there_is_no_third_connection() {
    let server = Server::new();
    let tcp = TcpStream::connect(server.listener.local_addr().unwrap()).unwrap();
    let _peer = server.listener.accept().unwrap();
    tcp.shutdown(Shutdown::Write).unwrap();
    let Server { listener, twilio } = server;
    let stage = Stage::on(listener, None, vec![Act::Reset, created()]);
    let error = deliver(&twilio, Early::of(Connection::over(tcp))).unwrap_err();
    assert!(error.may_be_sent);
    assert_eq!(stage.requests().len(), 1);
}

#[test]
fn what_was_posted_on_it_is_not_posted_again() {
    let ca = Authority::new();
    for act in [Act::Reset, Act::say(""), Act::say("what?")] {
        // A second connection would be answered.
        let acts = vec![act.clone(), created()];
        let stage = Stage::new(Some(ca.server("127.0.0.1")), acts);
        let mut twilio = Twilio::new(&settings(stage.at.port(), Some(&ca)));
        twilio.begin(Permit::for_a_test());
        let early = twilio.early.take().unwrap();
        let error = deliver(&twilio, early).unwrap_err();
        sound(&error);
        assert!(error.may_be_sent, "{act:?}");
        assert_eq!(stage.requests().len(), 1, "{act:?}");
    }
}

#[test]
fn one_that_is_underway_is_waited_for() {
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
        let Act::Say(answer) = created() else {
            panic!()
        };
        tcp.write_all(&answer).unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let early = twilio.early.take().unwrap();
    assert_eq!(outcome(&deliver(&twilio, early)), format!("sent {SID}"));
    server.join().unwrap();
}

#[test]
fn one_that_does_not_come_about_is_given_up() {
    let ca = Authority::new();
    let acts = vec![Act::Silent, created()];
    let stage = Stage::new(Some(ca.server("127.0.0.1")), acts);
    let mut settings = settings(stage.at.port(), Some(&ca));
    settings.timeout = Duration::from_secs(1);
    let mut twilio = Twilio::new(&settings);
    twilio.begin(Permit::for_a_test());
    let early = twilio.early.take().unwrap();
    // Its time began sooner than that of the waiting, so there is a new one by the end of both.
    assert_eq!(outcome(&deliver(&twilio, early)), format!("sent {SID}"));
    assert_eq!(stage.end().len(), 1);
}

#[test]
fn one_that_failed_is_as_if_it_had_never_been() {
    // Bound and not listening refuses.
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&socket, &any).unwrap();
    let at = SocketAddr::try_from(rustix::net::getsockname(&socket).unwrap()).unwrap();
    let mut twilio = Twilio::new(&settings(at.port(), None));
    let failed = |twilio: &mut Twilio| {
        twilio.begin(Permit::for_a_test());
        let early = twilio.early.take().unwrap();
        assert!(
            early
                .opened(LONG, Deadline::within(LONG))
                .unwrap()
                .is_none()
        );
        twilio.begin(Permit::for_a_test());
        twilio.early.take().unwrap()
    };
    let early = failed(&mut twilio);
    rustix::net::listen(&socket, 8).unwrap();
    let stage = Stage::on(TcpListener::from(socket), None, vec![created()]);
    assert_eq!(outcome(&deliver(&twilio, early)), format!("sent {SID}"));
    assert_eq!(stage.end().len(), 1);

    // Its error is the one of whoever sends.
    let mut no_roots = settings(1, Some(&Authority::new()));
    no_roots.ca_file = Some(b"nothing".as_slice().into());
    let mut twilio = Twilio::new(&no_roots);
    let early = failed(&mut twilio);
    let error = deliver(&twilio, early).unwrap_err();
    assert_eq!(error, send(&no_roots, LONG).unwrap_err());
}

#[test]
fn the_authorities_are_read_once_and_on_the_way() {
    let ca = Authority::new();
    let mut twilio = Twilio::new(&settings(1, Some(&ca)));
    let way = Arc::clone(&twilio.way);
    assert!(!way.is_read());
    twilio.begin(Permit::for_a_test());
    let early = twilio.early.take().unwrap();
    assert!(
        early
            .opened(LONG, Deadline::within(LONG))
            .unwrap()
            .is_none()
    );
    assert!(way.is_read());
    let tls = || way.server().unwrap().tls.clone().unwrap();
    assert!(Arc::ptr_eq(&tls(), &tls()));
}
