//! Refused texts, and the reasons.
#![forbid(unsafe_code)]

use super::parse;
use crate::phone::{Phone, Region};

#[test]
fn a_text_that_is_not_one_number_is_refused() {
    for text in [
        "",
        " ",
        "+",
        "++447700900123",
        "+44",
        "+44 7700 900123 x12",
        "+44 7700 900123 ext. 12",
        "+447700900123;ext=12",
        "tel:07700900123;phone-context=+44",
        "+44 7700 900123, +44 7700 900124",
        "+44 7700 900123; 07700 900124",
        "+44 7700 900123 +44 7700 900124",
        "+44 7700 900123/4",
        "+44 7700 900123/900124",
        "+44 7700 900123 / 07700 900124",
        "07700 900123/124",
        "07700 900123 or 124",
        "07700/900/123",
        "07700+900123",
        "44+7700900123",
        "07700 900123 (home)",
        "mobile: 07700 900123",
        "+44 7700 9OO123",
        "+44 7700 900123*",
        "#31#07700900123",
        "07700900123,,12",
        "4.47700900123E+11",
        "07700_900123",
        "+44 7700 900123.",
        "-07700 900123",
        ".07700900123",
        "+44 (7700 900123",
        "+44 7700) 900123",
        "+44 ((7700)) 900123",
        "+44 () 7700 900123",
        "+44 (0)(0)7700 900123",
        "+44 7700 (0) 900123",
        "+4(0)4 7700 900123",
        "+4(4) 770(0) 900123",
        "0770(0) 900123",
        "+2(0)(0)7700 900123",
        "+44 (00)7700 900123",
        "+44\t7700 900123",
        "+44 7700 900123\n",
        "+44 7700\0900123",
        "+44 7700 900123\u{200f}",
        "\u{202a}+44 7700 900123\u{202c}",
        "\u{ff0b}447700900123",
        "+\u{ff14}\u{ff14}7700900123",
        "+\u{664}\u{664}7700900123",
        "+44 7700 90012\u{0663}",
    ] {
        assert_eq!(parse(text, "GB"), None, "{text:?}");
    }
}

#[test]
fn numbers_outside_of_all_plans_are_refused() {
    for (text, region) in [
        ("+0 7700 900123", "GB"),
        ("+0044 7700 900123", "GB"),
        ("+999 7700 900123", "GB"),
        ("+210 7700 900123", "GB"),
        ("+800 1234 5678", "GB"),
        ("+44 7700 90012", "GB"),
        ("+44 7700 9001234", "GB"),
        ("+44 0 0 7700 900123", "GB"),
        ("+1 202 555 014", "US"),
        ("+1 202 555 01422", "US"),
        ("+1 102 555 0142", "US"),
        ("+1 555-0142", "US"),
        ("555-0142", "US"),
        ("555-0142", "CA"),
        ("1 555-0142", "US"),
        ("(102) 555-0142", "US"),
        ("0202 555 0142", "US"),
        ("00447700900123", "US"),
        ("00 07700 900123", "GB"),
        ("0011 44 7700 900123", "AU"),
        ("00 44 77009", "TJ"),
        ("44 07700 900123", "GB"),
        ("010 44 7700 900123", "GB"),
        ("900123", "GB"),
        ("07700 90012", "GB"),
        ("07700 9001234", "GB"),
        ("00000000000", "GB"),
        ("+00000000000", "GB"),
        ("+1234567890123456", ""),
        ("07700 900123", ""),
        ("(202) 555-0142", ""),
        ("447700900123", ""),
        ("0044 7700 900123", ""),
        ("447700900123", "US"),
    ] {
        assert_eq!(parse(text, region), None, "{text:?} in {region:?}");
    }
}

