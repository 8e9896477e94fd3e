//! Replicas, Sentinels, clusters.
#![forbid(unsafe_code)]

use std::{
    net::{TcpListener, TcpStream},
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use rustix::process::Signal;

use super::{hostile::says, rights::RIGHTS, *};

/// In the storm.
const PEOPLE: usize = 30;

fn hosts<'a>(servers: impl IntoIterator<Item = &'a Redis>) -> Vec<(String, u16)> {
    let each = servers.into_iter();
    each.map(|server| ("127.0.0.1".to_owned(), server.port()))
        .collect()
}

#[test]
fn a_replica_is_passed_over_and_one_that_became_one_left() {
    let one = Redis::start();
    let other = Redis::replica_of(&one);
    let mut settled = settled(one.port());
    settled.hosts = hosts([&other, &one]);
    let mut store = RedisStore::begin(&settled).unwrap();
    store.summary(soon()).unwrap();

    // They change places.
    other.ask(&["REPLICAOF", "NO", "ONE"]);
    one.ask(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    let answer = store.admit(&account(1), rules(&limits()), soon()).unwrap();
    assert!(matches!(answer.decision, Decision::Reserved(_)));
    assert_eq!(remote(&other).summary(soon()).unwrap().sms, 1);

    settled.hosts = hosts([&one]);
    let answer = RedisStore::begin(&settled).unwrap().summary(soon());
    let told = "127.0.0.1:".to_owned() + &one.port().to_string() + ": it is not a master";
    assert_eq!(answer, Err(fault::outage(told)));
}

#[test]
fn who_takes_over_in_a_moment_is_waited_for() {
    let master = Redis::start();
    let sentinel = Redis::sentinel_of(&master, 0);
    let mut settled = settled(master.port());
    settled.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![master.port()],
    };
    // At first its door closes before anything is said.
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    settled.hosts = vec![("127.0.0.1".to_owned(), door.local_addr().unwrap().port())];
    let real = sentinel.port();
    thread::spawn(move || {
        drop(door.accept().unwrap());
        let (mut near, _) = door.accept().unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", real)).unwrap();
        let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut up, &mut far));
        std::io::copy(&mut down, &mut near)
    });
    RedisStore::begin(&settled)
        .unwrap()
        .summary(soon())
        .unwrap();
}

