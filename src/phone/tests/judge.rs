//! libphonenumber reads the same number wherever we read one.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;

use phonenumber::{
    Metadata, PhoneNumber,
    country::Id,
    metadata::{DATABASE, Descriptor},
};

use super::Dice;
use crate::phone::{Phone, Region, plan::Plan, regions::PLANS};

/// What the judge reads.
fn judged(text: &str, region: Option<&str>) -> Option<PhoneNumber> {
    let region: Option<Id> = region.map(|region| region.parse().unwrap());
    phonenumber::parse(region, text).ok()
}

fn e164(number: &PhoneNumber) -> String {
    format!("+{}{}", number.code().value(), number.national())
}

fn ours(text: &str, region: &str) -> Option<String> {
    let phone = Phone::read(text, Some(Region::named(region).unwrap()));
    phone.ok().map(|phone| phone.e164().to_owned())
}

/// Each region that libphonenumber knows, with its plan.
fn regions() -> impl Iterator<Item = (&'static str, &'static Plan, &'static Metadata)> {
    PLANS.iter().flat_map(|plan| {
        let regions = plan.regions.split(' ').filter(|region| !region.is_empty());
        regions.map(move |region| (region, plan, DATABASE.by_id(region).unwrap()))
    })
}

/// The metadata's example of each kind of number that can have an SMS.
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
            if zero && !plan.carrier(&format!("0{number}")) {
                let zero = format!("+{} (0){number}", plan.code);
                assert_eq!(ours(&zero, "US"), Some(e164.clone()), "{region}");
            }
        }
    }
}

/// The one line to look at when somebody's mobile number is refused without its country code.
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
    // Behind its 0, the first digit of each Colombian mobile number can be a company's.
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

/// Numbers of four to eleven digits, some of which begin with the country's own code.
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
    // No number begins with 1, but companies' prefixes do.
    assert_eq!(
        ours(&format!("+352 1{number}"), "LU"),
        Some(format!("+3521{number}"))
    );
    assert_eq!(ours(&format!("+352 154 {number}"), "LU"), None);
}

/// Wherever we read a number, the judge reads the same; else one of the two is excused.
#[test]
fn the_judge_reads_the_same() {
    let mut dice = Dice(0xe164);
    let (mut all, mut wrong) = (0, Vec::new());
    for (region, plan, meta) in regions() {
        let mut read = 0;
        for _ in 0..250 {
            let text = written(&mut dice, plan, meta);
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
    // Regions of one country code are read as one: a Londoner's number is one in Jersey too.
    let main = plan.regions.split(' ').next();
    let theirs = judged(text, Some(region));
    let same = |number: &PhoneNumber| e164(number) == our;
    if theirs.as_ref().is_some_and(same) || judged(text, main).as_ref().is_some_and(same) {
        return true;
    }
    // To this port of libphonenumber every length is wrong, so that it takes off a country code
    // from each national number that happens to begin with the same digits, and a trunk prefix
    // from each that begins with one. The original (tried beside it) does not.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let code = digits.starts_with(plan.code) && our == format!("+{}{digits}", plan.code);
    let own = judged(our, None);
    let trunk = !own.as_ref().is_some_and(same);
    // Nobody has either.
    let valid = |number: &Option<PhoneNumber>| number.as_ref().is_some_and(PhoneNumber::is_valid);
    code || trunk || !valid(&own) && !valid(&theirs)
}

/// A number as somebody could have written it, or nearly.
fn written(dice: &mut Dice, plan: &Plan, meta: &Metadata) -> String {
    let mut number = dice.pick(&examples(meta)).to_owned();
    let known = dice.roll(number.len() + 1);
    number.truncate(known + dice.roll(2));
    let most = plan.lengths.iter().fold(0, |all, mask| all | mask).ilog2() as usize;
    let length = match dice.roll(4) {
        0 => 4 + dice.roll(10),
        1 => most,
        _ => examples(meta)[0].len(),
    };
    while number.len() < length {
        number.push(char::from(b"0123456789"[dice.roll(10)]));
    }
    let trunk = plan.trunks.first().map_or("", |(trunk, _)| trunk);
    let code = plan.code;
    let plus = format!("+{code} ");
    let before = match dice.roll(9) {
        0 => plus,
        1 => format!("tel:{plus}"),
        2 => format!("{plus}({trunk})").replace("()", ""),
        3 => format!("{}{code} ", plan.abroad),
        4 => format!("{code} "),
        5 => String::new(),
        6 if !plan.carriers.is_empty() => dice.pick(plan.carriers).to_owned(),
        _ => trunk.to_owned(),
    };
    let separators = ["", "", "", " ", " ", "-", ".", "\u{a0}", "\u{2011}", "/"];
    let groups = number
        .chars()
        .map(|digit| format!("{digit}{}", dice.pick(&separators)));
    let groups: String = groups.collect();
    let groups = groups.trim_end_matches(|last: char| !last.is_ascii_digit());
    format!("{before}{groups}")
}
