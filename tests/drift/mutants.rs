//! Each line of `tests/cases/mutants/explained.txt` describes a change that cargo-mutants can still make: file,
//! function, and the text that is changed exist.

use super::{read, repository};
use crate::Case;
use lab::Lab;

pub const CASES: &[Case] = &[
    (
        "drift::mutants::explained_mutants_exist",
        explained_mutants_exist,
    ),
    (
        "drift::mutants::descriptions_are_parsed",
        descriptions_are_parsed,
    ),
];

const EXPLAINED: &str = "tests/cases/mutants/explained.txt";

fn explained_mutants_exist(_: &Lab) {
    let list = read(EXPLAINED);
    let lines = list
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut stale = Vec::new();
    for line in lines {
        if let Err(why) = check(line) {
            stale.push(format!("{line}: {why}"));
        }
    }
    assert!(stale.is_empty(), "{EXPLAINED}: {stale:#?}");
}

fn check(line: &str) -> Result<(), String> {
    let (file, description) = line.split_once(": ").ok_or("no file")?;
    if !repository().join(file).is_file() {
        return Err("no such file".into());
    }
    let text = read(file);
    let mutant = Mutant::parse(description).ok_or("not the format of cargo mutants --list")?;
    let body = match mutant.function {
        Some(function) => body(&text, function).ok_or("no such function")?,
        None => &text,
    };
    if !squeeze(body).contains(&squeeze(&mutant.changed)) {
        return Err(format!("no `{}` there", mutant.changed));
    }
    Ok(())
}

/// What a line of `cargo mutants --list` describes.
#[derive(Debug, PartialEq, Eq)]
struct Mutant<'a> {
    /// `name`, `Type::name` or `<impl Trait for Type>::name`. `None`: outside of functions.
    function: Option<&'a str>,
    /// A text that the source contains before the change.
    changed: String,
}

impl<'a> Mutant<'a> {
    fn parse(description: &'a str) -> Option<Self> {
        let (change, function) = match description.rsplit_once(" in ") {
            Some((change, function)) => (change, Some(function)),
            None => (description, None),
        };
        let changed = if let Some(guard) = change.strip_prefix("replace match guard ") {
            let (guard, to) = guard.rsplit_once(" with ")?;
            matches!(to, "true" | "false").then(|| format!("if {guard} =>"))?
        } else if let Some(pattern) = change.strip_prefix("delete match arm ") {
            format!("{pattern} =>")
        } else if let Some(field) = change.strip_prefix("delete field ") {
            field.split_once(" from struct ")?.0.to_owned()
        } else if let Some(operator) = change.strip_prefix("delete ") {
            matches!(operator, "-" | "!").then(|| operator.to_owned())?
        } else {
            let (from, to) = change.strip_prefix("replace ")?.split_once(" with ")?;
            if to.chars().all(|letter| letter.is_ascii_punctuation()) && to != "()" {
                format!(" {from} ")
            } else {
                // The whole function is replaced by a value.
                let function = from.split(" -> ").next()?;
                return Some(Self {
                    function: Some(function),
                    changed: String::new(),
                });
            }
        };
        Some(Self { function, changed })
    }
}

/// Finds the body of a function.
fn body<'a>(text: &'a str, function: &str) -> Option<&'a str> {
    let (of, name) = match function.rsplit_once("::") {
        Some((of, name)) => match of.strip_prefix('<') {
            Some(of) => (of.strip_suffix('>')?, name),
            None => (of, name),
        },
        None => ("", function),
    };
    let scope = if of.is_empty() {
        text
    } else {
        find_impl(text, of)?
    };
    let begins = |at: usize| scope[at..].starts_with(['(', '<']);
    let (at, _) = scope
        .match_indices(&format!("fn {name}"))
        .find(|(at, found)| begins(at + found.len()))?;
    let start = scope[..at].rfind('\n').map_or(0, |at| at + 1);
    Some(block(&scope[start..]))
}

/// Finds the `impl` block of `Type<'_>` or `impl Trait for Type`.
fn find_impl<'a>(text: &'a str, of: &str) -> Option<&'a str> {
    let header = match of.strip_prefix("impl ") {
        Some(of) => format!(" {of}"),
        None => format!("{of}{{"),
    };
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let is_impl = line.starts_with("impl") && squeeze(line).contains(&squeeze(&header));
        // Another block of the same type may have the function.
        if is_impl {
            return Some(&text[at..]);
        }
        at += line.len();
    }
    None
}

/// Returns the lines until the closing brace below the first letter.
fn block(text: &str) -> &str {
    let indent = text.len() - text.trim_start().len();
    let closing = format!("\n{}}}\n", &text[..indent]);
    let end = text
        .find(&closing)
        .map_or(text.len(), |at| at + closing.len());
    &text[..end]
}

/// Removes white space, and names of lifetimes, which cargo-mutants writes as `'_`.
fn squeeze(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    ["'a", "'b", "'s"]
        .iter()
        .fold(text, |text, lifetime| text.replace(lifetime, "'_"))
}

fn descriptions_are_parsed(_: &Lab) {
    let parse = |line| Mutant::parse(line).map(|mutant| (mutant.function, mutant.changed));
    let some = |function: Option<&'static str>, changed: &str| Some((function, changed.to_owned()));
    assert_eq!(
        parse("replace > with >= in A::f"),
        some(Some("A::f"), " > ")
    );
    assert_eq!(parse("replace * with +"), some(None, " * "));
    assert_eq!(
        parse("replace match guard a == b with true in f"),
        some(Some("f"), "if a == b =>")
    );
    assert_eq!(
        parse("delete match arm A | B in f"),
        some(Some("f"), "A | B =>")
    );
    assert_eq!(
        parse("delete field by from struct S expression in f"),
        some(Some("f"), "by")
    );
    assert_eq!(parse("delete - in f"), some(Some("f"), "-"));
    assert_eq!(parse("replace A::f with ()"), some(Some("A::f"), ""));
    assert_eq!(parse("replace f -> bool with true"), some(Some("f"), ""));
    assert_eq!(parse("change f"), None);
    let source = "impl<'a> B<'a> {\n    fn f() {\n        1 > 0;\n    }\n}\n\nimpl T for A<'_> {\n    fn f() {\n        2 < 3;\n    }\n}\n";
    assert!(body(source, "B<'_>::f").expect("B::f").contains('>'));
    assert!(
        body(source, "<impl T for A<'_>>::f")
            .expect("A::f")
            .contains('<')
    );
    assert!(body(source, "C::f").is_none() && body(source, "B<'_>::g").is_none());
}
