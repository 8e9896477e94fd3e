use std::{net::TcpListener, time::Duration};

use super::*;
use crate::deadline::Moment;
use crate::{
    config::{LdapUri, Security},
    directory::{
        ber::{BOOLEAN, ENUMERATED, Elements, INTEGER, OCTETS, SEQUENCE},
        ldap_server::{FakeDirectory, message, result, settings, settings_with_bind, tlv},
    },
};

/// A server with one response to every search.
fn search_result(code: u8, entries: usize) -> FakeDirectory {
    FakeDirectory::new(move |request| match request.operation {
        SEARCH => {
            let mut bytes = Vec::new();
            for _ in 0..entries {
                bytes.extend(message(request.id, &alice(), b""));
            }
            bytes.extend(message(request.id, &result(0x65, code, "why"), b""));
            Response::Send(bytes)
        }
        _ => request.result(0),
    })
}

#[test]
fn an_anonymous_search_requests_the_needed_attributes() {
    let server = FakeDirectory::new(good);
    let settings = settings(vec![server.uri()]);
    let Found::One(entry) = find(&settings).unwrap() else {
        panic!("not one");
    };
    assert_eq!(entry.dn, ALICE);
    assert_eq!(entry.phone(&settings).unwrap().e164(), "+12025550142");
    assert_eq!(server.operations(), [SEARCH], "no bind");

    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.controls.is_empty());
    let mut parts = Elements::of(&request.body);
    assert_eq!(parts.text(OCTETS), Ok("ou=people,dc=example,dc=org"));
    assert_eq!(parts.number(ENUMERATED), Ok(2), "subtree");
    assert_eq!(parts.number(ENUMERATED), Ok(0), "never dereference");
    assert_eq!(parts.number(INTEGER), Ok(2), "size limit");
    assert!(
        (1..=6).contains(&parts.number(INTEGER).unwrap()),
        "time limit"
    );
    assert_eq!(parts.take(BOOLEAN), Ok(&[0][..]), "types and values");
    assert_eq!(parts.any().unwrap().tag, 0xa0, "and");
    let mut names = Elements::of(parts.take(SEQUENCE).unwrap());
    for name in [
        "phoneNumberVerified",
        "mobile",
        "telephoneNumber",
        "pwdChangedTime",
        "pwdLastSet",
        "krbLastPwdChange",
        "sambaPwdLastSet",
        "shadowLastChange",
        "uid",
        "objectClass",
    ] {
        assert_eq!(names.text(OCTETS), Ok(name));
    }
    assert_eq!(names.done(), Ok(()));
}

#[test]
fn the_entry_has_its_dn_and_the_time_of_the_password_change() {
    let server = FakeDirectory::new(|request| {
        let attributes: [(&str, &[&[u8]]); 3] = [
            ("phoneNumberVerified", &[b"TRUE"]),
            ("mobile", &[b"+1 202 555 0142"]),
            ("pwdChangedTime", &[b"20261001120000Z"]),
        ];
        request.entries(&[entry(
            "UID=Alice, OU=People, DC=Example, DC=Org",
            &attributes,
        )])
    });
    let settings = settings(vec![server.uri()]);
    let Found::One(entry) = find(&settings).unwrap() else {
        panic!("not one");
    };
    assert_eq!(entry.normalized_dn(), ALICE);
    assert_eq!(entry.password_changed(), "pwdChangedTime=20261001120000Z");
}

#[test]
fn the_service_account_binds_first() {
    let server = FakeDirectory::new(good);
    let settings = settings_with_bind(vec![server.uri()]);
    assert!(matches!(find(&settings), Ok(Found::One(_))));
    assert_eq!(server.operations(), [BIND, SEARCH]);
    let request = server.requests.lock().unwrap()[0].clone();
    let (dn, password) = request.credentials();
    assert_eq!(
        (dn.as_str(), password.as_str()),
        ("cn=pam,dc=example,dc=org", "service secret")
    );
}

#[test]
fn special_characters_in_names_are_sent_as_values() {
    for name in ["*", "*)(uid=*", "jos\u{e9}", "\\2a", "a\0b"] {
        let server = FakeDirectory::new(|request| request.entries(&[]));
        let settings = settings(vec![server.uri()]);
        let found = opened(&settings).unwrap().find(name, in_time());
        assert_eq!(found, Ok(Found::None));
        let body = server.requests.lock().unwrap()[0].body.clone();
        let equality = tlv(0xa3, &[tlv(4, b"uid"), tlv(4, name.as_bytes())].concat());
        assert!(
            body.windows(equality.len()).any(|part| part == equality),
            "{name:?}"
        );
    }
}

