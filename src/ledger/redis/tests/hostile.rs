//! Servers that are none, are broken, or go away.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32},
    },
    thread,
    time::Instant,
};

use lab::{
    certs::{Certs, Identity},
    listeners::{Behavior, Listener, Refused},
    redis,
};
use rustix::process::Signal;

use super::*;

/// No patience; what takes longer than this would take for ever.
const PATIENCE: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(10);

fn hasty(port: u16) -> config::Redis {
    config::Redis {
        timeout: PATIENCE,
        ..settled(port)
    }
}

fn summary(settled: &config::Redis) -> Result<Summary, Failure> {
    RedisStore::begin(settled)?.summary(soon())
}

/// Answers each request that comes with the next of these, then nothing.
pub fn says(replies: Vec<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for reply in replies {
            let _ = stream.read(&mut [0; 16 * 1024]);
            let _ = stream.write_all(&reply);
        }
        while stream.read(&mut [0; 1024]).is_ok_and(|some| some > 0) {}
    });
    port
}

fn role() -> Vec<u8> {
    b"*1\r\n$6\r\nmaster\r\n".to_vec()
}

#[test]
fn nobody_there_or_nobody_who_answers() {
    let refused = Refused::new();
    assert!(is_outage(&summary(&hasty(refused.port()))));
    for manner in [
        Behavior::Silent,
        Behavior::Closes,
        Behavior::Resets,
        Behavior::Garbage,
        Behavior::Flood,
    ] {
        let listener = Listener::start(manner);
        let began = Instant::now();
        let answer = summary(&hasty(listener.port()));
        assert!(is_outage(&answer), "{manner:?}: {answer:?}");
        assert!(began.elapsed() < LONG, "{manner:?}");
    }
}

#[test]
fn the_next_host_is_not_kept_waiting() {
    let server = Redis::start();
    let silent = Listener::start(Behavior::Silent);
    let refused = Refused::new();
    let mut settled = settled(server.port());
    settled.timeout = Duration::from_secs(2);
    let here = "127.0.0.1".to_owned();
    settled.hosts.insert(0, (here.clone(), silent.port()));
    settled.hosts.insert(1, (here, refused.port()));
    assert!(summary(&settled).is_ok());
}

#[test]
fn answers_that_are_none() {
    let huge = [b"$200000000\r\n".to_vec(), vec![b'x'; 1_000_000]].concat();
    for answer in [
        b"*1\r\n".repeat(100_000),
        b"$99999999999\r\n".to_vec(),
        huge,
        vec![b'+'; 500_000],
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ] {
        // Instead of the first answer, and of the second.
        for replies in [vec![answer.clone()], vec![role(), answer.clone()]] {
            let told = summary(&hasty(says(replies)));
            let begins = String::from_utf8_lossy(&answer[..9]).into_owned();
            assert!(is_outage(&told), "{begins}: {told:?}");
        }
    }
    for answer in [
        "$2\r\n{}\r\n",
        "$4\r\n\x1b\0\r\n\r\n",
        ":1\r\n",
        "+\r\n",
        "$-1\r\n",
        "*0\r\n",
    ] {
        let told = summary(&hasty(says(vec![role(), answer.into()])));
        let kind = told.unwrap_err().kind;
        assert!(
            matches!(kind, FailureKind::Refused | FailureKind::Outage),
            "{kind:?}"
        );
    }
}

/// What was said before the question is no answer to it.
#[test]
fn answers_to_nothing_that_was_asked() {
    let forged = "$21\r\n{\"sms\":77,\"parts\":77}\r\n";
    let port = says(vec![[role(), forged.into()].concat(), forged.into()]);
    let told = summary(&hasty(port));
    assert!(is_outage(&told), "{told:?}");
    let told = summary(&hasty(says(vec![role(), forged.into()])));
    assert_eq!(told.unwrap().sms, 77);
}

