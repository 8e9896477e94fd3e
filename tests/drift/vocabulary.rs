//! Words that must not be used again: `tests/cases/vocabulary.txt` lists them with their alternatives.

use super::{read, repository};
use crate::Case;
use lab::Lab;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub const CASES: &[Case] = &[
    ("drift::vocabulary::is_plain", is_plain),
    ("drift::vocabulary::names_are_split", names_are_split),
];

const LIST: &str = "tests/cases/vocabulary.txt";

/// Folders and files of the repository that people read.
const READ: &[&str] = &[
    "src",
    "module",
    "protocol",
    "safe-path",
    "tests",
    "benches",
    "fuzz",
    "docs",
    "man",
    "conf",
    "pam.d",
    "packaging",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Cargo.toml",
    "Makefile",
    "clippy.toml",
];

/// Data of others, raw bytes, build output, and the list itself.
const NOT_OURS: &[&str] = &[
    "/openapi/",
    "/target/",
    "/seeds/",
    "Cargo.lock",
    ".svg",
    LIST,
    "/drift/vocabulary.rs",
];

/// The list: what is not used, and what to use instead.
fn list() -> BTreeMap<String, String> {
    let text = read(LIST);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (word, instead) = line.split_once(" : ")?;
        Some((word.to_owned(), instead.to_owned()))
    };
    lines
        .map(|line| entry(line).unwrap_or_else(|| panic!("{LIST}: {line}")))
        .collect()
}

/// The words of a line in lower case. A name is as many words as it has parts.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in line.chars() {
        let begins =
            !c.is_ascii_alphabetic() || (c.is_ascii_uppercase() && before.is_ascii_lowercase());
        if begins {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_ascii_alphabetic(), words.last_mut()) {
            word.push(c.to_ascii_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The first listed word or phrase of a line.
fn found<'l>(line: &str, list: &'l BTreeMap<String, String>) -> Option<&'l str> {
    let line = line.replace("`nobody`", "").replace("\"nobody\"", "");
    let line = format!(" {} ", words(&line).join(" "));
    let is_in = |word: &&String| line.contains(&format!(" {word} "));
    list.keys().find(is_in).map(String::as_str)
}

fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut left: Vec<PathBuf> = READ.iter().map(PathBuf::from).collect();
    while let Some(path) = left.pop() {
        let whole = repository().join(&path);
        let name = format!("/{}", path.display());
        if NOT_OURS.iter().any(|other| name.contains(other)) || name.ends_with("/target") {
            continue;
        }
        if whole.is_dir() {
            let entries = std::fs::read_dir(&whole).expect("a folder");
            left.extend(entries.flatten().map(|entry| path.join(entry.file_name())));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn is_plain(_: &Lab) {
    let list = list();
    let mut bad = Vec::new();
    for path in files() {
        let name = path.display().to_string();
        if let Some(word) = found(&name, &list) {
            bad.push(format!("{name}: its name has {word:?}; use {}", list[word]));
        }
        // What is not UTF-8 is data.
        let Ok(text) = std::fs::read_to_string(repository().join(&path)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = found(line, &list) {
                let line = line.trim();
                bad.push(format!(
                    "{name}:{}: {word:?}; use {}: {line}",
                    number + 1,
                    list[word]
                ));
            }
        }
    }
    assert!(bad.is_empty(), "{} lines\n{}", bad.len(), bad.join("\n"));
}

fn names_are_split(_: &Lab) {
    let split = |line| words(line).join(" ");
    assert_eq!(
        split("fn whose_HTTPServer(x1: u8)"),
        "fn whose httpserver x u"
    );
    assert_eq!(split("ToldAgain, told_wrong"), "told again told wrong");
    let list = BTreeMap::from([("last words".to_owned(), String::new())]);
    assert_eq!(found("fn last_words()", &list), Some("last words"));
    assert_eq!(found("lastly words", &list), None);
}
