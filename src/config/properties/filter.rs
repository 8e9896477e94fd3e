//! `ldap.filter`

use ldap3::asn1::{ASNTag, PL, StructureTag, TagClass};

use crate::config::{filter::Filter, value_types::ValueType};

/// A name that is nothing else, unless a fuzzer has found it.
const NAME: &str = "Zq7Zq7Zq";

/// Numbers of the parts of a filter (RFC 4511 §4.5.1.7).
const AND: u64 = 0;
const OR: u64 = 1;
const NOT: u64 = 2;
const EQUALITY: u64 = 3;
const EXTENSIBLE: u64 = 9;

/// A filter that is accepted can be sent with any name, and compares the complete name with the values of an
/// entry.
pub fn filter(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(filter) = Filter::parse(text.to_owned()) else {
        return;
    };
    assert_eq!(filter, text);
    for name in [
        "",
        "alice",
        "\\2a",
        "\\29\\28uid\\3d\\2a",
        "\\5c\\00\\c3\\a9",
    ] {
        let sent = filter.replace("{user}", name);
        assert!(ldap3::parse_filter(&sent).is_ok(), "{sent} cannot be sent");
    }
    if filter.contains(NAME) {
        return;
    }
    let sent = ldap3::parse_filter(filter.replace("{user}", NAME));
    let found = sent.map(|sent| comparisons_with_name(&sent.into_structure()));
    assert!(
        found.is_ok_and(|found| found > 0),
        "{filter} does not compare the name"
    );
}

/// Counts the comparisons with the name.
fn comparisons_with_name(part: &StructureTag) -> usize {
    assert_eq!(part.class, TagClass::Context);
    match (part.id, &part.payload) {
        (AND | OR, PL::C(parts)) => parts.iter().map(comparisons_with_name).sum(),
        (EQUALITY | EXTENSIBLE, PL::C(_)) => usize::from(has_name(part)),
        (NOT, _) | (_, PL::C(_) | PL::P(_)) => {
            assert!(
                !has_name(part),
                "the name finds entries that do not have it"
            );
            0
        }
    }
}

fn has_name(part: &StructureTag) -> bool {
    match &part.payload {
        PL::C(parts) => parts.iter().any(has_name),
        PL::P(bytes) => bytes
            .windows(NAME.len())
            .any(|some| some == NAME.as_bytes()),
    }
}
