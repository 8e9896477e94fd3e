//! Servers that do not exist, send invalid data, or disappear.
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

/// A short timeout, and a time after which a test fails.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(10);

fn short_timeout(port: u16) -> config::Redis {
    config::Redis {
        timeout: SHORT,
        ..settings(port)
    }
}

fn summary(settings: &config::Redis) -> Result<Summary, Failure> {
    RedisStore::begin_for_a_test(settings)?.summary(soon())
}

/// Starts a server that sends the next of these replies after each request, and then nothing.
pub fn replay(replies: Vec<Vec<u8>>) -> u16 {
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
fn no_server_and_no_reply() {
    let refused = Refused::new();
    assert!(is_outage(&summary(&short_timeout(refused.port()))));
    for manner in [
        Behavior::Silent,
        Behavior::Closes,
        Behavior::Resets,
        Behavior::Garbage,
        Behavior::Flood,
    ] {
        let listener = Listener::start(manner);
        let start = Instant::now();
        let answer = summary(&short_timeout(listener.port()));
        assert!(is_outage(&answer), "{manner:?}: {answer:?}");
        assert!(start.elapsed() < LONG, "{manner:?}");
    }
}

#[test]
fn a_silent_host_leaves_time_for_the_next() {
    let server = Redis::start();
    let silent = Listener::start(Behavior::Silent);
    let refused = Refused::new();
    let mut settings = settings(server.port());
    settings.timeout = Duration::from_secs(2);
    let here = "127.0.0.1".to_owned();
    settings.hosts.insert(0, (here.clone(), silent.port()));
    settings.hosts.insert(1, (here, refused.port()));
    assert!(summary(&settings).is_ok());
}

#[test]
fn invalid_replies() {
    let huge = [b"$200000000\r\n".to_vec(), vec![b'x'; 1_000_000]].concat();
    for answer in [
        b"*1\r\n".repeat(100_000),
        b"$99999999999\r\n".to_vec(),
        huge,
        vec![b'+'; 500_000],
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ] {
        // In place of the first reply, and of the second.
        for replies in [vec![answer.clone()], vec![role(), answer.clone()]] {
            let result = summary(&short_timeout(replay(replies)));
            let begins = String::from_utf8_lossy(&answer[..9]).into_owned();
            assert!(is_outage(&result), "{begins}: {result:?}");
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
        let result = summary(&short_timeout(replay(vec![role(), answer.into()])));
        let kind = result.unwrap_err().kind;
        assert!(
            matches!(kind, FailureKind::Refused | FailureKind::Outage),
            "{kind:?}"
        );
    }
}

/// Data that was received before the request is not the reply to it.
#[test]
fn data_before_a_request_is_not_its_reply() {
    let forged = "$21\r\n{\"sms\":77,\"parts\":77}\r\n";
    let port = replay(vec![[role(), forged.into()].concat(), forged.into()]);
    let result = summary(&short_timeout(port));
    assert!(is_outage(&result), "{result:?}");
    let result = summary(&short_timeout(replay(vec![role(), forged.into()])));
    assert_eq!(result.unwrap().sms, 77);
}

#[test]
fn connecting_begins_before_the_first_request() {
    let listener = Listener::start(Behavior::Silent);
    let store = RedisStore::begin_for_a_test(&settings(listener.port())).unwrap();
    let until = Instant::now() + LONG;
    while listener.accepted() == 0 {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(5));
    }
    drop(store);
}

/// Without TLS no redirection makes the client send its password to another machine.
#[test]
fn without_tls_no_redirection_leaves_this_host() {
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
        let mut settings = settings(replay(vec![reply.into()]));
        settings.site = site;
        settings.hosts.push(("127.0.0.1".to_owned(), 6379));
        let (what, remedy) = refused(summary(&settings));
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
    let mut settings = settings(server.tls_port());
    settings.tls = true;
    settings.ca_file = Some(std::fs::read(certs.ca()).unwrap().into());
    assert_eq!(summary(&settings), Ok(Summary::default()));
    settings.hosts = vec![("localhost".to_owned(), server.tls_port())];
    assert_eq!(summary(&settings), Ok(Summary::default()));

    // TLS on the plain port, and plain on the TLS port.
    settings.hosts = vec![("127.0.0.1".to_owned(), server.port())];
    assert!(is_outage(&summary(&settings)));
    assert!(is_outage(&summary(&super::settings(server.tls_port()))));

    settings.ca_file = Some(b"no certificate".as_slice().into());
    assert_eq!(summary(&settings).unwrap_err().kind, FailureKind::Local);

    settings.ca_file = Some(std::fs::read(certs.ca()).unwrap().into());
    for (identity, words) in [
        (Identity::Expired, "renew"),
        (Identity::WrongName, "for this name"),
        (Identity::OtherCa, "ca_file"),
    ] {
        let server = start(identity);
        settings.hosts = vec![("127.0.0.1".to_owned(), server.tls_port())];
        let (what, remedy) = refused(summary(&settings));
        assert!(remedy.contains(words), "{identity:?}: {what}: {remedy}");
    }
}

#[test]
fn a_closed_connection_is_replaced() {
    let server = Redis::start();
    let mut store = connect(&server);
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

/// Starts a proxy that closes the connection in place of a reply, until the counter is 0.
fn lossy(server: u16) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let cuts = Arc::new(AtomicU32::new(0));
    let remaining = Arc::clone(&cuts);
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (mut near, mut far) = (near, far);
            thread::spawn(move || std::io::copy(&mut up, &mut far));
            let remaining = Arc::clone(&remaining);
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(some @ 1..) = down.read(&mut buffer) {
                    let cut = remaining.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cuts| {
                        cuts.checked_sub(1)
                    });
                    if cut.is_ok() || near.write_all(&buffer[..some]).is_err() {
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
fn a_lost_reply_counts_nothing_twice() {
    let server = Redis::start();
    let (port, cuts) = lossy(server.port());
    let mut store = RedisStore::begin_for_a_test(&settings(port)).unwrap();
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

    // If every reply is lost, the request fails.
    cuts.store(100, Ordering::SeqCst);
    assert!(is_outage(&store.record_success(&who, rules, 1, soon())));
}

/// Starts a proxy that silently drops everything on its first connection once the flag is set, as a firewall
/// does after a timeout.
fn dropping(server: u16) -> (u16, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let drops = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&drops);
    thread::spawn(move || {
        for (nth, near) in listener.incoming().flatten().enumerate() {
            let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
            let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            let (mut near, mut far) = (near, far);
            thread::spawn(move || std::io::copy(&mut down, &mut near));
            let flag = Arc::clone(&flag);
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(some @ 1..) = up.read(&mut buffer) {
                    let is_dropped = nth == 0 && flag.load(Ordering::SeqCst);
                    if !is_dropped && far.write_all(&buffer[..some]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    (port, drops)
}

#[test]
fn an_idle_connection_that_the_network_dropped_is_replaced() {
    let server = Redis::start();
    for is_idle in [true, false] {
        let (port, drops) = dropping(server.port());
        let timeout = Duration::from_secs(1);
        let mut store = RedisStore::begin_for_a_test(&config::Redis {
            timeout,
            ..settings(port)
        })
        .unwrap();
        store.summary(soon()).unwrap();
        drops.store(true, Ordering::SeqCst);
        if is_idle {
            store.client.set_idle();
        }
        let answer = store.summary(soon());
        // A connection that was used recently is not replaced: its server is slow.
        assert_eq!(answer.is_ok(), is_idle, "{answer:?}");
        if let Err(error) = answer {
            let place = format!("127.0.0.1:{port}: ");
            assert!(error.what.starts_with(&place), "{error:?}");
        }
    }
}

#[test]
fn a_stopped_server() {
    let server = Redis::start();
    let mut store = RedisStore::begin_for_a_test(&short_timeout(server.port())).unwrap();
    store.summary(soon()).unwrap();
    server.signal(Signal::STOP);
    let start = Instant::now();
    let admitted = store.admit(&account(1), rules(&limits()), soon());
    let overview = store.summary(soon());
    let elapsed = start.elapsed();
    server.signal(Signal::CONT);
    assert!(is_outage(&admitted), "{admitted:?}");
    assert!(is_outage(&overview), "{overview:?}");
    assert!(elapsed < LONG, "{elapsed:?}");
    // The late reply is not taken for the reply to another request.
    assert_eq!(
        store.status("unknown", soon()),
        Ok(AccountStatus::default())
    );
}

#[test]
fn an_expired_deadline() {
    let server = Redis::start();
    let mut store = connect(&server);
    let over = Deadline::within(Duration::ZERO);
    assert!(is_outage(&store.summary(over)));
    assert!(store.summary(soon()).is_ok());
}
