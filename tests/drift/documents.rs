//! Tests, files and headings that documents name exist.

use super::{read, repository, sources};
use crate::Case;
use crate::module::{Login, Say, someone};
use lab::Lab;
use lab::scratch::write;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

pub const CASES: &[Case] = &[
    ("drift::documents::named_tests_exist", named_tests_exist),
    ("drift::documents::named_files_exist", named_files_exist),
    (
        "drift::documents::links_lead_to_existing_headings",
        links_lead_to_existing_headings,
    ),
    (
        "drift::documents::the_fail2ban_filter_matches_refusals_only",
        the_fail2ban_filter_matches_refusals_only,
    ),
];

/// Returns the path and the text of each document.
fn documents() -> Vec<(String, String)> {
    let docs = std::fs::read_dir(repository().join("docs")).expect("docs");
    let docs = docs.flatten().map(|entry| entry.file_name());
    let mut paths: Vec<String> = docs
        .filter_map(|name| Some(format!("docs/{}", name.to_str()?)))
        .filter(|path| Path::new(path).extension().is_some_and(|e| e == "md"))
        .collect();
    paths.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned));
    paths.sort();
    let text = |path: String| {
        let text = read(&path);
        (path, text)
    };
    paths.into_iter().map(text).collect()
}

/// Returns the texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether this has the form of a test's name: `module::tests::name`.
fn is_test_name(word: &str) -> bool {
    let plain = |part: &str| {
        let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        !part.is_empty() && part.bytes().all(letter)
    };
    word.contains("::") && word.split("::").all(plain)
}

fn named_tests_exist(_: &Lab) {
    let known: BTreeSet<String> = units().into_iter().chain(real_runs()).collect();
    // The name of a file stands for all its tests.
    let is_known = |word: &str| {
        let file = format!("{word}::");
        known.contains(word) || known.iter().any(|test| test.starts_with(&file))
    };
    let mut named = 0;
    for (path, text) in documents() {
        for word in quoted(&text).filter(|word| is_test_name(word)) {
            assert!(is_known(word), "{path} names {word}, which is not a test");
            named += 1;
        }
    }
    assert!(named > 100, "only {named} tests are named");
}

/// Returns the names of the cases in `tests`.
fn real_runs() -> Vec<String> {
    let mut names = Vec::new();
    for (_, text) in sources("tests") {
        names.extend(
            text.split('"')
                .filter(|word| is_test_name(word))
                .map(str::to_owned),
        );
    }
    names
}

/// Returns the names of unit tests as `cargo test` lists them. Those of other packages begin with the package's
/// name.
fn units() -> Vec<String> {
    let mut names = Vec::new();
    for (folder, package) in [
        ("src/", ""),
        ("protocol/src/", "protocol"),
        ("safe-path/src/", "safe_path"),
    ] {
        for (path, text) in sources(folder.trim_end_matches('/')) {
            let module = path.trim_start_matches(folder).trim_end_matches(".rs");
            let mut module: Vec<&str> = module.split('/').filter(|part| *part != "lib").collect();
            if !package.is_empty() {
                module.insert(0, package);
            }
            let mut is_next = false;
            for line in text.lines().map(str::trim) {
                match line {
                    "mod tests {" => module.push("tests"),
                    "#[test]" => is_next = true,
                    _ => {}
                }
                let name = line
                    .strip_prefix("fn ")
                    .and_then(|rest| rest.split('(').next());
                if let (true, Some(name)) = (is_next, name) {
                    names.push(format!("{}::{name}", module.join("::")));
                    is_next = false;
                }
            }
        }
    }
    names
}

fn named_files_exist(_: &Lab) {
    let folders = [
        "src/",
        "module/",
        "protocol/",
        "safe-path/",
        "tests/",
        "pam.d/",
        "conf/",
        "docs/",
    ];
    for (path, text) in documents() {
        let ours = |word: &&str| folders.iter().any(|folder| word.starts_with(folder));
        for word in quoted(&text).filter(ours) {
            // A pattern, or a command.
            if word.contains(['*', '<', ' ', '…', '{']) {
                continue;
            }
            let found = repository().join(word).exists();
            assert!(found, "{path} names {word}, which is not a file");
        }
    }
}

fn links_lead_to_existing_headings(_: &Lab) {
    for (path, text) in documents() {
        for link in text.split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            if target.contains("://") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&path).parent().expect("a folder");
            let file = match file {
                "" => path.clone(),
                file => folder.join(file).to_str().expect("ASCII").to_owned(),
            };
            assert!(
                repository().join(&file).exists(),
                "{path} links to {target}, and there is no {file}"
            );
            let is_there = heading.is_empty() || headings(&read(&file)).contains(heading);
            assert!(
                is_there,
                "{path} links to {target}, and there is no such heading"
            );
        }
    }
}

/// Returns the headings of a document as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            heading
                .chars()
                .filter(kept)
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// Uses lines without a date, as fail2ban does.
fn the_fail2ban_filter_matches_refusals_only(lab: &Lab) {
    let page = read("docs/logging.md");
    let filter = page
        .lines()
        .find_map(|line| line.strip_prefix("failregex = "));
    let filter = filter
        .expect("a filter")
        .replace("<HOST>", "(?:[0-9a-f.:]+)");
    let login = |user: &str| Login::new(lab, "fail2ban").user(user).rhost("192.0.2.7");
    let file = login("").folder.join("line");
    let counts = |line: &str| {
        write(&file, 0o600, line);
        let mut grep = Command::new("grep");
        let grep = grep.args(["-qP", &filter]).arg(&file).status();
        grep.expect("grep").success()
    };
    if lab.machine_error().is_some() {
        return; // The log of the real machine must not be read.
    }
    login("unknown-name").run(&[Say::Text("x")], 1);
    // A name that is quoted in the log.
    let _user = someone(lab, "fail2ban-ida");
    login("EXAMPLE\\fail2ban-ida")
        .set("ldap.strip_domains", "[\"EXAMPLE\"]")
        .run(&[Say::Text("x")], 1);
    let lines = lab
        .machine()
        .log()
        .lines_with(&["pam_sms_otp(fail2ban:auth): "]);
    assert!(lines.len() == 2 && lines[1].raw.contains("user=\"EXAMPLE\\\\fail2ban-ida\""));
    for line in &lines {
        let (_, ours) = line.raw.split_once("]: ").expect("a line of ours");
        let ours = format!(" host sshd-session[4711]: {ours}");
        assert!(counts(&ours), "{ours}");
    }
    let (_, ours) = lines[1].raw.split_once("]: ").expect("a line of ours");
    for said in [
        "error: kex_exchange_identification: client sent invalid protocol identifier \"%\"",
        "Received disconnect from 192.0.2.8 port 7: 11: % [preauth]",
        "Invalid user % from 192.0.2.8 port 7",
    ] {
        let line = said.replace('%', ours);
        assert!(!counts(&format!(" host sshd[4711]: {line}")), "{line}");
    }
}
