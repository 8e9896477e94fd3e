//! Failover: the next server, or the next address of a server, is used if one fails. A password that was
//! sent is not sent again.

mod addresses;
mod cluster;

use crate::Case;
use crate::module::{ASKS, Login, Say, Seen, someone};
use lab::Lab;
use lab::fault_proxy::{Fault, FaultProxy};
use lab::pamhost::code;
use lab::slapd::Slapd;
use std::thread;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::failover::an_unusable_directory_fails_over",
        an_unusable_directory_fails_over,
    ),
    (
        "hostile::failover::a_sent_password_is_sent_to_no_other_server",
        a_sent_password_is_sent_to_no_other_server,
    ),
    (
        "hostile::failover::a_recovered_directory_is_used_again",
        a_recovered_directory_is_used_again,
    ),
    (
        "hostile::failover::an_unusable_address_fails_over",
        addresses::an_unusable_address_fails_over,
    ),
    (
        "hostile::failover::a_bad_certificate_is_refused_whatever_else_is_down",
        addresses::a_bad_certificate_is_refused_whatever_else_is_down,
    ),
    (
        "hostile::failover::an_unusable_node_fails_over",
        cluster::an_unusable_node_fails_over,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// The client's messages in an unencrypted LDAP connection, counted from 1.
pub const SERVICE_BIND: usize = 1;
pub const SEARCH: usize = 2;
pub const USER_BIND: usize = 3;

/// Temporary results: busy, unavailable, timeLimitExceeded (RFC 4511 §4.1.9).
const TEMPORARY: [u8; 3] = [51, 52, 3];

/// Encodes the directory's response to the request of this turn, with a result code only.
pub fn result(turn: usize, code: u8) -> Vec<u8> {
    let id = u8::try_from(turn).expect("a small number");
    let tag = if turn == SEARCH { 0x65 } else { 0x61 };
    vec![0x30, 12, 2, 1, id, tag, 7, 0x0a, 1, code, 0x04, 0, 0x04, 0]
}

/// Returns the port of a URL in the settings.
pub fn port(url: &str) -> u16 {
    let port = url.rsplit(':').next().expect("a port");
    port.trim_end_matches('/').parse().expect("a number")
}

/// Returns a proxy in front of the directory, and its URL.
fn behind_proxy(slapd: &Slapd, turn: usize, fault: Fault) -> (FaultProxy, String) {
    let middle = FaultProxy::plain_ldap(port(&slapd.ldap()), turn, fault);
    let uri = format!("ldap://{}", middle.address());
    (middle, uri)
}

fn faults(turn: usize) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Silent,
        Fault::DropReply,
        Fault::Close,
        Fault::Reset,
        Fault::Truncate,
        Fault::Drip(Duration::from_millis(300)),
        Fault::Garbage,
        Fault::Endless(b"\x30\x84\x40\x00\x00\x00".to_vec()),
    ];
    faults.extend(TEMPORARY.map(|code| Fault::Reply(result(turn, code))));
    faults
}

/// After any fault of the first directory before the password is sent, the login uses the second one.
fn an_unusable_directory_fails_over(lab: &Lab) {
    let second = lab.slapd();
    thread::scope(|scope| {
        for (turn, case) in [(SERVICE_BIND, "over-bind"), (SEARCH, "over-search")] {
            scope.spawn(move || {
                let who = someone(lab, case);
                for fault in faults(turn) {
                    let (middle, uri) = behind_proxy(second, turn, fault.clone());
                    let login = Login::new(lab, case)
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

/// Otherwise the directories' own lockout would count a wrong password twice.
fn a_sent_password_is_sent_to_no_other_server(lab: &Lab) {
    let cases = ["once-0", "once-1", "once-2", "once-3"];
    let second = Slapd::start(lab.certs());
    let mut all = faults(USER_BIND);
    let share = all.len().div_ceil(cases.len());
    thread::scope(|scope| {
        for case in cases {
            let some: Vec<Fault> = all.drain(..share.min(all.len())).collect();
            let second = &second;
            scope.spawn(move || {
                let who = someone(lab, case);
                second.add(&who.person);
                for fault in some {
                    let (middle, uri) = behind_proxy(lab.slapd(), USER_BIND, fault.clone());
                    let login = Login::new(lab, case)
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

fn a_recovered_directory_is_used_again(lab: &Lab) {
    let who = someone(lab, "back-again");
    let second = Slapd::start(lab.certs());
    second.add(&who.person);
    let (first, uri) = behind_proxy(lab.slapd(), SERVICE_BIND, Fault::Close);
    let login = Login::new(lab, "back-again")
        .of(&who)
        .set("ldap.uris", &format!("{:?}", [&uri, &second.ldaps()]));
    let dn = who.person.dn();
    login.sees("the first is down", &IN, &Seen::granted());
    assert_eq!((lab.slapd().binds(&dn), second.binds(&dn)), (0, 1));
    first.repair();
    login.sees("it is back", &IN, &Seen::granted());
    assert_eq!((lab.slapd().binds(&dn), second.binds(&dn)), (1, 1));
}
