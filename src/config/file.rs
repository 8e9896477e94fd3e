//! From the file's bytes to a [`Draft`]: TOML, names of keys, single values.
#![forbid(unsafe_code)]

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Error, Fault,
    draft::{Draft, Overlay},
    keys::{self, KEYS, Key, Set},
    values::Why,
};

/// The section of services.
const SERVICE: &str = "service";

/// A value as it stands in the file.
pub(super) struct Given<'i> {
    /// The key's whole name, with `service.X`.
    pub key: String,
    pub line: usize,
    pub value: Spanned<DeValue<'i>>,
}

/// Reads the text of the settings. Of several faults the first is returned.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<Draft, Error> {
    let broken = |line, fault| Error {
        file: file.to_owned(),
        line: Some(line),
        key: String::new(),
        fault,
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        broken(lines(before), Fault::NotUtf8)
    })?;
    let table = DeTable::parse(text).map_err(|error| {
        // Nothing of its text but this one word of it that names no value.
        let twice = error.message() == "duplicate key";
        let (line, column) = place(text, error.span().map_or(text.len(), |span| span.start));
        broken(
            line,
            if twice {
                Fault::Twice { column }
            } else {
                Fault::NotToml { column }
            },
        )
    })?;
    let mut reader = Reader {
        text,
        draft: Draft::default(),
        faults: Vec::new(),
    };
    reader.top(table.into_inner());
    let first = reader.faults.into_iter().min_by_key(|(at, _, _)| *at);
    match first {
        None => Ok(reader.draft),
        Some((at, key, fault)) => Err(Error {
            key,
            ..broken(place(text, at).0, fault)
        }),
    }
}

/// The number of the line that bytes end in.
fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}

/// Line and column of a place.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or(before);
    (
        lines(before.as_bytes()),
        column.chars().count().saturating_add(1),
    )
}

/// One key of a table: its name, where it stands, its value.
type Entry<'i> = (String, usize, Spanned<DeValue<'i>>);

fn entries(table: DeTable<'_>) -> impl Iterator<Item = Entry<'_>> {
    table.into_iter().map(|(name, value)| {
        let at = name.span().start;
        (name.into_inner().into_owned(), at, value)
    })
}

/// Takes the table of a section, whichever way it is written; anything else is none.
fn section(value: Spanned<DeValue<'_>>) -> Option<DeTable<'_>> {
    match value.into_inner() {
        DeValue::Table(table) => Some(table),
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)
        | DeValue::Array(_) => None,
    }
}

struct Reader<'t> {
    text: &'t str,
    draft: Draft,
    /// Where, which key, what.
    faults: Vec<(usize, String, Fault)>,
}

impl Reader<'_> {
    fn blame(&mut self, at: usize, key: impl Into<String>, fault: Fault) {
        self.faults.push((at, key.into(), fault));
    }

    fn top(&mut self, table: DeTable<'_>) {
        for (name, at, value) in entries(table) {
            if name == SERVICE {
                self.services(at, value);
            } else {
                self.member("", None, (name, at, value));
            }
        }
    }

    /// All of `[service]`.
    fn services(&mut self, at: usize, value: Spanned<DeValue<'_>>) {
        let Some(table) = section(value) else {
            return self.blame(at, SERVICE, Fault::NotASection);
        };
        for (name, at, value) in entries(table) {
            let lower = name.to_ascii_lowercase();
            if !is_service(&name) || self.draft.services.contains_key(&lower) {
                self.blame(at, SERVICE, Fault::NotAService);
                continue;
            }
            let prefix = format!("{SERVICE}.{name}.");
            let Some(table) = section(value) else {
                self.blame(at, prefix.trim_end_matches('.'), Fault::NotASection);
                continue;
            };
            let mut overlay = Overlay::default();
            for entry in entries(table) {
                self.member(&prefix, Some(&mut overlay), entry);
            }
            self.draft.services.insert(lower, overlay);
        }
    }

    /// A key at the top of the file or of a service: a section, or `deadline`.
    fn member(&mut self, prefix: &str, mut overlay: Option<&mut Overlay>, entry: Entry<'_>) {
        let (name, at, value) = entry;
        if !keys::is_section(&name) {
            return self.key(prefix, overlay, "", (name, at, value));
        }
        let whole = format!("{prefix}{name}");
        let Some(table) = section(value) else {
            return self.blame(at, whole, Fault::NotASection);
        };
        if overlay.is_none() {
            self.draft
                .sections
                .insert(name.clone(), place(self.text, at).0);
        }
        if table.is_empty() && overlay.is_some() && !keys::is_per_service(&name) {
            // No key of it is there to be blamed.
            return self.blame(at, whole, Fault::NotPerService);
        }
        for entry in entries(table) {
            self.key(prefix, overlay.as_deref_mut(), &name, entry);
        }
    }

    /// A key of a section, or at the top.
    fn key(
        &mut self,
        prefix: &str,
        overlay: Option<&mut Overlay>,
        section: &str,
        entry: Entry<'_>,
    ) {
        let (name, at, value) = entry;
        let dot = if section.is_empty() { "" } else { "." };
        let path = format!("{section}{dot}{name}");
        // A dot in a name (which stands in quotes) makes it another one.
        let known = keys::find(&path).filter(|_| !name.contains('.'));
        let whole = format!("{prefix}{section}{dot}{}", shown(&name));
        let per_service = overlay.is_some();
        let Some(key) = known else {
            let nearest = nearest(prefix, section, &name, per_service);
            return self.blame(at, whole, Fault::Unknown { nearest });
        };
        if per_service && !keys::is_per_service(section) {
            return self.blame(at, whole, Fault::NotPerService);
        }
        let given = Given {
            key: whole.clone(),
            line: place(self.text, at).0,
            value,
        };
        let done = match key.set {
            Set::Later(part) => return self.blame(at, whole, Fault::Later(part)),
            Set::Once(set) => set(&mut self.draft, given),
            Set::Each(set) => set(overlay.unwrap_or(&mut self.draft.common), given),
        };
        if let Err(Why(why)) = done {
            let allowed = key.allowed;
            self.blame(at, whole, Fault::Value { why, allowed });
        }
    }
}

