//! Reads the shipped samples and the stacks in the documents.

use std::fs;
use std::path::Path;

/// A stack in a document.
pub struct Shown {
    pub file: String,
    /// Its auth lines, one blank between words.
    pub text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// The files of a directory, as `DIRECTORY/NAME`.
fn files(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("a name");
    let mut files: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .map(|entry| format!("{folder}/{}", name(entry)))
        .collect();
    files.sort();
    files
}

pub fn samples() -> Vec<String> {
    files("pam.d")
}

/// With one blank between words.
pub fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_auth(line: &str) -> bool {
    line.starts_with("auth ") || line.starts_with("-auth ")
}

/// The text of a document without the markup that would interrupt a sentence.
pub fn prose(file: &str) -> String {
    let text = read(file);
    let bare = |line: &str| {
        let words = match line.split_once(' ') {
            Some((".Cm" | ".Li" | ".Dv" | ".Ic" | ".Pa" | ".Xr" | ".Em" | ".Sy", words)) => words,
            _ => line,
        };
        words
            .replace(" ,", ",")
            .replace(" .", ".")
            .replace("\\&", "")
    };
    let lines: Vec<String> = text.lines().map(bare).collect();
    squeezed(&lines.join(" "))
}

/// All stacks of the samples, their variants, and the documents.
pub fn shown() -> Vec<Shown> {
    let mut shown = Vec::new();
    for file in samples() {
        let text = read(&file);
        shown.push(Shown {
            text: stack(text.lines().filter(|line| is_auth(line))),
            file: file.clone(),
        });
        shown.extend(variants(&text).into_iter().map(|text| Shown {
            text,
            file: file.clone(),
        }));
    }
    let documents = files("docs").into_iter().chain(files("man"));
    let documents = documents.chain(files("conf"));
    let at_the_top = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    let at_the_top = at_the_top
        .into_iter()
        .filter(|file| root().join(file).exists());
    for file in at_the_top.map(str::to_owned).chain(documents) {
        shown.extend(blocks(&read(&file)).into_iter().map(|text| Shown {
            text,
            file: file.clone(),
        }));
    }
    shown
}

fn stack<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(squeezed).collect::<Vec<_>>().join("\n")
}

/// The variants of a sample: commented lines replace the line above them.
fn variants(text: &str) -> Vec<String> {
    let mut variants = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let off = |line: &&&str| line.starts_with("#auth ") || line.starts_with("#-auth ");
    let mut at = 0;
    while at < lines.len() {
        let many = lines[at..].iter().take_while(off).count();
        if many > 0 {
            let (before, rest) = lines.split_at(at);
            let mut before: Vec<&str> = before
                .iter()
                .copied()
                .filter(|line| is_auth(line))
                .collect();
            before.pop().expect("a line above the variant");
            let instead = rest[..many].iter().map(|line| &line[1..]);
            let after = rest[many..].iter().copied().filter(|line| is_auth(line));
            variants.push(stack(before.into_iter().chain(instead).chain(after)));
        }
        at += many.max(1);
    }
    variants
}

/// The blocks of consecutive auth lines, in Markdown, mdoc or TOML comments.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for line in text.lines().chain([""]) {
        let bare = line.trim_start_matches(['#', ' ']);
        if is_auth(bare) {
            block.push(bare);
        } else if !block.is_empty() {
            blocks.push(stack(block.drain(..)));
        }
    }
    blocks
}
