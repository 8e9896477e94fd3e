//! Scripts are called by their hashes, and sent whole only to a server that does not have them.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use super::*;

/// How much a login may send to the ledger, in bytes.
const MAX_SENT: u64 = 8 * 1024;

/// Between us and a server: counts what it carries, and cuts a connection in place of one answer.
#[derive(Default)]
struct Carrier {
    /// Bytes to the server.
    sent: AtomicU64,
    /// Answers from it.
    answers: AtomicU64,
    /// Which answer is lost; 0: none.
    lost: AtomicU64,
}

impl Carrier {
    fn start(server: &Redis) -> (u16, Arc<Self>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, server) = (listener.local_addr().unwrap().port(), server.port());
        let carrier = Arc::new(Self::default());
        let shared = Arc::clone(&carrier);
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
                let (up, down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let carrier = Arc::clone(&shared);
                thread::spawn(move || carrier.carry_up(up, far));
                let carrier = Arc::clone(&shared);
                thread::spawn(move || carrier.carry_down(down, near));
            }
        });
        (port, carrier)
    }

    fn carry_up(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            self.sent.fetch_add(length as u64, Ordering::SeqCst);
            to.write_all(&bytes[..length]).unwrap();
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn carry_down(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            let answer = self.answers.fetch_add(1, Ordering::SeqCst) + 1;
            if answer == self.lost.load(Ordering::SeqCst) {
                break;
            }
            to.write_all(&bytes[..length]).unwrap();
        }
        let _ = to.shutdown(Shutdown::Both);
    }

    fn reset(&self) {
        self.sent.store(0, Ordering::SeqCst);
        self.answers.store(0, Ordering::SeqCst);
    }
}

/// What a login asks: before the SMS, before the code is compared, and after it.
fn login(settled: &config::Redis, number: u32) -> Result<(), Failure> {
    let mut store = RedisStore::begin(settled)?;
    let (who, limits) = (account(number), limits());
    let _ = store.admit(&who, rules(&limits), soon())?;
    let _ = store.record_attempt(&who, rules(&limits), soon())?;
    store
        .record_success(&who, rules(&limits), 1, soon())
        .map(drop)
}

/// How often the server was asked so.
fn calls(server: &Redis, command: &str) -> u64 {
    let asked = server.ask(&["INFO", "commandstats"]);
    let begin = format!("cmdstat_{command}:calls=");
    let count = asked.lines().find_map(|line| line.strip_prefix(&begin));
    count.map_or(0, |count| count.split(',').next().unwrap().parse().unwrap())
}

#[test]
fn a_login_sends_less_than_8_kb_in_four_round_trips() {
    let server = Redis::start();
    let (port, carrier) = Carrier::start(&server);
    let settled = settled(port);
    // The first one brings the scripts.
    for (number, round_trips, whole) in [(1, 7, 3), (2, 4, 0)] {
        server.ask(&["CONFIG", "RESETSTAT"]);
        carrier.reset();
        login(&settled, number).unwrap();
        assert_eq!(carrier.answers.load(Ordering::SeqCst), round_trips);
        assert_eq!(calls(&server, "evalsha"), 3);
        assert_eq!(calls(&server, "eval"), whole);
        assert_eq!(calls(&server, "role"), 1);
        let sent = carrier.sent.load(Ordering::SeqCst);
        assert_eq!(sent < MAX_SENT, whole == 0, "{sent} bytes");
    }
}

#[test]
fn scripts_that_the_server_has_lost_are_sent_again() {
    let server = Redis::start();
    let mut store = remote(&server);
    let (who, limits) = (account(1), limits());
    for counted in 1..=3 {
        let _ = store.admit(&who, rules(&limits), soon()).unwrap();
        server.ask(&["SCRIPT", "FLUSH"]);
        assert_eq!(store.summary(soon()).unwrap().sms, counted);
        server.ask(&["SCRIPT", "FLUSH"]);
    }
}

/// Whichever answer is lost, the one that the script is missing or that of the script.
#[test]
fn an_answer_that_is_lost_on_the_way_counts_nothing_twice() {
    let server = Redis::start();
    let (port, carrier) = Carrier::start(&server);
    let (who, limits) = (account(1), limits());
    // ROLE, "no such script", the SMS.
    for lost in 1..=3 {
        server.ask(&["FLUSHALL"]);
        server.ask(&["SCRIPT", "FLUSH"]);
        carrier.reset();
        carrier.lost.store(lost, Ordering::SeqCst);
        let mut store = RedisStore::begin(&settled(port)).unwrap();
        let admitted = store.admit(&who, rules(&limits), soon()).or_else(|_| {
            // Without ROLE there was no connection yet.
            assert_eq!(lost, 1);
            store.admit(&who, rules(&limits), soon())
        });
        assert!(matches!(admitted.unwrap().decision, Decision::Reserved(_)));
        assert!(carrier.answers.load(Ordering::SeqCst) > lost);
        assert_eq!(store.summary(soon()).unwrap().sms, 1, "{lost}");
    }
}

/// An ACL without `+evalsha`, and a server on which nobody has it: found out once in a login.
#[test]
fn where_hashes_are_refused_whole_scripts_are_sent() {
    let line = "rename-command EVALSHA \"\"".to_owned();
    let renamed = Redis::start_as(&lab::redis::Options {
        lines: &[line],
        ..lab::redis::Options::default()
    });
    let refused = Redis::start();
    refused.ask(&["ACL", "SETUSER", "default", "-evalsha"]);
    for server in [renamed, refused] {
        login(&settled(server.port()), 1).unwrap();
        server.ask(&["CONFIG", "RESETSTAT"]);
        let (port, carrier) = Carrier::start(&server);
        login(&settled(port), 2).unwrap();
        assert_eq!(calls(&server, "eval"), 3);
        assert_eq!(carrier.answers.load(Ordering::SeqCst), 5);
    }
}
