//! Compares the table of numbering plans with libphonenumber's metadata.
#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

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

use crate::phone::regions::PLANS;

/// Formats one line of the table as in its source file.
fn line(
    (code, regions): (&str, &str),
    trunks: &[(impl Debug, u16)],
    abroad: &str,
    carriers: &[impl Debug],
    lengths: &[u16; 10],
) -> String {
    let hex = |mask: &u16| {
        if *mask == 0 {
            "0".to_owned()
        } else {
            format!("{mask:#x}")
        }
    };
    let trunks = trunks
        .iter()
        .map(|(trunk, own)| format!("({trunk:?}, {})", hex(own)));
    let trunks = trunks.collect::<Vec<_>>().join(", ");
    let lengths = lengths.each_ref().map(hex).join(", ");
    format!("    plan({code:?}, {regions:?}, &[{trunks}], {abroad:?}, &{carriers:?}, [{lengths}]),")
}

/// The set of digit strings that a pattern matches completely.
struct Language {
    machine: dense::DFA<Vec<u32>>,
    start: StateID,
}

impl Language {
    fn of(pattern: &str) -> Self {
        let machine = dense::Builder::new()
            .configure(dense::Config::new().start_kind(StartKind::Anchored))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(&format!("(?x:{pattern})"))
            .unwrap();
        let start = start::Config::new().anchored(Anchored::Yes);
        let start = machine.start_state(&start).unwrap();
        Self { machine, start }
    }

    fn ends(&self, states: &BTreeSet<StateID>) -> bool {
        let end = |state: &StateID| self.machine.next_eoi_state(*state);
        states
            .iter()
            .any(|state| self.machine.is_match_state(end(state)))
    }

    fn next(&self, states: &BTreeSet<StateID>) -> BTreeSet<StateID> {
        let steps = states
            .iter()
            .flat_map(|state| b"0123456789".map(|digit| (*state, digit)));
        steps
            .map(|(state, digit)| self.machine.next_state(state, digit))
            .collect()
    }

    /// Returns the lengths (bits, up to 15) of the strings with this beginning.
    fn lengths(&self, beginning: &str) -> u16 {
        let step = |state, digit: &u8| self.machine.next_state(state, *digit);
        let mut states = BTreeSet::from([beginning.as_bytes().iter().fold(self.start, step)]);
        let mut mask = 0;
        for length in beginning.len()..=15 {
            mask |= u16::from(self.ends(&states)) << length;
            states = self.next(&states);
        }
        mask
    }
}

/// Returns the numbers that can receive SMS, for each kind, with its lengths (bits).
fn textable(metas: &[&Metadata]) -> Vec<(Language, u16)> {
    let kinds = metas
        .iter()
        .map(|meta| meta.descriptors())
        .flat_map(|kinds| {
            [
                kinds.fixed_line(),
                kinds.mobile(),
                kinds.voip(),
                kinds.personal_number(),
            ]
        });
    let lengths = |kind: &Descriptor| {
        let lengths = kind
            .possible_length()
            .iter()
            .filter(|length| **length <= 15);
        lengths.fold(0, |mask, length| mask | 1 << length)
    };
    let numbers = |kind: &Descriptor| Language::of(kind.national_number().as_str());
    kinds
        .flatten()
        .map(|kind| (numbers(kind), lengths(kind)))
        .collect()
}

/// Returns the trunk prefix of the metadata, then other prefixes of one or two digits that libphonenumber
/// removes when it parses, unless a carrier code or more of the number follows them.
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

