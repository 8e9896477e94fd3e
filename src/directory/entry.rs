//! One person's entry, and the phone in it that is known to be his.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use ldap3::asn1::{PL, StructureTag};

use super::dn;
use crate::{config, phone::Phone};

/// Most values of an attribute that are looked at. They have no order (RFC 4511 §4.1.7), so of
/// more than these the "first" would be another one each time: then none is.
const MOST_VALUES: usize = 64;

/// Longest value that may be a number or a boolean, in bytes.
const LONGEST_VALUE: usize = 256;

/// Longest value that may be a time, in bytes.
const LONGEST_TIME: usize = 64;

/// Where directories keep when a password was changed: the password policy draft
/// (draft-behera-ldap-password-policy-11 §5.3.2; operational, and so sent only to those who ask
/// for it by name, RFC 4511 §4.5.1.8), Active Directory, FreeIPA, Samba, RFC 2307.
pub(super) const PASSWORD_TIMES: [&str; 5] = [
    "pwdChangedTime",
    "pwdLastSet",
    "krbLastPwdChange",
    "sambaPwdLastSet",
    "shadowLastChange",
];

/// A value as the server sent it. No `Debug` that shows it: it may be a phone number.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    /// Not UTF-8.
    Bytes(Vec<u8>),
}

impl Value {
    /// From what was sent.
    #[must_use]
    pub fn read(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|e| Self::Bytes(e.into_bytes()), Self::Text)
    }

    /// The text, if it is one and of a length that anybody reads.
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if text.len() <= LONGEST_VALUE => Some(text),
            Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}

/// Why an entry gives no number to send a code to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPhone {
    /// Nothing says that a number in it is this person's.
    NotVerified,
    /// It says so, but no number in it can be read with certainty.
    NoNumber,
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As the server sent it; never empty.
    pub dn: String,
    verified: Vec<Value>,
    /// For each of `phone_attributes`, in that order.
    phones: Vec<Vec<Value>>,
    password_changed: String,
}

impl Entry {
    /// An entry with what `verified_attribute` and each of `phone_attributes` hold.
    #[must_use]
    pub const fn new(dn: String, verified: Vec<Value>, phones: Vec<Vec<Value>>) -> Self {
        Self {
            dn,
            verified,
            phones,
            password_changed: String::new(),
        }
    }

    /// The same with what [`Self::password_changed`] says.
    #[must_use]
    pub fn with_password_changed(self, password_changed: String) -> Self {
        Self {
            password_changed,
            ..self
        }
    }

    /// From a `SearchResultEntry` (RFC 4511 §4.5.2); `None` if it is none.
    ///
    /// Only attributes by the very name that the settings give count, in any case. A server also
    /// sends those with options (`mobile;lang-de`, RFC 4512 §2.5) and subtypes: others may be
    /// allowed to write them, and whoever can write one must not thereby have it vouched for.
    pub(super) fn parse(tag: StructureTag, settings: &config::Ldap) -> Option<Self> {
        let mut parts = tag.expect_constructed()?.into_iter();
        let dn = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
        let mut attributes = Vec::new();
        for attribute in parts.next()?.expect_constructed()? {
            let mut parts = attribute.expect_constructed()?.into_iter();
            let name = String::from_utf8(parts.next()?.expect_primitive()?).ok()?;
            let values = parts.next()?.expect_constructed()?;
            attributes.push((name, values));
        }
        // An attribute may be wanted twice (Casa: verified and phone are one), and must be sent
        // once; if it is sent again, its values belong together.
        let values = |wanted: &str| {
            attributes
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .flat_map(|(_, values)| values)
                .map(|value| match &value.payload {
                    PL::P(bytes) => Some(Value::read(bytes.clone())),
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
            password_changed: times.join(" "),
            dn,
        })
    }

    /// Whose entry it is: its DN in one form, however the server writes it, so that what is
    /// counted for one name that a person may type is counted for all of them.
    #[must_use]
    pub fn person(&self) -> String {
        dn::normal(&self.dn)
    }

    /// What the directory says about when the password was changed. It is not read, but compared:
    /// another text is another password. Empty: it says nothing, at least not to us.
    #[must_use]
    pub fn password_changed(&self) -> &str {
        &self.password_changed
    }

    /// The number that a code goes to: the first of [`Self::phones`].
    pub fn phone(&self, settings: &config::Ldap) -> Result<Phone, NoPhone> {
        let first = self.phones(settings)?.into_iter().next();
        first.ok_or(NoPhone::NoNumber)
    }

    /// All numbers that are verified to be this person's, each once; at least one.
    ///
    /// `verified_attribute` holds either one `TRUE`, which vouches for the attributes in
    /// `phone_attributes`, in that order, or the verified numbers themselves. Numbers of one
    /// attribute stand in the order of their texts, as they are in the directory, byte by byte.
    pub fn phones(&self, settings: &config::Ldap) -> Result<Vec<Phone>, NoPhone> {
        if let [value] = self.verified.as_slice() {
            if is_true(value) {
                let numbers = self.phones.iter();
                let numbers = numbers.flat_map(|values| numbers_of(values, settings));
                return once(numbers).ok_or(NoPhone::NoNumber);
            }
        }
        let numbers = numbers_of(&self.verified, settings);
        if numbers.len() != self.verified.len() {
            return Err(NoPhone::NotVerified); // a mixture, or no numbers
        }
        once(numbers).ok_or(NoPhone::NotVerified)
    }
}

/// An attribute of [`PASSWORD_TIMES`] and its one value, if it is of those that times are written
/// with. All are single-valued; of more values nobody could tell the order.
fn time(name: &str, values: &[Value]) -> Option<String> {
    let [Value::Text(value)] = values else {
        return None;
    };
    let sound = (1..=LONGEST_TIME).contains(&value.len());
    let plain = value.bytes().all(|b| b.is_ascii_graphic());
    (sound && plain).then(|| format!("{name}={value}"))
}

/// Boolean syntax (RFC 4517 §3.3.3) is upper case; Gluu's entries hold `true`.
fn is_true(value: &Value) -> bool {
    value
        .text()
        .is_some_and(|text| text.eq_ignore_ascii_case("TRUE"))
}

/// Those values that can be read as numbers, in the order of their texts.
fn numbers_of(values: &[Value], settings: &config::Ldap) -> Vec<Phone> {
    if values.len() > MOST_VALUES {
        return Vec::new();
    }
    let texts = values.iter().filter_map(Value::text);
    let mut numbers: Vec<_> = texts
        .filter_map(|text| Some((text, Phone::read(text, settings.default_region)?)))
        .collect();
    numbers.sort();
    numbers.into_iter().map(|(_, phone)| phone).collect()
}

/// Each number where it comes first; `None` of none.
fn once(numbers: impl IntoIterator<Item = Phone>) -> Option<Vec<Phone>> {
    let mut known = Vec::new();
    for number in numbers {
        if !known.contains(&number) {
            known.push(number);
        }
    }
    (!known.is_empty()).then_some(known)
}
