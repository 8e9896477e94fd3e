//! Keys, arguments, reasons and texts: code, manual pages, sample settings and README say the same.

use super::read;
use crate::Case;
use lab::bench::Bench;
use sms_otp::config::{Part, keys};
use std::collections::BTreeSet;

pub const CASES: &[Case] = &[
    (
        "drift::words::every_key_is_in_the_manual",
        every_key_is_in_the_manual,
    ),
    (
        "drift::words::every_key_is_in_the_sample",
        every_key_is_in_the_sample,
    ),
    (
        "drift::words::timeouts_describe_their_own_server",
        timeouts_describe_their_own_server,
    ),
    ("drift::words::arguments", arguments),
    ("drift::words::reasons_and_stages", reasons_and_stages),
    ("drift::words::texts", texts),
    ("drift::words::sample_stacks", sample_stacks),
];

type Words = BTreeSet<String>;

/// The keys that work.
fn now() -> Words {
    keys()
        .filter(|(_, _, part)| *part == Part::Now)
        .map(|(path, _, _)| path.to_owned())
        .collect()
}

fn every_key_is_in_the_manual(_: &Bench) {
    let manual = read("man/sms_otp.toml.5");
    let named = manual
        .lines()
        .filter_map(|line| line.strip_prefix(".It Ic "));
    let named: Words = named.map(str::to_owned).collect();
    assert_eq!(named, now());
}

/// Whether it counts or is commented out.
fn every_key_is_in_the_sample(_: &Bench) {
    let (mut section, mut named) = (String::new(), Words::new());
    for line in read("conf/sms_otp.toml").lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            name.clone_into(&mut section);
        }
        let line = line.trim_start_matches("# ");
        let Some((key, _)) = line.split_once(" = ") else {
            continue;
        };
        if !key
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c == b'_' || c == b'.')
        {
            continue;
        }
        if section.is_empty() || section.starts_with("service.") {
            named.insert(key.to_owned());
        } else if !key.contains('.') {
            named.insert(format!("{section}.{key}"));
        }
    }
    assert_eq!(named, now());
}

/// The text of a key in the manual, without markup.
fn text_of(key: &str) -> String {
    let manual = read("man/sms_otp.toml.5");
    let item = format!(".It Ic {key}\n");
    let (_, rest) = manual.split_once(&item).expect(key);
    let end = rest.find("\n.It Ic ").unwrap_or(rest.len());
    rest[..end].replace('\n', " ")
}

/// One of the three once had the text of another.
fn timeouts_describe_their_own_server(_: &Bench) {
    let words = [
        ("twilio.timeout", "Twilio"),
        ("ldap.timeout", "one server"),
        ("ledger.timeout", "Sentinels"),
    ];
    for (key, own) in words {
        let text = text_of(key);
        for (other, word) in words {
            assert_eq!(text.contains(word), other == key, "{key}: {text}");
        }
        assert!(
            text.contains(own) && text.contains("lookup"),
            "{key}: {text}"
        );
    }
    assert!(!text_of("ldap.timeout").contains("ledger"));
    assert!(text_of("ledger.timeout").contains("share"));
}

/// What stands in quotes behind each of these openings in the code.
fn quoted(code: &str, opening: &str) -> Words {
    code.match_indices(opening)
        .filter_map(|(at, _)| code[at + opening.len()..].split('"').next())
        .map(str::to_owned)
        .collect()
}

fn arguments(_: &Bench) {
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

fn reasons_and_stages(_: &Bench) {
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

/// The texts' defaults stand in code, manual page and sample.
fn texts(_: &Bench) {
    let sample = read("conf/sms_otp.toml");
    let sample = sample.split("\n[messages]\n").nth(1).expect("[messages]");
    let manual = read("man/sms_otp.toml.5")
        .replace("\\(dq", "\"")
        .replace("\\&", "");
    let code = read("src/config/messages.rs");
    // A long text goes on in the next line.
    let broken = code.split("\\\n").map(str::trim_start);
    let code = broken.collect::<String>();
    for key in now() {
        let Some(name) = key.strip_prefix("messages.") else {
            continue;
        };
        let line = format!("# {name} = ");
        let text = sample.lines().find_map(|sample| sample.strip_prefix(&line));
        let text = text.unwrap_or_else(|| panic!("the sample lacks {name}"));
        let item = manual.split(&format!(".It Ic {key}\n")).nth(1);
        let item = item.and_then(|item| item.split(".It ").next());
        let item = item.unwrap_or_else(|| panic!("the manual lacks {key}"));
        assert!(
            item.contains(text),
            "the manual says of {name}:{item}and the sample {text}"
        );
        // It is made of the number of digits.
        if name != "not_a_code" {
            assert!(code.contains(text), "the code does not say {text}");
        }
    }
}

/// The stacks of README and manual are those of `pam.d`.
fn sample_stacks(_: &Bench) {
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
