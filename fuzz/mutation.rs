//! Checks in `make test` the properties that `make fuzz` runs under libFuzzer: with their seeds, and with
//! mutations of the seeds. It measures no coverage, needs no nightly Rust, and makes the same inputs at
//! each run. The tests of each package include this file by its path.
//!
//! `SEED=7` makes other mutations, `TORTURE=1` thirty times as many.
#![forbid(unsafe_code)]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a test fails by a panic"
)]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

/// The number of mutated inputs for each property.
const ROUNDS: u64 = 10_000;

/// The length to which inputs are cut; libFuzzer tries longer ones.
const MAX_LENGTH: usize = 4096;

/// Bytes with a meaning in at least one of the parsed formats.
const TOKENS: &[&[u8]] = &[
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

/// Checks a property with all seeds and mutations. Prints an input that makes it panic, so that it can
/// become a seed.
#[allow(dead_code, reason = "not every package uses both functions")]
pub fn check(target: &str, property: fn(&[u8])) {
    check_rounds(target, ROUNDS, property);
}

/// Checks a slow property with a tenth of the mutations.
#[allow(dead_code, reason = "not every package uses both functions")]
pub fn check_slow(target: &str, property: fn(&[u8])) {
    check_rounds(target, ROUNDS / 10, property);
}

fn check_rounds(target: &str, rounds: u64, property: fn(&[u8])) {
    let seeds = seeds(target);
    assert!(seeds.len() >= 8, "{target} has only {} seeds", seeds.len());
    for (name, seed) in &seeds {
        check_one(property, seed, || format!("{target}: the seed {name}"));
    }
    let number = env_number("SEED").unwrap_or(1);
    let rounds = rounds
        * if std::env::var_os("TORTURE").is_some() {
            30
        } else {
            1
        };
    for round in 0..rounds {
        let mut rng = Rng::new(target, number, round);
        let (name, seed) = &seeds[rng.below(seeds.len())];
        let mut input = seed.clone();
        for _ in 0..=rng.below(4) {
            mutate(&mut input, &seeds[rng.below(seeds.len())].1, &mut rng);
        }
        input.truncate(MAX_LENGTH);
        check_one(property, &input, || {
            format!(
                "{target}: SEED={number}, round {round}, the seed {name} as \"{}\"",
                input.escape_ascii()
            )
        });
    }
}

fn check_one(property: fn(&[u8]), input: &[u8], describe: impl FnOnce() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| property(input))) {
        eprintln!("{}", describe());
        resume_unwind(panic);
    }
}

/// Reads the files in `fuzz/seeds/TARGET`, sorted by name.
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

fn env_number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number")),
    )
}

/// Applies one mutation.
fn mutate(input: &mut Vec<u8>, other: &[u8], rng: &mut Rng) {
    let at = rng.below(input.len() + 1);
    let end = at + rng.below((input.len() - at).min(16) + 1);
    let token = TOKENS[rng.below(TOKENS.len())];
    match rng.below(9) {
        0 if at < input.len() => input[at] ^= 1 << rng.below(8),
        1 if at < input.len() => input[at] = rng.byte(),
        2 => drop(input.drain(at..end)),
        3 => drop(input.splice(at..end, token.iter().copied())),
        4 => drop(input.splice(at..at, token.iter().copied())),
        5 => {
            let again = input[at..end].to_vec();
            for _ in 0..=rng.below(40) {
                input.splice(at..at, again.iter().copied());
            }
        }
        6 => {
            let from = rng.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        7 => input.truncate(at),
        _ => input.insert(at, rng.byte()),
    }
}

/// The generator xorshift64*, which gives the same numbers on every machine.
struct Rng(u64);

impl Rng {
    fn new(target: &str, number: u64, round: u64) -> Self {
        // FNV-1a, so that successive rounds start with different states.
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
