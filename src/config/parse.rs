//! Parses the settings file: TOML, names of keys, single values.
#![forbid(unsafe_code)]

mod nearest;

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    Error, Fault,
    table::{self, File, Given, PerService, Scope},
    value_types::Invalid,
};
use nearest::nearest;

/// The section of services.
const SERVICE: &str = "service";

/// Parses the text of the settings. Of several faults, the first in the file is returned.
pub(super) fn parse(file: &str, bytes: &[u8]) -> Result<File, Error> {
    let error = |line, fault| Error {
        file: file.to_owned(),
        line: Some(line),
        key: String::new(),
        fault,
    };
    let text = std::str::from_utf8(bytes).map_err(|invalid| {
        let before = bytes.get(..invalid.valid_up_to()).unwrap_or_default();
        error(line_of(before), Fault::NotUtf8)
    })?;
    let document = DeTable::parse(text).map_err(|invalid| {
        // Only this fixed text of the message is used: any other text may quote a value.
        let is_duplicate = invalid.message() == "duplicate key";
        let at = invalid.span().map_or(text.len(), |span| span.start);
        let (line, column) = position(text, at);
        error(
            line,
            if is_duplicate {
                Fault::Duplicate { column }
            } else {
                Fault::NotToml { column }
            },
        )
    })?;
    let mut parser = Parser {
        text,
        file: File::default(),
        faults: Vec::new(),
    };
    parser.document(document.into_inner());
    match parser.faults.into_iter().min_by_key(|(at, _, _)| *at) {
        None => Ok(parser.file),
        Some((at, key, fault)) => Err(Error {
            key,
            ..error(position(text, at).0, fault)
        }),
    }
}

/// Returns the number of the last line of a text.
fn line_of(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count()
}

/// Returns line and column of a byte offset.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or(before);
    (
        line_of(before.as_bytes()),
        column.chars().count().saturating_add(1),
    )
}

/// One key of a table: its name, its byte offset, its value.
type Entry<'i> = (String, usize, Spanned<DeValue<'i>>);

fn entries(table: DeTable<'_>) -> impl Iterator<Item = Entry<'_>> {
    table.into_iter().map(|(name, value)| {
        let at = name.span().start;
        (name.into_inner().into_owned(), at, value)
    })
}

/// Returns the table of a section, which has several notations.
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

struct Parser<'t> {
    text: &'t str,
    file: File,
    /// Byte offset, key, fault.
    faults: Vec<(usize, String, Fault)>,
}

impl Parser<'_> {
    fn fault(&mut self, at: usize, key: impl Into<String>, fault: Fault) {
        self.faults.push((at, key.into(), fault));
    }

    fn document(&mut self, document: DeTable<'_>) {
        for (name, at, value) in entries(document) {
            if name == SERVICE {
                self.services(at, value);
            } else {
                self.member("", None, (name, at, value));
            }
        }
    }

    /// All of `[service]`.
    fn services(&mut self, at: usize, value: Spanned<DeValue<'_>>) {
        let Some(services) = section(value) else {
            return self.fault(at, SERVICE, Fault::NotASection);
        };
        for (name, at, value) in entries(services) {
            let lower = name.to_ascii_lowercase();
            if !is_service(&name) || self.file.services.contains_key(&lower) {
                self.fault(at, SERVICE, Fault::NotAService);
                continue;
            }
            let prefix = format!("{SERVICE}.{name}.");
            let Some(members) = section(value) else {
                self.fault(at, prefix.trim_end_matches('.'), Fault::NotASection);
                continue;
            };
            let mut own = PerService::default();
            for entry in entries(members) {
                self.member(&prefix, Some(&mut own), entry);
            }
            self.file.services.insert(lower, own);
        }
    }

    /// A key at the top of the file or of a service: a section, or a key without one.
    fn member(&mut self, prefix: &str, mut own: Option<&mut PerService>, entry: Entry<'_>) {
        let (name, at, value) = entry;
        let Some(known) = table::find_section(&name) else {
            return self.key(prefix, own, "", (name, at, value));
        };
        let path = format!("{prefix}{name}");
        let Some(keys) = section(value) else {
            return self.fault(at, path, Fault::NotASection);
        };
        if own.is_none() {
            let line = position(self.text, at).0;
            self.file.sections.insert(name.clone(), line);
        }
        if keys.is_empty() && own.is_some() && !known.is_per_service() {
            // There is no key to report.
            return self.fault(at, path, Fault::NotPerService);
        }
        for entry in entries(keys) {
            self.key(prefix, own.as_deref_mut(), &name, entry);
        }
    }

    /// A key of a section, or at the top.
    fn key(&mut self, prefix: &str, own: Option<&mut PerService>, section: &str, entry: Entry<'_>) {
        let (name, at, value) = entry;
        let dot = if section.is_empty() { "" } else { "." };
        // A name with a dot (in quotes) is a different key.
        let row = table::find(&format!("{section}{dot}{name}")).filter(|_| !name.contains('.'));
        let path = format!("{prefix}{section}{dot}{}", printable_name(&name));
        let per_service = own.is_some();
        let Some(row) = row else {
            let nearest = nearest(prefix, section, &name, per_service);
            return self.fault(at, path, Fault::Unknown { nearest });
        };
        let line = position(self.text, at).0;
        let given = Given {
            key: path.clone(),
            line,
            value,
        };
        let stored = match row.scope {
            Scope::Global(_) if per_service => return self.fault(at, path, Fault::NotPerService),
            Scope::Global(store) => store(&mut self.file, given),
            Scope::PerService(store) => store(own.unwrap_or(&mut self.file.common), given),
        };
        match stored {
            Ok(()) if row.is_secret => self.file.secrets.push((path, line)),
            Ok(()) => {}
            Err(Invalid(why)) => {
                let allowed = (row.allowed)();
                self.fault(at, path, Fault::Value { why, allowed });
            }
        }
    }
}

/// Whether this can be the name of a PAM service: that of a file in `/etc/pam.d`.
fn is_service(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

/// Returns the name of an unknown key, if it may be repeated: an administrator may have pasted the token
/// on the wrong side of the `=`, and it must not appear in the log.
fn printable_name(name: &str) -> &str {
    let is_plain = (1..=40).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-');
    if is_plain {
        name
    } else {
        "(a name that is not repeated)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_ne!(printable_name(name), name);
        }
        assert_eq!(printable_name("api-key_Sid"), "api-key_Sid");
    }
}
