//! Servers with several addresses.
#![forbid(unsafe_code)]

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use super::{
    super::super::{Stream, socket::Socket, tls_config},
    *,
};
use crate::test_support::net_server::{Behavior, FakeServer, TestCa};

/// A server that closes after the handshake.
fn server(tls: Arc<ServerConfig>) -> FakeServer {
    FakeServer::new(Some(tls), vec![Behavior::CloseAfterHandshake])
}

fn trusting(ca: &TestCa) -> Arc<ClientConfig> {
    tls_config(Some(&ca.pem().into_bytes().into())).unwrap()
}

/// Connects to the first address with a valid certificate for 127.0.0.1, and returns its description.
fn secured(at: &[SocketAddr], ca: &TestCa, timeouts: Timeouts) -> Result<String, Error> {
    let config = trusting(ca);
    dial(&server_at(at), timeouts, |connected| {
        let by = connected.timeouts.step();
        let socket = Socket::new(connected.tcp, connected.which);
        let stream = Stream::over(socket, "127.0.0.1", Some(&config), by)?;
        Ok(stream.peer().to_owned())
    })
}

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Refused { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

fn timeouts() -> Timeouts {
    Timeouts {
        by: Deadline::within(Duration::from_secs(6)),
        step: Duration::from_secs(2),
    }
}

#[test]
fn the_next_address_is_tried_if_tls_fails() {
    let (ours, theirs) = (TestCa::new(), TestCa::new());
    let silent = FakeServer::new(None, vec![Behavior::Silent]);
    for bad in [
        server(theirs.server("127.0.0.1")),
        server(ours.expired("127.0.0.1")),
        server(ours.server("sms.example.org")),
        FakeServer::new(None, vec![Behavior::Close]),
        FakeServer::new(None, vec![Behavior::reply("SSH-2.0-OpenSSH_9.9\r\n")]),
    ] {
        let good = server(ours.server("127.0.0.1"));
        let found = secured(&[bad.address, good.address], &ours, timeouts());
        assert_eq!(found, Ok(" (127.0.0.1)".to_owned()));
    }
    // An address that accepts and sends nothing uses up its share of the time.
    let good = server(ours.server("127.0.0.1"));
    let began = Moment::now();
    assert!(secured(&[silent.address, good.address], &ours, timeouts()).is_ok());
    let took = Moment::now().since(began);
    assert!(took >= Duration::from_millis(1900), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_certificate_that_does_not_verify_is_reported_even_if_other_addresses_are_down() {
    let ours = TestCa::new();
    let bad = || server(ours.server("sms.example.org"));
    for of in [0, 1, 2] {
        let bad = bad();
        let mut at = vec![closed(), closed()];
        at.insert(of, bad.address);
        let result = secured(&at, &ours, timeouts());
        let expected = " (127.0.0.1): its certificate is for another name";
        assert_eq!(refused(result), expected, "{of}");
    }
    let alone = bad();
    let result = secured(&[alone.address], &ours, timeouts());
    let expected = ": its certificate is for another name";
    assert_eq!(refused(result), expected);
}

#[test]
fn all_addresses_together_final_at_the_deadline() {
    let ours = TestCa::new();
    let silent: Vec<_> = (0..3)
        .map(|_| FakeServer::new(None, vec![Behavior::Silent]))
        .collect();
    let at: Vec<_> = silent.iter().map(|fake| fake.address).collect();
    let began = Moment::now();
    let timeouts = Timeouts {
        by: Deadline::within(Duration::from_millis(600)),
        step: Duration::from_secs(60),
    };
    let result = secured(&at, &ours, timeouts);
    assert!(matches!(result, Err(Error::Outage(_))), "{result:?}");
    let took = Moment::now().since(began);
    assert!(took >= Duration::from_millis(590), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_connected_address_gets_half_of_the_remaining_time() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = [server.local_addr().unwrap(); 16];
    let mut given = Vec::new();
    let result = dial(&server_at(&at), timeouts(), |connected| {
        given.push(connected.timeouts.by.left());
        Err::<(), _>(Error::Outage(String::new()))
    });
    assert!(result.is_err());
    assert!(given[0] > Duration::from_millis(2500), "{given:?}");
    assert!(given[0] <= Duration::from_secs(3), "{given:?}");
    // The shares were not used up.
    assert!(given[14] > Duration::from_secs(2), "{given:?}");
    assert!(given[15] > Duration::from_secs(4), "{given:?}");
}

/// An error that may be final.
#[derive(Debug)]
struct MaybeFinal(bool);

impl From<Error> for MaybeFinal {
    fn from(_: Error) -> Self {
        Self(false)
    }
}

impl AttemptError for MaybeFinal {
    fn is_final(&self) -> bool {
        self.0
    }

    fn is_outage(&self) -> bool {
        true
    }
}

#[test]
fn after_a_final_error_no_address_is_tried() {
    let servers: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let at: Vec<_> = servers.iter().map(|s| s.local_addr().unwrap()).collect();
    for (final_at, tried) in [(1, 1), (2, 2), (4, 3)] {
        let mut count = 0;
        let result = dial(&server_at(&at), timeouts(), |_| {
            count += 1;
            Err::<(), _>(MaybeFinal(count == final_at))
        });
        assert_eq!(count, tried);
        assert_eq!(result.unwrap_err().0, final_at == tried);
    }
}
