//! Accepted numbers.
//!
//! All numbers are reserved for fiction: NANPA's 555-01xx, Ofcom's 07700 900xxx and 020 7946 0xxx,
//! Bundesnetzagentur's 030 23125 xxx and 0171 39200 xx, Arcep's 06 39 98 xx xx, ACMA's 0491 570 xxx,
//! PTS's 070-174 06 xx, `ComReg`'s 020 910 xxxx.
#![forbid(unsafe_code)]

use super::{Random, parse};
use crate::phone::{Phone, Plain, Region, Unreadable};

/// Text, region, and the number in E.164.
const AS_WRITTEN: &[(&str, &str, &str)] = &[
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
    // No British number begins with 6 today. One that begins so later will have the same length.
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
];

#[test]
fn numbers_are_accepted_as_people_write_them() {
    for (text, region, e164) in AS_WRITTEN {
        assert_eq!(
            parse(text, region).as_deref(),
            Some(*e164),
            "{text:?} in {region:?}"
        );
    }
}

#[test]
fn plain_numbers_may_begin_with_their_country_code() {
    let parse =
        |text: &str| Phone::parse(text, Plain::International).map(|phone| phone.e164().to_owned());
    for (text, e164) in [
        ("447700900123", "+447700900123"),
        ("12025550142", "+12025550142"),
        ("493023125123", "+493023125123"),
        ("+44 (0)7700 900123", "+447700900123"),
        ("tel:+44-7700-900-123", "+447700900123"),
    ] {
        assert_eq!(parse(text).as_deref(), Ok(e164), "{text}");
    }
    // With punctuation or a leading 0, it is not certain that there is a country code.
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
        assert_eq!(parse(text), Err(Unreadable::NoCountryCode), "{text:?}");
    }
    for (text, why) in [
        ("2025550142", Unreadable::Impossible),
        ("999123456789", Unreadable::UnknownCountryCode),
        ("44770090012", Unreadable::Impossible),
        ("447700900123x4", Unreadable::Extension),
    ] {
        assert_eq!(parse(text), Err(why), "{text:?}");
    }
}

#[test]
fn masked_numbers_show_country_code_and_two_digits() {
    for (e164, masked) in [
        ("+12025550142", "+1*******42"),
        ("+447700900123", "+44*******23"),
        ("+353209100123", "+353*******23"),
    ] {
        let phone = Phone::parse(e164, None).unwrap();
        assert_eq!(phone.masked(), masked);
        assert_eq!(phone.to_string(), masked);
        assert_eq!(format!("{phone:?}"), masked);
        assert_eq!(format!("{:?}", Some(&phone)), format!("Some({masked})"));
    }
}

#[test]
fn numbers_are_ordered_by_their_e164_texts() {
    let mut phones = [
        "+447700900124",
        "+44 (0)7700 900123",
        "+12025550142",
        "+1 202 555 0143",
    ]
    .map(|text| Phone::parse(text, None).unwrap());
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
        Phone::parse("+44 7700 900123", None).as_ref(),
        Ok(&phones[2])
    );
}

#[test]
fn regions_are_found_by_their_letters() {
    let region = Region::named("us").unwrap();
    assert_eq!((region.letters(), &*region.to_string()), ("US", "US"));
    assert_eq!(format!("{region:?}"), "Region(US)");
    assert_eq!(Region::named("US"), Some(region));
    assert_ne!(Region::named("CA"), Some(region));
    for unknown in [
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
        assert_eq!(Region::named(unknown), None, "{unknown:?}");
    }
}

/// A directory may contain any text.
#[test]
fn random_texts_are_refused_or_parse_to_themselves() {
    let mut random = Random(0x5eed);
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
    let mut accepted = 0;
    for _ in 0..50_000 {
        let mut text = String::new();
        for _ in 0..random.below(8) {
            text.push_str(if random.below(40) == 0 {
                random.pick(&odd)
            } else {
                random.pick(&parts)
            });
        }
        let Some(e164) = parse(&text, random.pick(&regions)) else {
            continue;
        };
        accepted += 1;
        let digits = e164.strip_prefix('+').unwrap();
        assert!(
            digits.len() <= 15 && digits.bytes().all(|byte| byte.is_ascii_digit()),
            "{text:?}"
        );
        assert_eq!(parse(&e164, "").as_ref(), Some(&e164), "{text:?}");
    }
    assert!(accepted > 400, "{accepted}");
}
