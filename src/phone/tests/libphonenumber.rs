//! Every number that is accepted here has the same meaning for libphonenumber.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use phonenumber::{
    Metadata, PhoneNumber,
    country::Id,
    metadata::{DATABASE, Descriptor},
};

use super::Random;
use crate::phone::{Phone, Region, plan::Plan, regions::PLANS};

/// Parses a number with libphonenumber.
fn parse_theirs(text: &str, region: Option<&str>) -> Option<PhoneNumber> {
    let region: Option<Id> = region.map(|region| region.parse().unwrap());
    phonenumber::parse(region, text).ok()
}

fn e164(number: &PhoneNumber) -> String {
    format!("+{}{}", number.code().value(), number.national())
}

fn ours(text: &str, region: &str) -> Option<String> {
    let phone = Phone::parse(text, Some(Region::named(region).unwrap()));
    phone.ok().map(|phone| phone.e164().to_owned())
}

/// Each region of libphonenumber, with its plan.
fn regions() -> impl Iterator<Item = (&'static str, &'static Plan, &'static Metadata)> {
    PLANS.iter().flat_map(|plan| {
        let regions = plan.regions.split(' ').filter(|region| !region.is_empty());
        regions.map(move |region| (region, plan, DATABASE.by_id(region).unwrap()))
    })
}

/// The metadata's example of each kind of number that can receive SMS.
fn examples(meta: &Metadata) -> Vec<&str> {
    let kinds = meta.descriptors();
    let kinds = [
        kinds.mobile(),
        kinds.fixed_line(),
        kinds.voip(),
        kinds.personal_number(),
    ];
    kinds
        .into_iter()
        .flatten()
        .filter_map(Descriptor::example)
        .collect()
}

#[test]
fn examples_with_country_code() {
    for (region, plan, meta) in regions() {
        for number in examples(meta) {
            let e164 = format!("+{}{number}", plan.code);
            assert_eq!(ours(&e164, "US"), Some(e164.clone()), "{region}");
            let spaced = format!("+{} {} {}", plan.code, &number[..2], &number[2..]);
            assert_eq!(ours(&spaced, "GB"), Some(e164.clone()), "{region}");
            let zero = plan.trunks.iter().any(|(trunk, _)| *trunk == "0");
            if zero && !plan.has_carrier_code(&format!("0{number}")) {
                let zero = format!("+{} (0){number}", plan.code);
                assert_eq!(ours(&zero, "US"), Some(e164.clone()), "{region}");
            }
        }
    }
}

/// Lists the countries whose mobile numbers are refused without the country code.
#[test]
fn mobile_examples_at_home() {
    let mut refused = BTreeSet::new();
    for (region, plan, meta) in regions() {
        let Some(number) = meta.descriptors().mobile().and_then(Descriptor::example) else {
            continue;
        };
        let trunk = meta.national_prefix().unwrap_or_default();
        let e164 = format!("+{}{number}", plan.code);
        match ours(&format!("{trunk}{number}"), region) {
            None => _ = refused.insert(region),
            some => assert_eq!(some, Some(e164), "{region}"),
        }
    }
    // After the 0, the first digit of a Colombian mobile number may select a carrier.
    assert_eq!(refused, BTreeSet::from(["CO"]));
}

#[test]
fn italy_keeps_its_zero() {
    let meta = DATABASE.by_id("IT").unwrap();
    let number = meta
        .descriptors()
        .fixed_line()
        .and_then(Descriptor::example)
        .unwrap();
    let rest = number.strip_prefix('0').unwrap();
    let e164 = format!("+390{rest}");
    for text in [
        number,
        &format!("(0{rest})"),
        &format!("+39 0{rest}"),
        &format!("0039 0{rest}"),
    ] {
        assert_eq!(ours(text, "IT"), Some(e164.clone()), "{text}");
    }
    assert_eq!(ours(&format!("+39 (0){rest}"), "IT"), None);
    assert_eq!(ours(&format!("(0){rest}"), "IT"), None);
}

