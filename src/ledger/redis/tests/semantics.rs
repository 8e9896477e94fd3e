//! Results of the requests, compared with the model.
#![forbid(unsafe_code)]

use std::{
    sync::{Arc, atomic::AtomicU64},
    thread,
};

use super::*;
use crate::ledger::{conformance, model::Model};

/// Long after 1970, so that no time span begins before it.
const START: u64 = 1_800_000_000_000;

#[test]
fn it_equals_the_model() {
    let server = Redis::start();
    for seed in 0..6 {
        server.ask(&["FLUSHALL"]);
        let clock = Arc::new(AtomicU64::new(START));
        let mut store = connect(&server);
        store.clock = Some(Arc::clone(&clock));
        let pass = |time: Duration| {
            let millis = u64::try_from(time.as_millis()).unwrap();
            clock.fetch_add(millis, Ordering::Relaxed);
        };
        conformance::compare(Model::sealing(), &mut store, pass, Duration::ZERO, seed);
    }
}

#[test]
fn its_new_numbers_equal_the_models() {
    let server = Redis::start();
    let mut store = connect(&server);
    let clock = Arc::new(AtomicU64::new(START));
    store.clock = Some(Arc::clone(&clock));
    conformance::numbers::compare(&mut store, |time| {
        let millis = u64::try_from(time.as_millis()).unwrap();
        clock.fetch_add(millis, Ordering::Relaxed);
    });
}

#[test]
fn guesses_of_others_are_counted_until_they_are_shown() {
    let server = Redis::start();
    let mut store = connect(&server);
    conformance::guesses::compare(&mut store, account(1));
    // A repeated request counts once.
    let (who, limits) = (account(1), limits());
    let rules = rules(&limits);
    for _ in 0..2 {
        let _ = store.record_attempt(&who, rules, soon()).unwrap();
    }
    // One guess is left of the comparison above.
    for expected in [3, 3] {
        let success = store.record_success(&who, rules, 0, soon()).unwrap();
        assert_eq!(success.guesses, expected);
        store.requests -= 1;
    }
    store.requests += 1;
    for _ in 0..2 {
        store.clear_guesses(&who, 1, soon()).unwrap();
        store.requests -= 1;
    }
    store.requests += 1;
    let success = store.record_success(&who, rules, 0, soon()).unwrap();
    assert_eq!(success.guesses, 2);
}

#[test]
fn by_the_servers_own_clock() {
    let server = Redis::start();
    let mut store = connect(&server);
    let (who, limits) = (account(1), limits());
    let answer = store.admit(&who, rules(&limits), soon()).unwrap().decision;
    let Decision::Reserved(slot) = answer else {
        panic!("{answer:?}");
    };
    let calendar = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let calendar = u64::try_from(calendar.unwrap().as_millis()).unwrap();
    assert!(
        calendar.abs_diff(slot.at) < 60_000,
        "{calendar} and {slot:?}"
    );
}

#[test]
fn parallel_logins_take_exactly_what_is_allowed() {
    let server = Redis::start();
    let logins: Vec<_> = (0..50)
        .map(|_| {
            let mut store = connect(&server);
            thread::spawn(move || {
                let answer = store.admit(&account(1), rules(&limits()), soon());
                matches!(answer.unwrap().decision, Decision::Reserved(_))
            })
        })
        .collect();
    let reserved = logins.into_iter().map(|login| login.join().unwrap());
    assert_eq!(reserved.filter(|reserved| *reserved).count(), 5);
    assert_eq!(connect(&server).summary(soon()).unwrap().sms, 5);
}

#[test]
fn parallel_attempts_allow_no_more_guesses() {
    let server = Redis::start();
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let mut store = connect(&server);
            thread::spawn(move || {
                store
                    .record_attempt(&account(1), rules(&limits()), soon())
                    .unwrap()
            })
        })
        .collect();
    let attempts = attempts.into_iter().map(|one| one.join().unwrap());
    assert_eq!(attempts.flatten().count(), 3);
}

