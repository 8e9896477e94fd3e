use super::{numbers::MAX_VALUES, *};
use crate::{
    directory::stage,
    phone::{Plain, Region},
};

fn settings() -> config::Ldap {
    config::Ldap {
        plain_numbers: Plain::National(Region::named("US")),
        ..stage::settings(vec![])
    }
}

fn values(texts: &[&str]) -> Vec<Value> {
    texts
        .iter()
        .map(|text| Value::Text((*text).to_owned()))
        .collect()
}

/// Which of the two reasons.
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    NotVerified,
    NoNumber,
}

/// The reason's kind; its text says which attribute.
#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn missing(none: NoPhone) -> Missing {
    match none {
        NoPhone::NotVerified(_) => Missing::NotVerified,
        NoPhone::NoNumber(_) => Missing::NoNumber,
    }
}

fn phone(verified: &[&str], phones: &[&[&str]]) -> Result<String, Missing> {
    let phones = phones.iter().map(|texts| values(texts)).collect();
    Entry::new(String::from("uid=a"), values(verified), phones)
        .phone(&settings())
        .map(|phone| phone.e164().to_owned())
        .map_err(missing)
}

/// All of them.
fn phones(verified: &[&str], phones: &[&[&str]]) -> Vec<String> {
    let phones = phones.iter().map(|texts| values(texts)).collect();
    let entry = Entry::new(String::from("uid=a"), values(verified), phones);
    let (all, first) = (entry.phones(&settings()), entry.phone(&settings()));
    assert_eq!(
        all.as_ref().map(|all| &all[0]),
        first.as_ref(),
        "the code goes to the first"
    );
    let all = all.unwrap_or_default();
    all.iter().map(|phone| phone.e164().to_owned()).collect()
}

const NOT_VERIFIED: Result<String, Missing> = Err(Missing::NotVerified);
const NO_NUMBER: Result<String, Missing> = Err(Missing::NoNumber);
const HERS: &str = "+12025550142";

#[test]
fn true_in_any_case_vouches_for_the_first_valid_number() {
    for yes in ["TRUE", "true", "True", "tRuE"] {
        assert_eq!(phone(&[yes], &[&["(202) 555-0142"]]), Ok(HERS.to_owned()));
    }
    let both: [&[&str]; 2] = [&["+44 7700 900123"], &["(202) 555-0142"]];
    assert_eq!(phone(&["TRUE"], &both), Ok(String::from("+447700900123")));
    let second: [&[&str]; 3] = [&[], &["unknown", ""], &["(202) 555-0142"]];
    assert_eq!(phone(&["TRUE"], &second), Ok(HERS.to_owned()));
}

#[test]
fn of_several_values_the_lowest_text_as_it_stands() {
    let mobile = ["+44 7700 900123", "none", "+1 202-555-0142"];
    assert_eq!(phone(&["TRUE"], &[&mobile]), Ok(HERS.to_owned()));
    let turned = ["+1 202-555-0142", "+44 7700 900123"];
    assert_eq!(phone(&["TRUE"], &[&turned]), Ok(HERS.to_owned()));
    // Texts are compared, not numbers: a space is lower than a digit.
    let mobile = ["+12025550101", "+1 202 555 0142"];
    assert_eq!(phone(&["TRUE"], &[&mobile]), Ok(HERS.to_owned()));
    assert_eq!(phone(&mobile, &[]), Ok(HERS.to_owned()));
}

#[test]
fn all_verified_numbers_each_once_and_the_chosen_one_first() {
    const OTHER: &str = "+447700900123";
    const THIRD: &str = "+12025550101";
    // Of all attributes, in their order; in each in the order of the texts.
    let both: [&[&str]; 3] = [&[], &["none", OTHER, "+1 202-555-0142"], &[THIRD]];
    assert_eq!(phones(&["TRUE"], &both), [HERS, OTHER, THIRD]);
    // However often a number is written, and however.
    let same: [&[&str]; 2] = [
        &["+44 7700 900123", "(202) 555-0142"],
        &[HERS, OTHER, THIRD],
    ];
    assert_eq!(phones(&["TRUE"], &same), [HERS, OTHER, THIRD]);
    let twice = [OTHER, "+44 7700 900123", HERS];
    assert_eq!(phones(&twice, &[&[THIRD]]), [HERS, OTHER]);
    // Nothing is verified but what is.
    assert_eq!(phones(&[OTHER], &[&[HERS]]), [OTHER]);
    assert!(phones(&["FALSE"], &[&[HERS]]).is_empty());
    assert!(phones(&[HERS, "none"], &[&[OTHER]]).is_empty());
    assert!(phones(&["TRUE"], &[&["none"]]).is_empty());
    let many = vec![OTHER; MAX_VALUES + 1];
    assert_eq!(phones(&["TRUE"], &[&many, &[HERS]]), [HERS]);
}

