use std::time::Duration;

use super::*;
use crate::deadline::Moment;
use crate::directory::ldap_server::{FakeDirectory, message, result, settings, tlv};

/// Responses that no directory sends; each has once harmed some client.
fn malformed() -> Vec<(&'static str, Response)> {
    let mut deep = tlv(4, b"");
    while deep.len() < 300_000 {
        deep = tlv(0x30, &deep);
    }
    let endless = message(9, &tlv(0x73, &tlv(4, &[b'x'; 1000])), b"");
    vec![
        ("nested", Response::Send(deep.clone())),
        (
            "nested inside",
            Response::Send(message(1, &tlv(0x61, &deep), b"")),
        ),
        (
            "a gigabyte announced",
            Response::Send(vec![0x30, 0x84, 0x40, 0, 0, 0]),
        ),
        ("indefinite", Response::Send(vec![0x30, 0x80, 0, 0])),
        ("zeroes", Response::Flood(vec![0; 4096])),
        (
            "headers",
            Response::Flood(vec![0x30, 0x84, 0, 3, 0xff, 0xff]),
        ),
        ("references", Response::Flood(endless)),
        ("empty", Response::Send(vec![0x30, 0])),
        ("no code", Response::Send(message(1, &tlv(0x61, b""), b""))),
        (
            "not UTF-8",
            Response::Send(message(1, &tlv(0x61, &[0x0a, 1, 0, 4, 1, 0xff, 4, 0]), b"")),
        ),
        (
            "another response",
            Response::Send(message(1, &result(0x6b, 0, ""), b"")),
        ),
        (
            "intermediate",
            Response::Send(message(1, &tlv(0x79, b""), b"")),
        ),
        (
            "notice of disconnection",
            Response::Send(message(0, &result(0x78, 52, ""), &tlv(0x8a, b"1.2.3"))),
        ),
        ("text", Response::Send(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec())),
    ]
}

#[test]
fn malformed_responses_are_outages() {
    for (what, response) in malformed() {
        let (reply, again) = (response.clone(), response);
        let start = Moment::now();
        // In response to a search …
        let server = FakeDirectory::new(move |_| reply.clone());
        let mut settings = settings(vec![server.uri()]);
        let found = find(&settings);
        assert!(is_outage(&found), "{what}: {found:?}");
        // … and to the bind.
        let server = FakeDirectory::new(with_bind(move |_| again.clone()));
        settings.uris = vec![server.uri()];
        let outcome = login(&settings, PASSWORD);
        assert!(is_password_outage(&outcome), "{what}: {outcome:?}");
        assert!(
            Moment::now().since(start) < Duration::from_secs(4),
            "{what}: {:?}",
            Moment::now().since(start)
        );
    }
}

#[test]
fn the_failure_names_the_violation() {
    let failure = |response: Response| {
        let server = FakeDirectory::new(move |_| response.clone());
        find(&settings(vec![server.uri()])).unwrap_err().what
    };
    let check = |response, what: &str| {
        let failure = failure(response);
        assert!(
            failure.starts_with("ldap://127.0.0.1:") && failure.contains(what),
            "{failure}"
        );
    };
    check(Response::SendAndClose(vec![]), "closed the connection");
    check(
        Response::Send(b"HTTP/1.1".to_vec()),
        "malformed LDAP message",
    );
    check(Response::Send(vec![0x30, 0x84, 0x40, 0, 0, 0]), "too long");
    check(
        Response::Send(message(0, &result(0x78, 52, ""), b"")),
        "code 52",
    );
    check(
        Response::Send(message(1, &result(0x61, 0, ""), b"")),
        "does not match the request",
    );
}

#[test]
fn a_large_entry_is_accepted() {
    let big = "7".repeat(10_000);
    let values: Vec<&[u8]> = std::iter::repeat_n(big.as_bytes(), 20).collect();
    let attributes: [(&str, &[&[u8]]); 2] =
        [("phoneNumberVerified", &[b"TRUE"]), ("mobile", &values)];
    let huge = entry(ALICE, &attributes);
    let server = FakeDirectory::new(move |request| request.entries(std::slice::from_ref(&huge)));
    let settings = settings(vec![server.uri()]);
    let Ok(Found::One(entry)) = find(&settings) else {
        panic!("not one");
    };
    assert!(entry.phone(&settings).is_err());
}
