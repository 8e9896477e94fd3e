use std::time::Duration;

use super::*;
use crate::deadline::Moment;
use crate::directory::stage::{Stage, message, result, settings, tlv};

/// Bytes that no directory would send, each of which once did harm to some client.
fn nasty() -> Vec<(&'static str, Play)> {
    let mut deep = tlv(4, b"");
    while deep.len() < 300_000 {
        deep = tlv(0x30, &deep);
    }
    let endless = message(9, &tlv(0x73, &tlv(4, &[b'x'; 1000])), b"");
    vec![
        ("nested", Play::Say(deep.clone())),
        (
            "nested inside",
            Play::Say(message(1, &tlv(0x61, &deep), b"")),
        ),
        (
            "a gigabyte announced",
            Play::Say(vec![0x30, 0x84, 0x40, 0, 0, 0]),
        ),
        ("indefinite", Play::Say(vec![0x30, 0x80, 0, 0])),
        ("zeroes", Play::Flood(vec![0; 4096])),
        ("headers", Play::Flood(vec![0x30, 0x84, 0, 3, 0xff, 0xff])),
        ("references", Play::Flood(endless)),
        ("empty", Play::Say(vec![0x30, 0])),
        ("no code", Play::Say(message(1, &tlv(0x61, b""), b""))),
        (
            "not UTF-8",
            Play::Say(message(1, &tlv(0x61, &[0x0a, 1, 0, 4, 1, 0xff, 4, 0]), b"")),
        ),
        (
            "another answer",
            Play::Say(message(1, &result(0x6b, 0, ""), b"")),
        ),
        ("intermediate", Play::Say(message(1, &tlv(0x79, b""), b""))),
        (
            "goodbye",
            Play::Say(message(0, &result(0x78, 52, ""), &tlv(0x8a, b"1.2.3"))),
        ),
        ("text", Play::Say(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())),
    ]
}

#[test]
fn whatever_a_server_sends_is_an_outage_at_worst() {
    for (what, play) in nasty() {
        let (reply, again) = (play.clone(), play);
        let start = Moment::now();
        // In answer to a search…
        let stage = Stage::new(move |_| reply.clone());
        let mut settings = settings(vec![stage.uri()]);
        let found = find(&settings);
        assert!(is_outage(&found), "{what}: {found:?}");
        // …and to the bind.
        let stage = Stage::new(with_bind(move |_| again.clone()));
        settings.uris = vec![stage.uri()];
        let outcome = login(&settings, PASSWORD);
        assert!(is_unproved_outage(&outcome), "{what}: {outcome:?}");
        assert!(
            Moment::now().since(start) < Duration::from_secs(4),
            "{what}: {:?}",
            Moment::now().since(start)
        );
    }
}

#[test]
fn the_reason_is_told() {
    let told = |play: Play| {
        let stage = Stage::new(move |_| play.clone());
        find(&settings(vec![stage.uri()])).unwrap_err().what
    };
    let says = |play, what: &str| {
        let told = told(play);
        assert!(
            told.starts_with("ldap://127.0.0.1:") && told.contains(what),
            "{told}"
        );
    };
    says(Play::SayAndCut(vec![]), "closed the connection");
    says(Play::Say(b"HTTP/1.1".to_vec()), "malformed LDAP message");
    says(Play::Say(vec![0x30, 0x84, 0x40, 0, 0, 0]), "too long");
    says(Play::Say(message(0, &result(0x78, 52, ""), b"")), "code 52");
    says(
        Play::Say(message(1, &result(0x61, 0, ""), b"")),
        "does not match the request",
    );
}

#[test]
fn an_entry_with_much_in_it_is_read() {
    let big = "7".repeat(10_000);
    let values: Vec<&[u8]> = std::iter::repeat_n(big.as_bytes(), 20).collect();
    let attributes: [(&str, &[&[u8]]); 2] =
        [("phoneNumberVerified", &[b"TRUE"]), ("mobile", &values)];
    let huge = entry(ALICE, &attributes);
    let stage = Stage::new(move |asked| asked.found(std::slice::from_ref(&huge)));
    let settings = settings(vec![stage.uri()]);
    let Ok(Found::One(entry)) = find(&settings) else {
        panic!("not one");
    };
    assert!(entry.phone(&settings).is_err());
}