#[test]
fn no_entry_and_several_entries() {
    assert_eq!(
        find(&settings(vec![search_result(0, 0).uri()])),
        Ok(Found::None)
    );
    for (code, entries) in [(0, 2), (4, 2), (0, 9), (51, 2)] {
        let server = search_result(code, entries);
        assert_eq!(find(&settings(vec![server.uri()])), Ok(Found::Several));
    }
    let server = FakeDirectory::new(good);
    let settings = settings(vec![server.uri()]);
    let found = opened(&settings).unwrap().find("", in_time());
    assert_eq!(found, Ok(Found::None));
    assert!(
        server.operations().is_empty(),
        "an empty name is never searched for"
    );
}

#[test]
fn references_are_not_entries_and_not_followed() {
    let server = FakeDirectory::new(|request| {
        let reference = tlv(0x73, &tlv(4, b"ldap://127.0.0.1:1/dc=example,dc=org"));
        let found = [reference.clone(), alice(), reference];
        request.entries(&found)
    });
    assert!(matches!(
        find(&settings(vec![server.uri()])),
        Ok(Found::One(_))
    ));
    let server = FakeDirectory::new(|request| {
        request.entries(&[tlv(0x73, &tlv(4, b"ldap://127.0.0.1:1/"))])
    });
    assert_eq!(find(&settings(vec![server.uri()])), Ok(Found::Elsewhere));
}

#[test]
fn a_final_result_ends_the_search() {
    for (code, entries) in [
        (1, 0),
        (4, 0),
        (4, 1),
        (10, 0),
        (11, 1),
        (32, 0),
        (50, 0),
        (80, 1),
    ] {
        let (first, second) = (search_result(code, entries), FakeDirectory::new(good));
        let found = find(&settings(vec![first.uri(), second.uri()]));
        assert!(is_refused(&found), "{code}: {found:?}");
        assert!(second.operations().is_empty());
        let error = found.unwrap_err();
        assert!(error.what.contains(&format!("({code})")), "{error:?}");
        assert!(error.what.ends_with(": why"), "{error:?}");
    }
    for code in [49, 48, 50, 53, 32, 8] {
        let first = FakeDirectory::new(move |request| request.result(code));
        let second = FakeDirectory::new(good);
        let found = find(&settings_with_bind(vec![first.uri(), second.uri()]));
        assert!(is_refused(&found), "{code}: {found:?}");
        let words = if code == 8 { "ldaps://" } else { "bind_dn" };
        assert!(found.unwrap_err().remedy.contains(words), "{code}");
        assert_eq!(first.operations(), [BIND]);
        assert!(second.operations().is_empty());
    }
}

#[test]
fn an_outage_leads_to_the_next_server() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        LdapUri::Tcp {
            host: String::from("127.0.0.1"),
            port: listener.local_addr().unwrap().port(),
            security: Security::Loopback,
        }
    };
    let mut firsts = vec![closed, LdapUri::Unix("/nonexistent/ldapi".into())];
    let mut servers = Vec::new();
    for code in [3, 51, 52] {
        servers.push(FakeDirectory::new(move |request| request.result(code)));
        servers.push(search_result(code, 1));
    }
    servers.push(FakeDirectory::new(|_| Response::SendAndClose(vec![])));
    servers.push(FakeDirectory::new(|_| Response::SendAndClose(vec![0x30])));
    servers.push(FakeDirectory::new(|_| {
        Response::Send(b"HTTP/1.1 400 Bad Request\r\n".to_vec())
    }));
    firsts.extend(servers.iter().map(FakeDirectory::uri));
    for first in firsts {
        let alone = find(&settings_with_bind(vec![first.clone()]));
        assert!(is_outage(&alone), "{alone:?}");
        let second = FakeDirectory::new(good);
        let found = find(&settings_with_bind(vec![first, second.uri()]));
        assert!(matches!(found, Ok(Found::One(_))), "{found:?}");
    }
}

