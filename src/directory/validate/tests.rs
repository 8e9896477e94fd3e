use super::*;
use crate::directory::ldap_server::{entry, message, policy, result, tlv};

fn bind(message: &[u8]) -> Result<(), Violation> {
    check(message, Request::Bind)
}

fn search(message: &[u8]) -> Result<(), Violation> {
    check(message, Request::Search)
}

#[test]
fn expected_responses_pass() {
    let done = result(SEARCH_DONE, 0, "");
    let referral = tlv(0xa3, &tlv(4, b"ldap://elsewhere.example.org/"));
    let parts = [tlv(0x0a, &[10]), tlv(4, b""), tlv(4, b""), referral];
    let refers = tlv(
        BIND_RESPONSE,
        &[&parts.concat()[..], &tlv(0x87, b"creds")].concat(),
    );
    assert_eq!(
        bind(&message(1, &result(BIND_RESPONSE, 49, "no"), b"")),
        Ok(())
    );
    assert_eq!(bind(&message(1, &refers, b"")), Ok(()));
    let control = policy(&[0x30, 0]);
    assert_eq!(
        bind(&message(1, &result(BIND_RESPONSE, 0, ""), &control)),
        Ok(())
    );
    assert_eq!(search(&message(2, &done, b"")), Ok(()));
    let one = entry("uid=a,dc=b", &[("mobile", &[b"1", b"\xff"]), ("mail", &[])]);
    assert_eq!(search(&message(2, &one, b"")), Ok(()));
    let reference = tlv(SEARCH_REFERENCE, &tlv(4, b"ldap://elsewhere.example.org/"));
    assert_eq!(search(&message(2, &reference, b"")), Ok(()));
}

#[test]
fn unexpected_responses_do_not_pass() {
    let unexpected = Err(Violation::Unexpected);
    assert_eq!(
        bind(&message(1, &result(SEARCH_DONE, 0, ""), b"")),
        unexpected
    );
    assert_eq!(bind(&message(1, &entry("a=b", &[]), b"")), unexpected);
    assert_eq!(
        search(&message(1, &result(BIND_RESPONSE, 0, ""), b"")),
        unexpected
    );
    assert_eq!(
        bind(&message(1, &result(EXTENDED_RESPONSE, 0, ""), b"")),
        unexpected
    );
    assert_eq!(
        search(&message(1, &tlv(0x79, b""), b"")),
        unexpected,
        "intermediate"
    );
}

#[test]
fn a_notice_of_disconnection_may_have_its_name_in_either_place() {
    let notice = result(EXTENDED_RESPONSE, 52, "going down");
    let name = tlv(0x8a, b"1.3.6.1.4.1.1466.20036");
    let disconnected = Err(Violation::Disconnected(52));
    assert_eq!(bind(&message(0, &notice, b"")), disconnected);
    assert_eq!(
        search(&message(0, &notice, &name)),
        disconnected,
        "as Active Directory sends it"
    );
    assert_eq!(
        bind(&message(0, &result(BIND_RESPONSE, 0, ""), b"")),
        Err(Violation::Malformed)
    );
}

#[test]
fn shapes_on_which_the_library_would_panic_do_not_pass() {
    let ok = result(BIND_RESPONSE, 0, "");
    let code = tlv(0x0a, &[0]);
    let text = tlv(4, b"");
    let operation = |parts: &[&[u8]]| message(1, &tlv(BIND_RESPONSE, &parts.concat()), b"");
    let control = |parts: &[&[u8]]| message(1, &ok, &tlv(0xa0, &tlv(0x30, &parts.concat())));
    let bad: Vec<Vec<u8>> = vec![
        tlv(0x30, b""),
        tlv(0x30, &tlv(2, &[1])),
        tlv(0x30, &ok),
        tlv(0x30, &[&tlv(4, &[1]), &ok[..]].concat()),
        tlv(0x30, &[&tlv(2, &[]), &ok[..]].concat()),
        tlv(0x31, &[&tlv(2, &[1]), &ok[..]].concat()),
        message(1, &ok, &ok),
        message(1, &ok, &tlv(0x80, b"")),
        message(1, &tlv(0x41, b""), b""),
        operation(&[]),
        operation(&[&code]),
        operation(&[&code, &text]),
        operation(&[&tlv(2, &[0]), &text, &text]),
        operation(&[&tlv(0x0a, &[1, 0, 0, 0, 0]), &text, &text]),
        operation(&[&code, &tlv(4, b"\xff"), &text]),
        operation(&[&code, &text, &tlv(4, b"\xff")]),
        operation(&[&code, &text, &tlv(0x24, b"")]),
        operation(&[&code, &text, &text, &tlv(3, b"")]),
        operation(&[&code, &text, &text, &tlv(0x83, b"")]),
        operation(&[&code, &text, &text, &tlv(0xa3, &tlv(4, b"\xff"))]),
        operation(&[&code, &text, &text, &tlv(0xa7, b"")]),
        operation(&[&code, &text, &text, &tlv(0x8a, b"\xff")]),
        operation(&[&code, &text, &text, &tlv(0x0a, b"\xff")]),
        control(&[]),
        control(&[&tlv(4, b"\xff")]),
        control(&[&text, &tlv(1, b"")]),
        control(&[&text, &tlv(0x21, b"")]),
        control(&[&text, &tlv(5, b"")]),
        control(&[&text, &text, &text]),
    ];
    for message in bad {
        let outcome = bind(&message);
        assert!(outcome.is_err(), "{message:x?}");
    }
    for body in [
        &b""[..],
        &tlv(4, b"\xff"),
        &text,
        &[&text[..], &tlv(4, b"")].concat(),
        &[&text[..], &tlv(0x30, &tlv(4, b""))].concat(),
        &[&text[..], &tlv(0x30, &tlv(0x30, &tlv(4, b"a")))].concat(),
        &[
            &text[..],
            &tlv(
                0x30,
                &tlv(0x30, &[tlv(4, b"a"), tlv(0x31, &tlv(0x24, b""))].concat()),
            ),
        ]
        .concat(),
    ] {
        assert!(
            search(&message(1, &tlv(SEARCH_ENTRY, body), b"")).is_err(),
            "{body:x?}"
        );
    }
}

