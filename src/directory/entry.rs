//! A user's entry, and the verified phone number in it.
#![forbid(unsafe_code)]

mod numbers;
#[cfg(test)]
mod tests;
mod value;

use ldap3::asn1::{PL, StructureTag};

use super::dn;
use crate::{config, phone::Phone};
use numbers::{Numbers, why_no_number, why_not_verified};

pub use value::Value;

/// Longest value that may be a time, in bytes.
const MAX_TIME: usize = 64;

/// Attributes with the time of the last password change: of the password policy draft
/// (draft-behera-ldap-password-policy-11 §5.3.2; operational, and so sent only if it is requested by name,
/// RFC 4511 §4.5.1.8), Active Directory, FreeIPA, Samba, and RFC 2307.
pub(super) const PASSWORD_TIMES: [&str; 5] = [
    "pwdChangedTime",
    "pwdLastSet",
    "krbLastPwdChange",
    "sambaPwdLastSet",
    "shadowLastChange",
];

/// The kind of an entry (RFC 4512 §2.4.1).
pub(super) const OBJECT_CLASS: &str = "objectClass";

/// Object classes of entries that only refer to another entry, and what is logged for them: `alias`
/// (RFC 4512 §2.6) and `referral` (RFC 3296). Most directories respond to a bind as such an entry as to a
/// wrong password.
const REFERENCES: [(&str, &str); 2] = [
    (
        "alias",
        "the entry is an alias, and aliases are not followed: make [ldap] filter or base match the user's own entry",
    ),
    (
        "referral",
        "the entry is a referral, and referrals are not followed: add the server that it names to [ldap] uris",
    ),
];

/// Why an entry has no number to send a code to. The texts name attributes, counts and reasons, and
/// contain no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPhone {
    /// No number in it is verified.
    NotVerified(String),
    /// Its numbers are verified, but none can be parsed with certainty.
    NoNumber(String),
}

/// The entry of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As the server sent it. Never empty.
    pub dn: String,
    verified: Vec<Value>,
    /// For each of `phone_attributes`, in that order.
    phones: Vec<Vec<Value>>,
    names: Vec<Value>,
    password_changed: String,
    reference: Option<&'static str>,
}

impl Entry {
    /// Creates an entry from the values of `verified_attribute` and of each of `phone_attributes`.
    #[cfg(test)]
    pub const fn new(dn: String, verified: Vec<Value>, phones: Vec<Vec<Value>>) -> Self {
        Self {
            dn,
            verified,
            phones,
            names: Vec::new(),
            password_changed: String::new(),
            reference: None,
        }
    }

    /// The same with these [`names`](Self::names).
    #[cfg(test)]
    pub fn with_names(self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| Value::Text((*name).to_owned()));
        Self {
            names: names.collect(),
            ..self
        }
    }

    /// The same as an alias.
    #[cfg(test)]
    pub fn with_alias_class(self) -> Self {
        let reference = reference(&[Value::Text("alias".into())]);
        Self { reference, ..self }
    }

    /// The same with this [`password_changed`](Self::password_changed).
    #[cfg(test)]
    pub fn with_password_changed(self, password_changed: String) -> Self {
        Self {
            password_changed,
            ..self
        }
    }

    /// Parses a `SearchResultEntry` (RFC 4511 §4.5.2). Returns `None` if it is not one.
    ///
    /// Only attributes with exactly the name in the settings are used, in any case. A server also sends
    /// those with options (`mobile;lang-de`, RFC 4512 §2.5) and subtypes, which other users may be allowed
    /// to write: a number that they write must not count as verified.
    pub(super) fn parse(tag: StructureTag, settings: &config::Ldap) -> Option<Self> {
        let mut parts = tag.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes: Vec<(String, Vec<StructureTag>)> = Vec::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let values = parts.next()?.expect_constructed()?;
            attributes.push((name, values));
        }
        // An attribute may be needed twice (in Casa's settings the verified attribute is a phone attribute),
        // and a server sends it once. If it is sent several times, its values are combined.
        let values = |wanted: &str| {
            attributes
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .flat_map(|(_, values)| values)
                .map(|value| match &value.payload {
                    PL::P(bytes) => Some(Value::decode(bytes.clone())),
                    PL::C(_) => None,
                })
                .collect::<Option<Vec<_>>>()
        };
        let mut times = Vec::new();
        for name in PASSWORD_TIMES {
            times.extend(time(name, &values(name)?));
        }
        Some(Self {
            verified: values(&settings.verified_attribute)?,
            phones: settings
                .phone_attributes
                .iter()
                .map(|name| values(name))
                .collect::<Option<_>>()?,
            names: names(&attributes, settings)?,
            password_changed: times.join(" "),
            reference: reference(&values(OBJECT_CLASS)?),
            dn,
        })
    }

    /// Returns a text for the log if the entry only refers to another one. No login succeeds with it.
    #[must_use]
    pub const fn alias_or_referral(&self) -> Option<&'static str> {
        self.reference
    }

    /// Returns the DN in one form, however the server writes it, so that all names that a user may type
    /// share one count.
    #[must_use]
    pub fn normalized_dn(&self) -> String {
        dn::normalize(&self.dn)
    }

    /// Returns the names in the attributes that the filter compares with `{user}`, unchanged.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            Value::Text(name) => Some(name.as_str()),
            Value::Bytes(_) => None,
        })
    }

    /// Returns the times of the last password change. They are compared, not parsed: another text means
    /// another password. Empty if the directory has or shows none.
    #[must_use]
    pub fn password_changed(&self) -> &str {
        &self.password_changed
    }

    /// Returns the number that a code is sent to: the first of [`Self::phones`].
    #[cfg(any(test, fuzzing))]
    pub fn phone(&self, settings: &config::Ldap) -> Result<Phone, NoPhone> {
        let first = self.phones(settings)?.into_iter().next();
        first.ok_or(NoPhone::NoNumber(String::new()))
    }

    /// Returns all verified numbers, each once; at least one.
    ///
    /// `verified_attribute` contains either one `TRUE`, which verifies the numbers in `phone_attributes`, in
    /// the order of these attributes, or the verified numbers themselves. Numbers of one attribute are sorted
    /// by their texts in the directory, byte by byte.
    pub fn phones(&self, settings: &config::Ldap) -> Result<Vec<Phone>, NoPhone> {
        let plain = settings.plain_numbers;
        if let [value] = self.verified.as_slice() {
            if value.is_true() {
                let parsed = self
                    .phones
                    .iter()
                    .map(|values| Numbers::parse(values, plain));
                let parsed: Vec<_> = parsed.collect();
                let numbers = parsed.iter().flat_map(|numbers| &numbers.phones);
                return distinct(numbers).ok_or_else(|| {
                    NoPhone::NoNumber(why_no_number(&settings.phone_attributes, &parsed))
                });
            }
        }
        let numbers = Numbers::parse(&self.verified, plain);
        // If one of the values is not a number, none of them is verified.
        let are_numbers = numbers.phones.len() == self.verified.len();
        let verified = if are_numbers {
            distinct(&numbers.phones)
        } else {
            None
        };
        verified.ok_or_else(|| {
            let why = why_not_verified(&self.verified, &numbers);
            NoPhone::NotVerified(format!("{}: {why}", settings.verified_attribute))
        })
    }
}

