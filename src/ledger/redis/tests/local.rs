//! A server on a local socket.
#![forbid(unsafe_code)]

use super::*;

#[test]
fn it_is_asked_and_when_it_is_gone_out_of_reach() {
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
    let settled = config::Redis {
        site: RedisSite::Local(path.clone()),
        hosts: Vec::new(),
        ..settled(1)
    };
    let limits = limits();
    // Begun ahead, and when it is first needed.
    let mut store = RedisStore::begin(&settled).unwrap();
    let admitted = store.admit(&account(1), rules(&limits), soon()).unwrap();
    assert!(matches!(admitted.decision, Decision::Reserved(_)));
    let mut later = RedisStore::new(&settled).unwrap();
    assert_eq!(later.summary(soon()).unwrap().sms, 1);

    server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    assert_eq!(store.summary(soon()).unwrap().sms, 1);
    server.ask(&["CONFIG", "SET", "maxclients", "1"]);
    // Whether it closes before the question is written or after it.
    for _ in 0..100 {
        let (what, _) = refused(RedisStore::new(&settled).unwrap().summary(soon()));
        assert!(what.ends_with("max number of clients reached"), "{what}");
    }
    drop(server);
    let answer = RedisStore::new(&settled).unwrap().summary(soon());
    assert!(is_outage(&answer), "{answer:?}");
}
