//! Of several servers, and of several addresses of one, the next is asked when one is of no use; what
//! must not be said twice is not.

mod addresses;
mod cluster;

use crate::Case;
use crate::module::{ASKS, Login, Say, Seen, someone};
use lab::bench::Bench;
use lab::middle::{Fault, Middle};
use lab::pamhost::code;
use lab::slapd::Slapd;
use std::thread;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::failover::a_directory_that_is_of_no_use_gives_way_to_the_next",
        a_directory_that_is_of_no_use_gives_way_to_the_next,
    ),
    (
        "hostile::failover::a_password_that_was_sent_is_sent_nowhere_else",
        a_password_that_was_sent_is_sent_nowhere_else,
    ),
    (
        "hostile::failover::a_directory_that_is_back_is_used_again",
        a_directory_that_is_back_is_used_again,
    ),
    (
        "hostile::failover::an_address_that_is_of_no_use_gives_way_to_the_next",
        addresses::an_address_that_is_of_no_use_gives_way_to_the_next,
    ),
    (
        "hostile::failover::a_bad_certificate_is_no_outage_whatever_else_is_down",
        addresses::a_bad_certificate_is_no_outage_whatever_else_is_down,
    ),
    (
        "hostile::failover::a_node_that_is_of_no_use_gives_way_to_the_next",
        cluster::a_node_that_is_of_no_use_gives_way_to_the_next,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// Turns of a talk with a directory in the clear.
pub const SERVICE_BIND: usize = 1;
pub const SEARCH: usize = 2;
pub const USER_BIND: usize = 3;

/// busy, unavailable, timeLimitExceeded (RFC 4511 §4.1.9).
const PASSING: [u8; 3] = [51, 52, 3];

/// A directory's answer to the request of this turn: a result and nothing else.
pub fn result(turn: usize, code: u8) -> Vec<u8> {
    let id = u8::try_from(turn).expect("a small number");
    let tag = if turn == SEARCH { 0x65 } else { 0x61 };
    vec![0x30, 12, 2, 1, id, tag, 7, 0x0a, 1, code, 0x04, 0, 0x04, 0]
}

/// The port of an address in settings.
pub fn port(url: &str) -> u16 {
    let port = url.rsplit(':').next().expect("a port");
    port.trim_end_matches('/').parse().expect("a number")
}

/// This directory, with somebody in between.
fn between(slapd: &Slapd, turn: usize, fault: Fault) -> (Middle, String) {
    let middle = Middle::in_the_clear(port(&slapd.ldap()), turn, fault);
    let uri = format!("ldap://{}", middle.address());
    (middle, uri)
}

fn faults(turn: usize) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Silent,
        Fault::Lost,
        Fault::Cut,
        Fault::Reset,
        Fault::Half,
        Fault::Drip(Duration::from_millis(300)),
        Fault::Garbage,
        Fault::Endless(b"\x30\x84\x40\x00\x00\x00".to_vec()),
    ];
    faults.extend(PASSING.map(|code| Fault::Says(result(turn, code))));
    faults
}

/// Whatever befalls the first directory before the password is sent, the second is asked.
fn a_directory_that_is_of_no_use_gives_way_to_the_next(bench: &Bench) {
    let second = bench.slapd();
    thread::scope(|scope| {
        for (turn, case) in [(SERVICE_BIND, "over-bind"), (SEARCH, "over-search")] {
            scope.spawn(move || {
                let who = someone(bench, case);
                for fault in faults(turn) {
                    let (middle, uri) = between(second, turn, fault.clone());
                    let login = Login::new(bench, case)
                        .of(&who)
                        .set("ldap.uris", &format!("{:?}", [&uri, &second.ldaps()]))
                        .text("ldap.timeout", "1s");
                    let before = second.binds(&who.person.dn());
                    let seen = login.sees(&format!("{fault:?}"), &IN, &Seen::granted());
                    assert!(middle.faults() > 0, "{fault:?}");
                    assert_eq!(second.binds(&who.person.dn()), before + 1, "{fault:?}");
                    assert!(seen.results[0].1 < Duration::from_secs(10), "{fault:?}");
                }
            });
        }
    });
}

/// It would count twice in the directories' own locks.
fn a_password_that_was_sent_is_sent_nowhere_else(bench: &Bench) {
    let cases = ["once-0", "once-1", "once-2", "once-3"];
    let second = Slapd::start(bench.certs());
    let mut all = faults(USER_BIND);
    let share = all.len().div_ceil(cases.len());
    thread::scope(|scope| {
        for case in cases {
            let some: Vec<Fault> = all.drain(..share.min(all.len())).collect();
            let second = &second;
            scope.spawn(move || {
                let who = someone(bench, case);
                second.add(&who.person);
                for fault in some {
                    let (middle, uri) = between(bench.slapd(), USER_BIND, fault.clone());
                    let login = Login::new(bench, case)
                        .of(&who)
                        .set("ldap.uris", &format!("{:?}", [&uri, &second.ldaps()]))
                        .text("ldap.timeout", "1s");
                    let line = "failed stage=directory reason=outage";
                    let want = Seen::new(&[code::AUTHINFO_UNAVAIL], &[ASKS], &[line], 0);
                    login.sees(&format!("{fault:?}"), &IN, &want);
                    assert_eq!(middle.faults(), 1, "{fault:?}");
                }
                assert_eq!(second.binds(&who.person.dn()), 0);
            });
        }
    });
}

fn a_directory_that_is_back_is_used_again(bench: &Bench) {
    let who = someone(bench, "back-again");
    let second = Slapd::start(bench.certs());
    second.add(&who.person);
    let (first, uri) = between(bench.slapd(), SERVICE_BIND, Fault::Cut);
    let login = Login::new(bench, "back-again")
        .of(&who)
        .set("ldap.uris", &format!("{:?}", [&uri, &second.ldaps()]));
    let dn = who.person.dn();
    login.sees("the first is down", &IN, &Seen::granted());
    assert_eq!((bench.slapd().binds(&dn), second.binds(&dn)), (0, 1));
    first.repair();
    login.sees("it is back", &IN, &Seen::granted());
    assert_eq!((bench.slapd().binds(&dn), second.binds(&dn)), (1, 1));
}