/// Numbers with two meanings.
#[test]
fn ambiguous_numbers_are_refused() {
    for (text, region, why) in [
        (
            "3023125123",
            "DE",
            "a local number, or a national one without 0",
        ),
        ("1713920012", "DE", "the same"),
        ("20 910 0123", "IE", "the same"),
        ("493023125123", "DE", "country code, or area 04930"),
        ("030 23125 123/124", "DE", "two numbers"),
        ("030 23125123 030 23125124", "DE", "the same"),
        ("0171 39200/12", "DE", "two endings, or one number"),
        ("030 231/25123", "DE", "the same"),
        ("03023/1251", "DE", "the same"),
        ("0302312/51230", "DE", "the same"),
        (
            "012 44 7700 900123",
            "IL",
            "a carrier's international prefix",
        ),
        ("110 4477 0090", "CN", "the same, or a mobile number"),
        (
            "+39 (0)7700 900123",
            "",
            "an Italian 0 is part of the number",
        ),
    ] {
        assert_eq!(parse(text, region), None, "{text:?} in {region:?}: {why}");
    }
}

/// Text, region, and the reason.
const REASONS: &[(&str, &str, &str)] = &[
    ("", "GB", "empty"),
    (" ", "GB", "empty"),
    ("07700 900123", "", "no country code"),
    ("0044 7700 900123", "", "no country code"),
    ("+44 7700 900123 ext. 12", "", "contains an extension"),
    ("+44 7700 900123 x12", "", "contains an extension"),
    ("+447700900123;ext=12", "", "contains an extension"),
    ("+44 7700 900123 #12", "", "contains an extension"),
    ("+44 7700 900123 (home)", "", "contains letters"),
    ("extra 07700 900123", "GB", "contains letters"),
    ("+44 7700 9OO123", "", "contains letters"),
    (
        "+44 7700\u{200b}900123",
        "",
        "contains an invisible character (U+200B)",
    ),
    (
        "\u{202a}+44 7700 900123",
        "",
        "contains an invisible character (U+202A)",
    ),
    (
        "\u{feff}+447700900123",
        "",
        "contains an invisible character (U+FEFF)",
    ),
    (
        "+44\u{2009}7700 900123",
        "",
        "contains an invisible character (U+2009)",
    ),
    (
        "+44\t7700 900123x",
        "",
        "contains a control character (U+0009)",
    ),
    (
        "+44\u{9b}7700 900123",
        "",
        "contains a control character (U+009B)",
    ),
    (
        "+\u{664}\u{664}7700900123",
        "",
        "contains digits that are not ASCII",
    ),
    (
        "07700_900123",
        "GB",
        "contains a character that phone numbers do not have",
    ),
    (
        "+44 7700 900123 +44 7700 900124",
        "",
        "contains a + behind its beginning",
    ),
    ("+44 (7700 900123", "", "parentheses do not match"),
    ("+44 7700 900123.", "", "begins or ends with punctuation"),
    (
        "07700 900123/124",
        "GB",
        "contains a slash that may separate two numbers",
    ),
    ("+999 7700 900123", "", "unknown country code"),
    ("+44 7700 90012", "", "not a possible number of its country"),
    (
        "(102) 555-0142",
        "US",
        "not a possible number of its country",
    ),
    (
        "110 4477 0090",
        "CN",
        "may begin with a carrier selection code",
    ),
    (
        "0044 7700 900123",
        "US",
        "begins with 00, which is not the international prefix there",
    ),
    ("1713920012", "DE", "may lack its area code"),
    ("493023125123", "DE", "can be read as more than one number"),
];

#[test]
fn the_reason_is_the_most_useful_one() {
    let too_long = "1".repeat(65);
    let too_long = (too_long.as_str(), "US", "too long for a phone number");
    for (text, region, why) in REASONS.iter().copied().chain([too_long]) {
        let region = Region::named(region);
        let error = Phone::parse(text, region).unwrap_err();
        assert_eq!(error.to_string(), why, "{text:?}");
    }
}

#[test]
fn long_values_are_refused_at_once() {
    for long in ["0", "+", "(", " ", "-", "+44 ", "\u{a0}"] {
        assert_eq!(parse(&long.repeat(10_000), "GB"), None);
    }
    let padded = |spaces: usize| format!("{}07700 900123", " ".repeat(spaces));
    assert_eq!(parse(&padded(52), "GB").as_deref(), Some("+447700900123"));
    assert_eq!(parse(&padded(53), "GB"), None);
}
