mod attributes;

use super::{numbers::MAX_VALUES, value::MAX_VALUE, *};
use crate::{
    directory::ldap_server,
    phone::{Plain, Region},
};

fn settings() -> config::Ldap {
    config::Ldap {
        plain_numbers: Plain::National(Region::named("US")),
        ..ldap_server::settings(vec![])
    }
}

fn values(texts: &[&str]) -> Vec<Value> {
    texts
        .iter()
        .map(|text| Value::Text((*text).to_owned()))
        .collect()
}

/// The kind of a [`NoPhone`].
#[derive(Debug, PartialEq, Eq)]
enum Missing {
    NotVerified,
    NoNumber,
}

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

/// All numbers.
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
const NUMBER: &str = "+12025550142";

#[test]
fn true_in_any_case_verifies_the_first_valid_number() {
    for yes in ["TRUE", "true", "True", "tRuE"] {
        assert_eq!(phone(&[yes], &[&["(202) 555-0142"]]), Ok(NUMBER.to_owned()));
    }
    let both: [&[&str]; 2] = [&["+44 7700 900123"], &["(202) 555-0142"]];
    assert_eq!(phone(&["TRUE"], &both), Ok(String::from("+447700900123")));
    let second: [&[&str]; 3] = [&[], &["unknown", ""], &["(202) 555-0142"]];
    assert_eq!(phone(&["TRUE"], &second), Ok(NUMBER.to_owned()));
}

#[test]
fn the_lowest_text_of_several_values_is_used() {
    let mobile = ["+44 7700 900123", "none", "+1 202-555-0142"];
    assert_eq!(phone(&["TRUE"], &[&mobile]), Ok(NUMBER.to_owned()));
    let turned = ["+1 202-555-0142", "+44 7700 900123"];
    assert_eq!(phone(&["TRUE"], &[&turned]), Ok(NUMBER.to_owned()));
    // Texts are compared, not numbers: a space comes before a digit.
    let mobile = ["+12025550101", "+1 202 555 0142"];
    assert_eq!(phone(&["TRUE"], &[&mobile]), Ok(NUMBER.to_owned()));
    assert_eq!(phone(&mobile, &[]), Ok(NUMBER.to_owned()));
}

#[test]
fn all_verified_numbers_are_listed_once_the_chosen_one_first() {
    const OTHER: &str = "+447700900123";
    const THIRD: &str = "+12025550101";
    // In the order of the attributes, and of the texts in each.
    let both: [&[&str]; 3] = [&[], &["none", OTHER, "+1 202-555-0142"], &[THIRD]];
    assert_eq!(phones(&["TRUE"], &both), [NUMBER, OTHER, THIRD]);
    // A number that occurs several times is listed once.
    let same: [&[&str]; 2] = [
        &["+44 7700 900123", "(202) 555-0142"],
        &[NUMBER, OTHER, THIRD],
    ];
    assert_eq!(phones(&["TRUE"], &same), [NUMBER, OTHER, THIRD]);
    let twice = [OTHER, "+44 7700 900123", NUMBER];
    assert_eq!(phones(&twice, &[&[THIRD]]), [NUMBER, OTHER]);
    // Nothing else is verified.
    assert_eq!(phones(&[OTHER], &[&[NUMBER]]), [OTHER]);
    assert!(phones(&["FALSE"], &[&[NUMBER]]).is_empty());
    assert!(phones(&[NUMBER, "none"], &[&[OTHER]]).is_empty());
    assert!(phones(&["TRUE"], &[&["none"]]).is_empty());
    let many = vec![OTHER; MAX_VALUES + 1];
    assert_eq!(phones(&["TRUE"], &[&many, &[NUMBER]]), [NUMBER]);
}

#[test]
fn verified_without_a_readable_number() {
    assert_eq!(phone(&["TRUE"], &[]), NO_NUMBER);
    assert_eq!(phone(&["TRUE"], &[&[], &[]]), NO_NUMBER);
    assert_eq!(phone(&["TRUE"], &[&["none"], &["555-1212"]]), NO_NUMBER);
    let huge = "2".repeat(10_000);
    assert_eq!(phone(&["TRUE"], &[&[&huge]]), NO_NUMBER);
    for invalid in ["+1 202 555 0142\n", "\x1b[1m", "*)(uid=*", "\0", ""] {
        assert_eq!(phone(&["TRUE"], &[&[invalid]]), NO_NUMBER, "{invalid:?}");
    }
}