#[test]
fn connecting_begins_before_anything_is_asked() {
    let listener = Listener::start(Behavior::Silent);
    let store = RedisStore::begin(&settled(listener.port())).unwrap();
    let until = Instant::now() + LONG;
    while listener.accepted() == 0 {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(5));
    }
    drop(store);
}

/// In the clear nobody sends us and our password to another machine.
#[test]
fn without_tls_nobody_leads_us_away() {
    for (site, reply) in [
        (RedisSite::Cluster, "-MOVED 1 \x1b]192.0.2.1:6379\r\n"),
        (
            RedisSite::Sentinel {
                master: "lab".to_owned(),
                ports: vec![6379],
            },
            "*2\r\n$9\r\n192.0.2.1\r\n$4\r\n6379\r\n",
        ),
    ] {
        let mut settled = settled(says(vec![reply.into()]));
        settled.site = site;
        settled.hosts.push(("127.0.0.1".to_owned(), 6379));
        let (what, remedy) = refused(summary(&settled));
        assert!(
            what.contains("192.0.2.1") && remedy.contains("rediss://"),
            "{what}"
        );
    }
}

#[test]
fn tls_and_certificates() {
    let certs = Certs::new();
    let start = |identity| {
        Redis::start_as(&redis::Options {
            tls: Some((&certs, identity)),
            ..redis::Options::default()
        })
    };
    let server = start(Identity::Good);
    let mut settled = settled(server.tls_port());
    settled.tls = true;
    settled.ca_file = Some(std::fs::read(certs.ca()).unwrap().into());
    assert_eq!(summary(&settled), Ok(Summary::default()));
    settled.hosts = vec![("localhost".to_owned(), server.tls_port())];
    assert_eq!(summary(&settled), Ok(Summary::default()));

    // The plain port, and TLS's in the clear.
    settled.hosts = vec![("127.0.0.1".to_owned(), server.port())];
    assert!(is_outage(&summary(&settled)));
    assert!(is_outage(&summary(&super::settled(server.tls_port()))));

    settled.ca_file = Some(b"no certificate".as_slice().into());
    assert_eq!(summary(&settled).unwrap_err().kind, FailureKind::Local);

    settled.ca_file = Some(std::fs::read(certs.ca()).unwrap().into());
    for (identity, words) in [
        (Identity::Expired, "renew"),
        (Identity::WrongName, "for this name"),
        (Identity::OtherCa, "ca_file"),
    ] {
        let server = start(identity);
        settled.hosts = vec![("127.0.0.1".to_owned(), server.tls_port())];
        let (what, remedy) = refused(summary(&settled));
        assert!(remedy.contains(words), "{identity:?}: {what}: {remedy}");
    }
}

#[test]
fn a_connection_that_has_died_is_replaced() {
    let server = Redis::start();
    let mut store = remote(&server);
    let limits = limits();
    for taken in 1..=5 {
        server.ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let answer = store
            .admit(&account(1), rules(&limits), soon())
            .unwrap()
            .decision;
        assert!(matches!(answer, Decision::Reserved(_)), "{answer:?}");
        assert_eq!(store.summary(soon()).unwrap().sms, taken);
    }
}

/// Between us and a server; as often as told, it cuts the connection instead of passing an answer.
fn lossy(server: u16) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cuts = Arc::new(AtomicU32::new(0));
    let left = Arc::clone(&cuts);
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (mut near, mut far) = (near, far);
            thread::spawn(move || std::io::copy(&mut up, &mut far));
            let left = Arc::clone(&left);
            thread::spawn(move || {
                let mut piece = [0; 4096];
                while let Ok(some @ 1..) = down.read(&mut piece) {
                    let cut = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cuts| {
                        cuts.checked_sub(1)
                    });
                    if cut.is_ok() || near.write_all(&piece[..some]).is_err() {
                        break;
                    }
                }
                let _ = near.shutdown(Shutdown::Both);
            });
        }
    });
    (port, cuts)
}

