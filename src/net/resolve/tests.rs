//! Lookups that fail, hang, or end in another order than they were started.
#![forbid(unsafe_code)]

use std::sync::mpsc;

use super::*;
use crate::deadline::Moment;

fn soon() -> Deadline {
    Deadline::within(Duration::from_millis(300))
}

/// A query that the test answers.
struct Held {
    lookup: Lookup,
    answer: mpsc::Sender<Result<Vec<IpAddr>, Error>>,
}

fn hold(host: &str) -> Held {
    let (answer, answers) = mpsc::channel();
    let query = Arc::new(Query {
        host: host.to_owned(),
        answer: OnceLock::new(),
    });
    running().push(Arc::clone(&query));
    let answerer = Answerer(Arc::clone(&query));
    thread::spawn(move || answerer.answer(|_| answers.recv().expect("an answer or a panic")));
    let lookup = Lookup {
        host: host.to_owned(),
        port: 636,
        state: State::Running(query),
    };
    Held { lookup, answer }
}

fn list(lookups: &[&Held]) -> Lookups {
    Lookups {
        lookups: lookups
            .iter()
            .map(|held| Some(held.lookup.clone()))
            .collect(),
        head_start: soon(),
    }
}

fn here() -> Vec<IpAddr> {
    vec![Ipv4Addr::LOCALHOST.into()]
}

#[test]
fn localhost_is_never_looked_up() {
    // Without time for a lookup there is still a result.
    let expired = Deadline::within(Duration::ZERO);
    for host in ["localhost", "LocalHost"] {
        let found = Lookup::begin(host, 389).wait(expired).unwrap().found;
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:389"], "{host}");
    }
    assert!(without_query("localhost.example.org").is_none());
}

#[test]
fn an_unknown_name_is_an_outage_with_the_name() {
    // A reserved name that never resolves (RFC 6761 section 6.4).
    let long = Deadline::within(Duration::from_secs(20));
    let Err(Error::Outage(text)) = Lookup::begin("sms.invalid", 443).wait(long) else {
        panic!("found");
    };
    assert!(text.starts_with("name lookup of sms.invalid "), "{text}");
}

/// The servers before it may use up the time for lookups: then its failure is still its own.
#[test]
fn a_limit_that_was_over_before_the_wait_leaves_an_outage_an_outage() {
    let over = Deadline::within(Duration::ZERO);
    thread::sleep(Duration::from_millis(400));
    let failed = || Error::Outage("name lookup of gone.test failed".to_owned());
    let gone = Lookup {
        host: "gone.test".to_owned(),
        port: 636,
        state: State::Known(Err(failed())),
    };
    assert_eq!(gone.clone().wait(over).unwrap_err(), failed());
    let mut lookups = Lookups {
        lookups: vec![Some(gone)],
        head_start: over,
    };
    let (_, result) = lookups.next(over).expect("the server");
    assert_eq!(result.unwrap_err(), failed());
    let held = hold("late.test");
    let timed_out = list(&[&held]).wait_for_one(over).unwrap_err();
    let expected = "name lookup of late.test timed out".to_owned();
    assert_eq!(timed_out, Error::Outage(expected));
    drop(held.answer.send(Ok(here())));
}

#[test]
fn a_lookup_is_waited_for_no_longer_than_its_limit() {
    let held = hold("slow.test");
    let began = Moment::now();
    let timed_out = Error::Outage("name lookup of slow.test timed out".to_owned());
    assert_eq!(held.lookup.wait(soon()).unwrap_err(), timed_out);
    let took = Moment::now().since(began);
    assert!(took >= Duration::from_millis(290), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// A second query would repeat the C library's wait for a name server that is down.
#[test]
fn lookups_of_the_same_name_share_a_query() {
    let held = hold("joined.test");
    let joined = Lookup::begin("Joined.test", 389);
    let (State::Running(one), State::Running(other)) = (&held.lookup.state, &joined.state) else {
        panic!("a result without a query");
    };
    assert!(Arc::ptr_eq(one, other));
    held.answer.send(Ok(here())).unwrap();
    assert_eq!(joined.wait(soon()).unwrap().found[0].port(), 389);
    assert_eq!(held.lookup.wait(soon()).unwrap().found[0].port(), 636);
    assert!(!running().iter().any(|query| query.is_for("joined.test")));
}

#[test]
fn a_server_with_a_result_does_not_wait_for_one_without() {
    let (first, second) = (hold("never.test"), hold("known.test"));
    second.answer.send(Ok(here())).unwrap();
    let mut servers = list(&[&first, &second]);
    let long = Deadline::within(Duration::from_secs(20));
    let began = Moment::now();
    let (at, found) = servers.next(long).unwrap();
    assert_eq!((at, found.unwrap().found.len()), (1, 1));
    assert!(Moment::now().since(began) < Duration::from_secs(3));
    // The other one is returned when its lookup has ended.
    first.answer.send(Ok(here())).unwrap();
    assert_eq!(servers.next(long).unwrap().0, 0);
    assert!(servers.next(long).is_none());
}

#[test]
fn servers_are_tried_in_order_if_all_lookups_end_in_time() {
    let (first, second) = (hold("slower.test"), hold("faster.test"));
    second.answer.send(Ok(here())).unwrap();
    let mut servers = list(&[&first, &second]);
    let answer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        first.answer.send(Ok(here())).unwrap();
    });
    let order: Vec<_> = std::iter::from_fn(|| servers.next(soon()))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(order, [0, 1]);
    answer.join().unwrap();
}

#[test]
fn each_lookup_without_a_result_in_time_is_an_outage() {
    let (first, second) = (hold("dead1.test"), hold("dead2.test"));
    let mut servers = list(&[&first, &second]);
    let limit = soon();
    let waited = servers.wait_for_one(limit).unwrap_err();
    assert_eq!(waited.to_string(), "name lookup of dead1.test timed out");
    for (at, host) in [(0, "dead1.test"), (1, "dead2.test")] {
        let (found_at, found) = servers.next(limit).unwrap();
        let text = format!("name lookup of {host} timed out");
        assert_eq!((found_at, found.unwrap_err()), (at, Error::Outage(text)));
    }
    second.answer.send(Ok(here())).unwrap();
    assert!(list(&[&first, &second]).wait_for_one(soon()).is_ok());
}

/// The second name server is queried after 5 s (resolv.conf(5)).
#[test]
fn a_lookup_has_time_for_the_second_name_server_and_leaves_time_for_the_connection() {
    let limit = |timeout, left| {
        let by = Deadline::within(Duration::from_secs(left));
        lookup_limit(Duration::from_secs(timeout), by).left()
    };
    for (timeout, left, seconds) in [(5, 30, 10), (2, 60, 12), (5, 120, 15), (5, 6, 2), (5, 0, 0)] {
        let (found, want) = (limit(timeout, left), Duration::from_secs(seconds));
        let below = want.saturating_sub(Duration::from_millis(500));
        assert!(
            found <= want && found >= below,
            "{timeout} {left}: {found:?}"
        );
    }
    let two = Duration::from_secs(2);
    let ahead = lookup_limit(two, prefetch_deadline(two)).left();
    assert!(ahead > Duration::from_secs(11), "{ahead:?}");
}

#[test]
fn a_panic_in_a_lookup_is_a_local_error() {
    let held = hold("broken.test");
    drop(held.answer);
    let error = held.lookup.wait(Deadline::within(Duration::from_secs(5)));
    assert!(matches!(error, Err(Error::Local(_))), "{error:?}");
}
