//! A normal form for DNs (RFC 4514), so that an entry is one user, however a server writes its DN, and two
//! entries are never the same user.
//!
//! Values are compared as by `caseIgnoreMatch` (RFC 4517 §4.2.11, RFC 4518): without case, without spaces at
//! the ends, and with one space for several. Case is that of the standard library, letter by letter.
//! Compatibility forms (NFKC) are not mapped: a server that writes a name sometimes composed and sometimes
//! decomposed has two. Case-sensitive naming attributes are not supported: users whose DNs differ only in
//! the case of such an attribute would share a count.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::fmt::Write;

use super::ber::{Elements, OCTETS};

/// Marks a text that is not a DN. No normal form begins with it: they begin with a letter or a digit.
const NOT_A_DN: char = '?';

/// Names and OID of each attribute of RFC 4514 §3. The first is used in the normal form.
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

/// Tags of the BER strings whose octets are UTF-8 or ASCII: OCTET STRING (as used in LDAP), UTF8String,
/// NumericString, PrintableString, IA5String, VisibleString.
const STRINGS: [u8; 6] = [OCTETS, 0x0c, 0x12, 0x13, 0x16, 0x1a];

/// Returns the normal form, which is a DN and its own normal form. A text that is not a DN is returned in
/// lower case with a mark before it.
#[must_use]
pub fn normalize(dn: &str) -> String {
    parse(dn).unwrap_or_else(|| format!("{NOT_A_DN}{}", lower(dn)))
}

fn parse(dn: &str) -> Option<String> {
    let rdns: Option<Vec<String>> = split(dn, ',').map(rdn).collect();
    Some(rdns?.join(","))
}

/// Normalizes an RDN, whose attributes have no order (RFC 4512 §2.3.2).
fn rdn(text: &str) -> Option<String> {
    let parts: Option<Vec<String>> = split(text, '+').map(assertion).collect();
    let mut parts = parts?;
    parts.sort_unstable();
    Some(parts.join("+"))
}

/// Splits at separators that have no backslash before them.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c| {
        let here = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        here
    })
}

/// Normalizes an attribute with its value. Spaces around them are ignored (older forms, RFC 2253 §4 and
/// RFC 1779, allow them, and RFC 4514 allows to accept these forms).
fn assertion(text: &str) -> Option<String> {
    let (kind, value) = text.split_once('=')?;
    let kind = attribute(kind.trim_matches(' '))?;
    let value = value.trim_start_matches(' ');
    let value = match value.strip_prefix('#') {
        Some(hex) => from_ber(&octets(hex.trim_end_matches(' '))?),
        None => escape(&unescape(value)?),
    };
    Some(format!("{kind}={value}"))
}

/// Normalizes an attribute's name or OID (RFC 4512 §1.4: `descr`, `numericoid`).
fn attribute(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let first = name.bytes().next()?;
    let is_valid = if first.is_ascii_digit() {
        name.contains('.') && name.split('.').all(is_number)
    } else {
        let rest = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        first.is_ascii_alphabetic() && name.bytes().all(rest)
    };
    let known = TYPES.iter().find(|names| names.contains(&name.as_str()));
    match known {
        Some([short, ..]) => Some((*short).to_owned()),
        None => is_valid.then_some(name),
    }
}

/// Whether it consists of digits without leading zeros.
fn is_number(text: &str) -> bool {
    let has_no_leading_zero = text == "0" || (!text.is_empty() && !text.starts_with('0'));
    has_no_leading_zero && text.bytes().all(|b| b.is_ascii_digit())
}

/// Decodes a value with escapes (RFC 4514 §2.4).
fn unescape(text: &str) -> Option<Vec<u8>> {
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

/// Decodes the hexadecimal digits after a `#`.
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

/// Normalizes a value in BER: the string if it is one, otherwise its octets.
fn from_ber(ber: &[u8]) -> String {
    let mut elements = Elements::of(ber);
    match elements.any() {
        Ok(element) if elements.is_done() && STRINGS.contains(&element.tag) => escape(element.body),
        _ => format!("#{}", hex("", ber)),
    }
}

/// Normalizes a value. Characters that could end it or have another meaning are escaped, and so is each
/// octet of a value that is not UTF-8.
fn escape(value: &[u8]) -> String {
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

/// Formats each octet in hexadecimal, with this prefix.
fn hex(prefix: &str, octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{prefix}{octet:02x}");
        text
    })
}

/// Converts to lower case letter by letter. The standard library's conversion of whole texts treats a sigma
/// at the end of a word differently.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}
