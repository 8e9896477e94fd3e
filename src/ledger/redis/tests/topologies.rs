//! Replicas, Sentinels and clusters.
#![forbid(unsafe_code)]

use std::{
    net::{TcpListener, TcpStream},
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use rustix::process::Signal;

use super::{broken_servers::replay, permissions::PERMISSIONS, *};

/// The number of users in the failover test.
const USERS: usize = 30;

fn hosts<'a>(servers: impl IntoIterator<Item = &'a Redis>) -> Vec<(String, u16)> {
    let each = servers.into_iter();
    each.map(|server| ("127.0.0.1".to_owned(), server.port()))
        .collect()
}

#[test]
fn a_replica_is_skipped_and_a_demoted_master_is_left() {
    let one = Redis::start();
    let other = Redis::replica_of(&one);
    let mut settings = settings(one.port());
    settings.hosts = hosts([&other, &one]);
    let mut store = RedisStore::begin_for_a_test(&settings).unwrap();
    store.summary(soon()).unwrap();

    // Master and replica change roles.
    other.ask(&["REPLICAOF", "NO", "ONE"]);
    one.ask(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]);
    let answer = store.admit(&account(1), rules(&limits()), soon()).unwrap();
    assert!(matches!(answer.decision, Decision::Reserved(_)));
    assert_eq!(connect(&other).summary(soon()).unwrap().sms, 1);

    settings.hosts = hosts([&one]);
    let answer = RedisStore::begin_for_a_test(&settings)
        .unwrap()
        .summary(soon());
    let result =
        "127.0.0.1:".to_owned() + &one.port().to_string() + ": this server is not a master";
    assert_eq!(answer, Err(fault::outage(result)));
}

#[test]
fn a_failover_in_progress_is_waited_for() {
    let master = Redis::start();
    let sentinel = Redis::sentinel_of(&master, 0);
    let mut settings = settings(master.port());
    settings.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![master.port()],
    };
    // The Sentinel closes the first connection at once.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    settings.hosts = vec![(
        "127.0.0.1".to_owned(),
        listener.local_addr().unwrap().port(),
    )];
    let real = sentinel.port();
    thread::spawn(move || {
        drop(listener.accept().unwrap());
        let (mut near, _) = listener.accept().unwrap();
        let mut far = TcpStream::connect(("127.0.0.1", real)).unwrap();
        let (mut up, mut down) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut up, &mut far));
        std::io::copy(&mut down, &mut near)
    });
    RedisStore::begin_for_a_test(&settings)
        .unwrap()
        .summary(soon())
        .unwrap();
}