/// Luxembourg has numbers of four to eleven digits, some of which begin with its own country code.
#[test]
fn luxembourg_needs_a_plus() {
    let meta = DATABASE.by_id("LU").unwrap();
    let number = meta
        .descriptors()
        .fixed_line()
        .and_then(Descriptor::example)
        .unwrap();
    assert_eq!(ours(number, "LU"), Some(format!("+352{number}")));
    assert_eq!(
        ours(&format!("00352{number}"), "LU"),
        Some(format!("+352{number}"))
    );
    assert_eq!(ours(&format!("352{number}"), "LU"), None);
    // No number begins with 1, but carrier selection codes do.
    assert_eq!(
        ours(&format!("+352 1{number}"), "LU"),
        Some(format!("+3521{number}"))
    );
    assert_eq!(ours(&format!("+352 154 {number}"), "LU"), None);
}

/// Compares random numbers of all regions.
#[test]
fn libphonenumber_parses_the_same_number() {
    let mut random = Random(0xe164);
    let (mut all, mut wrong) = (0, Vec::new());
    for (region, plan, meta) in regions() {
        let mut read = 0;
        for _ in 0..250 {
            let text = written(&mut random, plan, meta);
            let Some(our) = ours(&text, region) else {
                continue;
            };
            read += 1;
            if !agreed(&text, region, plan, &our) {
                wrong.push(format!("{text:?} in {region}: {our}"));
            }
        }
        assert!(read > 20, "{region}: {read}");
        all += read;
    }
    assert!(wrong.is_empty(), "of {all}: {wrong:#?}");
    assert!(all > 20_000, "{all}");
}

fn agreed(text: &str, region: &str, plan: &Plan, our: &str) -> bool {
    // Regions with one country code are treated as one: a London number is valid in Jersey too.
    let main = plan.regions.split(' ').next();
    let theirs = parse_theirs(text, Some(region));
    let same = |number: &PhoneNumber| e164(number) == our;
    if theirs.as_ref().is_some_and(same) || parse_theirs(text, main).as_ref().is_some_and(same) {
        return true;
    }
    // This port of libphonenumber considers every length invalid. It therefore removes a country code or
    // trunk prefix from each national number that begins with the same digits. The original does not.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let code = digits.starts_with(plan.code) && our == format!("+{}{digits}", plan.code);
    let own = parse_theirs(our, None);
    let trunk = !own.as_ref().is_some_and(same);
    // A number that is valid for neither.
    let valid = |number: &Option<PhoneNumber>| number.as_ref().is_some_and(PhoneNumber::is_valid);
    code || trunk || !valid(&own) && !valid(&theirs)
}

/// Generates a number with random punctuation, or nearly one.
fn written(random: &mut Random, plan: &Plan, meta: &Metadata) -> String {
    let mut number = random.pick(&examples(meta)).to_owned();
    let known = random.below(number.len() + 1);
    number.truncate(known + random.below(2));
    let most = plan.lengths.iter().fold(0, |all, mask| all | mask).ilog2() as usize;
    let length = match random.below(4) {
        0 => 4 + random.below(10),
        1 => most,
        _ => examples(meta)[0].len(),
    };
    while number.len() < length {
        number.push(char::from(b"0123456789"[random.below(10)]));
    }
    let trunk = plan.trunks.first().map_or("", |(trunk, _)| trunk);
    let code = plan.code;
    let plus = format!("+{code} ");
    let before = match random.below(9) {
        0 => plus,
        1 => format!("tel:{plus}"),
        2 => format!("{plus}({trunk})").replace("()", ""),
        3 => format!("{}{code} ", plan.abroad),
        4 => format!("{code} "),
        5 => String::new(),
        6 if !plan.carriers.is_empty() => random.pick(plan.carriers).to_owned(),
        _ => trunk.to_owned(),
    };
    let separators = ["", "", "", " ", " ", "-", ".", "\u{a0}", "\u{2011}", "/"];
    let groups = number
        .chars()
        .map(|digit| format!("{digit}{}", random.pick(&separators)));
    let groups: String = groups.collect();
    let groups = groups.trim_end_matches(|last: char| !last.is_ascii_digit());
    format!("{before}{groups}")
}
