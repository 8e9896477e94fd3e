//! A server that takes no more clients is there, and refuses us: it is not out of reach, so that
//! nobody chooses the ledger that knows less by opening connections.
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
fn at_maxclients_it_refuses_in_clear_and_under_tls() {
    let certs = Certs::new();
    let server = Redis::start_as(&redis::Options {
        tls: Some((&certs, Identity::Good)),
        lines: &["maxclients 2".to_owned()],
        ..redis::Options::default()
    });
    let clear = config::Redis {
        login: Some((None, Secret::new("obviously-fake".to_owned()))),
        ..settled(server.port())
    };
    let tls = config::Redis {
        tls: true,
        ca_file: Some(std::fs::read(certs.ca()).unwrap().into()),
        hosts: vec![("127.0.0.1".to_owned(), server.tls_port())],
        ..settled(server.tls_port())
    };
    let early = "the server closed the connection before TLS was complete: maxclients, or a proxy \
                 without its server";
    for (settled, text) in [(&clear, "max number of clients reached"), (&tls, early)] {
        let clients = [client(&server), client(&server)];
        let (what, remedy) = refused(RedisStore::begin(settled).unwrap().summary(soon()));
        assert!(what.ends_with(text), "{what}");
        assert!(remedy.contains("maxclients"), "{remedy}");
        // What was refused ahead may be over when it is needed.
        let mut store = RedisStore::begin(settled).unwrap();
        std::thread::sleep(Duration::from_millis(200));
        drop(clients);
        server.until("room for a client", || {
            server.ask(&["PING"]).contains("PONG")
        });
        let answer = store.summary(soon());
        assert_eq!(answer.is_ok(), settled.tls, "{answer:?}");
    }
}

/// A proxy whose server is down does the same, and a server that dies at that moment.
#[test]
fn whoever_closes_before_tls_refuses() {
    for manner in [Behavior::Closes, Behavior::Resets] {
        let listener = Listener::start(manner);
        let tls = config::Redis {
            tls: true,
            ..settled(listener.port())
        };
        let (what, _) = refused(RedisStore::begin(&tls).unwrap().summary(soon()));
        assert!(what.contains("before TLS"), "{manner:?}: {what}");
    }
    // In clear nobody can tell it from a server that has gone.
    let listener = Listener::start(Behavior::Closes);
    let answer = RedisStore::begin(&settled(listener.port()))
        .unwrap()
        .summary(soon());
    assert!(is_outage(&answer), "{answer:?}");
}
