//! What is said in two places says the same: the picture of the rooms, keys, reasons and texts, what
//! the papers name, what the module loads. No private machine is needed.

mod binary;
mod house;
mod imports;
mod papers;
mod secrets;
mod words;

use crate::Case;
use std::fs;
use std::path::{Path, PathBuf};

pub fn cases() -> Vec<Case> {
    [
        imports::CASES,
        house::CASES,
        words::CASES,
        papers::CASES,
        secrets::CASES,
        binary::CASES,
    ]
    .concat()
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the repository.
fn read(path: &str) -> String {
    let whole = repository().join(path);
    fs::read_to_string(&whole).unwrap_or_else(|e| panic!("cannot read {}: {e}", whole.display()))
}

/// Every Rust file below this folder: its path in the repository, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(repository().join(&folder)).expect("a folder of sources");
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let path = path.to_str().expect("a path in ASCII").to_owned();
                let text = read(&path);
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "there is nothing below {folder}");
    found.sort();
    found
}

/// The same without tests, which may use what they like.
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

/// Lines without comments.
fn code(text: &str) -> String {
    let bare = |line: &str| line.split("//").next().unwrap_or_default().to_owned() + "\n";
    text.lines().map(bare).collect()
}
