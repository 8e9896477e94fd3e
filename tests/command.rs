//! The command and the helper at a prompt: transcripts, one file a case. A file says what was typed,
//! behind `$ `, then what came out, on stdout or, behind `! `, on stderr, and last `exit N`.

use crate::Case;
use lab::bench::Bench;
use std::fs;
use std::path::Path;
use std::process::Command;

pub fn cases() -> Vec<Case> {
    vec![
        ("command::transcripts", transcripts),
        (
            "command::output_that_cannot_be_written",
            output_that_cannot_be_written,
        ),
        (
            "command::the_helper_is_started_by_the_module",
            the_helper_is_started_by_the_module,
        ),
    ]
}

fn transcripts(bench: &Bench) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("the transcripts")
        .flatten()
        .collect();
    files.sort_by_key(fs::DirEntry::file_name);
    assert!(!files.is_empty(), "there are no transcripts");
    for file in files {
        let expected = fs::read_to_string(file.path()).expect("a transcript");
        let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION"));
        let typed = expected
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("$ "));
        let typed = typed.unwrap_or_else(|| panic!("{:?} says not what was typed", file.path()));
        let seen = transcript(bench, typed);
        assert_eq!(seen, expected, "{}", file.path().display());
    }
}

fn transcript(bench: &Bench, typed: &str) -> String {
    let mut words = typed.split(' ');
    let program = match words.next() {
        Some("sms-otp") => bench.product().command(),
        Some("sms-otp-helper") => bench.product().helper(),
        other => panic!("{other:?} is none of ours"),
    };
    // Nobody reads the environment; without one, that is seen.
    let output = Command::new(program)
        .args(words)
        .env_clear()
        .output()
        .expect("it starts");
    let text = |bytes: &[u8], head: &str| -> String {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        text.lines()
            .map(|line| format!("{head}{line}").trim_end().to_owned() + "\n")
            .collect()
    };
    let (out, err) = (text(&output.stdout, ""), text(&output.stderr, "! "));
    let code = output.status.code().expect("an exit code");
    format!("$ {typed}\n{out}{err}exit {code}\n")
}

fn output_that_cannot_be_written(bench: &Bench) {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = Command::new(bench.product().command());
    let status = command
        .arg("--help")
        .stdout(full)
        .status()
        .expect("it starts");
    assert_eq!(status.code(), Some(1));
}

fn the_helper_is_started_by_the_module(bench: &Bench) {
    let seen = transcript(bench, "sms-otp-helper --version");
    assert!(
        seen.contains("pam_sms_otp.so"),
        "it says who starts it: {seen}"
    );
    assert!(seen.ends_with("\nexit 2\n"), "{seen}");
}
