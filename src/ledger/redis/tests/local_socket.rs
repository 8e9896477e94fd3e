//! A server on a local socket.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn it_is_used_and_is_unreachable_after_its_end() {
    let folder = lab::scratch::Scratch::new("redis-socket");
    let path = folder.join("s");
    let lines = [
        format!("unixsocket {}", path.display()),
        "unixsocketperm 777".to_owned(),
    ];
    let server = Redis::start_as(&lab::redis::Options {
        lines: &lines,
        ..lab::redis::Options::default()
    });
    server.until("a socket", || path.exists());
    let settings = config::Redis {
        site: RedisSite::Local(path.clone()),
        hosts: Vec::new(),
        ..settings(1)
    };
    let limits = limits();
    // Opened in the background, and opened by the first request.
    let mut store = RedisStore::begin_for_a_test(&settings).unwrap();
    let admitted = store.admit(&account(1), rules(&limits), soon()).unwrap();
    assert!(matches!(admitted.decision, Decision::Reserved(_)));
    let mut later = RedisStore::new(&settings).unwrap();
    assert_eq!(later.summary(soon()).unwrap().sms, 1);

    server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_eq!(store.summary(soon()).unwrap().sms, 1);
    server.ask(&["CONFIG", "SET", "maxclients", "1"]);
    // The server may close before or after the request is written.
    for _ in 0..100 {
        let (what, _) = refused(RedisStore::new(&settings).unwrap().summary(soon()));
        assert!(what.ends_with("max number of clients reached"), "{what}");
    }
    drop(server);
    let answer = RedisStore::new(&settings).unwrap().summary(soon());
    assert!(is_outage(&answer), "{answer:?}");
}