#[test]
fn verified_but_nothing_readable() {
    assert_eq!(phone(&["TRUE"], &[]), NO_NUMBER);
    assert_eq!(phone(&["TRUE"], &[&[], &[]]), NO_NUMBER);
    assert_eq!(phone(&["TRUE"], &[&["none"], &["555-1212"]]), NO_NUMBER);
    let huge = "2".repeat(10_000);
    assert_eq!(phone(&["TRUE"], &[&[&huge]]), NO_NUMBER);
    for odd in ["+1 202 555 0142\n", "\x1b[1m", "*)(uid=*", "\0", ""] {
        assert_eq!(phone(&["TRUE"], &[&[odd]]), NO_NUMBER, "{odd:?}");
    }
}

#[test]
fn numbers_only_are_the_verified_ones() {
    // As Gluu's older documents have it: the attribute holds the number.
    assert_eq!(
        phone(&["(202) 555-0142"], &[&["+44 7700 900123"]]),
        Ok(HERS.to_owned())
    );
    assert_eq!(phone(&["+44 7700 900123", HERS], &[]), Ok(HERS.to_owned()));
}

#[test]
fn everything_else_is_not_verified() {
    let mobile: [&[&str]; 1] = [&[HERS]];
    let cases: [&[&str]; 16] = [
        &[],
        &["FALSE"],
        &["false"],
        &["TRUE", "FALSE"],
        &["TRUE", "TRUE"],
        &["TRUE", HERS],
        &["FALSE", HERS],
        &[HERS, "none"],
        &[HERS, ""],
        &[""],
        &["yes"],
        &["1"],
        &[" TRUE"],
        &["TRUE\0"],
        &["*)(uid=*"],
        &["555-1212"],
    ];
    for verified in cases {
        assert_eq!(phone(verified, &mobile), NOT_VERIFIED, "{verified:?}");
    }
    let huge = "TRUE".repeat(2_500);
    assert_eq!(phone(&[&huge], &mobile), NOT_VERIFIED);
}

/// What the log says of an entry, with `v` as the verified attribute's name.
fn why(verified: &[&str], phones: &[&[&str]]) -> String {
    let phones = phones.iter().map(|texts| values(texts)).collect();
    let entry = Entry::new(String::from("uid=a"), values(verified), phones);
    let settings = config::Ldap {
        verified_attribute: String::from("v"),
        plain_numbers: Plain::National(None),
        ..settings()
    };
    match entry.phone(&settings).unwrap_err() {
        NoPhone::NotVerified(why) | NoPhone::NoNumber(why) => why,
    }
}

#[test]
fn the_reason_names_attributes_counts_and_causes_and_no_value() {
    let many = vec![HERS; MAX_VALUES + 1];
    for (phones, says) in [
        (
            &[&[][..], &[]][..],
            "mobile: no value; telephoneNumber: no value",
        ),
        (
            &[&["2025550142"], &["ask"]],
            "mobile: no country code; telephoneNumber: contains letters",
        ),
        (
            &[&["555-0142", "+44 7700 900123 ext. 4", "07700 900123"], &[]],
            "mobile (3 values): contains an extension, no country code; telephoneNumber: no value",
        ),
        (
            &[&["+12025550142\u{202a}"], &["+1\u{7}"]],
            "mobile: contains an invisible character (U+202A); \
             telephoneNumber: contains a control character (U+0007)",
        ),
        (
            &[&many, &["+999 1234567"]],
            "mobile: 65 values, which are too many; telephoneNumber: unknown country code",
        ),
        (
            &[&["a", "+1\u{ad}", "#", "+1", "5", "(+44"], &[]],
            "mobile (6 values): contains a character that phone numbers do not have, \
             parentheses do not match, not a possible number of its country, \
             contains an invisible character (U+00AD), other reasons; telephoneNumber: no value",
        ),
    ] {
        assert_eq!(why(&["TRUE"], phones), says);
    }
    for (verified, says) in [
        (&[][..], "v: no value"),
        (&["false"], "v: FALSE"),
        (&["TRUE", "TRUE"], "v: 2 booleans"),
        (&["TRUE", HERS, "x"], "v: 1 of 3 values are booleans"),
        (
            &["yes"],
            "v: neither TRUE nor a phone number (contains letters)",
        ),
        (
            &["2025550142"],
            "v: neither TRUE nor a phone number (no country code)",
        ),
        (
            &[HERS, "x", "y"],
            "v: 2 of 3 values are no phone numbers (contains letters)",
        ),
        (&many, "v: 65 values, which are too many"),
    ] {
        assert_eq!(why(verified, &[&[HERS]]), says);
    }
    let bytes = vec![Value::read(vec![0xff])];
    let entry = Entry::new(String::from("uid=a"), values(&["TRUE"]), vec![bytes]);
    let says = NoPhone::NoNumber(String::from("mobile: not UTF-8"));
    assert_eq!(entry.phone(&settings()), Err(says));
}