#[test]
fn numbers_in_the_verified_attribute_are_verified() {
    // As in older documents of Gluu: the attribute holds the number.
    assert_eq!(
        phone(&["(202) 555-0142"], &[&["+44 7700 900123"]]),
        Ok(NUMBER.to_owned())
    );
    assert_eq!(
        phone(&["+44 7700 900123", NUMBER], &[]),
        Ok(NUMBER.to_owned())
    );
}

#[test]
fn everything_else_is_not_verified() {
    let mobile: [&[&str]; 1] = [&[NUMBER]];
    let cases: [&[&str]; 16] = [
        &[],
        &["FALSE"],
        &["false"],
        &["TRUE", "FALSE"],
        &["TRUE", "TRUE"],
        &["TRUE", NUMBER],
        &["FALSE", NUMBER],
        &[NUMBER, "none"],
        &[NUMBER, ""],
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

/// The detail that is logged for an entry whose verified attribute is `v`.
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
    let many = vec![NUMBER; MAX_VALUES + 1];
    for (phones, expected) in [
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
        assert_eq!(why(&["TRUE"], phones), expected);
    }
    for (verified, expected) in [
        (&[][..], "v: no value"),
        (&["false"], "v: FALSE"),
        (&["TRUE", "TRUE"], "v: 2 booleans"),
        (&["TRUE", NUMBER, "x"], "v: 1 of 3 values are booleans"),
        (
            &["yes"],
            "v: neither TRUE nor a phone number (contains letters)",
        ),
        (
            &["2025550142"],
            "v: neither TRUE nor a phone number (no country code)",
        ),
        (
            &[NUMBER, "x", "y"],
            "v: 2 of 3 values are no phone numbers (contains letters)",
        ),
        (&many, "v: 65 values, which are too many"),
    ] {
        assert_eq!(why(verified, &[&[NUMBER]]), expected);
    }
    let bytes = vec![Value::decode(vec![0xff])];
    let entry = Entry::new(String::from("uid=a"), values(&["TRUE"]), vec![bytes]);
    let expected = NoPhone::NoNumber(String::from("mobile: not UTF-8"));
    assert_eq!(entry.phone(&settings()), Err(expected));
}

#[test]
fn bytes_that_are_not_utf8_are_neither_a_number_nor_a_boolean() {
    let bytes = || Value::decode(vec![0xff, 0xfe]);
    let verified = |verified: Vec<Value>, phones: Vec<Value>| {
        Entry::new(String::from("uid=a"), verified, vec![phones])
            .phone(&settings())
            .map(|phone| phone.e164().to_owned())
            .map_err(missing)
    };
    assert_eq!(verified(vec![bytes()], values(&[NUMBER])), NOT_VERIFIED);
    let mixed = [values(&[NUMBER]), vec![bytes()]].concat();
    assert_eq!(verified(mixed.clone(), vec![]), NOT_VERIFIED);
    // Beside a number that is verified by TRUE it is ignored.
    assert_eq!(verified(values(&["TRUE"]), mixed), Ok(NUMBER.to_owned()));
    assert_eq!(verified(values(&["TRUE"]), vec![bytes()]), NO_NUMBER);
}

#[test]
fn too_many_values_give_no_number() {
    let many: Vec<String> = (0..=MAX_VALUES)
        .map(|n| format!("+1 202 555 01{:02}", n % 100))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(phone(&["TRUE"], &[&many, &[NUMBER]]), Ok(NUMBER.to_owned()));
    assert_eq!(phone(&many, &[&[NUMBER]]), NOT_VERIFIED);
    assert_eq!(phone(&many[1..], &[]), Ok(String::from("+12025550101")));
}

#[test]
fn numbers_do_not_show_in_debug_output() {
    let entry = Entry::new(
        String::from("uid=a"),
        values(&["TRUE"]),
        vec![values(&[NUMBER])],
    );
    assert!(!format!("{entry:?}").contains("0142"));
}

#[test]
fn values_have_a_maximum_length_and_no_debug_output() {
    let of = |length: usize| Value::decode(vec![b'1'; length]);
    assert!(of(MAX_VALUE).text().is_ok());
    assert!(of(MAX_VALUE + 1).text().is_err());
    assert_eq!(format!("{:?}", of(3)), "Value");
}