#[test]
fn a_silent_server_uses_only_its_share_of_the_time() {
    let (silent, second) = (
        FakeDirectory::new(|_| Response::Silence),
        FakeDirectory::new(good),
    );
    let mut settings = settings(vec![silent.uri(), second.uri()]);
    let start = Moment::now();
    let mut ldap = opened(&settings).unwrap();
    let found = ldap.find("alice", Deadline::within(Duration::from_secs(2)));
    assert!(matches!(found, Ok(Found::One(_))), "{found:?}");
    assert!(
        Moment::now().since(start) < Duration::from_millis(1900),
        "{:?}",
        Moment::now().since(start)
    );
    drop(ldap);

    settings.timeout = Duration::from_millis(300);
    let start = Moment::now();
    let found = find(&settings);
    assert!(matches!(found, Ok(Found::One(_))), "{found:?}");
    assert!(
        Moment::now().since(start) < Duration::from_millis(1900),
        "{:?}",
        Moment::now().since(start)
    );

    settings.uris.pop();
    let found = find(&settings);
    assert!(is_outage(&found), "{found:?}");
    assert!(found.unwrap_err().what.contains("timed out"));
}

#[test]
fn no_server_is_asked_after_the_deadline() {
    let server = FakeDirectory::new(good);
    let settings = settings(vec![server.uri()]);
    let found = opened(&settings)
        .unwrap()
        .find("alice", Deadline::within(Duration::ZERO));
    assert!(is_outage(&found), "{found:?}");
    assert!(server.operations().is_empty());
}

#[test]
fn an_entry_with_an_unusable_dn_is_refused() {
    for dn in ["", " ", "no name"] {
        let server = FakeDirectory::new(move |request| request.entries(&[entry(dn, &[])]));
        let found = find(&settings(vec![server.uri()]));
        assert!(is_refused(&found), "{dn:?}: {found:?}");
    }
}

#[test]
fn insecure_settings_are_refused() {
    let pattern = |filter: &str| config::Ldap {
        filter: filter.to_owned(),
        ..settings(vec![])
    };
    for filter in ["(uid=alice)", "(uid={user}", ""] {
        let error = opened(&pattern(filter)).err();
        assert_eq!(
            error.map(|error| error.kind),
            Some(FailureKind::Local),
            "{filter}"
        );
    }
    let empty = config::Ldap {
        bind: Some((String::from("cn=pam"), Secret::new(String::new()))),
        ..settings(vec![])
    };
    assert_eq!(
        opened(&empty).err().map(|error| error.kind),
        Some(FailureKind::Local)
    );
}

#[test]
fn the_typed_name_is_not_repeated() {
    let server = FakeDirectory::new(|request| {
        Response::Send(message(
            request.id,
            &result(0x65, 32, "no uid=Hunter2hunter2 here"),
            b"",
        ))
    });
    let settings = settings(vec![server.uri()]);
    let found = opened(&settings).unwrap().find("hunter2hunter2", in_time());
    assert!(is_refused(&found));
    assert!(
        !format!("{found:?}").to_lowercase().contains("hunter2"),
        "{found:?}"
    );
}

#[test]
fn the_next_address_is_tried_after_an_outage() {
    let v6 = std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    for (operation, code, passes) in [
        (BIND, 51, true),
        (BIND, 52, true),
        (SEARCH, 3, true),
        (SEARCH, 51, true),
        // Another server would give the same result, or must not be asked.
        (BIND, 49, false),
        (SEARCH, 32, false),
    ] {
        let bad = FakeDirectory::new(move |request| {
            if request.operation == operation {
                request.result(code)
            } else {
                good(request)
            }
        });
        let Some(next) = FakeDirectory::beside(&bad, v6, good) else {
            continue;
        };
        let uri = bad.uri_with(crate::net::BOTH, Security::Loopback);
        let found = find(&settings_with_bind(vec![uri]));
        assert!(bad.operations().contains(&operation));
        if passes {
            assert!(matches!(found, Ok(Found::One(_))), "{code}: {found:?}");
            assert_eq!(next.operations(), [BIND, SEARCH]);
        } else {
            assert!(is_refused(&found), "{code}: {found:?}");
            assert!(next.operations().is_empty());
        }
    }
}

/// By their object class, whatever else they contain.
#[test]
fn aliases_and_referrals_are_recognized() {
    let found = |class: &'static [u8]| {
        let server = FakeDirectory::new(move |request| match request.operation {
            SEARCH => {
                let attributes: [(&str, &[&[u8]]); 2] =
                    [("objectClass", &[b"top", class]), ("uid", &[b"alice"])];
                request.entries(&[entry(ALICE, &attributes)])
            }
            _ => request.result(0),
        });
        let Ok(Found::One(entry)) = find(&settings(vec![server.uri()])) else {
            panic!("not one entry");
        };
        entry.alias_or_referral()
    };
    assert!(
        found(b"alias")
            .unwrap()
            .starts_with("the entry is an alias")
    );
    assert!(
        found(b"ReferRal")
            .unwrap()
            .starts_with("the entry is a referral")
    );
    assert_eq!(found(b"person"), None);
}
