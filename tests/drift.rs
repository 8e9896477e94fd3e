//! Conventions of the code, and agreement between places that state the same: the picture of the modules, keys,
//! reasons and texts, what documents name, what the module loads. These tests need no private machine.

mod binary;
mod conventions;
mod cycles;
mod documents;
mod imports;
mod limits;
mod mutants;
mod references;
mod secrets;
mod vocabulary;
mod words;

use crate::Case;
use std::fs;
use std::path::{Path, PathBuf};

pub fn cases() -> Vec<Case> {
    [
        imports::CASES,
        cycles::CASES,
        limits::CASES,
        conventions::CASES,
        vocabulary::CASES,
        words::CASES,
        documents::CASES,
        mutants::CASES,
        secrets::CASES,
        binary::CASES,
    ]
    .concat()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file of the repository.
fn read(path: &str) -> String {
    let whole = repository().join(path);
    fs::read_to_string(&whole).unwrap_or_else(|e| panic!("cannot read {}: {e}", whole.display()))
}

/// Returns every Rust file below this folder: its path in the repository, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(repository().join(&folder)).expect("a folder of sources");
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                if entry.file_name() != "target" {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let path = path.to_str().expect("a path in ASCII").to_owned();
                let text = read(&path);
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "no Rust files below {folder}");
    found.sort();
    found
}

/// Returns the same without tests.
fn product(folder: &str) -> Vec<(String, String)> {
    let mut files = sources(folder);
    files.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    for (_, text) in &mut files {
        if let Some(at) = text.find("#[cfg(test)]\nmod tests {") {
            text.truncate(at);
        }
    }
    files
}

/// Removes comments.
fn code(text: &str) -> String {
    let bare = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(bare).collect()
}
