//! Finds the known key that an unknown one was probably meant to be.
#![forbid(unsafe_code)]

use super::{
    super::table::{self, Row},
    SERVICE,
};

/// Returns the nearest known key: one of this name in another section, else the one with the most similar
/// name in this section, or the most similar section.
pub(super) fn nearest(
    prefix: &str,
    section: &str,
    name: &str,
    per_service: bool,
) -> Option<String> {
    let known = || table::rows().filter(|row| !per_service || row.is_per_service());
    let elsewhere: Vec<_> = known()
        .filter(|row| row.name() == name || row.path == name)
        .map(|row| format!("{prefix}{}", row.path))
        .collect();
    if !elsewhere.is_empty() {
        return Some(elsewhere.join(" or "));
    }
    let sections = known()
        .map(Row::section)
        .chain([SERVICE])
        .filter(|_| section.is_empty());
    let (changes, nearest) = known()
        .filter(|row| row.section() == section)
        .map(|row| (distance(row.name(), name), row.path.to_owned()))
        .chain(sections.map(|other| (distance(other, name), format!("[{other}]"))))
        .min()?;
    // Two changes, but not more than one in four letters.
    let is_near = changes <= 2.min(name.len().div_ceil(4));
    is_near.then(|| match nearest.strip_prefix('[') {
        Some(section) => format!("[{prefix}{section}"),
        None => format!("{prefix}{nearest}"),
    })
}

/// Returns the number of letters that must be added, removed, changed or swapped with their neighbour to
/// turn one word into another (optimal string alignment distance).
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
}
