//! The command and the helper on a command line: transcripts, one file for each case. A file contains the
//! command after `$ `, its standard output, its standard error after `! `, and at the end `exit N`.

use crate::Case;
use crate::module::{PASSWORD, Say, Someone, someone, with_ledger};
use lab::Lab;
use lab::machine::User;
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
        ("command::status_and_unlock", status_and_unlock),
        ("command::users_who_are_not_root", users_who_are_not_root),
    ]
}

fn transcripts(lab: &Lab) {
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
        let typed =
            typed.unwrap_or_else(|| panic!("{} says not what was typed", file.path().display()));
        let seen = transcript(lab, typed);
        assert_eq!(seen, expected, "{}", file.path().display());
    }
}

fn transcript(lab: &Lab, typed: &str) -> String {
    let mut words = typed.split(' ');
    let program = match words.next() {
        Some("sms-otp") => lab.product().command(),
        Some("sms-otp-helper") => lab.product().helper(),
        other => panic!("{other:?} is none of ours"),
    };
    // The environment is not read: an empty one changes nothing.
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

fn output_that_cannot_be_written(lab: &Lab) {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("/dev/full");
    let mut command = Command::new(lab.product().command());
    let status = command
        .arg("--help")
        .stdout(full)
        .status()
        .expect("it starts");
    assert_eq!(status.code(), Some(1));
}

fn the_helper_is_started_by_the_module(lab: &Lab) {
    let seen = transcript(lab, "sms-otp-helper --version");
    assert!(
        seen.contains("pam_sms_otp.so"),
        "it says who starts it: {seen}"
    );
    assert!(seen.ends_with("\nexit 2\n"), "{seen}");
}

/// What it shows about a locked user, as text and as JSON, and after `unlock`.
fn status_and_unlock(lab: &Lab) {
    let locked = someone(lab, "status-locked");
    let login = with_ledger(lab, "status", &locked)
        .set("limits.failures", "2")
        .set("limits.sms", "[\"1/1h\", \"20/1d\"]");
    login.run(&[Say::Password, Say::WrongCode, Say::WrongCode], 2);
    let config = login.config();
    let config = config.to_str().expect("a path");
    let run = |words: &[&str]| lab.sms_otp(&[&["--config", config], words].concat());

    let (code, text, error) = run(&["status", "STATUS-locked"]);
    assert_eq!((code, error.as_str()), (0, ""));
    let expected = "STATUS-locked, in this host's ledger\n\
        \x20 wrong codes       2 since the last success\n\
        \x20 lock              for 15 minutes more\n\
        \x20 SMS               1 of 1/1h, the next in 60 minutes\n\
        \x20 SMS               1 of 20/1d\n\
        \x20 numbers known     1\n";
    assert_eq!(text, expected);

    let (code, json, _) = run(&["status", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let ledger = &json["ledgers"][0];
    assert_eq!(code, 0);
    assert_eq!(
        (&ledger["ledger"], &ledger["sms_24h"]),
        (&"local".into(), &1.into()),
        "{json}"
    );
    let suspect = &ledger["wrong_codes"][0];
    assert_eq!(suspect["user"], "status-locked", "{json}");
    assert_eq!(
        (&suspect["failures"], &suspect["locked"]),
        (&2.into(), &true.into()),
        "{json}"
    );

    let (code, text, _) = run(&["unlock", "status-locked"]);
    let expected = "this host's ledger: 2 wrong codes forgiven, a lock of 15 minutes more ended\n";
    assert_eq!((code, text.as_str()), (0, expected));
    let (code, text, _) = run(&["status"]);
    assert_eq!(code, 0);
    assert!(!text.contains("status-locked"), "the name is gone: {text}");

    let (code, _, error) = run(&["unlock", "no-such-user"]);
    assert_eq!(code, 1);
    assert!(error.contains("has no entry for no-such-user"), "{error}");
    let Someone { person, .. } = &locked;
    let (code, text, _) = run(&["unlock", &person.dn().to_uppercase()]);
    assert_eq!(
        (code, text.as_str()),
        (0, "this host's ledger: no wrong codes were counted\n")
    );
    assert!(!text.contains(PASSWORD));
}

fn users_who_are_not_root(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // We are not root, so the settings belong to us.
    }
    let account = lab.machine().add(&User::new("command-bea"));
    let settings = lab.folder("command").join("sms_otp.toml");
    lab.settings().write(&settings);
    for verb in ["status", "unlock alice"] {
        let mut command = Command::new(lab.product().command());
        command.arg("--config").arg(&settings).args(verb.split(' '));
        std::os::unix::process::CommandExt::uid(&mut command, account.uid);
        let output = command.output().expect("it starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(
            error.contains("try it as root (sudo sms-otp ...)"),
            "{error}"
        );
    }
}
