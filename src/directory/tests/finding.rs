use std::{net::TcpListener, time::Duration};

use super::*;
use crate::deadline::Moment;
use crate::{
    config::{LdapUri, Security},
    directory::{
        ber::{BOOLEAN, ENUMERATED, Elements, INTEGER, OCTETS, SEQUENCE},
        stage::{Stage, message, result, settings, tlv, with_service},
    },
};

/// A server with one answer to every search.
fn searched(code: u8, entries: usize) -> Stage {
    Stage::new(move |asked| match asked.operation {
        SEARCH => {
            let mut bytes = Vec::new();
            for _ in 0..entries {
                bytes.extend(message(asked.id, &alice(), b""));
            }
            bytes.extend(message(asked.id, &result(0x65, code, "why"), b""));
            Play::Say(bytes)
        }
        _ => asked.answer(0),
    })
}

#[test]
fn an_anonymous_search_asks_for_what_is_needed() {
    let stage = Stage::new(good);
    let settings = settings(vec![stage.uri()]);
    let Found::One(entry) = find(&settings).unwrap() else {
        panic!("not one");
    };
    assert_eq!(entry.dn, ALICE);
    assert_eq!(entry.phone(&settings).unwrap().e164(), "+12025550142");
    assert_eq!(stage.operations(), [SEARCH], "no bind");

    let asked = stage.asked.lock().unwrap()[0].clone();
    assert!(asked.controls.is_empty());
    let mut parts = Elements::of(&asked.body);
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
fn the_entry_says_whose_it_is_and_when_the_password_was_changed() {
    let stage = Stage::new(|asked| {
        let attributes: [(&str, &[&[u8]]); 3] = [
            ("phoneNumberVerified", &[b"TRUE"]),
            ("mobile", &[b"+1 202 555 0142"]),
            ("pwdChangedTime", &[b"20261001120000Z"]),
        ];
        asked.found(&[entry(
            "UID=Alice, OU=People, DC=Example, DC=Org",
            &attributes,
        )])
    });
    let settings = settings(vec![stage.uri()]);
    let Found::One(entry) = find(&settings).unwrap() else {
        panic!("not one");
    };
    assert_eq!(entry.person(), ALICE);
    assert_eq!(entry.password_changed(), "pwdChangedTime=20261001120000Z");
}

#[test]
fn the_service_account_binds_first() {
    let stage = Stage::new(good);
    let settings = with_service(vec![stage.uri()]);
    assert!(matches!(find(&settings), Ok(Found::One(_))));
    assert_eq!(stage.operations(), [BIND, SEARCH]);
    let asked = stage.asked.lock().unwrap()[0].clone();
    let (dn, password) = asked.credentials();
    assert_eq!(
        (dn.as_str(), password.as_str()),
        ("cn=pam,dc=example,dc=org", "service secret")
    );
}

#[test]
fn hostile_names_arrive_as_values() {
    for name in ["*", "*)(uid=*", "jos\u{e9}", "\\2a", "a\0b"] {
        let stage = Stage::new(|asked| asked.found(&[]));
        let settings = settings(vec![stage.uri()]);
        let found = opened(&settings).unwrap().find(name, soon());
        assert_eq!(found, Ok(Found::None));
        let body = stage.asked.lock().unwrap()[0].body.clone();
        let equality = tlv(0xa3, &[tlv(4, b"uid"), tlv(4, name.as_bytes())].concat());
        assert!(
            body.windows(equality.len()).any(|part| part == equality),
            "{name:?}"
        );
    }
}

#[test]
fn nobody_and_several() {
    assert_eq!(find(&settings(vec![searched(0, 0).uri()])), Ok(Found::None));
    for (code, entries) in [(0, 2), (4, 2), (0, 9), (51, 2)] {
        let stage = searched(code, entries);
        assert_eq!(find(&settings(vec![stage.uri()])), Ok(Found::Several));
    }
    let stage = Stage::new(good);
    let settings = settings(vec![stage.uri()]);
    let found = opened(&settings).unwrap().find("", soon());
    assert_eq!(found, Ok(Found::None));
    assert!(stage.operations().is_empty(), "nobody has no name");
}

#[test]
fn references_are_no_entries_and_nobody_follows_them() {
    let stage = Stage::new(|asked| {
        let reference = tlv(0x73, &tlv(4, b"ldap://127.0.0.1:1/dc=example,dc=org"));
        let found = [reference.clone(), alice(), reference];
        asked.found(&found)
    });
    assert!(matches!(
        find(&settings(vec![stage.uri()])),
        Ok(Found::One(_))
    ));
    let stage = Stage::new(|asked| asked.found(&[tlv(0x73, &tlv(4, b"ldap://127.0.0.1:1/"))]));
    assert_eq!(find(&settings(vec![stage.uri()])), Ok(Found::Elsewhere));
}

#[test]
fn a_definite_answer_ends_the_search() {
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
        let (first, second) = (searched(code, entries), Stage::new(good));
        let found = find(&settings(vec![first.uri(), second.uri()]));
        assert!(is_refused(&found), "{code}: {found:?}");
        assert!(second.operations().is_empty());
        let error = found.unwrap_err();
        assert!(error.what.contains(&format!("({code})")), "{error:?}");
        assert!(error.what.ends_with(": why"), "{error:?}");
    }
    for code in [49, 48, 50, 53, 32, 8] {
        let first = Stage::new(move |asked| asked.answer(code));
        let second = Stage::new(good);
        let found = find(&with_service(vec![first.uri(), second.uri()]));
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
    let mut stages = Vec::new();
    for code in [3, 51, 52] {
        stages.push(Stage::new(move |asked| asked.answer(code)));
        stages.push(searched(code, 1));
    }
    stages.push(Stage::new(|_| Play::SayAndCut(vec![])));
    stages.push(Stage::new(|_| Play::SayAndCut(vec![0x30])));
    stages.push(Stage::new(|_| {
        Play::Say(b"HTTP/1.1 400 Bad Request\r\n".to_vec())
    }));
    firsts.extend(stages.iter().map(Stage::uri));
    for first in firsts {
        let alone = find(&with_service(vec![first.clone()]));
        assert!(is_outage(&alone), "{alone:?}");
        let second = Stage::new(good);
        let found = find(&with_service(vec![first, second.uri()]));
        assert!(matches!(found, Ok(Found::One(_))), "{found:?}");
    }
}

#[test]
fn a_silent_server_costs_its_own_share_of_the_time() {
    let (silent, second) = (Stage::new(|_| Play::Silence), Stage::new(good));
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
fn no_time_left_asks_nobody() {
    let stage = Stage::new(good);
    let settings = settings(vec![stage.uri()]);
    let found = opened(&settings)
        .unwrap()
        .find("alice", Deadline::within(Duration::ZERO));
    assert!(is_outage(&found), "{found:?}");
    assert!(stage.operations().is_empty());
}

#[test]
fn an_entry_under_whose_name_nobody_can_bind_is_refused() {
    for dn in ["", " ", "nonsense"] {
        let stage = Stage::new(move |asked| asked.found(&[entry(dn, &[])]));
        let found = find(&settings(vec![stage.uri()]));
        assert!(is_refused(&found), "{dn:?}: {found:?}");
    }
}

#[test]
fn settings_that_would_let_in_anybody_are_refused() {
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
fn what_was_typed_for_a_name_is_not_repeated() {
    let stage = Stage::new(|asked| {
        Play::Say(message(
            asked.id,
            &result(0x65, 32, "no uid=Hunter2hunter2 here"),
            b"",
        ))
    });
    let settings = settings(vec![stage.uri()]);
    let found = opened(&settings).unwrap().find("hunter2hunter2", soon());
    assert!(is_refused(&found));
    assert!(
        !format!("{found:?}").to_lowercase().contains("hunter2"),
        "{found:?}"
    );
}

/// The first address is tried first.
#[test]
fn an_address_at_which_the_server_is_of_no_use_gives_way_to_the_next() {
    let v6 = std::net::IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);
    for (operation, code, passes) in [
        (BIND, 51, true),
        (BIND, 52, true),
        (SEARCH, 3, true),
        (SEARCH, 51, true),
        // What another one would answer alike, or must not be asked.
        (BIND, 49, false),
        (SEARCH, 32, false),
    ] {
        let bad = Stage::new(move |asked| {
            if asked.operation == operation {
                asked.answer(code)
            } else {
                good(asked)
            }
        });
        let Some(next) = Stage::beside(&bad, v6, good) else {
            continue;
        };
        let uri = bad.uri_with(crate::net::BOTH, Security::Loopback);
        let found = find(&with_service(vec![uri]));
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

/// Whatever else stands in them: nobody can log in by an alias or a referral.
#[test]
fn an_entry_that_only_points_to_another_says_so() {
    let found = |class: &'static [u8]| {
        let stage = Stage::new(move |asked| match asked.operation {
            SEARCH => {
                let attributes: [(&str, &[&[u8]]); 2] =
                    [("objectClass", &[b"top", class]), ("uid", &[b"alice"])];
                asked.found(&[entry(ALICE, &attributes)])
            }
            _ => asked.answer(0),
        });
        let Ok(Found::One(entry)) = find(&settings(vec![stage.uri()])) else {
            panic!("not one entry");
        };
        entry.pointer()
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
