//! A server at its limit of clients refuses, which is not an outage: otherwise an attacker could switch a
//! host to its local ledger by opening connections.
#![forbid(unsafe_code)]

use std::{io::Write, net::TcpStream};

use lab::{
    certs::{Certs, Identity},
    listeners::{Behavior, Listener},
    redis,
};

use super::*;

/// A client that holds a connection.
fn client(server: &Redis) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    std::io::Read::read_exact(&mut stream, &mut [0; 7]).unwrap();
    stream
}

#[test]
fn at_maxclients_it_refuses_with_and_without_tls() {
    let certs = Certs::new();
    let server = Redis::start_as(&redis::Options {
        tls: Some((&certs, Identity::Good)),
        lines: &["maxclients 2".to_owned()],
        ..redis::Options::default()
    });
    let plain = config::Redis {
        login: Some((None, Secret::new("obviously-fake".to_owned()))),
        ..settings(server.port())
    };
    let tls = config::Redis {
        tls: true,
        ca_file: Some(std::fs::read(certs.ca()).unwrap().into()),
        hosts: vec![("127.0.0.1".to_owned(), server.tls_port())],
        ..settings(server.tls_port())
    };
    let closed = "the server closed the connection before TLS was complete: maxclients, or a proxy \
                 without its server";
    for (settings, text) in [(&plain, "max number of clients reached"), (&tls, closed)] {
        let clients = [client(&server), client(&server)];
        let (what, remedy) = refused(
            RedisStore::begin_for_a_test(settings)
                .unwrap()
                .summary(soon()),
        );
        assert!(what.ends_with(text), "{what}");
        assert!(remedy.contains("maxclients"), "{remedy}");
        // The refusal of the background connection may be over when it is needed.
        let mut store = RedisStore::begin_for_a_test(settings).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        drop(clients);
        server.until("a free client", || server.ask(&["PING"]).contains("PONG"));
        let answer = store.summary(soon());
        assert_eq!(answer.is_ok(), settings.tls, "{answer:?}");
    }
}

/// A proxy whose server is down does the same, and a server that crashes at that moment.
#[test]
fn a_connection_closed_before_tls_is_a_refusal() {
    for manner in [Behavior::Closes, Behavior::Resets] {
        let listener = Listener::start(manner);
        let tls = config::Redis {
            tls: true,
            ..settings(listener.port())
        };
        let (what, _) = refused(RedisStore::begin_for_a_test(&tls).unwrap().summary(soon()));
        assert!(what.contains("before TLS"), "{manner:?}: {what}");
    }
    // Without TLS it looks like a server that has crashed.
    let listener = Listener::start(Behavior::Closes);
    let answer = RedisStore::begin_for_a_test(&settings(listener.port()))
        .unwrap()
        .summary(soon());
    assert!(is_outage(&answer), "{answer:?}");
}
