//! The settings as a whole: a folder of files that are refused, each with its words, and of files
//! that are accepted, each with what comes of them. The file's name is the case.
#![forbid(unsafe_code)]

mod reach;
mod sample;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{Content, Error, Files, Part, Role, Settings, Source, Unsafe, keys, load};
use crate::phone::Region;

/// Stands in every case as a password, token or other value that must not be repeated.
const MARKER: &str = "DoNotPrintMe123";

const FILE: &str = "/etc/security/sms_otp.toml";

/// Files in memory.
pub(super) struct Memory {
    files: BTreeMap<String, (u32, Vec<u8>)>,
    unprivileged_port_start: Option<u16>,
}

impl Memory {
    /// Some files that settings can name, and the settings.
    pub(super) fn with(settings: &str, mode: u32) -> Self {
        let memory = Self {
            files: BTreeMap::new(),
            unprivileged_port_start: None,
        };
        memory
            .file(FILE, mode, settings.as_bytes())
            .file("/etc/security/sms_otp.token", 0o600, b"DoNotPrintMe123\n")
            .file("/etc/security/sms_otp.ldap", 0o640, b"DoNotPrintMe123")
            .file("/etc/security/sms_otp.redis", 0o600, b"DoNotPrintMe123")
            .file(
                "/etc/security/sms_otp.key",
                0o600,
                b"DoNotPrintMe123/DoNotPrintMe123/\n",
            )
            .file(
                "/etc/security/short.key",
                0o600,
                b"DoNotPrintMe123/DoNotPrintMe123\n",
            )
            .file("/etc/security/readable", 0o644, b"DoNotPrintMe123\n")
            .file("/etc/security/empty", 0o600, b"\n")
            .file("/etc/security/two-lines", 0o600, b"DoNotPrintMe123\nx\n")
            .file("/etc/security/windows", 0o600, b"DoNotPrintMe123\r\n")
            .file(
                "/etc/security/mark",
                0o600,
                b"\xef\xbb\xbfDoNotPrintMe123\n",
            )
            .file("/etc/security/quotes", 0o600, b"\"DoNotPrintMe123\"\n")
            .file(
                "/etc/security/assignment",
                0o600,
                b"TOKEN=DoNotPrintMe123\n",
            )
            .file("/etc/security/blank", 0o600, b"DoNotPrintMe123 \n")
            .file("/etc/security/binary", 0o600, b"DoNotPrintMe123\xff\n")
            .file(
                "/etc/security/sms_otp-ca.pem",
                0o644,
                b"CA\n-----BEGIN CERTIFICATE-----\n",
            )
    }

    fn file(mut self, path: &str, mode: u32, bytes: &[u8]) -> Self {
        self.files.insert(path.into(), (mode, bytes.into()));
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &str, role: Role) -> Result<Content, Unsafe> {
        let at = path.len();
        let refuse = |reason| Unsafe::walk(path, safe_path::Refusal { reason, at });
        let (mode, bytes) = self
            .files
            .get(path)
            .ok_or_else(|| refuse(safe_path::Reason::Syscall(safe_path::Errno(2))))?;
        let stat = safe_path::Stat {
            mode: *mode,
            uid: 0,
            gid: 0,
            size: 0,
        };
        if role == Role::Secret {
            safe_path::check_secret(stat).map_err(refuse)?;
        }
        Ok(Content {
            bytes: bytes.clone().into(),
            stat,
        })
    }

    fn unprivileged_port_start(&self) -> Option<u16> {
        self.unprivileged_port_start
    }
}

/// A file of a folder: its name, what its first lines say, all of it.
struct Case {
    name: String,
    notes: Vec<(String, String)>,
    text: String,
}

impl Case {
    fn all(folder: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cases/settings")
            .join(folder);
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        paths.sort();
        assert!(!paths.is_empty());
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let notes = text
            .lines()
            .map_while(|line| line.strip_prefix("# ")?.split_once(": "))
            .map(|(name, words)| (name.to_owned(), words.to_owned()))
            .collect();
        Self {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            notes,
            text,
        }
    }

    fn notes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.notes.iter().filter(move |(of, _)| of == name);
        named.map(|(_, words)| words.as_str())
    }

    fn note<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.notes(name).next()
    }

    fn load(&self) -> Result<Settings, Error> {
        let mode = self
            .note("mode")
            .map_or(0o600, |mode| u32::from_str_radix(mode, 8).unwrap());
        let argument = self.note("argument").map(|source| match source {
            "ldap" => Source::Ldap,
            "ssh" => Source::Ssh,
            "auto" => Source::Auto,
            "stack" => Source::Stack,
            other => panic!("{other}"),
        });
        let service = self.note("service").unwrap_or("sshd");
        load(&Memory::with(&self.text, mode), FILE, service, argument)
    }

    /// The texts between quotes that are values, however they are quoted.
    fn values(&self) -> BTreeSet<&str> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        let quoted = lines.flat_map(|line| {
            let value = line.split_once('=').map_or(line, |(_, value)| value);
            value.split(['"', '\'']).skip(1).step_by(2)
        });
        quoted.collect()
    }
}

