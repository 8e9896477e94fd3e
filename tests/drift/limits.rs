//! Files have at most 400 lines, functions at most 60.

use super::sources;
use crate::Case;
use lab::Lab;

pub const CASES: &[Case] = &[
    ("drift::limits::files_are_short", files_are_short),
    ("drift::limits::functions_are_short", functions_are_short),
    (
        "drift::limits::functions_are_measured",
        functions_are_measured,
    ),
];

const MAX_FILE: usize = 400;
const MAX_FUNCTION: usize = 60;

/// How many files and functions of tests are still longer. These numbers may only shrink. The product has none.
const LONG_TEST_FILES: usize = 2;
const LONG_TEST_FUNCTIONS: usize = 34;

const FOLDERS: &[&str] = &[
    "src",
    "module",
    "protocol",
    "safe-path",
    "tests",
    "benches",
    "fuzz",
];

/// Every Rust file, and its text.
fn files() -> impl Iterator<Item = (String, String)> {
    FOLDERS.iter().flat_map(|folder| sources(folder))
}

fn files_are_short(_: &Lab) {
    let long = files()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > MAX_FILE);
    check(long.collect(), LONG_TEST_FILES);
}

fn functions_are_short(_: &Lab) {
    let functions = files().flat_map(|(path, text)| {
        let functions = functions(&text).into_iter();
        let named = functions.map(|(name, lines)| (format!("{path}: {name}"), lines));
        named.collect::<Vec<_>>()
    });
    let long = functions.filter(|(_, lines)| *lines > MAX_FUNCTION);
    check(long.collect(), LONG_TEST_FUNCTIONS);
}

/// Checks that only tests exceed a limit, and not more of them than this.
fn check(long: Vec<(String, usize)>, max_tests: usize) {
    let is_test = |(name, _): &(String, usize)| {
        let test_folders = ["tests", "properties"];
        test_folders.iter().any(|folder| name.contains(folder))
    };
    let (tests, product): (Vec<_>, Vec<_>) = long.into_iter().partition(is_test);
    assert!(product.is_empty(), "too long: {product:#?}");
    assert!(tests.len() <= max_tests, "too long: {tests:#?}");
}

/// Returns each function with its number of lines, from `fn` to the closing brace, which rustfmt puts below
/// the first letter of the signature.
fn functions(text: &str) -> Vec<(&str, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else {
            continue;
        };
        let rest = &lines[at..];
        let signature = rest
            .iter()
            .position(|line| line.ends_with(['{', ';', '}']))
            .unwrap_or_default();
        let mut length = signature + 1;
        if rest[signature].ends_with('{') {
            let indent = &line[..line.len() - line.trim_start().len()];
            let closing = format!("{indent}}}");
            let end = rest.iter().position(|line| *line == closing);
            length = end.map_or(length, |end| end + 1);
        }
        found.push((name, length));
    }
    found
}

/// The name of the function that begins on this line.
fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let is_word = |word: &str| {
        matches!(
            word,
            "pub" | "const" | "async" | "unsafe" | "extern" | "\"C\""
        ) || word.starts_with("pub(")
            || word.ends_with(')') && before.contains("pub(in ")
    };
    if !before.split_whitespace().all(is_word) {
        return None;
    }
    let end = after.find(['(', '<'])?;
    Some(&after[..end])
}

fn functions_are_measured(_: &Lab) {
    let text = "\
impl A {
    pub(crate) const fn one(&self) -> u8 {
        if x {
            1
        }
    }

    fn two(
        a: u8,
    ) -> u8 {
        a
    }

    fn three() {}
}

trait B {
    fn four(&self);
    fn five(
        &self,
    );
}
// the fn (word) in a comment
";
    let expected = [
        ("one", 5),
        ("two", 5),
        ("three", 1),
        ("four", 1),
        ("five", 3),
    ];
    assert_eq!(functions(text), expected);
}
