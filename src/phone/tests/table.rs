//! The table says what libphonenumber's metadata say, for each region.

use std::collections::{BTreeMap, BTreeSet};

use phonenumber::{
    Metadata,
    metadata::{DATABASE, Descriptor},
};
use regex_automata::{
    Anchored,
    dfa::{Automaton, StartKind, dense},
    meta::Regex,
    util::{primitives::StateID, start, syntax},
};

use crate::phone::{plan::Plan, regions::PLANS};

/// One line of the table, as it stands in its file.
fn line(code: &str, regions: &str, trunks: &[&str], abroad: &str, lengths: &[u16; 10]) -> String {
    let lengths = lengths.map(|mask| {
        if mask == 0 {
            "0".into()
        } else {
            format!("{mask:#x}")
        }
    });
    let lengths = lengths.join(", ");
    format!("    plan({code:?}, {regions:?}, &{trunks:?}, {abroad:?}, [{lengths}]),")
}

/// For each first digit, the lengths of the numbers that a pattern matches from end to end.
fn lengths(kind: &Descriptor) -> [u16; 10] {
    let pattern = format!("(?x:{})", kind.national_number().as_str());
    let machine = dense::Builder::new()
        .configure(dense::Config::new().start_kind(StartKind::Anchored))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(&pattern)
        .unwrap();
    let start = machine
        .start_state(&start::Config::new().anchored(Anchored::Yes))
        .unwrap();
    let digits = b"0123456789";
    std::array::from_fn(|first| {
        let mut states = BTreeSet::from([machine.next_state(start, digits[first])]);
        let mut mask = 0;
        for length in 1..=15_u16 {
            let ends = |state: &StateID| machine.is_match_state(machine.next_eoi_state(*state));
            if kind.possible_length().contains(&length) && states.iter().any(ends) {
                mask |= 1 << length;
            }
            let steps = states
                .iter()
                .flat_map(|state| digits.map(|digit| (*state, digit)));
            states = steps
                .map(|(state, digit)| machine.next_state(state, digit))
                .collect();
        }
        mask
    })
}

/// The kinds of number that can have an SMS.
fn textable(meta: &Metadata) -> [u16; 10] {
    let kinds = meta.descriptors();
    let kinds = [
        kinds.fixed_line(),
        kinds.mobile(),
        kinds.voip(),
        kinds.personal_number(),
    ];
    let kinds: Vec<_> = kinds.into_iter().flatten().map(lengths).collect();
    std::array::from_fn(|digit| kinds.iter().fold(0, |all, kind| all | kind[digit]))
}

/// The prefix of which the metadata speak, then others of one or two digits that they take off
/// when they parse; not where they go on to a carrier's code, or to more of the number.
fn trunks(meta: &Metadata) -> Vec<String> {
    let mut found = Vec::from_iter(meta.national_prefix().map(str::to_owned));
    if let Some(pattern) = meta.national_prefix_for_parsing() {
        let pattern = Regex::new(&format!("^(?:(?x:{}))$", pattern.as_str())).unwrap();
        let tens = (0..10).map(|n| format!("{n}"));
        for digits in tens.chain((0..100).map(|n| format!("{n:02}"))) {
            let mut captures = pattern.create_captures();
            pattern.captures(&digits, &mut captures);
            let plain = captures.is_match() && captures.iter().skip(1).all(|group| group.is_none());
            if plain && !found.contains(&digits) {
                found.push(digits);
            }
        }
    }
    found
}

/// The table as the metadata want it.
fn wanted() -> Vec<String> {
    let mut codes = BTreeMap::<String, Vec<&Metadata>>::new();
    for meta in DATABASE.iter().filter(|meta| meta.id() != "001") {
        codes
            .entry(meta.country_code().to_string())
            .or_default()
            .push(meta);
    }
    for code in 800..1000_u16 {
        let networks = DATABASE.by_code(&code).unwrap_or_default();
        for meta in networks {
            if meta.id() == "001" && meta.descriptors().mobile().is_some() {
                codes.entry(code.to_string()).or_default().push(meta);
            }
        }
    }
    let mut lines = Vec::new();
    for (code, mut metas) in codes {
        metas.sort_by_key(|meta| (!meta.is_main_country_for_code(), meta.id().to_owned()));
        let regions = metas.iter().map(|meta| meta.id()).filter(|id| *id != "001");
        let regions = Vec::from_iter(regions).join(" ");
        let abroad = metas[0]
            .international_prefix()
            .map_or("", |pattern| pattern.as_str());
        let plain = abroad.bytes().all(|byte| byte.is_ascii_digit());
        let abroad = if plain { abroad } else { "" };
        let masks: Vec<_> = metas.iter().map(|meta| textable(meta)).collect();
        let lengths = std::array::from_fn(|digit| masks.iter().fold(0, |all, m| all | m[digit]));
        let all = trunks(metas[0]);
        // What regions share is theirs in all of them.
        for meta in &metas {
            assert_eq!(trunks(meta), all, "{code}");
            let own = meta
                .international_prefix()
                .map_or("", |pattern| pattern.as_str());
            assert_eq!(own == abroad, plain, "{code}");
        }
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        lines.push(line(&code, &regions, &all, abroad, &lengths));
    }
    lines
}

#[test]
fn the_table_is_true() {
    let held = |plan: &Plan| {
        line(
            plan.code,
            plan.regions,
            plan.trunks,
            plan.abroad,
            &plan.lengths,
        )
    };
    let held: Vec<_> = PLANS.iter().map(held).collect();
    let wanted = wanted();
    let missing: Vec<_> = wanted.iter().filter(|line| !held.contains(line)).collect();
    let surplus: Vec<_> = held.iter().filter(|line| !wanted.contains(line)).collect();
    let text = |lines: Vec<&String>| {
        lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    let (missing, surplus) = (text(missing), text(surplus));
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "not in the metadata:\n{surplus}not in the table:\n{missing}"
    );
}
