//! Complete settings files: `tests/cases/settings/bad` contains files that are refused, each with texts of its
//! error, and `good` files that are accepted, each with texts of the `Debug` output. The name of the file is
//! the name of the case.
#![forbid(unsafe_code)]

mod cases;
mod reach;
mod sample;

use std::{collections::BTreeSet, path::Path};

use super::{
    Error, Settings, Source, load,
    table::{self, MessagesKeys},
    template::Template,
};
use crate::phone::Region;
use cases::{Case, FILE, MARKER, Memory, shows};

/// Returns what is wrong with a refusal.
fn faults(case: &Case) -> Vec<&'static str> {
    let Err(error) = case.load() else {
        return vec!["is accepted"];
    };
    let text = format!("{error}; {}", error.remedy());
    println!("{}: {text}", case.name);
    // A fixed text may contain the same word as a value; that a file exists is not secret.
    let is_fixed = |value: &str| {
        value.starts_with("/etc/security/")
            || table::rows().any(|row| (row.allowed)().contains(value))
    };
    let repeats = |value: &&str| !is_fixed(value) && text.contains(value);
    let mut faults = vec![
        (!case.text.contains(MARKER), "does not contain the marker"),
        (case.note("error").is_none(), "expects nothing"),
        (text.contains(MARKER), "repeats the marker"),
        (case.values().iter().any(repeats), "repeats a value"),
        (!text.starts_with(FILE), "does not name the file"),
        (text.contains('\n'), "takes more than one line"),
        (error.remedy().is_empty(), "has no remedy"),
    ];
    for expected in case.notes("error") {
        faults.push((
            !text.contains(expected),
            "does not contain an expected text",
        ));
    }
    faults.retain(|(is_one, _)| *is_one);
    faults.into_iter().map(|(_, fault)| fault).collect()
}

