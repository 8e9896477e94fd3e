use super::*;
use crate::{directory::stage, phone::Region};

fn settings() -> config::Ldap {
    config::Ldap {
        default_region: Region::named("US"),
        ..stage::settings(vec![])
    }
}

fn values(texts: &[&str]) -> Vec<Value> {
    texts
        .iter()
        .map(|text| Value::Text((*text).to_owned()))
        .collect()
}

fn phone(verified: &[&str], phones: &[&[&str]]) -> Result<String, NoPhone> {
    let phones = phones.iter().map(|texts| values(texts)).collect();
    Entry::new(String::from("uid=a"), values(verified), phones)
        .phone(&settings())
        .map(|phone| phone.e164().to_owned())
}

const NOT_VERIFIED: Result<String, NoPhone> = Err(NoPhone::NotVerified);
const NO_NUMBER: Result<String, NoPhone> = Err(NoPhone::NoNumber);
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

#[test]
fn bytes_that_are_no_text_are_no_number_and_no_boolean() {
    let bytes = || Value::read(vec![0xff, 0xfe]);
    let verified = |verified: Vec<Value>, phones: Vec<Value>| {
        Entry::new(String::from("uid=a"), verified, vec![phones])
            .phone(&settings())
            .map(|phone| phone.e164().to_owned())
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
    let many: Vec<String> = (0..=MOST_VALUES)
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
    assert_eq!(entry.phone(&settings()), Err(NoPhone::NotVerified));
    assert_eq!(
        parse("uid=a", &[], &settings()).unwrap().phone(&settings()),
        Err(NoPhone::NotVerified)
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
    assert_eq!(
        super::super::query::attributes(&casa),
        ["mobile", "telephoneNumber"]
    );
    // An attribute that is sent in two parts is still one.
    let parts: [(&str, &[&[u8]]); 2] = [("mobile", &[HERS.as_bytes()]), ("MOBILE", &[b"FALSE"])];
    let entry = parse("uid=a", &parts, &casa).unwrap();
    assert_eq!(entry.phone(&casa), Err(NoPhone::NotVerified));
    // A boolean among the numbers' own attribute vouches for nothing: there is no number.
    let entry = parse("uid=a", &[("mobile", &[b"TRUE"])], &casa).unwrap();
    assert_eq!(entry.phone(&casa), Err(NoPhone::NoNumber));
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