#[test]
fn nobody_gains_by_a_failover() {
    let master = Redis::start();
    let replica = Redis::replica_of(&master);
    let sentinel = Redis::sentinel_of(&master, 1);
    let mut settled = settled(master.port());
    settled.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![master.port(), replica.port()],
    };
    settled.hosts = hosts([&sentinel]);
    settled.timeout = Duration::from_secs(1);
    let mut store = RedisStore::begin(&settled).unwrap();
    // Somebody is locked before.
    let (locked, limits) = (account(99), limits());
    for _ in 0..limits.failures {
        let _ = store
            .record_attempt(&locked, rules(&limits), soon())
            .unwrap();
    }

    let settled = Arc::new(settled);
    let killed = Arc::new(AtomicBool::new(false));
    let logins: Vec<_> = (0..6)
        .map(|_| {
            let (settled, killed) = (Arc::clone(&settled), Arc::clone(&killed));
            thread::spawn(move || reserved_until_after(&settled, &killed))
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    master.signal(Signal::KILL);
    killed.store(true, Ordering::SeqCst);
    let mut reserved = [0; PEOPLE];
    for login in logins {
        for (all, one) in reserved.iter_mut().zip(login.join().unwrap()) {
            *all += one;
        }
    }
    assert!(reserved.iter().all(|all| *all <= 5), "{reserved:?}");
    assert!(reserved.iter().sum::<u32>() > 0);
    assert!(replica.ask(&["ROLE"]).starts_with("master"));
    // Scripts are not replicated.
    let asked = replica.ask(&["INFO", "errorstats"]);
    assert!(asked.contains("errorstat_NOSCRIPT:"), "{asked}");
    let answer = store
        .admit(&locked, rules(&limits), soon())
        .unwrap()
        .decision;
    let is_locked = matches!(
        answer,
        Decision::Rejected(Rejection::Locked { wait: Some(_) })
    );
    assert!(is_locked, "{answer:?}");
}

/// How many SMS each of them got by logins one after the other, until the new master has answered.
fn reserved_until_after(settled: &config::Redis, killed: &AtomicBool) -> [u32; PEOPLE] {
    let limits = limits();
    let mut got = [0; PEOPLE];
    for person in (0..PEOPLE).cycle() {
        let after = killed.load(Ordering::SeqCst);
        let mut store = RedisStore::begin(settled).unwrap();
        let who = account(u32::try_from(person).unwrap());
        match store.admit(&who, rules(&limits), soon()) {
            Ok(admission) => {
                if matches!(admission.decision, Decision::Reserved(_)) {
                    got[person] += 1;
                }
                if after && person == PEOPLE - 1 {
                    break;
                }
            }
            Err(failure) if fault::is_outage(&failure) => {}
            Err(other) => panic!("{other:?}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
    got
}

#[test]
fn sentinels_that_know_nothing() {
    let master = Redis::start();
    let sentinel = Redis::sentinel_of(&master, 0);
    let mut settled = settled(sentinel.port());
    settled.site = RedisSite::Sentinel {
        master: "other".to_owned(),
        ports: vec![master.port()],
    };
    let answer = RedisStore::begin(&settled).unwrap().summary(soon());
    assert!(is_outage(&answer), "{answer:?}");
}

/// Whoever announces an address does not choose the port: no wall would let us through.
#[test]
fn nobody_sends_us_to_another_port() {
    let (master, other) = (Redis::start(), Redis::start());
    let sentinel = Redis::sentinel_of(&master, 0);
    let mut settled = settled(sentinel.port());
    settled.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![other.port()],
    };
    let answer = RedisStore::begin(&settled).unwrap().summary(soon());
    let (what, _) = refused(answer);
    let port = master.port().to_string();
    assert!(
        what.contains(&port) && what.contains("ledger.redis"),
        "{what}"
    );
}

/// Most Sentinels want no login, and this one does.
#[test]
fn sentinels_with_a_password() {
    let ok = |then: String| ("+OK\r\n".to_owned() + &then).into_bytes();
    let answer = "$19\r\n{\"sms\":7,\"parts\":8}\r\n:1\r\n";
    let master = says(vec![ok("*1\r\n$6\r\nmaster\r\n".to_owned()), answer.into()]);
    let port = master;
    let text = port.to_string();
    let address = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{text}\r\n", text.len());
    let noauth = b"-NOAUTH Authentication required.\r\n".to_vec();
    let mut settled = settled(says(vec![noauth, ok(address)]));
    settled.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![port],
    };
    settled.login = Some((None, Secret::new("right".to_owned())));
    let overview = RedisStore::begin(&settled).unwrap().summary(soon());
    assert_eq!(overview.unwrap().segments, 8);
}

/// By way of this node, as a user that may do what the ledger needs in a cluster.
fn in_cluster(node: &Redis, nodes: &[Redis]) -> config::Redis {
    let rights = format!("on >right {RIGHTS} +wait +asking");
    let words: Vec<&str> = rights.split_whitespace().collect();
    node.ask(&[&["ACL", "SETUSER", "otp"], words.as_slice()].concat());
    config::Redis {
        site: RedisSite::Cluster,
        hosts: hosts(std::iter::once(node).chain(nodes)),
        login: Some((Some("otp".to_owned()), Secret::new("right".to_owned()))),
        ..settled(node.port())
    }
}

#[test]
fn a_cluster_is_followed_to_our_slot() {
    let nodes = Redis::cluster();
    let limits = limits();
    let settled: Vec<_> = nodes.iter().map(|node| in_cluster(node, &nodes)).collect();
    let mut stores: Vec<_> = settled
        .iter()
        .map(|settled| RedisStore::begin(settled).unwrap())
        .collect();
    for (number, store) in (0..).zip(&mut stores) {
        let admission = store.admit(&account(number), rules(&limits), soon());
        assert!(matches!(admission.unwrap().decision, Decision::Reserved(_)));
        assert_eq!(store.summary(soon()).unwrap().sms, u64::from(number) + 1);
        let _ = store.record_attempt(&account(number), rules(&limits), soon());
    }

    // The slot moves while we are connected.
    let slot = nodes[0].ask(&["CLUSTER", "KEYSLOT", "otp"]);
    let slot = slot.trim();
    let owns = |node: &&Redis| node.ask(&["CLUSTER", "COUNTKEYSINSLOT", slot]).trim() != "0";
    let from = nodes.iter().find(owns).unwrap();
    let to = nodes.iter().find(|node| !owns(node)).unwrap();
    let id = |node: &Redis| node.ask(&["CLUSTER", "MYID"]).trim().to_owned();
    let (from_id, to_id) = (id(from), id(to));
    to.ask(&["CLUSTER", "SETSLOT", slot, "IMPORTING", &from_id]);
    from.ask(&["CLUSTER", "SETSLOT", slot, "MIGRATING", &to_id]);
    let keys = from.ask(&["CLUSTER", "GETKEYSINSLOT", slot, "1000"]);
    // A key that is nowhere may be on its way: as long as one is, nobody answers.
    let half = stores[0].admit(&account(7), rules(&limits), soon());
    assert!(is_outage(&half), "{half:?}");
    for key in keys.lines() {
        from.ask(&[
            "MIGRATE",
            "127.0.0.1",
            &to.port().to_string(),
            key,
            "0",
            "5000",
        ]);
    }
    // All that is asked about is there, but not yet theirs.
    let asked = stores[0].summary(soon()).unwrap();
    assert_eq!(asked.sms, 3);
    for node in &nodes {
        node.ask(&["CLUSTER", "SETSLOT", slot, "NODE", &to_id]);
    }
    for store in &mut stores {
        assert_eq!(store.summary(soon()).unwrap().sms, 3);
    }
    assert!(
        from.ask(&["INFO", "commandstats"])
            .contains("cmdstat_wait:")
    );
    assert!(owns(&to) && !owns(&from));
    // Each node has its own scripts.
    let asked = to.ask(&["INFO", "errorstats"]);
    assert!(asked.contains("errorstat_NOSCRIPT:"), "{asked}");
}