/// A request is sent twice if its first reply was lost, and counts once.
#[test]
fn a_repeated_request_counts_once() {
    let server = Redis::start();
    let mut store = connect(&server);
    let (who, limits) = (account(1), limits());
    let rules = rules(&limits);
    let repeat = |store: &mut RedisStore| store.requests -= 1;

    let one = store.admit(&who, rules, soon()).unwrap();
    repeat(&mut store);
    assert_eq!(store.admit(&who, rules, soon()).unwrap(), one);
    let one = store.reserve(&who, rules, soon()).unwrap().unwrap();
    repeat(&mut store);
    assert_eq!(store.reserve(&who, rules, soon()).unwrap(), Ok(one.clone()));
    assert_eq!(store.status(&who.dn, soon()).unwrap().sms.len(), 2);

    let repeated = one.clone();
    store.release(&who, one, soon()).unwrap();
    store.release(&who, repeated, soon()).unwrap();
    assert_eq!(store.summary(soon()).unwrap().sms, 1);

    for counted in 1..=2 {
        for _ in 0..3 {
            let attempt = store.record_attempt(&who, rules, soon()).unwrap();
            assert_eq!(attempt, Ok(Attempt::Counted));
            let status = store.status(&who.dn, soon()).unwrap();
            assert_eq!(status.failures, counted);
            repeat(&mut store);
        }
        store.requests += 1;
    }
    // A repeated attempt that locks returns the same result, and is not rejected by its own lock.
    for _ in 0..3 {
        let attempt = store.record_attempt(&who, rules, soon()).unwrap();
        let wait = Some(limits.lock);
        assert_eq!(attempt, Ok(Attempt::Locks { wait }));
        repeat(&mut store);
    }
    store.requests += 1;
    let status = store.status(&who.dn, soon()).unwrap();
    assert_eq!(status.failures, 3);
    store.unlock(&who.dn, false, soon()).unwrap();

    // A repeated success does not revert what was counted after it.
    store.record_success(&who, rules, 1, soon()).unwrap();
    let succeeded = store.requests;
    let _ = store.record_attempt(&who, rules, soon()).unwrap().unwrap();
    store.requests = succeeded - 1;
    store.record_success(&who, rules, 1, soon()).unwrap();
    assert_eq!(store.status(&who.dn, soon()).unwrap().failures, 1);
}

/// A number is new for each request, also for a repeated one, until it is marked as announced; its wait begins
/// then, once.
#[test]
fn a_new_number_waits_once_it_is_announced() {
    let server = Redis::start();
    let mut store = connect(&server);
    let (mut who, limits) = (account(1), limits());
    let first = store.admit(&who, rules(&limits), soon()).unwrap();
    assert_eq!(first.new_numbers, []);
    let other = account(2).phone;
    who.numbers.push(other.clone());
    let clock = Arc::new(AtomicU64::new(START));
    store.clock = Some(Arc::clone(&clock));
    let day = Duration::from_secs(86_400);
    let pass = |time: Duration| {
        let millis = u64::try_from(time.as_millis()).unwrap();
        clock.fetch_add(millis, Ordering::Relaxed)
    };
    let rules = Rules {
        new_phone: day,
        ..rules(&limits)
    };
    who.phone = other.clone();
    let waits = |wait| Decision::Rejected(Rejection::NewPhone { wait });
    for request in 0..4 {
        let admission = store.admit(&who, rules, soon()).unwrap();
        assert_eq!(admission.new_numbers, std::slice::from_ref(&other));
        assert_eq!(admission.decision, waits(day));
        pass(day);
        if request < 2 {
            store.requests -= 1;
        }
    }
    let known = |store: &mut RedisStore| store.status(&who.dn, soon()).unwrap().numbers;
    assert_eq!(known(&mut store), 1);
    store
        .mark_announced(&who, std::slice::from_ref(&other), soon())
        .unwrap();
    assert_eq!(known(&mut store), 2);
    pass(day / 2);
    // Announced again, because the reply was lost or by another login.
    store
        .mark_announced(&who, std::slice::from_ref(&other), soon())
        .unwrap();
    let later = store.admit(&who, rules, soon()).unwrap();
    assert_eq!(
        (later.decision, later.new_numbers),
        (waits(day / 2), vec![])
    );
    pass(day / 2);
    let later = store.admit(&who, rules, soon()).unwrap();
    assert!(matches!(later.decision, Decision::Reserved(_)));
}

/// After a failover the clock may be behind, and a record may be from the future.
#[test]
fn a_record_from_the_future_is_ignored() {
    let server = Redis::start();
    let mut store = connect(&server);
    let clock = Arc::new(AtomicU64::new(START));
    store.clock = Some(Arc::clone(&clock));
    let (who, limits) = (account(1), limits());
    let rules = rules(&limits);
    let _ = store.admit(&who, rules, soon()).unwrap();
    store.record_success(&who, rules, 1, soon()).unwrap();
    let span = 900_000;
    for (now, is_in) in [
        (START - 1, false),
        (START - 100 * span, false),
        (START, true),
        (START + span - 1, true),
        (START + span, false),
    ] {
        clock.store(now, Ordering::Relaxed);
        let answer = store.admit(&who, rules, soon()).unwrap().decision;
        let remembered = matches!(answer, Decision::Remembered { .. });
        assert_eq!(remembered, is_in, "{answer:?}");
    }
}