/// Returns the first digits (up to three) of carrier selection codes, and of Argentine mobile numbers, which
/// have a 15 in the middle at home and a 9 at the front abroad.
fn carriers(meta: &Metadata) -> Vec<String> {
    let trunks = trunks(meta);
    let continues = |pattern: &str| {
        let numbers = Language::of(pattern);
        trunks
            .iter()
            .any(|trunk| numbers.lengths(trunk) >> trunk.len() > 1)
    };
    let home = meta.national_prefix_for_parsing();
    let home = home.filter(|home| match meta.national_prefix_transform_rule() {
        None => true,
        Some(rule) => {
            rule.starts_with(|first: char| first.is_ascii_digit()) && continues(home.as_str())
        }
    });
    let ruled = home.is_some() && meta.national_prefix_transform_rule().is_some();
    let patterns = [meta.international_prefix(), home].into_iter().flatten();
    let patterns: Vec<_> = patterns.map(|pattern| format!("{pattern}")).collect();
    let patterns = patterns.iter().filter(|pattern| !is_plain(pattern));
    let languages: Vec<_> = patterns.map(|pattern| Language::of(pattern)).collect();
    let mut found = BTreeSet::new();
    for digits in (0..1000).map(|n| format!("{n:03}")) {
        for language in &languages {
            let complete = (1..=3).map(|length| &digits[..length]).find(|start| {
                language.lengths(start) >> start.len() & 1 == 1
                    && !trunks.iter().any(|trunk| trunk == start)
            });
            let partial = (language.lengths(&digits) != 0).then_some(&*digits);
            found.extend(complete.or(partial).map(str::to_owned));
        }
    }
    // Ten prefixes with the same beginning are combined.
    for length in [2, 1] {
        for start in (0..10_u32.pow(length)).map(|n| format!("{n:03}")) {
            let start = start[3 - length as usize..].to_owned();
            let tens: Vec<_> = (0..10).map(|n| format!("{start}{n}")).collect();
            if tens.iter().all(|one| found.contains(one)) || found.contains(&start) {
                found.retain(|one| !one.starts_with(&start));
                found.insert(start);
            }
        }
    }
    found.retain(|digits| !digits.starts_with("00"));
    if ruled {
        found.retain(|digits| trunks.iter().any(|trunk| digits.starts_with(trunk)));
    }
    found.into_iter().collect()
}

fn is_plain(pattern: &str) -> bool {
    pattern.bytes().all(|byte| byte.is_ascii_digit())
}

/// Generates the table from the metadata.
fn expected() -> Vec<String> {
    let mut codes = BTreeMap::<String, Vec<&Metadata>>::new();
    for meta in DATABASE.iter().filter(|meta| meta.id() != "001") {
        codes
            .entry(meta.country_code().to_string())
            .or_default()
            .push(meta);
    }
    // `iter` has one entry for all networks that belong to no country.
    for code in 800..1000_u16 {
        let metas = DATABASE.by_code(&code).unwrap_or_default().into_iter();
        let networks = metas.filter(|meta| meta.id() == "001");
        for meta in networks.filter(|meta| meta.descriptors().mobile().is_some()) {
            codes.entry(code.to_string()).or_default().push(meta);
        }
    }
    let mut lines = Vec::new();
    for (code, mut metas) in codes {
        metas.sort_by_key(|meta| (!meta.is_main_country_for_code(), meta.id().to_owned()));
        let regions = metas.iter().map(|meta| meta.id()).filter(|id| *id != "001");
        let regions = regions.collect::<Vec<_>>().join(" ");
        let idd = |meta: &Metadata| {
            meta.international_prefix()
                .map(|idd| idd.as_str().to_owned())
        };
        let (trunks, abroad) = (trunks(metas[0]), idd(metas[0]));
        // Trunk prefixes and international prefix are the same for all regions of a code.
        for meta in &metas {
            assert_eq!(
                (&self::trunks(meta), &idd(meta)),
                (&trunks, &abroad),
                "{}",
                meta.id()
            );
        }
        let kinds = textable(&metas);
        let lengths = |start: &str| {
            kinds.iter().fold(0, |all, (numbers, possible)| {
                all | numbers.lengths(start) & possible
            })
        };
        let trunks = trunks.iter().map(|trunk| (trunk, lengths(trunk)));
        lines.push(line(
            (&code, &regions),
            &trunks.collect::<Vec<_>>(),
            &abroad.filter(|abroad| is_plain(abroad)).unwrap_or_default(),
            &carriers(metas[0]),
            &std::array::from_fn(|digit| lengths(&digit.to_string())),
        ));
    }
    lines
}

#[test]
fn the_table_equals_the_metadata() {
    let actual = PLANS.iter().map(|plan| {
        let id = (plan.code, plan.regions);
        line(id, plan.trunks, plan.abroad, plan.carriers, &plan.lengths)
    });
    let actual: Vec<_> = actual.collect();
    let expected = expected();
    let text = |some: &[String], not: &[String]| -> String {
        let lines = some.iter().filter(|line| !not.contains(line));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    let (surplus, missing) = (text(&actual, &expected), text(&expected, &actual));
    assert!(
        surplus.is_empty() && missing.is_empty(),
        "not in the metadata:\n{surplus}not in the table:\n{missing}"
    );
}
