//! Numbers as they stand in directories. All are kept free for films and books: NANPA's 555-01xx,
//! Ofcom's 07700 900xxx and 020 7946 0xxx, Bundesnetzagentur's 030 23125 xxx and
//! 0171 39200 xx, Arcep's 06 39 98 xx xx, ACMA's 0491 570 xxx, PTS's 070-174 06 xx, `ComReg`'s
//! 020 910 xxxx.
#![forbid(unsafe_code)]

use super::Dice;
use crate::phone::{Phone, Plain, Region, Unreadable};

fn read(text: &str, region: &str) -> Option<String> {
    let region = (!region.is_empty()).then(|| Region::named(region).unwrap());
    Phone::read(text, region)
        .ok()
        .map(|phone| phone.e164().to_owned())
}

#[test]
fn read_as_people_write() {
    for (text, region, e164) in [
        ("+447700900123", "", "+447700900123"),
        ("+44 7700 900123", "", "+447700900123"),
        ("+44 7700 900123", "US", "+447700900123"),
        ("+44 (0)7700 900123", "", "+447700900123"),
        ("+44 (0) 7700 900123", "", "+447700900123"),
        ("+44(0)7700/900123", "", "+447700900123"),
        ("+44 07700 900123", "", "+447700900123"),
        ("(+44) 7700 900123", "", "+447700900123"),
        ("(+44) (0)7700 900123", "", "+447700900123"),
        ("+(44) 7700-900-123", "", "+447700900123"),
        ("+44\u{a0}7700\u{a0}900\u{202f}123", "", "+447700900123"),
        ("+44 7700\u{2011}900\u{2013}123", "", "+447700900123"),
        ("  +44.7700.900.123  ", "", "+447700900123"),
        ("tel:+44-7700-900-123", "", "+447700900123"),
        ("TEL: +44 7700 900123", "", "+447700900123"),
        // No British number begins with 6; some may one day, and will be as long as others.
        ("+44 6700 900123", "", "+446700900123"),
        ("07700 900123", "GB", "+447700900123"),
        ("07700 900123", "JE", "+447700900123"),
        ("(0)7700 900123", "GB", "+447700900123"),
        ("07700/900123", "GB", "+447700900123"),
        ("7700 900123", "GB", "+447700900123"),
        ("44 7700 900123", "GB", "+447700900123"),
        ("44 (0)7700 900123", "GB", "+447700900123"),
        ("0044 7700 900123", "GB", "+447700900123"),
        ("00 44 (0)7700 900123", "DE", "+447700900123"),
        ("011 44 7700 900123", "US", "+447700900123"),
        ("8 10 44 7700 900123", "RU", "+447700900123"),
        ("020 7946 0123", "GB", "+442079460123"),
        ("(020) 7946 0123", "GB", "+442079460123"),
        ("030/23125 123", "DE", "+493023125123"),
        ("+49 (0)30 / 23125-123", "", "+493023125123"),
        ("0171/39200 12", "DE", "+491713920012"),
        ("030231/25123", "DE", "+493023125123"),
        ("06 39 98 01 23", "FR", "+33639980123"),
        ("6 39 98 01 23", "FR", "+33639980123"),
        ("0033 6.39.98.01.23", "FR", "+33639980123"),
        ("0491 570 156", "AU", "+61491570156"),
        ("070-174 06 05", "SE", "+46701740605"),
        ("(020) 910 0123", "IE", "+353209100123"),
        ("+1 (202) 555-0142", "", "+12025550142"),
        ("+1 202/555-0142", "", "+12025550142"),
        ("(202) 555-0142", "US", "+12025550142"),
        ("(202) 555-0142", "CA", "+12025550142"),
        ("(202) 555-0142", "KN", "+12025550142"),
        ("202.555.0142", "US", "+12025550142"),
        ("202/555-0142", "US", "+12025550142"),
        ("1 202 555 0142", "US", "+12025550142"),
        ("1-202-555-0142", "US", "+12025550142"),
        ("+1 1 202 555 0142", "US", "+12025550142"),
        ("001 202 555 0142", "IT", "+12025550142"),
    ] {
        assert_eq!(
            read(text, region).as_deref(),
            Some(e164),
            "{text:?} in {region:?}"
        );
    }
}

#[test]
fn refuse_what_is_not_one_number() {
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
        assert_eq!(read(text, "GB"), None, "{text:?}");
    }
}

#[test]
fn refuse_what_no_plan_has() {
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
        assert_eq!(read(text, region), None, "{text:?} in {region:?}");
    }
}

/// Where two numbers could be meant.
#[test]
fn never_guess() {
    for (text, region, why) in [
        ("3023125123", "DE", "of its town, or without its 0"),
        ("1713920012", "DE", "the same"),
        ("20 910 0123", "IE", "the same"),
        ("493023125123", "DE", "country code, or area 04930"),
        ("030 23125 123/124", "DE", "two numbers"),
        ("030 23125123 030 23125124", "DE", "the same"),
        ("0171 39200/12", "DE", "two last parts, or one number"),
        ("030 231/25123", "DE", "the same"),
        ("03023/1251", "DE", "the same"),
        ("0302312/51230", "DE", "the same"),
        ("012 44 7700 900123", "IL", "some company's way abroad"),
        ("110 4477 0090", "CN", "the same, or a mobile number"),
        ("+39 (0)7700 900123", "", "no Italian 0 is for home only"),
    ] {
        assert_eq!(read(text, region), None, "{text:?} in {region:?}: {why}");
    }
}