#[test]
fn an_answer_that_was_lost_counts_nothing_twice() {
    let server = Redis::start();
    let (port, cuts) = lossy(server.port());
    let mut store = RedisStore::begin(&settled(port)).unwrap();
    let (who, limits) = (account(1), limits());
    let rules = rules(&limits);
    store.summary(soon()).unwrap();

    cuts.store(1, Ordering::SeqCst);
    let _ = store.admit(&who, rules, soon()).unwrap();
    cuts.store(1, Ordering::SeqCst);
    let slot = store.reserve(&who, rules, soon()).unwrap().unwrap();
    assert_eq!(store.summary(soon()).unwrap().sms, 2);
    cuts.store(1, Ordering::SeqCst);
    store.release(&who, slot, soon()).unwrap();
    assert_eq!(store.summary(soon()).unwrap().sms, 1);
    cuts.store(1, Ordering::SeqCst);
    store
        .mark_announced(&who, &[account(2).phone], soon())
        .unwrap();
    assert_eq!(store.status(&who.dn, soon()).unwrap().numbers, 2);
    cuts.store(1, Ordering::SeqCst);
    let tried = store.record_attempt(&who, rules, soon()).unwrap();
    assert_eq!(tried, Ok(Attempt::Counted));
    assert_eq!(store.status(&who.dn, soon()).unwrap().failures, 1);
    assert_eq!(cuts.load(Ordering::SeqCst), 0);

    // Lost again and again, it is given up.
    cuts.store(100, Ordering::SeqCst);
    assert!(is_outage(&store.record_success(&who, rules, 1, soon())));
}

/// Between us and a server; once told, it passes nothing more on the first connection, and does not
/// say so, as a firewall does that has forgotten it.
fn forgetful(server: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let forgets = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&forgets);
    thread::spawn(move || {
        for (nth, near) in listener.incoming().flatten().enumerate() {
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (mut near, mut far) = (near, far);
            thread::spawn(move || std::io::copy(&mut down, &mut near));
            let told = Arc::clone(&told);
            thread::spawn(move || {
                let mut piece = [0; 4096];
                while let Ok(some @ 1..) = up.read(&mut piece) {
                    let is_forgotten = nth == 0 && told.load(Ordering::SeqCst);
                    if !is_forgotten && far.write_all(&piece[..some]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, forgets)
}

#[test]
fn a_connection_that_was_forgotten_on_its_way_is_replaced() {
    let server = Redis::start();
    for grows_old in [true, false] {
        let (port, forgets) = forgetful(server.port());
        let timeout = Duration::from_secs(1);
        let mut store = RedisStore::begin(&config::Redis {
            timeout,
            ..settled(port)
        })
        .unwrap();
        store.summary(soon()).unwrap();
        forgets.store(true, Ordering::SeqCst);
        if grows_old {
            store.line.grow_old();
        }
        let answer = store.summary(soon());
        // One that was used just now is not forgotten: its server is slow, and asked no more.
        assert_eq!(answer.is_ok(), grows_old, "{answer:?}");
        if let Err(error) = answer {
            let place = format!("127.0.0.1:{port}: ");
            assert!(error.what.starts_with(&place), "{error:?}");
        }
    }
}

#[test]
fn a_server_that_stands_still() {
    let server = Redis::start();
    let mut store = RedisStore::begin(&hasty(server.port())).unwrap();
    store.summary(soon()).unwrap();
    server.signal(Signal::STOP);
    let began = Instant::now();
    let admitted = store.admit(&account(1), rules(&limits()), soon());
    let overview = store.summary(soon());
    let took = began.elapsed();
    server.signal(Signal::CONT);
    assert!(is_outage(&admitted), "{admitted:?}");
    assert!(is_outage(&overview), "{overview:?}");
    assert!(took < LONG, "{took:?}");
    // Nobody takes the late answer for another one's.
    assert_eq!(store.status("nobody", soon()), Ok(AccountStatus::default()));
}

#[test]
fn a_deadline_that_is_over() {
    let server = Redis::start();
    let mut store = remote(&server);
    let over = Deadline::within(Duration::ZERO);
    assert!(is_outage(&store.summary(over)));
    assert!(store.summary(soon()).is_ok());
}