/// Returns the names among the attributes that were sent. The server may send an attribute that the filter
/// compares under another name (by OID, an alias, a subtype, with options), so every attribute is used
/// except those that were requested for another purpose. Values that are not UTF-8 are ignored. Returns
/// `None` if the values are not an entry's.
fn names(sent: &[(String, Vec<StructureTag>)], settings: &config::Ldap) -> Option<Vec<Value>> {
    let kind = |name: &str| name.split(';').next().unwrap_or(name).to_ascii_lowercase();
    let compared: Vec<_> = config::comparisons(&settings.filter).collect();
    let is_compared = |name: &str| compared.iter().any(|one| kind(one.attribute) == kind(name));
    let phones = settings.phone_attributes.iter().map(String::as_str);
    let others = phones
        .chain([settings.verified_attribute.as_str(), OBJECT_CLASS])
        .chain(PASSWORD_TIMES);
    let mut names = Vec::new();
    for (name, values) in sent {
        let by_name = is_compared(name);
        if !by_name && others.clone().any(|other| kind(other) == kind(name)) {
            continue;
        }
        for value in values {
            let PL::P(bytes) = &value.payload else {
                return None;
            };
            let Ok(text) = std::str::from_utf8(bytes) else {
                continue;
            };
            let comparisons = compared
                .iter()
                .filter(|one| !by_name || kind(one.attribute) == kind(name));
            names.extend(comparisons.map(|one| Value::Text(one.name(text).to_owned())));
        }
    }
    Some(names)
}

/// Returns an attribute of [`PASSWORD_TIMES`] with its value, if the value may be a time. All of them are
/// single-valued; several values would have no order.
fn time(name: &str, values: &[Value]) -> Option<String> {
    let [Value::Text(value)] = values else {
        return None;
    };
    let has_valid_length = (1..=MAX_TIME).contains(&value.len());
    let is_printable = value.bytes().all(|b| b.is_ascii_graphic());
    (has_valid_length && is_printable).then(|| format!("{name}={value}"))
}

/// Returns each number once, in the order of first occurrence, or `None` if there are none.
fn distinct<'a>(numbers: impl IntoIterator<Item = &'a Phone>) -> Option<Vec<Phone>> {
    let mut distinct = Vec::new();
    for number in numbers {
        if !distinct.contains(number) {
            distinct.push(number.clone());
        }
    }
    (!distinct.is_empty()).then_some(distinct)
}

/// Returns the text of [`REFERENCES`] for these object classes.
fn reference(classes: &[Value]) -> Option<&'static str> {
    let mut references = REFERENCES.iter();
    references
        .find(|(class, _)| classes.iter().any(|value| value.is(class)))
        .map(|(_, text)| *text)
}