#[test]
fn errors_give_place_reason_and_remedy_and_repeat_no_value() {
    let cases = Case::all("bad").into_iter();
    let wrong: Vec<_> = cases
        .map(|case| (faults(&case), case.name))
        .filter(|(faults, _)| !faults.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn valid_settings_are_resolved() {
    let mut wrong = Vec::new();
    for case in Case::all("good") {
        if case.note("needs") == Some("regions") && Region::named("US").is_none() {
            continue;
        }
        let name = &case.name;
        let settings = case.load().map_err(|error| error.to_string());
        let settings = format!("{:?}", settings.expect(name));
        assert!(!settings.contains(MARKER), "{name}: {settings}");
        assert!(!settings.contains("15005550006"), "{name}: {settings}");
        let missing = case.notes("gives").filter(|text| !shows(&settings, text));
        wrong.extend(missing.map(|text| format!("{name}: {text}: {settings}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The least that a settings file must set.
const REQUIRED: &str = "twilio.twilio_sid = \"AC00000000000000000000000000000000\"\n\
    twilio.twilio_token_file = \"/etc/security/sms_otp.token\"\n\
    twilio.from_number = \"+15005550006\"\n\
    ldap.uris = [\"ldaps://ldap1.example.org\"]\n\
    ldap.base = \"ou=people,dc=example,dc=org\"\n";

/// No key accepts any of these, in whichever section it is set.
#[test]
fn every_key_refuses_a_wrong_type() {
    let values = ["1.5", "1979-05-27", "{ x = 1 }", "[\"DoNotPrintMe123\", 1]"];
    for row in table::rows() {
        let required = REQUIRED.lines().filter(|line| !line.contains(row.path));
        let required = required.collect::<Vec<_>>().join("\n");
        let paths = [row.path.to_owned(), format!("service.sshd.{}", row.path)];
        let paths = paths.iter().take(1 + usize::from(row.is_per_service()));
        for (path, value) in paths.flat_map(|path| values.map(|value| (path, value))) {
            let text = format!("{path} = {value}\n{required}");
            let error = load(&Memory::with(&text, 0o600), FILE, "sshd", None);
            let error = error.map(|_| ()).unwrap_err().to_string();
            let allowed = (row.allowed)();
            let expected = format!("{FILE}, line 1: {path}: invalid value; allowed: {allowed}");
            assert_eq!(error, expected, "{path} = {value}");
            assert!(!allowed.is_empty());
        }
    }
}

#[test]
fn every_key_is_once_in_the_table() {
    let paths: BTreeSet<_> = table::rows().map(|row| row.path).collect();
    assert_eq!(paths.len(), table::rows().count());
    assert!(paths.len() > 70, "{}", paths.len());
}

/// The defaults of texts obey the rules for texts, and each is filled.
#[test]
fn default_texts_are_filled() {
    use super::{Placeholder, guesses_made, human_duration, tries_left};
    let texts = MessagesKeys::default().build(Template::last_grace());
    let texts = texts.unwrap();
    let left = tries_left(2);
    assert_eq!(
        texts.wrong.fill(&[(Placeholder::Left, &left)]),
        "Wrong code, 2 tries left."
    );
    let left = guesses_made(1);
    assert_eq!(
        texts.guesses.fill(&[(Placeholder::Left, &left)]),
        "1 wrong code was entered since your last login."
    );
    let wait = human_duration(std::time::Duration::from_secs(25));
    assert_eq!(
        texts.wait.fill(&[(Placeholder::Wait, &wait)]),
        "Another SMS in 25 s."
    );
    let wait = human_duration(std::time::Duration::from_secs(12 * 60));
    assert_eq!(
        texts
            .later
            .fill(&[(Placeholder::Login, "7f3a9c21"), (Placeholder::Wait, &wait)]),
        "Too many codes. Try again in 12 minutes. (login 7f3a9c21)"
    );
    assert_eq!(
        texts.sms.fill(&[
            (Placeholder::Code, "012345"),
            (Placeholder::Host, "web1"),
            (Placeholder::Minutes, "5")
        ]),
        "012345 is your login code for web1. It expires in 5 minutes. \
         Not you? Change your password."
    );
}

/// A case is a text file, so this one cannot be a case.
#[test]
fn a_file_that_is_not_utf8() {
    let mut memory = Memory::with("", 0o600);
    memory = memory.file(
        FILE,
        0o600,
        b"[twilio]\ntwilio_token = \"DoNotPrintMe123\xff\"\n",
    );
    let error = load(&memory, FILE, "sshd", None).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("{FILE}, line 2: not UTF-8"));
}

#[test]
fn an_unencrypted_loopback_port_must_be_privileged() {
    let accepts = |port: u16, start| {
        let case = Case::read(Path::new("tests/cases/settings/good/loopback.toml"));
        let uris = format!("uris = [\"ldap://127.0.0.1:{port}\"]");
        let is_uris = |line: &str| line.starts_with("uris");
        let line = |line| if is_uris(line) { uris.as_str() } else { line };
        let text = case.text.lines().map(line);
        let mut memory = Memory::with(&text.collect::<Vec<_>>().join("\n"), 0o600);
        memory.unprivileged_port_start = start;
        load(&memory, FILE, "sshd", None).is_ok()
    };
    // If the kernel's setting is unknown or higher, ports below 1024 are reserved for root.
    for start in [None, Some(1024), Some(u16::MAX)] {
        assert!(accepts(389, start) && accepts(1023, start), "{start:?}");
        assert!(!accepts(1024, start) && !accepts(3389, start), "{start:?}");
    }
    assert!(accepts(79, Some(80)));
    assert!(!accepts(80, Some(80)) && !accepts(389, Some(80)));
    assert!(!accepts(1, Some(0)));
}

#[test]
fn a_missing_file() {
    let memory = Memory::with("", 0o600);
    let error = load(&memory, "/etc/none\n.toml", "sshd", None).map(|_| ());
    assert_eq!(
        error.unwrap_err().to_string(),
        "/etc/none\\n.toml: below /etc/: No such file or directory (os error 2)"
    );
}

#[test]
fn an_empty_file_lacks_required_keys() {
    let memory = Memory::with("", 0o644);
    let error = load(&memory, FILE, "sshd", None).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{FILE}: twilio.twilio_sid: required but not set; allowed: a SID in quotes: AC and 32 \
             hexadecimal digits"
        )
    );
}

#[test]
fn secrets_are_read_from_files() {
    let case = Case::all("good")
        .into_iter()
        .find(|case| case.name == "files.toml");
    let settings = case.unwrap().load().unwrap();
    assert_eq!(settings.twilio.auth_secret.reveal(), MARKER);
    assert_eq!(settings.ldap.bind.as_ref().unwrap().1.reveal(), MARKER);
    let bundle = settings.twilio.ca_file.unwrap();
    // The same file is read once.
    let other = settings.ldap.ca_file.as_ref().unwrap();
    assert!(std::sync::Arc::ptr_eq(&bundle, other));
    assert!(bundle.starts_with(b"CA\n"));
}

#[test]
fn secrets_of_redis_are_read_from_files() {
    let case = Case::all("good")
        .into_iter()
        .find(|case| case.name == "ledger-highest.toml");
    let redis = case.unwrap().load().unwrap().ledger.redis.unwrap();
    let (user, password) = redis.login.unwrap();
    assert_eq!(
        (user.as_deref(), password.reveal()),
        (Some("writer"), MARKER)
    );
    assert_eq!(redis.key.reveal(), "DoNotPrintMe123/DoNotPrintMe123/");
    assert!(redis.ca_file.unwrap().starts_with(b"CA\n"));
}

/// The log shows a limit as it is in the settings.
#[test]
fn a_rule_is_formatted_as_in_the_settings() {
    for (most, seconds, shown) in [
        (5, 900, "5/15m"),
        (20, 86400, "20/1d"),
        (500, 86400, "500/1d"),
        (1, 1, "1/1s"),
        (3, 90, "3/90s"),
        (7, 7200, "7/2h"),
        (7, 5400, "7/90m"),
        (9, 2_592_000, "9/30d"),
    ] {
        let within = std::time::Duration::from_secs(seconds);
        assert_eq!(super::Rule { most, within }.to_string(), shown);
    }
}

/// Each change of one character, at each place: nothing panics, and no error repeats the token.
#[test]
fn typing_errors() {
    let case = Case::all("good")
        .into_iter()
        .find(|case| case.name == "service-own.toml");
    let text = case.unwrap().text;
    for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
        let (before, after) = text.split_at(at);
        let rest = after.get(1..).unwrap_or_default();
        for typed in [
            "", "\"", "'", "\n", "=", "[", "]", "{", "#", ".", "\\", "\0", "é", "9",
        ] {
            for text in [
                format!("{before}{typed}{rest}"),
                format!("{before}{typed}{after}"),
            ] {
                let memory = Memory::with(&text, 0o600);
                if let Err(error) = load(&memory, FILE, "sudo", None) {
                    let text = format!("{error} {}", error.remedy());
                    assert!(!text.contains("NotPrint"), "{at}: {typed:?}: {text}");
                    assert!(!text.contains('\n'), "{at}: {typed:?}: {text}");
                }
            }
        }
    }
}