#[test]
fn the_reason_is_the_first_that_helps() {
    for (text, region, why) in [
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
        (&"1".repeat(65), "US", "too long for a phone number"),
    ] {
        let region = Region::named(region);
        let error = Phone::read(text, region).unwrap_err();
        assert_eq!(error.to_string(), why, "{text:?}");
    }
}

#[test]
fn plain_numbers_may_begin_with_their_country_code() {
    let read =
        |text: &str| Phone::read(text, Plain::International).map(|phone| phone.e164().to_owned());
    for (text, e164) in [
        ("447700900123", "+447700900123"),
        ("12025550142", "+12025550142"),
        ("493023125123", "+493023125123"),
        ("+44 (0)7700 900123", "+447700900123"),
        ("tel:+44-7700-900-123", "+447700900123"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(e164), "{text}");
    }
    // Written for people, or dialled at home: nothing says that a country code is there.
    for text in [
        "44 7700 900123",
        "44-7700-900123",
        "(44)7700900123",
        "44.7700.900123",
        " 447700900123",
        "447700900123 ",
        "tel:447700900123",
        "00447700900123",
        "07700900123",
        "0",
    ] {
        assert_eq!(read(text), Err(Unreadable::NoCountryCode), "{text:?}");
    }
    for (text, why) in [
        ("2025550142", Unreadable::Impossible),
        ("999123456789", Unreadable::UnknownCountryCode),
        ("44770090012", Unreadable::Impossible),
        ("447700900123x4", Unreadable::Extension),
    ] {
        assert_eq!(read(text), Err(why), "{text:?}");
    }
}

#[test]
fn long_values_cost_nothing() {
    for long in ["0", "+", "(", " ", "-", "+44 ", "\u{a0}"] {
        assert_eq!(read(&long.repeat(10_000), "GB"), None);
    }
    let padded = |spaces: usize| format!("{}07700 900123", " ".repeat(spaces));
    assert_eq!(read(&padded(52), "GB").as_deref(), Some("+447700900123"));
    assert_eq!(read(&padded(53), "GB"), None);
}

#[test]
fn masked_for_everyone_else() {
    for (e164, masked) in [
        ("+12025550142", "+1*******42"),
        ("+447700900123", "+44*******23"),
        ("+353209100123", "+353*******23"),
    ] {
        let phone = Phone::read(e164, None).unwrap();
        assert_eq!(phone.masked(), masked);
        assert_eq!(phone.to_string(), masked);
        assert_eq!(format!("{phone:?}"), masked);
        assert_eq!(format!("{:?}", Some(&phone)), format!("Some({masked})"));
    }
}

#[test]
fn in_order_of_their_texts() {
    let mut phones = [
        "+447700900124",
        "+44 (0)7700 900123",
        "+12025550142",
        "+1 202 555 0143",
    ]
    .map(|text| Phone::read(text, None).unwrap());
    phones.sort();
    let texts = phones.each_ref().map(Phone::e164);
    assert_eq!(
        texts,
        [
            "+12025550142",
            "+12025550143",
            "+447700900123",
            "+447700900124"
        ]
    );
    assert_eq!(
        Phone::read("+44 7700 900123", None).as_ref(),
        Ok(&phones[2])
    );
}

#[test]
fn regions_by_name() {
    let region = Region::named("us").unwrap();
    assert_eq!((region.letters(), &*region.to_string()), ("US", "US"));
    assert_eq!(format!("{region:?}"), "Region(US)");
    assert_eq!(Region::named("US"), Some(region));
    assert_ne!(Region::named("CA"), Some(region));
    for no in [
        "",
        " ",
        "U",
        "UK",
        "USA",
        "US ",
        "US AG",
        "ZZ",
        "001",
        "44",
        "\u{ff35}\u{ff33}",
    ] {
        assert_eq!(Region::named(no), None, "{no:?}");
    }
}

/// Anything at all may stand in a directory.
#[test]
fn any_value_is_read_or_refused() {
    let mut dice = Dice(0x5eed);
    let parts = [
        "+44", "+", "0", "(0)", "7700", "07700 ", "900123", "(202)", "555-0142", "/", " ",
    ];
    let odd = [
        "\u{a0}",
        "\u{2011}",
        "x",
        ";",
        "\0",
        "\u{0660}",
        "é",
        "\u{1f4de}",
        "0000000000",
    ];
    let regions = ["", "GB", "US", "DE", "IT", "RU", "BR", "CO"];
    let mut some = 0;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..dice.roll(8) {
            text.push_str(if dice.roll(40) == 0 {
                dice.pick(&odd)
            } else {
                dice.pick(&parts)
            });
        }
        let Some(e164) = read(&text, dice.pick(&regions)) else {
            continue;
        };
        some += 1;
        let digits = e164.strip_prefix('+').unwrap();
        assert!(
            digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{text:?}"
        );
        assert_eq!(
            read(&e164, "").as_ref(),
            Some(&e164),
            "{text:?}: not itself"
        );
    }
    assert!(some > 400, "{some}");
}
