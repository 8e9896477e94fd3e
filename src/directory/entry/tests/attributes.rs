//! Entries as a server sends them.
#![forbid(unsafe_code)]

use super::*;
use crate::directory::query;

fn parse(dn: &str, attributes: &[(&str, &[&[u8]])], settings: &config::Ldap) -> Option<Entry> {
    let bytes = ldap_server::entry(dn, attributes);
    let (_, tag) = ldap3::asn1::parse_tag(&bytes).unwrap();
    Entry::parse(tag, settings)
}

#[test]
fn attribute_names_match_in_any_case() {
    let attributes: [(&str, &[&[u8]]); 3] = [
        ("PHONENUMBERVERIFIED", &[b"true"]),
        ("TelephoneNumber", &[b"(202) 555-0142", b"\xff"]),
        ("mobile;lang-fr", &[b"+44 7700 900123"]),
    ];
    let entry = parse("uid=a,dc=b", &attributes, &settings()).unwrap();
    assert_eq!(entry.dn, "uid=a,dc=b");
    assert_eq!(entry.phone(&settings()).unwrap().e164(), NUMBER);
    let optional: [(&str, &[&[u8]]); 2] = [
        ("phoneNumberVerified;x-old", &[b"TRUE"]),
        ("mobile", &[NUMBER.as_bytes()]),
    ];
    let entry = parse("uid=a", &optional, &settings()).unwrap();
    assert_eq!(
        entry.phone(&settings()).map_err(missing),
        Err(Missing::NotVerified)
    );
    assert_eq!(
        parse("uid=a", &[], &settings())
            .unwrap()
            .phone(&settings())
            .map_err(missing),
        Err(Missing::NotVerified)
    );
}

#[test]
fn numbers_of_casa_are_verified_in_mobile() {
    let casa = config::Ldap {
        verified_attribute: String::from("mobile"),
        phone_attributes: vec![String::from("Mobile"), String::from("telephoneNumber")],
        ..settings()
    };
    let attributes: [(&str, &[&[u8]]); 2] = [
        ("mobile", &[b"+44 7700 900123", NUMBER.as_bytes()]),
        ("telephoneNumber", &[b"+1 202 555 0101"]),
    ];
    let entry = parse("uid=a", &attributes, &casa).unwrap();
    assert_eq!(entry.phone(&casa).unwrap().e164(), NUMBER);
    let requested = query::attributes(&casa);
    assert_eq!(requested[..2], ["mobile", "telephoneNumber"]);
    assert_eq!(requested[2..7], PASSWORD_TIMES);
    assert_eq!(requested[7..], ["uid", "objectClass"]);
    // An attribute that is sent in two parts is one attribute.
    let parts: [(&str, &[&[u8]]); 2] = [("mobile", &[NUMBER.as_bytes()]), ("MOBILE", &[b"FALSE"])];
    let entry = parse("uid=a", &parts, &casa).unwrap();
    assert_eq!(
        entry.phone(&casa).map_err(missing),
        Err(Missing::NotVerified)
    );
    // A boolean in the attribute of the numbers verifies nothing: there is no number.
    let entry = parse("uid=a", &[("mobile", &[b"TRUE"])], &casa).unwrap();
    assert_eq!(entry.phone(&casa).map_err(missing), Err(Missing::NoNumber));
}

#[test]
fn names_are_what_the_filter_compares() {
    let of = |filter: &str, attributes: &[(&str, &[&[u8]])]| {
        let settings = config::Ldap {
            filter: filter.to_owned(),
            ..settings()
        };
        let entry = parse("uid=a", attributes, &settings).unwrap();
        entry.names().map(str::to_owned).collect::<Vec<_>>()
    };
    let attributes: [(&str, &[&[u8]]); 8] = [
        ("UID", &[b"root", b"ROOT ", b"\xff"]),
        ("uid;lang-fr", &[b"racine"]),
        ("mail", &[b"Root@Example.org"]),
        ("mobile", &[NUMBER.as_bytes()]),
        ("telephoneNumber;x-old", &[NUMBER.as_bytes()]),
        ("phoneNumberVerified", &[b"TRUE"]),
        ("pwdLastSet", &[b"1"]),
        ("OBJECTCLASS", &[b"top", b"person"]),
    ];
    let uid = ["root", "ROOT ", "racine"];
    // Only `uid` is requested; but what is sent counts.
    let by_uid = of("(&(objectClass=person)(uid={user}))", &attributes);
    assert_eq!(by_uid, [&uid[..], &["Root@Example.org"]].concat());
    let both = of("(|(uid={user})(mail={user}@example.org))", &attributes);
    assert_eq!(both, [&uid[..], &["Root"]].concat());
    // An OID, an alias or a supertype: the server sends it under another name.
    for filter in ["(0.9.2342.19200300.100.1.1={user})", "(userid={user})"] {
        assert_eq!(of(filter, &attributes[..2]), uid, "{filter}");
    }
    assert_eq!(of("(uid;x-a={user})", &attributes[1..2]), ["racine"]);
    // If users log in with a phone number.
    assert_eq!(of("(mobile={user})", &attributes[3..]), [NUMBER]);
    assert!(of("(uid={user})", &attributes[3..]).is_empty());
    let settings = config::Ldap {
        filter: "(|(uid={user})(MAIL;x-a={user})(UID={user}@x))".to_owned(),
        ..settings()
    };
    let requested = query::attributes(&settings);
    assert_eq!(requested[8..], ["uid", "MAIL;x-a", "objectClass"]);
}

#[test]
fn times_of_password_changes() {
    let changed = |attributes: &[(&str, &[&[u8]])]| {
        let entry = parse("uid=a", attributes, &settings()).unwrap();
        entry.password_changed().to_owned()
    };
    assert_eq!(changed(&[]), "");
    // In a fixed order, whatever the order of the server.
    let attributes: [(&str, &[&[u8]]); 6] = [
        ("shadowLastChange", &[b"20727"]),
        ("SAMBAPWDLASTSET", &[b"1790856000"]),
        ("krbLastPwdChange", &[b"20261001120000Z"]),
        ("pwdLastSet", &[b"134354232000000000"]),
        ("pwdchangedtime", &[b"20261001120000.123Z"]),
        ("pwdHistory", &[b"other"]),
    ];
    let all = "pwdChangedTime=20261001120000.123Z pwdLastSet=134354232000000000 \
               krbLastPwdChange=20261001120000Z sambaPwdLastSet=1790856000 \
               shadowLastChange=20727";
    assert_eq!(changed(&attributes), all);
    let long = [b'7'; MAX_TIME + 1];
    let longest = changed(&[("pwdLastSet", &[&long[1..]])]);
    assert_eq!(longest, format!("pwdLastSet={}", "7".repeat(MAX_TIME)));
    for invalid in [
        &long[..],
        b"",
        b"\xff",
        b"a b",
        b"1\n2",
        b"1\0",
        "\u{e9}".as_bytes(),
    ] {
        assert_eq!(changed(&[("pwdLastSet", &[invalid])]), "", "{invalid:?}");
    }
    assert_eq!(changed(&[("pwdLastSet", &[b"1", b"2"])]), "");
    assert_eq!(changed(&[("pwdLastSet;x-old", &[b"1"])]), "");
    let entry = Entry::new(String::from("uid=a"), vec![], vec![]);
    assert_eq!(entry.password_changed(), "");
    let entry = entry.with_password_changed(String::from("pwdLastSet=1"));
    assert_eq!(entry.password_changed(), "pwdLastSet=1");
}