#[test]
fn bytes_that_are_no_text_are_no_number_and_no_boolean() {
    let bytes = || Value::read(vec![0xff, 0xfe]);
    let verified = |verified: Vec<Value>, phones: Vec<Value>| {
        Entry::new(String::from("uid=a"), verified, vec![phones])
            .phone(&settings())
            .map(|phone| phone.e164().to_owned())
            .map_err(missing)
    };
    assert_eq!(verified(vec![bytes()], values(&[HERS])), NOT_VERIFIED);
    let mixed = [values(&[HERS]), vec![bytes()]].concat();
    assert_eq!(verified(mixed.clone(), vec![]), NOT_VERIFIED);
    // Beside the number of a verified person it is merely passed over.
    assert_eq!(verified(values(&["TRUE"]), mixed), Ok(HERS.to_owned()));
    assert_eq!(verified(values(&["TRUE"]), vec![bytes()]), NO_NUMBER);
}

#[test]
fn too_many_values_are_none() {
    let many: Vec<String> = (0..=MAX_VALUES)
        .map(|n| format!("+1 202 555 01{:02}", n % 100))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(phone(&["TRUE"], &[&many, &[HERS]]), Ok(HERS.to_owned()));
    assert_eq!(phone(&many, &[&[HERS]]), NOT_VERIFIED);
    assert_eq!(phone(&many[1..], &[]), Ok(String::from("+12025550101")));
}

fn parse(dn: &str, attributes: &[(&str, &[&[u8]])], settings: &config::Ldap) -> Option<Entry> {
    let bytes = stage::entry(dn, attributes);
    let (_, tag) = ldap3::asn1::parse_tag(&bytes).unwrap();
    Entry::parse(tag, settings)
}

