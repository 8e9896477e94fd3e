//! Entries.

use ldap3::asn1::{PL, StructureTag, TagClass, parse_tag};

use crate::{
    config,
    directory::{
        Entry, NoPhone,
        validate::{Request, check, message_length},
    },
    phone::{Phone, Plain, Region},
};

/// `[APPLICATION 4]`: a `SearchResultEntry` (RFC 4511 §4.5.2).
const SEARCH_ENTRY: u64 = 4;

/// The bytes are a message in BER; or the lines of an entry, such as `mobile: (202) 555-0142`, which are
/// encoded as such a message. The library can parse what passes the check, and an entry in it is parsed. It
/// has a number only if the settings define it as verified, and the number is among the entry's values.
pub fn entry(bytes: &[u8]) {
    let settings = settings(bytes.starts_with(b"casa"));
    if bytes.first() == Some(&0x30) {
        if let Ok(Some(length)) = message_length(bytes) {
            let message = bytes.get(..length).unwrap_or_default();
            if check(message, Request::Search).is_ok() {
                parse(message, &settings);
            }
        }
        return;
    }
    let message = encode(bytes);
    if check(&message, Request::Search).is_ok() {
        let entry = parse(&message, &settings);
        let utf8 = std::str::from_utf8(bytes).is_ok();
        assert!(entry || !utf8, "an entry is not parsed");
    }
}

fn settings(casa: bool) -> config::Ldap {
    let verified = if casa {
        "mobile"
    } else {
        "phoneNumberVerified"
    };
    config::Ldap {
        filter: "(uid={user})".to_owned(),
        verified_attribute: verified.to_owned(),
        plain_numbers: Plain::National(Region::named("US")),
        ..config::Ldap::defaults(Vec::new(), "dc=example,dc=org")
    }
}

/// Parses a message that has passed the check. Returns whether there was an entry in it.
fn parse(message: &[u8], settings: &config::Ldap) -> bool {
    let Ok((rest, whole)) = parse_tag(message) else {
        assert!(message.is_empty(), "a message that passed cannot be parsed");
        return false;
    };
    assert!(rest.is_empty());
    let operation = match whole.payload {
        PL::C(parts) => parts.into_iter().nth(1),
        PL::P(_) => None,
    };
    let is_entry =
        |tag: &StructureTag| tag.class == TagClass::Application && tag.id == SEARCH_ENTRY;
    let Some(tag) = operation.filter(is_entry) else {
        return false;
    };
    let attributes = attributes(&tag);
    let entry = Entry::parse(tag, settings);
    assert!(entry.is_some(), "an entry that passed cannot be parsed");
    if let Some(entry) = entry {
        check_entry(&entry, &attributes, settings);
    }
    true
}

/// Returns the names in lower case, and the values.
fn attributes(tag: &StructureTag) -> Vec<(String, Vec<u8>)> {
    let parts = |tag: &StructureTag| match &tag.payload {
        PL::C(parts) => parts.clone(),
        PL::P(_) => Vec::new(),
    };
    let octets = |tag: &StructureTag| match &tag.payload {
        PL::P(octets) => octets.clone(),
        PL::C(_) => Vec::new(),
    };
    let mut found = Vec::new();
    for attribute in parts(tag).get(1).map(parts).unwrap_or_default() {
        if let [name, values] = parts(&attribute).as_slice() {
            let name = String::from_utf8_lossy(&octets(name)).to_ascii_lowercase();
            found.extend(
                parts(values)
                    .iter()
                    .map(|value| (name.clone(), octets(value))),
            );
        }
    }
    found
}

fn check_entry(entry: &Entry, attributes: &[(String, Vec<u8>)], settings: &config::Ldap) {
    let values = |wanted: &str| -> Vec<&str> {
        let wanted = wanted.to_ascii_lowercase();
        let values = attributes.iter().filter(|(name, _)| *name == wanted);
        values
            .map(|(_, value)| std::str::from_utf8(value).unwrap_or(""))
            .collect()
    };
    let number = |text: &&str| Phone::parse(text, settings.plain_numbers).ok();
    let verified = values(&settings.verified_attribute);
    let is_verified_by_true =
        matches!(verified.as_slice(), [one] if one.eq_ignore_ascii_case("true"));
    let all: Vec<&str> = settings
        .phone_attributes
        .iter()
        .flat_map(|name| values(name))
        .collect();
    match entry.phones(settings) {
        Ok(phones) => {
            let from = if is_verified_by_true { &all } else { &verified };
            assert!(is_verified_by_true || verified.iter().all(|text| number(text).is_some()));
            assert!(!phones.is_empty());
            for (place, phone) in phones.iter().enumerate() {
                assert!(
                    from.iter().any(|text| number(text).as_ref() == Some(phone)),
                    "{phone}"
                );
                assert!(
                    !phones.iter().take(place).any(|other| other == phone),
                    "{phone} twice"
                );
            }
            assert_eq!(entry.phone(settings).ok().as_ref(), phones.first());
        }
        Err(NoPhone::NoNumber(why)) => {
            assert!(is_verified_by_true);
            check_reason(&why, attributes);
        }
        Err(NoPhone::NotVerified(why)) => {
            assert!(!is_verified_by_true);
            check_reason(&why, attributes);
        }
    }
    assert!(
        !entry.normalized_dn().chars().any(char::is_control)
            || entry.normalized_dn().starts_with('?')
    );
    let times = entry.password_changed();
    assert!(
        times
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' '),
        "{times}"
    );
    let shown = format!("{entry:?}");
    let numbers = all
        .iter()
        .filter(|text| number(text).is_some() && text.len() > 9);
    let shown_otherwise = format!("{} {times}", entry.dn);
    assert!(
        numbers
            .into_iter()
            .all(|text| !shown.contains(text) || shown_otherwise.contains(text))
    );
}

/// Checks that a reason contains no value that could be a number.
fn check_reason(why: &str, attributes: &[(String, Vec<u8>)]) {
    assert!(
        !why.is_empty() && why.chars().all(|c| matches!(c, ' '..='~')),
        "{why:?}"
    );
    let numbers = attributes
        .iter()
        .filter_map(|(_, value)| std::str::from_utf8(value).ok());
    let long = |text: &&str| text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    assert!(
        !numbers.filter(long).any(|text| why.contains(text)),
        "{why}"
    );
}

/// Encodes the entry of these lines. Values of adjacent lines with one name are combined.
fn encode(bytes: &[u8]) -> Vec<u8> {
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| {
        let colon = line.windows(2).position(|two| two == b": ")?;
        Some((line.get(..colon)?, line.get(colon.saturating_add(2)..)?))
    });
    let mut dn: &[u8] = b"";
    let mut attributes: Vec<(&[u8], Vec<u8>)> = Vec::new();
    for (name, value) in lines {
        let value_in_ber = tlv(0x04, value);
        match attributes.last_mut() {
            _ if name == b"dn" => dn = value,
            Some((last, values)) if *last == name => values.extend(value_in_ber),
            _ => attributes.push((name, value_in_ber)),
        }
    }
    let attributes = attributes
        .iter()
        .flat_map(|(name, values)| tlv(0x30, &[tlv(0x04, name), tlv(0x31, values)].concat()));
    let attributes: Vec<u8> = attributes.collect();
    let entry = tlv(0x64, &[tlv(0x04, dn), tlv(0x30, &attributes)].concat());
    tlv(0x30, &[vec![2, 1, 2], entry].concat())
}

fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[tag, 0x84][..], &length, body].concat()
}