/// Whether PAM may know a service by this name: that of a file in `/etc/pam.d`.
fn is_service(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

/// An unknown key's name as far as it may be repeated: who has pasted his token on the wrong side
/// of the `=` must not find it in the log.
fn shown(name: &str) -> &str {
    let fine = name.len() <= 40
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-');
    if fine && !name.is_empty() {
        name
    } else {
        "(a name that is not repeated)"
    }
}

/// The known key that was probably meant: one of this name in another section, else the one with
/// the most similar name in this section, or the most similar section.
fn nearest(prefix: &str, section: &str, name: &str, per_service: bool) -> Option<String> {
    let known = || {
        KEYS.iter()
            .filter(|key| !per_service || keys::is_per_service(key.section()))
            .filter(|key| matches!(key.set, Set::Once(_) | Set::Each(_)))
    };
    let elsewhere: Vec<_> = known()
        .filter(|key| key.name() == name || key.path == name)
        .map(|key| format!("{prefix}{}", key.path))
        .collect();
    if !elsewhere.is_empty() {
        return Some(elsewhere.join(" or "));
    }
    let sections = known()
        .map(Key::section)
        .chain([SERVICE])
        .filter(|_| section.is_empty());
    let (far, near) = known()
        .filter(|key| key.section() == section)
        .map(|key| (distance(key.name(), name), key.path.to_owned()))
        .chain(sections.map(|other| (distance(other, name), format!("[{other}]"))))
        .min()?;
    // Two slips, but no more than one in four letters.
    let close = far <= 2.min(name.len().div_ceil(4));
    close.then(|| match near.strip_prefix('[') {
        Some(section) => format!("[{prefix}{section}"),
        None => format!("{prefix}{near}"),
    })
}

/// How many letters must be added, removed or changed (Levenshtein) or swapped with their
/// neighbour to make one word of another.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<u8> = other.bytes().take(64).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    let mut previous_letter = None;
    for (row, letter) in one.bytes().enumerate() {
        let mut current = vec![row.saturating_add(1)];
        let mut left_letter = None;
        for (column, theirs) in other.iter().enumerate() {
            let at =
                |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX);
            let next = column.saturating_add(1);
            let changed = at(&last, column).saturating_add(usize::from(letter != *theirs));
            let shifted = at(&last, next).min(at(&current, column)).saturating_add(1);
            let swaps = previous_letter == Some(*theirs) && left_letter == Some(letter);
            let swapped = match column.checked_sub(1) {
                Some(column) if swaps => at(&before_last, column).saturating_add(1),
                _ => usize::MAX,
            };
            current.push(changed.min(shifted).min(swapped));
            left_letter = Some(*theirs);
        }
        previous_letter = Some(letter);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, far) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("timeout", "timeout", 0),
            ("timeuot", "timeout", 1),
            ("timout", "timeout", 1),
            ("timeoutt", "timeout", 1),
            ("tineout", "timeout", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), far, "{one} {other}");
            assert_eq!(distance(other, one), far, "{other} {one}");
        }
    }

    #[test]
    fn the_nearest_key() {
        for (section, name, per_service, found) in [
            ("twilio", "timout", false, Some("twilio.timeout")),
            (
                "",
                "timeout",
                false,
                Some("twilio.timeout or ldap.timeout or ledger.timeout"),
            ),
            ("", "twillio", false, Some("[twilio]")),
            ("", "services", false, Some("[service]")),
            ("", "deadlin", false, Some("deadline")),
            ("ldap", "uri", false, Some("ldap.uris")),
            ("ldap", "digits", false, Some("code.digits")),
            ("ldap", "host", false, None),
            ("code", "x", false, None),
            ("", "ldap.uris", false, Some("ldap.uris")),
            ("code", "digit", true, Some("service.x.code.digits")),
            ("", "cod", true, Some("[service.x.code]")),
            ("code", "uris", true, None),
        ] {
            let prefix = if per_service { "service.x." } else { "" };
            let nearest = nearest(prefix, section, name, per_service);
            assert_eq!(nearest.as_deref(), found, "{section}.{name}");
        }
    }

    #[test]
    fn names_that_may_be_secrets_are_not_repeated() {
        for name in [
            "0123456789abcdef0123456789abcdef",
            "a b",
            "é",
            "\u{1b}",
            "",
            "a.b",
        ] {
            assert_ne!(shown(name), name);
        }
        assert_eq!(shown("api-key_Sid"), "api-key_Sid");
    }
}