#[test]
fn attributes_are_read_by_name_in_any_case() {
    let attributes: [(&str, &[&[u8]]); 3] = [
        ("PHONENUMBERVERIFIED", &[b"true"]),
        ("TelephoneNumber", &[b"(202) 555-0142", b"\xff"]),
        ("mobile;lang-de", &[b"+44 7700 900123"]),
    ];
    let entry = parse("uid=a,dc=b", &attributes, &settings()).unwrap();
    assert_eq!(entry.dn, "uid=a,dc=b");
    assert_eq!(entry.phone(&settings()).unwrap().e164(), HERS);
    let optional: [(&str, &[&[u8]]); 2] = [
        ("phoneNumberVerified;x-old", &[b"TRUE"]),
        ("mobile", &[HERS.as_bytes()]),
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
fn casa_keeps_verified_numbers_in_mobile_and_nothing_else() {
    let casa = config::Ldap {
        verified_attribute: String::from("mobile"),
        phone_attributes: vec![String::from("Mobile"), String::from("telephoneNumber")],
        ..settings()
    };
    let attributes: [(&str, &[&[u8]]); 2] = [
        ("mobile", &[b"+44 7700 900123", HERS.as_bytes()]),
        ("telephoneNumber", &[b"+1 202 555 0101"]),
    ];
    let entry = parse("uid=a", &attributes, &casa).unwrap();
    assert_eq!(entry.phone(&casa).unwrap().e164(), HERS);
    let asked = super::super::query::attributes(&casa);
    assert_eq!(asked[..2], ["mobile", "telephoneNumber"]);
    assert_eq!(asked[2..7], PASSWORD_TIMES);
    assert_eq!(asked[7..], ["uid", "objectClass"]);
    // An attribute that is sent in two parts is still one.
    let parts: [(&str, &[&[u8]]); 2] = [("mobile", &[HERS.as_bytes()]), ("MOBILE", &[b"FALSE"])];
    let entry = parse("uid=a", &parts, &casa).unwrap();
    assert_eq!(
        entry.phone(&casa).map_err(missing),
        Err(Missing::NotVerified)
    );
    // A boolean among the numbers' own attribute vouches for nothing: there is no number.
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
        ("uid;lang-de", &[b"wurzel"]),
        ("mail", &[b"Root@Example.org"]),
        ("mobile", &[HERS.as_bytes()]),
        ("telephoneNumber;x-old", &[HERS.as_bytes()]),
        ("phoneNumberVerified", &[b"TRUE"]),
        ("pwdLastSet", &[b"1"]),
        ("OBJECTCLASS", &[b"top", b"person"]),
    ];
    let uid = ["root", "ROOT ", "wurzel"];
    // Nothing else is asked for; but what comes counts.
    let by_uid = of("(&(objectClass=person)(uid={user}))", &attributes);
    assert_eq!(by_uid, [&uid[..], &["Root@Example.org"]].concat());
    let both = of("(|(uid={user})(mail={user}@example.org))", &attributes);
    assert_eq!(both, [&uid[..], &["Root"]].concat());
    // A number, an alias or a supertype: the server's name for it is another one.
    for filter in ["(0.9.2342.19200300.100.1.1={user})", "(userid={user})"] {
        assert_eq!(of(filter, &attributes[..2]), uid, "{filter}");
    }
    assert_eq!(of("(uid;x-a={user})", &attributes[1..2]), ["wurzel"]);
    // Where the name is a phone number.
    assert_eq!(of("(mobile={user})", &attributes[3..]), [HERS]);
    assert!(of("(uid={user})", &attributes[3..]).is_empty());
    let settings = config::Ldap {
        filter: "(|(uid={user})(MAIL;x-a={user})(UID={user}@x))".to_owned(),
        ..settings()
    };
    let asked = super::super::query::attributes(&settings);
    assert_eq!(asked[8..], ["uid", "MAIL;x-a", "objectClass"]);
}

#[test]
fn when_the_password_was_changed() {
    let said = |attributes: &[(&str, &[&[u8]])]| {
        let entry = parse("uid=a", attributes, &settings()).unwrap();
        entry.password_changed().to_owned()
    };
    assert_eq!(said(&[]), "");
    // In one order, whatever the server's.
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
    assert_eq!(said(&attributes), all);
    let long = [b'7'; LONGEST_TIME + 1];
    let longest = said(&[("pwdLastSet", &[&long[1..]])]);
    assert_eq!(longest, format!("pwdLastSet={}", "7".repeat(LONGEST_TIME)));
    for odd in [
        &long[..],
        b"",
        b"\xff",
        b"a b",
        b"1\n2",
        b"1\0",
        "\u{e9}".as_bytes(),
    ] {
        assert_eq!(said(&[("pwdLastSet", &[odd])]), "", "{odd:?}");
    }
    assert_eq!(said(&[("pwdLastSet", &[b"1", b"2"])]), "");
    assert_eq!(said(&[("pwdLastSet;x-old", &[b"1"])]), "");
    let entry = Entry::new(String::from("uid=a"), vec![], vec![]);
    assert_eq!(entry.password_changed(), "");
    let entry = entry.with_password_changed(String::from("pwdLastSet=1"));
    assert_eq!(entry.password_changed(), "pwdLastSet=1");
}

#[test]
fn numbers_do_not_show_in_debug_output() {
    let entry = Entry::new(
        String::from("uid=a"),
        values(&["TRUE"]),
        vec![values(&[HERS])],
    );
    assert!(!format!("{entry:?}").contains("0142"));
}

#[test]
fn values_are_read_up_to_a_length_and_never_shown() {
    let of = |length: usize| Value::read(vec![b'1'; length]);
    assert!(of(LONGEST_VALUE).text().is_ok());
    assert!(of(LONGEST_VALUE + 1).text().is_err());
    assert_eq!(format!("{:?}", of(3)), "Value");
}
