//! The cases of `tests/cases/settings`, and the files that settings can name.
#![forbid(unsafe_code)]

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::config::{Content, Error, Files, Role, Settings, Source, Unsafe, load};

/// Part of a password, token or other value in each case that must not be repeated.
pub const MARKER: &str = "DoNotPrintMe123";

pub const FILE: &str = "/etc/security/sms_otp.toml";

/// Files in memory.
pub struct Memory {
    files: BTreeMap<String, (u32, Vec<u8>)>,
    pub unprivileged_port_start: Option<u16>,
}

impl Memory {
    /// Contains the settings, and files that settings can name.
    pub fn with(settings: &str, mode: u32) -> Self {
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

    pub fn file(mut self, path: &str, mode: u32, bytes: &[u8]) -> Self {
        self.files.insert(path.into(), (mode, bytes.into()));
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &str, role: Role) -> Result<Content, Unsafe> {
        let at = path.len();
        let refuse = |reason| Unsafe::path(path, safe_path::Refusal { reason, at });
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

/// A file: its name, the comments in its first lines, its text.
pub struct Case {
    pub name: String,
    notes: Vec<(String, String)>,
    pub text: String,
}

impl Case {
    pub fn all(folder: &str) -> Vec<Self> {
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

    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let notes = text
            .lines()
            .map_while(|line| line.strip_prefix("# ")?.split_once(": "))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect();
        Self {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            notes,
            text,
        }
    }

    pub fn notes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.notes.iter().filter(move |(of, _)| of == name);
        named.map(|(_, text)| text.as_str())
    }

    pub fn note<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.notes(name).next()
    }

    pub fn load(&self) -> Result<Settings, Error> {
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

    /// Returns the values in quotes of any kind.
    pub fn values(&self) -> BTreeSet<&str> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        let quoted = lines.flat_map(|line| {
            let value = line.split_once('=').map_or(line, |(_, value)| value);
            value.split(['"', '\'']).skip(1).step_by(2)
        });
        quoted.collect()
    }
}

/// A struct in the text of `Debug`: its name and its fields.
#[derive(Default)]
struct Shown {
    name: String,
    fields: Vec<String>,
    /// Open brackets within the last field.
    depth: usize,
}

/// Parses the structs in the text of `Debug`, the inner ones first.
fn structs(text: &str) -> Vec<Shown> {
    let (mut found, mut open): (Vec<Shown>, Vec<Shown>) = (Vec::new(), Vec::new());
    let (mut word, mut is_text, mut is_escaped) = (String::new(), false, false);
    for character in text.chars() {
        is_text ^= character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        if !is_text && character == '}' {
            found.extend(open.pop());
        }
        let is_separator = |one: &Shown| !is_text && character == ',' && one.depth == 0;
        let innermost = open.len().saturating_sub(1);
        for (at, one) in open.iter_mut().enumerate() {
            if at == innermost && is_separator(one) {
                one.fields.push(String::new());
            } else {
                one.push(character);
            }
        }
        if let Some(last) = open.last_mut().filter(|_| !is_text) {
            last.depth += usize::from(matches!(character, '[' | '('));
            last.depth -= usize::from(matches!(character, ']' | ')'));
        }
        if !is_text && character == '{' {
            let name = std::mem::take(&mut word);
            open.push(Shown {
                name,
                fields: vec![String::new()],
                depth: 0,
            });
        } else if character.is_alphanumeric() {
            word.push(character);
        } else if character != ' ' {
            word.clear();
        }
    }
    found
}

impl Shown {
    fn push(&mut self, character: char) {
        if let Some(field) = self.fields.last_mut() {
            field.push(character);
        }
    }

    fn has(&self, other: &Self) -> bool {
        let is_field = |field: &str| self.fields.iter().any(|own| own.trim() == field.trim());
        (other.name.is_empty() || other.name == self.name)
            && other.fields.iter().all(|field| is_field(field))
    }
}

/// Whether the text of `Debug` contains some text, or a struct with some fields, which may have others.
pub fn shows(text: &str, expected: &str) -> bool {
    let is_struct = expected.ends_with('}') && expected.starts_with(char::is_uppercase);
    let expected_struct = if is_struct {
        structs(expected).pop()
    } else {
        structs(&format!("{{ {expected} }}")).pop()
    };
    text.contains(expected)
        || expected_struct
            .is_some_and(|expected| structs(text).iter().any(|one| one.has(&expected)))
}

#[test]
fn fields_are_found_in_their_struct() {
    let text = "A { b: B { c: \"{x}, \\\"\", d: [(1, 2), (3, 4)], e: 5 }, f: C { g: 6 }, c: 7 }";
    for expected in [
        "B { c: \"{x}, \\\"\", e: 5 }",
        "e: 5, d: [(1, 2), (3, 4)]",
        "c: 7, f: C { g: 6 }",
        "A { c: 7 }",
        "[(1, 2)",
    ] {
        assert!(shows(text, expected), "{expected}");
    }
    for expected in ["A { e: 5 }", "e: 5, c: 7", "B { e: 6 }", "d: [(1, 3)"] {
        assert!(!shows(text, expected), "{expected}");
    }
}
