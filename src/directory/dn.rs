//! One normal form for the names of entries (RFC 4514), so that however a server writes a name,
//! one entry is one person, and two are never the same one.
//!
//! Values are compared as `caseIgnoreMatch` does it (RFC 4517 §4.2.11, RFC 4518): without regard to
//! case, to spaces at the ends, and to how many stand between. Case is that of the standard
//! library, letter by letter; compatibility forms (NFKC) are not unfolded, so that a server that
//! writes one name now composed and now decomposed would have two. Naming attributes that tell
//! cases apart are not known to us: people named by one, alike but for case, would share a count.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::fmt::Write;

use super::ber::{Elements, OCTETS};

/// Begins what is no DN: no normal form does, as each begins with a letter or a digit.
const AS_IT_STANDS: char = '?';

/// The names and the number of one attribute, the first of them for all (RFC 4514 §3).
const TYPES: [[&str; 3]; 9] = [
    ["cn", "2.5.4.3", "commonname"],
    ["l", "2.5.4.7", "localityname"],
    ["st", "2.5.4.8", "stateorprovincename"],
    ["o", "2.5.4.10", "organizationname"],
    ["ou", "2.5.4.11", "organizationalunitname"],
    ["c", "2.5.4.6", "countryname"],
    ["street", "2.5.4.9", "streetaddress"],
    ["dc", "0.9.2342.19200300.100.1.25", "domaincomponent"],
    ["uid", "0.9.2342.19200300.100.1.1", "userid"],
];

/// The tags of BER's strings whose octets are UTF-8, or ASCII and so UTF-8 as well: OCTET STRING
/// (as LDAP has it), UTF8String, NumericString, PrintableString, IA5String, VisibleString.
const STRINGS: [u8; 6] = [OCTETS, 0x0c, 0x12, 0x13, 0x16, 0x1a];

/// The normal form. It is a DN itself, and its own normal form. What cannot be read as a DN stays
/// as it is, in lower case, with a mark before it.
#[must_use]
pub fn normalize(dn: &str) -> String {
    read(dn).unwrap_or_else(|| format!("{AS_IT_STANDS}{}", lower(dn)))
}

fn read(dn: &str) -> Option<String> {
    let names: Option<Vec<String>> = split(dn, ',').map(relative).collect();
    Some(names?.join(","))
}

/// A relative name, whose parts have no order (RFC 4512 §2.3.2).
fn relative(text: &str) -> Option<String> {
    let parts: Option<Vec<String>> = split(text, '+').map(part).collect();
    let mut parts = parts?;
    parts.sort_unstable();
    Some(parts.join("+"))
}

/// Between separators that no backslash stands before.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let here = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        here
    })
}

/// An attribute and its value. Spaces around them are nobody's (RFC 4514 allows to read older
/// forms: RFC 2253 §4, RFC 1779).
fn part(text: &str) -> Option<String> {
    let (kind, value) = text.split_once('=')?;
    let kind = attribute(kind.trim_matches(' '))?;
    let value = value.trim_start_matches(' ');
    let value = match value.strip_prefix('#') {
        Some(hex) => encoded(&octets(hex.trim_end_matches(' '))?),
        None => written(&plain(value)?),
    };
    Some(format!("{kind}={value}"))
}

/// An attribute's name, or its number (RFC 4512 §1.4: `descr`, `numericoid`).
fn attribute(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let first = name.bytes().next()?;
    let sound = if first.is_ascii_digit() {
        name.contains('.') && name.split('.').all(is_number)
    } else {
        let rest = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        first.is_ascii_alphabetic() && name.bytes().all(rest)
    };
    let known = TYPES.iter().find(|names| names.contains(&name.as_str()));
    match known {
        Some([short, ..]) => Some((*short).to_owned()),
        None => sound.then_some(name),
    }
}

/// Digits, without zeros before them.
fn is_number(text: &str) -> bool {
    let sound = text == "0" || (!text.is_empty() && !text.starts_with('0'));
    sound && text.bytes().all(|b| b.is_ascii_digit())
}

/// The octets of a value in which some are escaped (RFC 4514 §2.4).
fn plain(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next()? {
                c @ (' ' | '"' | '#' | '+' | ',' | ';' | '<' | '=' | '>' | '\\') => {
                    octets.push(u8::try_from(c).ok()?);
                }
                first => octets.push(octet(first, rest.next()?)?),
            },
            '"' | ';' | '<' | '>' | '\0' => return None,
            c => octets.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Some(octets)
}

/// What follows a `#`.
fn octets(hex: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(hex.len() / 2);
    let mut rest = hex.chars();
    while let Some(first) = rest.next() {
        octets.push(octet(first, rest.next()?)?);
    }
    (!octets.is_empty()).then_some(octets)
}

fn octet(first: char, second: char) -> Option<u8> {
    let value = (first.to_digit(16)? << 4) | second.to_digit(16)?;
    u8::try_from(value).ok()
}

/// A value in BER: the string that it is, or its octets.
fn encoded(ber: &[u8]) -> String {
    let mut elements = Elements::of(ber);
    match elements.any() {
        Ok(element) if elements.is_done() && STRINGS.contains(&element.tag) => {
            written(element.body)
        }
        _ => format!("#{}", hex("", ber)),
    }
}

/// A value in its normal form. Whatever could end it, or be taken for something else, has its
/// backslash; so has each octet of what is no text.
fn written(value: &[u8]) -> String {
    let Ok(value) = std::str::from_utf8(value) else {
        return hex("\\", value);
    };
    let value = lower(value);
    let words: Vec<&str> = value.split_whitespace().collect();
    let mut text = String::with_capacity(value.len());
    for c in words.join(" ").chars() {
        match c {
            c if c.is_control() => text += &hex("\\", c.encode_utf8(&mut [0; 4]).as_bytes()),
            '"' | '+' | ',' | ';' | '<' | '=' | '>' | '\\' => text.extend(['\\', c]),
            '#' if text.is_empty() => text.push_str("\\#"),
            c => text.push(c),
        }
    }
    text
}

/// Each octet, with this before it.
fn hex(before: &str, octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{before}{octet:02x}");
        text
    })
}

/// Letter by letter: the standard library's way with whole texts writes a sigma at the end of a
/// word in another way than one within it.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}
