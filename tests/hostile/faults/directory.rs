//! Faults of the directory: at connecting, TLS, both binds and the search.

use super::ground::{Ground, row};
use super::{DEADLINE, LOCAL, OUTAGE, Row, STEP, Spoilt, slow, transport};
use crate::hostile::failover::{SEARCH, SERVICE_BIND, USER_BIND, port, result};
use crate::module::{ASKS, Login, Say, Seen};
use lab::fault_proxy::{Fault, FaultProxy};

const RIGHT: [Say; 2] = [Say::Password, Say::Code];

fn outage() -> Seen {
    let line = "failed user=? stage=directory reason=outage";
    Seen::new(&[OUTAGE], &[ASKS], &[line], 0)
}

fn refused() -> Seen {
    let line = "failed user=? stage=directory reason=refused";
    Seen::new(&[LOCAL], &[ASKS], &[line], 0)
}

fn to<'b>(login: Login<'b>, uri: &str) -> Login<'b> {
    login.set("ldap.uris", &format!("[{uri:?}]"))
}

/// How a server between the login and the directory is connected to.
#[derive(Clone, Copy)]
enum Transport {
    Clear,
    StartTls,
    Tls,
}

fn between<'b>(
    ground: &'b Ground<'b>,
    login: Login<'b>,
    transport: Transport,
    turn: usize,
    fault: &Fault,
) -> Spoilt<'b> {
    let slapd = ground.lab.slapd();
    let (scheme, start_tls, real) = match transport {
        Transport::Clear => ("ldap", "false", slapd.ldap()),
        Transport::StartTls => ("ldap", "true", slapd.ldap()),
        Transport::Tls => ("ldaps", "false", slapd.ldaps()),
    };
    let middle = match transport {
        Transport::Clear => FaultProxy::plain_ldap(port(&real), turn, fault.clone()),
        Transport::StartTls | Transport::Tls => FaultProxy::start(port(&real), turn, fault.clone()),
    };
    let uri = format!("{scheme}://{}", middle.address());
    Spoilt {
        login: to(login, &uri).set("ldap.start_tls", start_tls),
        middle: Some(middle),
    }
}

pub fn rows<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = connecting(ground);
    rows.extend(securing(ground));
    rows.extend(exchanging(ground));
    rows
}

fn connecting<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    for scheme in ["ldaps", "ldap"] {
        for (what, port) in [
            ("refused", ground.refused.port()),
            ("black hole", ground.full.port()),
        ] {
            let uri = format!("{scheme}://127.0.0.1:{port}");
            rows.push(row(
                "directory: connect",
                format!("{what} {scheme}"),
                &RIGHT,
                &outage(),
                move |login| to(login, &uri).text("ldap.timeout", STEP).into(),
            ));
        }
    }
    let hole = format!("ldaps://127.0.0.1:{}", ground.full.port());
    rows.push(row(
        "directory: connect",
        "by deadline",
        &RIGHT,
        &outage(),
        move |login| to(login, &hole).text("deadline", DEADLINE).into(),
    ));
    for (what, uri) in [
        ("no such name", "ldaps://directory.invalid"),
        ("no such socket", "ldapi://%2Fnowhere%2Fldapi"),
    ] {
        rows.push(row(
            "directory: connect",
            what,
            &RIGHT,
            &outage(),
            move |login| to(login, uri).into(),
        ));
    }
    rows
}