#[test]
fn a_failover_raises_no_limit() {
    let master = Redis::start();
    let replica = Redis::replica_of(&master);
    let sentinel = Redis::sentinel_of(&master, 1);
    let mut settings = settings(master.port());
    settings.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![master.port(), replica.port()],
    };
    settings.hosts = hosts([&sentinel]);
    settings.timeout = Duration::from_secs(1);
    let mut store = RedisStore::begin_for_a_test(&settings).unwrap();
    // One user is locked before the failover.
    let (locked, limits) = (account(99), limits());
    for _ in 0..limits.failures {
        let _ = store
            .record_attempt(&locked, rules(&limits), soon())
            .unwrap();
    }

    let settings = Arc::new(settings);
    let killed = Arc::new(AtomicBool::new(false));
    let logins: Vec<_> = (0..6)
        .map(|_| {
            let (settings, killed) = (Arc::clone(&settings), Arc::clone(&killed));
            thread::spawn(move || reserved_until_after(&settings, &killed))
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    master.signal(Signal::KILL);
    killed.store(true, Ordering::SeqCst);
    let mut reserved = [0; USERS];
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

/// Runs logins of all users in turn until the new master replies; returns how many SMS each user got.
fn reserved_until_after(settings: &config::Redis, killed: &AtomicBool) -> [u32; USERS] {
    let limits = limits();
    let mut got = [0; USERS];
    for user in (0..USERS).cycle() {
        let after = killed.load(Ordering::SeqCst);
        let mut store = RedisStore::begin_for_a_test(settings).unwrap();
        let who = account(u32::try_from(user).unwrap());
        match store.admit(&who, rules(&limits), soon()) {
            Ok(admission) => {
                if matches!(admission.decision, Decision::Reserved(_)) {
                    got[user] += 1;
                }
                if after && user == USERS - 1 {
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
fn sentinels_without_the_master() {
    let master = Redis::start();
    let sentinel = Redis::sentinel_of(&master, 0);
    let mut settings = settings(sentinel.port());
    settings.site = RedisSite::Sentinel {
        master: "other".to_owned(),
        ports: vec![master.port()],
    };
    let answer = RedisStore::begin_for_a_test(&settings)
        .unwrap()
        .summary(soon());
    assert!(is_outage(&answer), "{answer:?}");
}

/// A Sentinel cannot choose the port: the sandbox would not allow the connection.
#[test]
fn a_port_that_is_not_listed_is_refused() {
    let (master, other) = (Redis::start(), Redis::start());
    let sentinel = Redis::sentinel_of(&master, 0);
    let mut settings = settings(sentinel.port());
    settings.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![other.port()],
    };
    let answer = RedisStore::begin_for_a_test(&settings)
        .unwrap()
        .summary(soon());
    let (what, _) = refused(answer);
    let port = master.port().to_string();
    assert!(
        what.contains(&port) && what.contains("ledger.redis"),
        "{what}"
    );
}

/// Most Sentinels need no authentication; this one does.
#[test]
fn sentinels_with_a_password() {
    let ok = |then: String| ("+OK\r\n".to_owned() + &then).into_bytes();
    let answer = "$19\r\n{\"sms\":7,\"parts\":8}\r\n:1\r\n";
    let master = replay(vec![ok("*1\r\n$6\r\nmaster\r\n".to_owned()), answer.into()]);
    let port = master;
    let text = port.to_string();
    let address = format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{text}\r\n", text.len());
    let noauth = b"-NOAUTH Authentication required.\r\n".to_vec();
    let mut settings = settings(replay(vec![noauth, ok(address)]));
    settings.site = RedisSite::Sentinel {
        master: "lab".to_owned(),
        ports: vec![port],
    };
    settings.login = Some((None, Secret::new("right".to_owned())));
    let overview = RedisStore::begin_for_a_test(&settings)
        .unwrap()
        .summary(soon());
    assert_eq!(overview.unwrap().segments, 8);
}

/// Settings for a cluster through this node, with a user that has the needed permissions.
fn in_cluster(node: &Redis, nodes: &[Redis]) -> config::Redis {
    let permissions = format!("on >right {PERMISSIONS} +wait +asking");
    let words: Vec<&str> = permissions.split_whitespace().collect();
    node.ask(&[&["ACL", "SETUSER", "otp"], words.as_slice()].concat());
    config::Redis {
        site: RedisSite::Cluster,
        hosts: hosts(std::iter::once(node).chain(nodes)),
        login: Some((Some("otp".to_owned()), Secret::new("right".to_owned()))),
        ..settings(node.port())
    }
}

#[test]
fn redirections_lead_to_the_node_of_our_slot() {
    let nodes = Redis::cluster();
    let limits = limits();
    let settings: Vec<_> = nodes.iter().map(|node| in_cluster(node, &nodes)).collect();
    let mut stores: Vec<_> = settings
        .iter()
        .map(|settings| RedisStore::begin_for_a_test(settings).unwrap())
        .collect();
    for (number, store) in (0..).zip(&mut stores) {
        let admission = store.admit(&account(number), rules(&limits), soon());
        assert!(matches!(admission.unwrap().decision, Decision::Reserved(_)));
        assert_eq!(store.summary(soon()).unwrap().sms, u64::from(number) + 1);
        let _ = store.record_attempt(&account(number), rules(&limits), soon());
    }

    // The slot moves to another node while the clients are connected.
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
    // While one of the keys is missing on both nodes, no node replies.
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
    // The importing node has all keys, and does not serve the slot yet.
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