#[test]
fn nesting_deeper_than_the_grammar_does_not_pass() {
    let mut deep = tlv(4, b"");
    while deep.len() < 60_000 {
        deep = tlv(0x30, &deep);
    }
    assert_eq!(bind(&deep), Err(Violation::Malformed));
    for operation in [tlv(BIND_RESPONSE, &deep), tlv(0x79, &deep)] {
        assert!(bind(&message(1, &operation, b"")).is_err());
    }
    let within = [tlv(0x0a, &[0]), tlv(4, b""), tlv(4, b""), tlv(0xa9, &deep)].concat();
    assert!(bind(&message(1, &tlv(BIND_RESPONSE, &within), b"")).is_err());
}

#[test]
fn message_lengths_are_known_early_and_limited() {
    assert_eq!(message_length(b""), Ok(None));
    assert_eq!(message_length(&[0x30]), Ok(None));
    assert_eq!(message_length(&[0x30, 0x05, 1]), Ok(Some(7)));
    assert_eq!(
        message_length(b"HTTP/1.1 400 Bad Request"),
        Err(Violation::Malformed)
    );
    assert_eq!(message_length(&[0x30, 0x80]), Err(Violation::Malformed));
    assert_eq!(
        message_length(&[0x30, 0x84, 0x40, 0, 0, 0]),
        Err(Violation::TooLong)
    );
    assert_eq!(
        message_length(&[0x30, 0x84, 0, 4, 0, 0]),
        Err(Violation::TooLong)
    );
}

/// Each byte of a message is changed to each value, and the library parses what still passes.
#[test]
fn the_library_parses_what_passes_without_a_panic() {
    let answer = message(1, &result(BIND_RESPONSE, 0, "hi"), &policy(&[0x30, 0]));
    let one = message(1, &entry("a=b", &[("m", &[b"1"])]), b"");
    for (valid, request) in [(answer, Request::Bind), (one, Request::Search)] {
        for place in 0..valid.len() {
            for value in 0..=u8::MAX {
                let mut changed = valid.clone();
                changed[place] = value;
                if check(&changed, request).is_err() {
                    continue;
                }
                let (rest, tag) = ldap3::asn1::parse_tag(&changed).expect("it is whole");
                assert!(rest.is_empty());
                let operation = tag.expect_constructed().unwrap().remove(1);
                if request == Request::Bind {
                    let _ = ldap3::LdapResult::from(ldap3::asn1::Tag::StructureTag(operation));
                }
            }
        }
    }
}

#[test]
fn only_a_response_to_start_tls_is_accepted() {
    let answer = |id, code| message(id, &result(EXTENDED_RESPONSE, code, ""), b"");
    assert_eq!(start_tls_result(&answer(7, 0), 7), Ok(0));
    assert_eq!(start_tls_result(&answer(7, 2), 7), Ok(2));
    assert_eq!(
        start_tls_result(&answer(6, 0), 7),
        Err(Violation::Unexpected)
    );
    assert_eq!(
        start_tls_result(&answer(0, 52), 7),
        Err(Violation::Disconnected(52))
    );
    let other = message(7, &result(BIND_RESPONSE, 0, ""), b"");
    assert_eq!(start_tls_result(&other, 7), Err(Violation::Unexpected));
}

#[test]
fn a_message_of_256_kilobytes_is_the_longest() {
    let header = |length: usize| {
        let length = u32::try_from(length).unwrap().to_be_bytes();
        [&[SEQUENCE, 0x84][..], &length].concat()
    };
    let body = 256 * 1024 - header(0).len();
    assert_eq!(message_length(&header(body)), Ok(Some(256 * 1024)));
    assert_eq!(message_length(&header(body + 1)), Err(Violation::TooLong));
}
