//! Scripts are called by their hashes, and their text is sent only to a server that does not have them.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use super::*;

/// The maximum number of bytes that a login sends to the ledger.
const MAX_SENT: u64 = 8 * 1024;

/// A proxy that counts bytes and replies, and closes the connection in place of one reply.
#[derive(Default)]
struct Proxy {
    /// Bytes to the server.
    sent: AtomicU64,
    /// Replies from it.
    replies: AtomicU64,
    /// The number of the reply that is lost; 0: none.
    lost: AtomicU64,
}

impl Proxy {
    fn start(server: &Redis) -> (u16, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), server.port());
        let proxy = Arc::new(Self::default());
        let shared = Arc::clone(&proxy);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (up, down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let proxy = Arc::clone(&shared);
                thread::spawn(move || proxy.forward_requests(up, far));
                let proxy = Arc::clone(&shared);
                thread::spawn(move || proxy.forward_replies(down, near));
            }
        });
        (port, proxy)
    }

    fn forward_requests(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            self.sent.fetch_add(length as u64, Ordering::SeqCst);
            to.write_all(&bytes[..length]).unwrap();
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn forward_replies(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            let reply = self.replies.fetch_add(1, Ordering::SeqCst) + 1;
            if reply == self.lost.load(Ordering::SeqCst) {
                break;
            }
            to.write_all(&bytes[..length]).unwrap();
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn reset(&self) {
        self.sent.store(0, Ordering::SeqCst);
        self.replies.store(0, Ordering::SeqCst);
    }
}

/// The requests of a login: before the SMS, before the code is compared, and after it.
fn login(settings: &config::Redis, number: u32) -> Result<(), Failure> {
    let mut store = RedisStore::begin_for_a_test(settings)?;
    let (who, limits) = (account(number), limits());
    let _ = store.admit(&who, rules(&limits), soon())?;
    let _ = store.record_attempt(&who, rules(&limits), soon())?;
    store
        .record_success(&who, rules(&limits), 1, soon())
        .map(drop)
}

/// Returns how often the server has run a command.
fn calls(server: &Redis, command: &str) -> u64 {
    let asked = server.ask(&["INFO", "commandstats"]);
    let begin = format!("cmdstat_{command}:calls=");
    let count = asked.lines().find_map(|line| line.strip_prefix(&begin));
    count.map_or(0, |count| count.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn a_login_sends_less_than_8_kb_in_four_round_trips() {
    let server = Redis::start();
    let (port, proxy) = Proxy::start(&server);
    let settings = settings(port);
    // The first login sends the scripts.
    for (number, round_trips, evals) in [(1, 7, 3), (2, 4, 0)] {
        server.ask(&["CONFIG", "RESETSTAT"]);
        proxy.reset();
        login(&settings, number).unwrap();
        assert_eq!(proxy.replies.load(Ordering::SeqCst), round_trips);
        assert_eq!(calls(&server, "evalsha"), 3);
        assert_eq!(calls(&server, "eval"), evals);
        assert_eq!(calls(&server, "role"), 1);
        let sent = proxy.sent.load(Ordering::SeqCst);
        assert_eq!(sent < MAX_SENT, evals == 0, "{sent} bytes");
    }
}

#[test]
fn scripts_are_sent_again_after_the_server_lost_them() {
    let server = Redis::start();
    let mut store = connect(&server);
    let (who, limits) = (account(1), limits());
    for counted in 1..=3 {
        let _ = store.admit(&who, rules(&limits), soon()).unwrap();
        server.ask(&["SCRIPT", "FLUSH"]);
        assert_eq!(store.summary(soon()).unwrap().sms, counted);
        server.ask(&["SCRIPT", "FLUSH"]);
    }
}

/// The lost reply may be NOSCRIPT or that of the script.
#[test]
fn a_lost_reply_counts_nothing_twice() {
    let server = Redis::start();
    let (port, proxy) = Proxy::start(&server);
    let (who, limits) = (account(1), limits());
    // ROLE, NOSCRIPT, the SMS.
    for lost in 1..=3 {
        server.ask(&["FLUSHALL"]);
        server.ask(&["SCRIPT", "FLUSH"]);
        proxy.reset();
        proxy.lost.store(lost, Ordering::SeqCst);
        let mut store = RedisStore::begin_for_a_test(&settings(port)).unwrap();
        let admitted = store.admit(&who, rules(&limits), soon()).or_else(|_| {
            // Without the reply to ROLE the first request has no connection.
            assert_eq!(lost, 1);
            store.admit(&who, rules(&limits), soon())
        });
        assert!(matches!(admitted.unwrap().decision, Decision::Reserved(_)));
        assert!(proxy.replies.load(Ordering::SeqCst) > lost);
        assert_eq!(store.summary(soon()).unwrap().sms, 1, "{lost}");
    }
}

/// An ACL without `+evalsha`, and a server without the command: each login tries it once.
#[test]
fn without_evalsha_the_text_of_scripts_is_sent() {
    let line = "rename-command EVALSHA \"\"".to_owned();
    let renamed = Redis::start_as(&lab::redis::Options {
        lines: &[line],
        ..lab::redis::Options::default()
    });
    let refused = Redis::start();
    refused.ask(&["ACL", "SETUSER", "default", "-evalsha"]);
    for server in [renamed, refused] {
        login(&settings(server.port()), 1).unwrap();
        server.ask(&["CONFIG", "RESETSTAT"]);
        let (port, proxy) = Proxy::start(&server);
        login(&settings(port), 2).unwrap();
        assert_eq!(calls(&server, "eval"), 3);
        assert_eq!(proxy.replies.load(Ordering::SeqCst), 5);
    }
}