/// What is wrong with a refusal.
fn faults(case: &Case) -> Vec<&'static str> {
    let Err(error) = case.load() else {
        return vec!["is accepted"];
    };
    let said = format!("{error}; {}", error.remedy());
    println!("{}: {said}", case.name);
    // What keys allow is said in our own words, which may be the same as a value; that a file
    // exists is no secret.
    let is_ours = |value: &str| {
        value.starts_with("/etc/security/") || keys().any(|(_, allowed, _)| allowed.contains(value))
    };
    let repeats = |value: &&str| !is_ours(value) && said.contains(value);
    let mut faults = vec![
        (!case.text.contains(MARKER), "holds no marker"),
        (case.note("error").is_none(), "expects nothing"),
        (said.contains(MARKER), "repeats the marker"),
        (case.values().iter().any(repeats), "repeats a value"),
        (!said.starts_with(FILE), "does not name the file"),
        (said.contains('\n'), "takes more than one line"),
        (error.remedy().is_empty(), "has no remedy"),
    ];
    for words in case.notes("error") {
        faults.push((!said.contains(words), "does not say what it should"));
    }
    faults.retain(|(is_one, _)| *is_one);
    faults.into_iter().map(|(_, words)| words).collect()
}

#[test]
fn what_is_refused_says_where_why_and_what_to_do_and_repeats_no_value() {
    let cases = Case::all("bad").into_iter();
    let wrong: Vec<_> = cases
        .map(|case| (faults(&case), case.name))
        .filter(|(faults, _)| !faults.is_empty())
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_accepted_gives_what_it_says() {
    for case in Case::all("good") {
        if case.note("needs") == Some("regions") && Region::named("US").is_none() {
            continue;
        }
        let name = &case.name;
        let settings = case.load().map_err(|error| error.to_string());
        let settings = format!("{:?}", settings.expect(name));
        assert!(!settings.contains(MARKER), "{name}: {settings}");
        assert!(!settings.contains("15005550006"), "{name}: {settings}");
        for words in case.notes("gives") {
            assert!(settings.contains(words), "{name}: {words}: {settings}");
        }
    }
}

#[test]
fn every_key_has_a_case_in_which_it_is_refused() {
    let names: Vec<_> = Case::all("bad").into_iter().map(|case| case.name).collect();
    for (key, allowed, part) in keys() {
        let prefix = format!("{key}--");
        let cases: Vec<_> = names
            .iter()
            .filter(|name| name.starts_with(&prefix))
            .collect();
        assert!(!cases.is_empty(), "{key}");
        assert!(!allowed.is_empty(), "{key}");
        if part == Part::Now {
            assert!(cases.contains(&&format!("{prefix}type.toml")), "{key}");
        }
    }
}

#[test]
fn keys_stand_once_in_the_table() {
    let names: BTreeSet<_> = keys().map(|(key, _, _)| key).collect();
    assert_eq!(names.len(), keys().count());
}

/// What only the file's bytes can say, which a file of text cannot.
#[test]
fn a_file_that_is_not_text() {
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
fn a_loopback_directory_is_on_a_port_of_roots() {
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
    // Where the kernel does not say, or says more, ports below 1024 are root's.
    for start in [None, Some(1024), Some(u16::MAX)] {
        assert!(accepts(389, start) && accepts(1023, start), "{start:?}");
        assert!(!accepts(1024, start) && !accepts(3389, start), "{start:?}");
    }
    assert!(accepts(79, Some(80)));
    assert!(!accepts(80, Some(80)) && !accepts(389, Some(80)));
    assert!(!accepts(1, Some(0)));
}

#[test]
fn a_file_that_is_not_there() {
    let memory = Memory::with("", 0o600);
    let error = load(&memory, "/etc/none\n.toml", "sshd", None).map(|_| ());
    assert_eq!(
        error.unwrap_err().to_string(),
        "/etc/none\\n.toml: below /etc/: No such file or directory (os error 2)"
    );
}

#[test]
fn an_empty_file_says_what_it_lacks() {
    let memory = Memory::with("", 0o644);
    let error = load(&memory, FILE, "sshd", None).map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{FILE}: twilio.twilio_sid: missing; allowed is the account's SID in quotes: AC and \
             32 hexadecimal digits"
        )
    );
}

#[test]
fn secrets_reach_those_who_need_them() {
    let case = Case::all("good")
        .into_iter()
        .find(|case| case.name == "files.toml");
    let settings = case.unwrap().load().unwrap();
    assert_eq!(settings.twilio.auth_secret.reveal(), MARKER);
    assert_eq!(settings.ldap.bind.as_ref().unwrap().1.reveal(), MARKER);
    let bundle = settings.twilio.ca_file.unwrap();
    // One file, named for both, and read once.
    let other = settings.ldap.ca_file.as_ref().unwrap();
    assert!(std::sync::Arc::ptr_eq(&bundle, other));
    assert!(bundle.starts_with(b"CA\n"));
}

#[test]
fn secrets_reach_the_ledger() {
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

/// Whoever is refused for a limit reads it in the log as it stands in the settings.
#[test]
fn a_rule_is_shown_as_it_was_written() {
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

/// Every slip of one letter, at every place: nothing panics, and nothing repeats the token.
#[test]
fn slips_of_the_pen() {
    let case = Case::all("good")
        .into_iter()
        .find(|case| case.name == "service-own.toml");
    let text = case.unwrap().text;
    for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
        let (before, behind) = text.split_at(at);
        let rest = behind.get(1..).unwrap_or_default();
        for slip in [
            "", "\"", "'", "\n", "=", "[", "]", "{", "#", ".", "\\", "\0", "é", "9",
        ] {
            for text in [
                format!("{before}{slip}{rest}"),
                format!("{before}{slip}{behind}"),
            ] {
                let memory = Memory::with(&text, 0o600);
                if let Err(error) = load(&memory, FILE, "sudo", None) {
                    let said = format!("{error} {}", error.remedy());
                    assert!(!said.contains("NotPrint"), "{at}: {slip:?}: {said}");
                    assert!(!said.contains('\n'), "{at}: {slip:?}: {said}");
                }
            }
        }
    }
}
