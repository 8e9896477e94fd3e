//! One person's entry, and the phone in it that is known to be his.
#![forbid(unsafe_code)]

mod numbers;
#[cfg(test)]
mod tests;

use ldap3::asn1::{PL, StructureTag};

use super::dn;
use crate::{
    config,
    phone::{Phone, Unreadable},
};
use numbers::{Numbers, unread, unverified};

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

/// What kind of entry it is (RFC 4512 §2.4.1).
pub(super) const OBJECT_CLASS: &str = "objectClass";

/// Entries that only point to another one, which is not followed: `alias` (RFC 4512 §2.6) and `referral`
/// (RFC 3296). Most directories answer a bind as one of these as they answer a wrong password.
const POINTERS: [(&str, &str); 2] = [
    (
        "alias",
        "the entry is an alias, and none is followed: make [ldap] filter or base find the person's own entry",
    ),
    (
        "referral",
        "the entry is a referral, and none is followed: add the server that it names to [ldap] uris",
    ),
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

    /// The text, if it is one and of a length that is looked at.
    fn text(&self) -> Result<&str, Unreadable> {
        match self {
            Self::Text(text) if text.len() <= LONGEST_VALUE => Ok(text),
            Self::Text(_) => Err(Unreadable::TooLong),
            Self::Bytes(_) => Err(Unreadable::NotUtf8),
        }
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Value")
    }
}

/// Why an entry gives no number to send a code to. The texts name attributes, counts and reasons,
/// and repeat no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoPhone {
    /// Nothing says that a number in it is this person's.
    NotVerified(String),
    /// It says so, but no number in it can be read with certainty.
    NoNumber(String),
}

/// One person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// As the server sent it; never empty.
    pub dn: String,
    verified: Vec<Value>,
    /// For each of `phone_attributes`, in that order.
    phones: Vec<Vec<Value>>,
    names: Vec<Value>,
    password_changed: String,
    pointer: Option<&'static str>,
}

impl Entry {
    /// An entry with what `verified_attribute` and each of `phone_attributes` hold.
    #[must_use]
    pub const fn new(dn: String, verified: Vec<Value>, phones: Vec<Vec<Value>>) -> Self {
        Self {
            dn,
            verified,
            phones,
            names: Vec::new(),
            password_changed: String::new(),
            pointer: None,
        }
    }

    /// The same with what [`Self::names`] says.
    #[cfg(test)]
    #[must_use]
    pub fn with_names(self, names: &[&str]) -> Self {
        let names = names.iter().map(|name| Value::Text((*name).to_owned()));
        Self {
            names: names.collect(),
            ..self
        }
    }

    /// The same as an alias.
    #[cfg(test)]
    #[must_use]
    pub fn as_alias(self) -> Self {
        let pointer = pointer(&[Value::Text("alias".into())]);
        Self { pointer, ..self }
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
        let mut attributes: Vec<(String, Vec<StructureTag>)> = Vec::new();
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
            names: names(&attributes, settings)?,
            password_changed: times.join(" "),
            pointer: pointer(&values(OBJECT_CLASS)?),
            dn,
        })
    }

    /// That it only points to another entry, in words: then nobody can log in by it.
    #[must_use]
    pub const fn pointer(&self) -> Option<&'static str> {
        self.pointer
    }

    /// Whose entry it is: its DN in one form, however the server writes it, so that what is
    /// counted for one name that a person may type is counted for all of them.
    #[must_use]
    pub fn person(&self) -> String {
        dn::normalize(&self.dn)
    }

    /// The names in the attributes that the filter compares with `{user}`, as they stand there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| match name {
            Value::Text(name) => Some(name.as_str()),
            Value::Bytes(_) => None,
        })
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
        first.ok_or(NoPhone::NoNumber(String::new()))
    }

    /// All numbers that are verified to be this person's, each once; at least one.
    ///
    /// `verified_attribute` holds either one `TRUE`, which vouches for the attributes in
    /// `phone_attributes`, in that order, or the verified numbers themselves. Numbers of one
    /// attribute stand in the order of their texts, as they are in the directory, byte by byte.
    pub fn phones(&self, settings: &config::Ldap) -> Result<Vec<Phone>, NoPhone> {
        let plain = settings.plain_numbers;
        if let [value] = self.verified.as_slice() {
            if is_true(value) {
                let read = self.phones.iter().map(|values| Numbers::of(values, plain));
                let read: Vec<_> = read.collect();
                let numbers = read.iter().flat_map(|numbers| &numbers.read);
                return once(numbers)
                    .ok_or_else(|| NoPhone::NoNumber(unread(&settings.phone_attributes, &read)));
            }
        }
        let numbers = Numbers::of(&self.verified, plain);
        // Anything that is no number makes it a mixture.
        let all = numbers.read.len() == self.verified.len();
        let numbers_alone = if all { once(&numbers.read) } else { None };
        numbers_alone.ok_or_else(|| {
            let why = unverified(&self.verified, &numbers);
            NoPhone::NotVerified(format!("{}: {why}", settings.verified_attribute))
        })
    }
}

/// The names among the attributes that were sent. The server may send what the filter compares
/// under another name than the filter's (by number, an alias, a subtype, with options), so that
/// every attribute counts but those that are asked for as something else. A name is text: bytes
/// that are none name no user. `None` if it is no entry.
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
            let ways = compared
                .iter()
                .filter(|one| !by_name || kind(one.attribute) == kind(name));
            names.extend(ways.map(|one| Value::Text(one.name(text).to_owned())));
        }
    }
    Some(names)
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
    is(value, "TRUE")
}

fn is(value: &Value, word: &str) -> bool {
    value
        .text()
        .is_ok_and(|text| text.eq_ignore_ascii_case(word))
}

/// Each number where it comes first; `None` of none.
fn once<'a>(numbers: impl IntoIterator<Item = &'a Phone>) -> Option<Vec<Phone>> {
    let mut known = Vec::new();
    for number in numbers {
        if !known.contains(number) {
            known.push(number.clone());
        }
    }
    (!known.is_empty()).then_some(known)
}

/// Whether one of these object classes is a pointer's, and what it is.
fn pointer(classes: &[Value]) -> Option<&'static str> {
    let is = |class: &str| {
        let mut texts = classes.iter().filter_map(|class| class.text().ok());
        texts.any(|text| text.eq_ignore_ascii_case(class))
    };
    let mut pointers = POINTERS.iter();
    pointers.find(|(class, _)| is(class)).map(|(_, what)| *what)
}
