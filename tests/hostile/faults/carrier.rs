//! Faults of Twilio while connecting, during TLS, and after the request.

use super::ground::{Ground, row};
use super::{DEADLINE, LOCAL, OUTAGE, Row, STEP, Spoilt, slow, transport};
use crate::module::{ASKS, Login, NOT_SENT, Say, Seen, someone};
use lab::fault_proxy::{Fault, FaultProxy};
use lab::twilio::{Broken, Case};
use std::sync::atomic::{AtomicU32, Ordering};

const IN: [Say; 2] = [Say::Password, Say::Code];

fn unsent(code: i32, reason: &str, sms: usize) -> Seen {
    let line = format!("failed stage=twilio reason={reason}");
    Seen::new(&[code], &[ASKS, NOT_SENT], &[&line], sms)
}

fn between<'b>(
    ground: &'b Ground<'b>,
    login: Login<'b>,
    fault: &Fault,
    scheme: &str,
) -> Spoilt<'b> {
    let middle = FaultProxy::start(ground.lab.twilio().port(), 1, fault.clone());
    let url = format!("{scheme}://127.0.0.1:{}", middle.port());
    Spoilt {
        login: login.text("twilio.api_url", &url),
        middle: Some(middle),
    }
}

pub fn rows<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = reaching(ground);
    rows.extend(posting(ground));
    rows
}

fn reaching<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    let outage = unsent(OUTAGE, "outage", 0);
    for (what, port) in [
        ("refused", ground.refused.port()),
        ("black hole", ground.full.port()),
    ] {
        for scheme in ["https", "http"] {
            let url = format!("{scheme}://127.0.0.1:{port}");
            rows.push(row(
                "send: connect",
                format!("{what} {scheme}"),
                &IN,
                &outage,
                move |login| {
                    login
                        .text("twilio.api_url", &url)
                        .text("twilio.timeout", STEP)
                        .into()
                },
            ));
        }
    }
    rows.push(row(
        "send: connect",
        "no such name",
        &IN,
        &outage,
        |login| {
            login
                .text("twilio.api_url", "https://twilio.invalid")
                .into()
        },
    ));
    for fault in transport() {
        rows.push(row(
            "send: TLS",
            format!("{fault:?}"),
            &IN,
            &outage,
            move |login| between(ground, login, &fault, "https").within("twilio.timeout", &fault),
        ));
    }
    for fault in slow() {
        let what = format!("{fault:?}, by deadline");
        rows.push(row("send: TLS", what, &IN, &outage, move |login| {
            between(ground, login, &fault, "https").text("deadline", DEADLINE)
        }));
    }
    rows.push(row(
        "send: TLS",
        "a bit in turn 1",
        &IN,
        &outage,
        move |login| between(ground, login, &Fault::BitFlip, "https").text("twilio.timeout", STEP),
    ));
    for (identity, server) in &ground.untrusted {
        let (url, want) = (server.url(), unsent(LOCAL, "refused", 0));
        rows.push(row(
            "send: TLS",
            format!("{identity:?}"),
            &IN,
            &want,
            move |login| login.text("twilio.api_url", &url).into(),
        ));
    }
    rows
}

/// A new user name: the fake Twilio selects its response by the phone number.
fn new_name() -> &'static str {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    format!("faults-phone{}", SERIAL.fetch_add(1, Ordering::SeqCst)).leak()
}

/// Without TLS: faults in place of the response to a request.
fn posting<'b>(ground: &'b Ground<'b>) -> Vec<Row<'b>> {
    let mut rows = Vec::new();
    let outage = unsent(OUTAGE, "outage", 0);
    let refused = unsent(LOCAL, "refused", 0);
    let reply = |text: &str| Fault::Reply(text.replace('\n', "\r\n").into_bytes());
    let endless = |text: &str| Fault::Endless(text.replace('\n', "\r\n").into_bytes());
    for (what, fault, want) in [
        ("silent", Fault::Silent, &outage),
        ("cut", Fault::Close, &outage),
        ("reset", Fault::Reset, &outage),
        ("garbage", Fault::Garbage, &outage),
        (
            "oversized head",
            endless("HTTP/1.1 201 Created\nX: "),
            &outage,
        ),
        ("half a head", reply("HTTP/1.1 201 Cre"), &outage),
        (
            "endless 100",
            reply(&"HTTP/1.1 100 Continue\n\n".repeat(500)),
            &outage,
        ),
        ("no such status", reply("HTTP/1.1 99 What\n\n"), &outage),
        (
            "a redirect",
            reply("HTTP/1.1 302 Found\nLocation: https://192.0.2.1/\nContent-Length: 0\n\n"),
            &refused,
        ),
        (
            "503",
            reply("HTTP/1.1 503 Busy\nContent-Length: 0\n\n"),
            &outage,
        ),
        (
            "404",
            reply("HTTP/1.1 404 No\nContent-Length: 0\n\n"),
            &refused,
        ),
        (
            "200",
            reply("HTTP/1.1 200 OK\nContent-Length: 2\n\n{}"),
            &outage,
        ),
    ] {
        rows.push(row("send: POST", what, &IN, want, move |login| {
            between(ground, login, &fault, "http").text("twilio.timeout", STEP)
        }));
    }
    rows.push(row(
        "send: POST",
        "silent, by deadline",
        &IN,
        &outage,
        move |login| between(ground, login, &Fault::Silent, "http").text("deadline", DEADLINE),
    ));
    for (what, broken, sms) in [
        ("a slow head", Broken::DripHead, 1),
        ("a head without end", Broken::EndlessHead, 0),
        (
            "reset after it was sent",
            Broken::Reset { delivers: true },
            1,
        ),
        ("closed", Broken::Close, 0),
        ("no answer", Broken::BlackHole, 0),
        ("not HTTP", Broken::Garbage, 0),
        ("a huge error", Broken::HugeBody(503), 0),
    ] {
        let want = unsent(OUTAGE, "outage", sms);
        rows.push(row("send: answer", what, &IN, &want, move |login| {
            let who = someone(ground.lab, new_name());
            ground.lab.twilio().on(&who.number, &[Case::Broken(broken)]);
            login.of(&who).text("twilio.timeout", STEP).into()
        }));
    }
    rows
}