/// A user cannot fill the server's memory with new numbers in the directory, or with logins from new origins.
#[test]
fn the_data_of_one_user_is_limited() {
    let server = Redis::start();
    let mut store = connect(&server);
    let limits = limits();
    let mut who = account(0);
    let mine = who.phone.clone();
    who.numbers = (0..130).map(|number| account(number).phone).collect();
    who.numbers[0] = mine.clone();
    for number in 0..130 {
        who.origin_key = Some(format!("from {number}"));
        let admission = store.admit(&who, rules(&limits), soon()).unwrap();
        store
            .mark_announced(&who, &admission.new_numbers, soon())
            .unwrap();
        store
            .record_success(&who, rules(&limits), 1, soon())
            .unwrap();
    }
    let status = store.status(&who.dn, soon()).unwrap();
    assert_eq!(status.numbers, 100);
    who.numbers.reverse();
    let admission = store.admit(&who, rules(&limits), soon()).unwrap();
    assert_eq!(admission.new_numbers, [], "in any order");
    // However many other numbers come and wait, the reference set stays.
    for number in 200..400 {
        who.numbers = (number..number + 2).map(|n| account(n).phone).collect();
        let admission = store.admit(&who, rules(&limits), soon()).unwrap();
        store
            .mark_announced(&who, &admission.new_numbers, soon())
            .unwrap();
    }
    let status = store.status(&who.dn, soon()).unwrap();
    assert_eq!(status.numbers, 102);
    who.numbers = vec![mine];
    let admission = store.admit(&who, rules(&limits), soon()).unwrap();
    assert_eq!(admission.new_numbers, [], "the reference set stays");

    // The times may be equal, so the test does not check which origins were deleted.
    for number in 0..100 {
        who.origin_key = Some(format!("then from {number}"));
        store
            .record_success(&who, rules(&limits), 1, soon())
            .unwrap();
    }
    let status = store.status(&who.dn, soon()).unwrap();
    assert_eq!(status.remembered.len(), 64);
}

#[test]
fn stored_data_expires_and_contains_no_name_or_number() {
    let server = Redis::start();
    let mut store = connect(&server);
    let (who, limits) = (account(1), limits());
    let rules = rules(&limits);
    let everything = || {
        let keys = server.ask(&["KEYS", "*"]);
        let mut all = keys.clone();
        for key in keys.lines() {
            for read in ["HGETALL", "ZRANGE"] {
                let range = ["0", "-1"];
                let range = if read == "ZRANGE" { &range[..] } else { &[] };
                all += &server.ask(&[&[read, key], range].concat());
            }
        }
        all
    };
    let ttl = |name: &str| {
        let keys = server.ask(&["KEYS", &format!("pam_sms_otp:{{otp}}:{name}")]);
        let ttl = server.ask(&["TTL", keys.trim()]).trim().parse::<i64>();
        ttl.unwrap()
    };
    let _ = store.admit(&who, rules, soon()).unwrap();
    store.record_success(&who, rules, 1, soon()).unwrap();
    let day = 86_400;
    for (name, days) in [
        ("person:*", 400),
        ("person-sms:*", 1),
        ("phone-sms:*", 1),
        ("all", 1),
        ("tally", 2),
    ] {
        let left = ttl(name);
        assert!(
            left > days * day - 60 && left <= days * day,
            "{name}: {left}"
        );
    }
    let kept = everything();
    for secret in ["alice", "7700", "192.0.2", "20260101"] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }

    let _ = store.record_attempt(&who, rules, soon()).unwrap();
    assert_eq!(ttl("person:*"), -1);
    assert!(everything().contains("alice1"));
    store.unlock(&who.dn, true, soon()).unwrap();
    assert!(ttl("person:*") > 0);
    assert!(!everything().contains("alice"));
    assert_eq!(store.summary(soon()).unwrap().failed, []);

    // A hash of the usual size keeps its compact encoding.
    let key = server.ask(&["KEYS", "pam_sms_otp:{otp}:person:*"]);
    let encoding = server.ask(&["OBJECT", "ENCODING", key.trim()]);
    assert!(
        ["listpack", "ziplist"].contains(&encoding.trim()),
        "{encoding}"
    );
}
