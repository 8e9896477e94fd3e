//! Several addresses, and a server at each.
#![forbid(unsafe_code)]

use std::sync::Arc;

use rustls::{ClientConfig, ServerConfig};

use super::{
    super::super::{Stream, line::Line, tls_config},
    *,
};
use crate::test_support::net_server::{Behavior, FakeServer, TestCa};

/// A server that shakes hands, if it can, and has nothing to say.
fn server(tls: Arc<ServerConfig>) -> FakeServer {
    FakeServer::new(Some(tls), vec![Behavior::CloseAfterHandshake])
}

fn trusting(ca: &TestCa) -> Arc<ClientConfig> {
    tls_config(Some(&ca.pem().into_bytes().into())).unwrap()
}

/// The first of them that shows a good certificate for 127.0.0.1, and where.
fn secured(at: &[SocketAddr], ca: &TestCa, pace: Pace) -> Result<String, Error> {
    let config = trusting(ca);
    dial(&super::at(at), pace, |reached| {
        let line = Line::new(reached.tcp, reached.which);
        let by = reached.pace.step();
        let stream = Stream::over(line, "127.0.0.1", Some(&config), by)?;
        Ok(stream.place().to_owned())
    })
}

fn refused<T: std::fmt::Debug>(told: Result<T, Error>) -> String {
    match told {
        Err(Error::Refused { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

fn pace() -> Pace {
    Pace {
        by: Deadline::within(Duration::from_secs(6)),
        step: Duration::from_secs(2),
    }
}

#[test]
fn an_address_at_which_tls_fails_does_not_keep_us_from_the_next() {
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
        let found = secured(&[bad.address, good.address], &ours, pace());
        assert_eq!(found, Ok(" (127.0.0.1)".to_owned()));
    }
    // One that accepts and says nothing costs its share.
    let good = server(ours.server("127.0.0.1"));
    let began = Moment::now();
    assert!(secured(&[silent.address, good.address], &ours, pace()).is_ok());
    let took = Moment::now().since(began);
    assert!(took >= Duration::from_millis(1900), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_certificate_that_does_not_verify_is_told_whatever_else_was_down() {
    let ours = TestCa::new();
    let bad = || server(ours.server("sms.example.org"));
    for of in [0, 1, 2] {
        let bad = bad();
        let mut at = vec![closed(), closed()];
        at.insert(of, bad.address);
        let told = secured(&at, &ours, pace());
        let expected = " (127.0.0.1): its certificate is for another name";
        assert_eq!(refused(told), expected, "{of}");
    }
    let alone = bad();
    let told = secured(&[alone.address], &ours, pace());
    let expected = ": its certificate is for another name";
    assert_eq!(refused(told), expected);
}

#[test]
fn all_of_it_ends_with_the_deadline() {
    let ours = TestCa::new();
    let silent: Vec<_> = (0..3)
        .map(|_| FakeServer::new(None, vec![Behavior::Silent]))
        .collect();
    let at: Vec<_> = silent.iter().map(|fake| fake.address).collect();
    let began = Moment::now();
    let pace = Pace {
        by: Deadline::within(Duration::from_millis(600)),
        step: Duration::from_secs(60),
    };
    let told = secured(&at, &ours, pace);
    assert!(matches!(told, Err(Error::Outage(_))), "{told:?}");
    let took = Moment::now().since(began);
    assert!(took >= Duration::from_millis(590), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn whoever_has_answered_is_given_time() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = [server.local_addr().unwrap(); 16];
    let mut given = Vec::new();
    let told = dial(&super::at(&at), pace(), |reached| {
        given.push(reached.pace.by.left());
        Err::<(), _>(Error::Outage(String::new()))
    });
    assert!(told.is_err());
    assert!(given[0] > Duration::from_millis(2500), "{given:?}");
    assert!(given[0] <= Duration::from_secs(3), "{given:?}");
    // It had not been used up.
    assert!(given[14] > Duration::from_secs(2), "{given:?}");
    assert!(given[15] > Duration::from_secs(4), "{given:?}");
}

/// What must not be said twice, or would be answered alike elsewhere.
#[derive(Debug)]
struct Over(bool);

impl From<Error> for Over {
    fn from(_: Error) -> Self {
        Self(false)
    }
}

impl Failure for Over {
    fn is_final(&self) -> bool {
        self.0
    }

    fn is_outage(&self) -> bool {
        true
    }
}

#[test]
fn what_is_over_is_tried_nowhere_else() {
    let servers: Vec<_> = (0..3)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let at: Vec<_> = servers.iter().map(|s| s.local_addr().unwrap()).collect();
    for (end_at, tried) in [(1, 1), (2, 2), (4, 3)] {
        let mut count = 0;
        let told = dial(&super::at(&at), pace(), |_| {
            count += 1;
            Err::<(), _>(Over(count == end_at))
        });
        assert_eq!(count, tried);
        assert_eq!(told.unwrap_err().0, end_at == tried);
    }
}
