//! Arguments, reasons and stacks are the same in code, manual pages and README. Settings and texts are generated
//! from one table (`src/config/reference.rs`).

use super::read;
use crate::Case;
use lab::Lab;
use std::collections::BTreeSet;

pub const CASES: &[Case] = &[
    ("drift::words::arguments", arguments),
    ("drift::words::reasons_and_stages", reasons_and_stages),
    ("drift::words::sample_stacks", sample_stacks),
];

type Words = BTreeSet<String>;

/// Returns the texts in quotes after each of these openings in the code.
fn quoted(code: &str, opening: &str) -> Words {
    code.match_indices(opening)
        .filter_map(|(at, _)| code[at + opening.len()..].split('"').next())
        .map(str::to_owned)
        .collect()
}

fn arguments(_: &Lab) {
    let code = read("module/src/arguments.rs");
    let mut taken: Words = quoted(&code, "b\"");
    let sources: Words = ["ldap", "ssh", "auto", "stack"]
        .iter()
        .map(|source| format!("password={source}"))
        .collect();
    assert!(sources.is_subset(&taken), "{taken:?}");
    taken.retain(|argument| !argument.starts_with("password="));
    taken.insert("password=".to_owned());

    let manual = read("man/pam_sms_otp.8");
    let options = manual.split(".Sh OPTIONS").nth(1).expect("OPTIONS");
    let options = options.split(".Sh ").next().expect("OPTIONS");
    let named = options
        .lines()
        .filter_map(|line| line.strip_prefix(".It Cm "));
    let named: Vec<String> = named
        .map(|line| {
            line.replace(" Ns = Ns Ar path", "=")
                .replace(" Ns = Ns Ar source", "=")
        })
        .collect();
    let is_source = |word: &String| sources.contains(&format!("password={word}"));
    let manual_sources: Words = named
        .iter()
        .filter(|word| is_source(word))
        .map(|word| format!("password={word}"))
        .collect();
    assert_eq!(manual_sources, sources);
    let named: Words = named.into_iter().filter(|word| !is_source(word)).collect();
    assert_eq!(named, taken);
    let synopsis = manual.split(".Sh DESCRIPTION").next().expect("SYNOPSIS");
    let readme = read("README.md");
    for argument in &taken {
        let word = argument.trim_end_matches('=');
        assert!(
            synopsis.contains(&format!(".Op Cm {word}")),
            "SYNOPSIS lacks {word}"
        );
    }
    for argument in sources {
        assert!(readme.contains(&argument), "README lacks {argument}");
    }
}

/// What `function` can return, in the `impl` of this type.
fn answers(of: &str, function: &str) -> Words {
    let file = match of {
        "Denied" => "src/verdict.rs",
        _ => "src/failure.rs",
    };
    let code = read(file);
    let body = code
        .split(&format!("impl {of} {{"))
        .nth(1)
        .expect("an impl");
    let body = body.split("\n}\n").next().expect("an impl");
    let body = body
        .split(&format!("fn {function}("))
        .nth(1)
        .expect("a function");
    let body = body.split("\n    }\n").next().expect("a function");
    quoted(body, "=> \"")
}

fn reasons_and_stages(_: &Lab) {
    let mut reasons = answers("Denied", "reason");
    reasons.extend(answers("FailureKind", "reason"));
    assert!(reasons.len() > 15, "{reasons:?}");

    let manual = read("man/pam_sms_otp.8");
    let codes = manual.split(".Sh PAM CODES").nth(1).expect("PAM CODES");
    let codes = codes.split(".Sh ").next().expect("PAM CODES");
    let named: Words = codes
        .lines()
        .filter_map(|line| line.strip_prefix(".Li "))
        .flat_map(|line| line.split([' ', ',', '.', ':']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, reasons);

    let section = manual.split(".Sh REASONS").nth(1).expect("REASONS");
    let section = section.split(".Sh ").next().expect("REASONS");
    let items = section
        .lines()
        .filter_map(|line| line.strip_prefix(".It Li "));
    let named: Words = items
        .flat_map(|item| item.split([' ', ',']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(named, reasons);

    let stages = answers("Stage", "name");
    let line = manual
        .lines()
        .find(|line| line.contains("settings , policy"));
    let line = line
        .expect("the stages in the manual")
        .trim_start_matches(".Li ");
    let named = line.split([' ', ',', '.']).filter(|word| !word.is_empty());
    assert_eq!(named.map(str::to_owned).collect::<Words>(), stages);
}

/// The stacks in README and manual are those of `pam.d`.
fn sample_stacks(_: &Lab) {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines = Words::new();
    for entry in std::fs::read_dir(super::repository().join("pam.d")).expect("pam.d") {
        let text = std::fs::read_to_string(entry.expect("pam.d").path()).expect("a stack");
        let auth = text.lines().map(|line| line.trim_start_matches('#'));
        lines.extend(auth.filter(|line| line.starts_with("auth ")).map(squeeze));
    }
    for document in ["README.md", "man/pam_sms_otp.8"] {
        let text = read(document);
        let shown = text.lines().filter(|line| line.starts_with("auth "));
        for line in shown.map(squeeze) {
            assert!(
                lines.contains(&line),
                "{document} shows a line that no sample has: {line}"
            );
        }
    }
}
