//! What `make test` does with the properties that `make fuzz` gives to libFuzzer: each is asked about
//! its seeds, and about what small damage makes of them. No coverage, no nightly Rust, and the same
//! inputs each time. The packages' tests have this file by its path.
//!
//! `SEED=7` makes other damage, `TORTURE=1` thirty times as much.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test that panics is a test that fails"
)]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

/// Damaged inputs of each property.
const ROUNDS: u64 = 10_000;

/// Longer inputs are cut: what is long is libFuzzer's.
const LONGEST: usize = 4096;

/// What means something to one reader or another.
const TELLING: &[&[u8]] = &[
    b"\0",
    b"\n",
    b"\r\n",
    b"\x1b",
    b" ",
    b"\"",
    b"\\",
    b"'",
    b"(",
    b")",
    b"*",
    b"**",
    b"{",
    b"}",
    b"{user}",
    b"{code}",
    b"=",
    b":",
    b":dn:",
    b"@",
    b"/",
    b"[",
    b"]",
    b"#",
    b"%",
    b"%2F",
    b",",
    b"+",
    b"-",
    b"-1",
    b"0",
    b"00",
    b"9",
    b"255",
    b"4294967295",
    b"18446744073709551615",
    b"99999999999999999999",
    b"0x",
    b"\xff",
    b"\xc3\xa4",
    b"\xe2\x80\xae",
    b"\x80",
    b"\x7f",
    b"\x84\xff\xff\xff\xff",
    b"\x30\x80",
    b"TRUE",
    b"true",
    b"null",
    b"+12025550142",
    b"042137",
    b"d0NotPrintMe123",
];

/// Asks a property about everything. What it panics on is told, so that it can become a seed.
#[allow(dead_code, reason = "not every package has both kinds")]
pub fn ask(target: &str, property: fn(&[u8])) {
    ask_often(target, ROUNDS, property);
}

/// The same of one that is slow.
#[allow(dead_code, reason = "not every package has both kinds")]
pub fn ask_slowly(target: &str, property: fn(&[u8])) {
    ask_often(target, ROUNDS / 10, property);
}

fn ask_often(target: &str, rounds: u64, property: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 8, "{target} has only {} seeds", seeds.len());
    for (name, seed) in &seeds {
        try_one(property, seed, || format!("{target}: the seed {name}"));
    }
    let number = setting("SEED").unwrap_or(1);
    let rounds = rounds
        * if std::env::var_os("TORTURE").is_some() {
            30
        } else {
            1
        };
    for round in 0..rounds {
        let mut dice = Dice::new(target, number, round);
        let (name, seed) = &seeds[dice.below(seeds.len())];
        let mut input = seed.clone();
        for _ in 0..=dice.below(4) {
            damage(&mut input, &seeds[dice.below(seeds.len())].1, &mut dice);
        }
        input.truncate(LONGEST);
        try_one(property, &input, || {
            format!(
                "{target}: SEED={number}, round {round}, the seed {name} as \"{}\"",
                input.escape_ascii()
            )
        });
    }
}

fn try_one(property: fn(&[u8]), input: &[u8], which: impl FnOnce() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(input))) {
        eprintln!("{}", which());
        resume_unwind(panic);
    }
}

/// The files in `fuzz/seeds/TARGET`, in the order of their names.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = |above: &Path| above.join("fuzz/seeds").join(target);
    let folder = [seeds(package), seeds(&package.join(".."))];
    let folder = folder.iter().find(|folder| folder.is_dir());
    let folder = folder.unwrap_or_else(|| panic!("there is no fuzz/seeds/{target}"));
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number")),
    )
}

/// One damage.
fn damage(input: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = at + dice.below((input.len() - at).min(16) + 1);
    let telling = TELLING[dice.below(TELLING.len())];
    match dice.below(9) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 if at < input.len() => input[at] = dice.byte(),
        2 => drop(input.drain(at..end)),
        3 => drop(input.splice(at..end, telling.iter().copied())),
        4 => drop(input.splice(at..at, telling.iter().copied())),
        5 => {
            let again = input[at..end].to_vec();
            for _ in 0..=dice.below(40) {
                input.splice(at..at, again.iter().copied());
            }
        }
        6 => {
            let from = dice.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        7 => input.truncate(at),
        _ => input.insert(at, dice.byte()),
    }
}

/// xorshift64*: the same numbers everywhere.
struct Dice(u64);

impl Dice {
    fn new(target: &str, number: u64, round: u64) -> Self {
        // FNV-1a, so that neighbours do not begin alike.
        let parts = [number.to_le_bytes(), round.to_le_bytes()];
        let bytes = target.bytes().chain(parts.concat());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.next() % 256).unwrap()
    }
}