fn securing<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    for (stage, security, turn) in [
        ("directory: TLS", Transport::Tls, 1),
        ("directory: StartTLS", Transport::StartTls, 1),
        ("directory: TLS after StartTLS", Transport::StartTls, 2),
    ] {
        for fault in transport() {
            let what = format!("{fault:?}");
            rows.push(row(stage, what, &RIGHT, &outage(), move |login| {
                between(ground, login, security, turn, &fault).within("ldap.timeout", &fault)
            }));
        }
        for fault in slow() {
            let what = format!("{fault:?}, by deadline");
            rows.push(row(stage, what, &RIGHT, &outage(), move |login| {
                between(ground, login, security, turn, &fault).text("deadline", DEADLINE)
            }));
        }
        let flood = Fault::Endless(b"\x16\x03\x03\x40\x00".to_vec());
        rows.push(row(stage, "oversized", &RIGHT, &outage(), move |login| {
            between(ground, login, security, turn, &flood).text("ldap.timeout", STEP)
        }));
    }
    // Data under TLS that was changed in transit is not accepted.
    for (security, turn) in [
        (Transport::Tls, 1),
        (Transport::Tls, 2),
        (Transport::StartTls, 2),
        (Transport::StartTls, 3),
    ] {
        rows.push(row(
            "directory: TLS",
            format!("a bit in turn {turn}"),
            &RIGHT,
            &outage(),
            move |login| {
                between(ground, login, security, turn, &Fault::BitFlip).text("ldap.timeout", STEP)
            },
        ));
    }
    for (identity, server) in &ground.untrusted {
        let uri = format!("ldaps://127.0.0.1:{}", server.port());
        rows.push(row(
            "directory: TLS",
            format!("{identity:?}"),
            &RIGHT,
            &refused(),
            move |login| to(login, &uri).into(),
        ));
    }
    let uri = ground.untrusted_directory.ldap();
    let another = "directory: TLS after StartTLS";
    rows.push(row(another, "OtherCa", &RIGHT, &refused(), move |login| {
        to(login, &uri).set("ldap.start_tls", "true").into()
    }));
    // An ExtendedResponse to message 1: with these codes, and one that clear text follows.
    let response = |code| vec![0x30, 12, 2, 1, 1, 0x78, 7, 0x0a, 1, code, 0x04, 0, 0x04, 0];
    let with_more = [response(0), result(2, 0)].concat();
    for (what, bytes, want) in [
        ("protocolError", response(2), refused()),
        ("busy", response(51), outage()),
        ("clear text after it", with_more, outage()),
        ("another response", result(1, 0), outage()),
    ] {
        rows.push(row(
            "directory: StartTLS",
            what,
            &RIGHT,
            &want,
            move |login| {
                between(
                    ground,
                    login,
                    Transport::StartTls,
                    1,
                    &Fault::Reply(bytes.clone()),
                )
            },
        ));
    }
    rows
}

/// The beginning of a message of a gigabyte.
const HUGE: &[u8] = b"\x30\x84\x40\x00\x00\x00";

fn exchanging<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    for (stage, turn) in [
        ("directory: service bind", SERVICE_BIND),
        ("directory: search", SEARCH),
        ("directory: user's bind", USER_BIND),
    ] {
        // The user is known by then.
        let of_user = |seen: Seen| {
            if turn == USER_BIND {
                seen.of_a_known_name()
            } else {
                seen
            }
        };
        let (outage, refused) = (of_user(outage()), of_user(refused()));
        let mut faults: Vec<(String, Fault, &Seen)> = transport()
            .into_iter()
            .map(|fault| (format!("{fault:?}"), fault, &outage))
            .collect();
        faults.push((
            "oversized".to_owned(),
            Fault::Endless(HUGE.to_vec()),
            &outage,
        ));
        for (what, bytes) in wrong_messages(turn) {
            faults.push((what.to_owned(), Fault::Reply(bytes), &outage));
        }
        for code in [51, 52, 3] {
            faults.push((
                format!("code {code}"),
                Fault::Reply(result(turn, code)),
                &outage,
            ));
        }
        for code in [80, 123] {
            faults.push((
                format!("code {code}"),
                Fault::ReplyAtTurn(result(turn, code)),
                &refused,
            ));
        }
        for (what, fault, want) in faults {
            let is_skipped = what == SKIPPED;
            rows.push(row(stage, what, &RIGHT, want, move |login| {
                let spoilt = between(ground, login, Transport::Clear, turn, &fault);
                if is_skipped {
                    return spoilt.text("ldap.timeout", STEP);
                }
                spoilt.within("ldap.timeout", &fault)
            }));
        }
        for fault in slow() {
            let what = format!("{fault:?}, by deadline");
            rows.push(row(stage, what, &RIGHT, &outage, move |login| {
                between(ground, login, Transport::Clear, turn, &fault).text("deadline", DEADLINE)
            }));
        }
    }
    rows
}

/// The right response may still follow, so this one is ignored.
const SKIPPED: &str = "a response to another request";

/// LDAP messages that are not responses to the request.
fn wrong_messages(turn: usize) -> Vec<(&'static str, Vec<u8>)> {
    let other_kind = if turn == SEARCH { SERVICE_BIND } else { SEARCH };
    let mut another_kind = result(other_kind, 0);
    another_kind[4] = u8::try_from(turn).expect("a small number");
    let disconnection =
        b"\x30\x24\x02\x01\x00\x78\x1f\x0a\x01\x34\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036";
    vec![
        (SKIPPED, result(77, 0)),
        ("a response of another kind", another_kind),
        ("a notice of disconnection", disconnection.to_vec()),
        ("an empty message", vec![0x30, 0]),
        ("nested deeply", [0x30, 0x80].repeat(2000)),
    ]
}
