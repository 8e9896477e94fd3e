//! Every key there is: its name, what it allows, since when it works and where it goes. The one
//! source of what the man page, the sample file and the errors say.
#![forbid(unsafe_code)]

mod table;

use std::fmt;

pub(super) use table::KEYS;

use super::{
    draft::{Draft, Overlay},
    file::Given,
    values::Why,
};

/// The part of the product that a key comes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It works.
    Now,
    People,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "present",
            Self::People => "people",
        })
    }
}

/// Where a value goes.
#[derive(Clone, Copy)]
pub(super) enum Set {
    /// It counts for all services.
    Once(fn(&mut Draft, Given<'_>) -> Result<(), Why>),
    /// `[service.X]` may have another.
    Each(fn(&mut Overlay, Given<'_>) -> Result<(), Why>),
    /// It is not honoured yet.
    Later(Part),
}

/// A key.
pub(super) struct Key {
    /// Its whole name.
    pub path: &'static str,
    /// What it allows, in words.
    pub allowed: &'static str,
    pub set: Set,
}

impl Key {
    pub const fn part(&self) -> Part {
        match self.set {
            Set::Once(_) | Set::Each(_) => Part::Now,
            Set::Later(part) => part,
        }
    }

    /// The section it stands in, empty at the top.
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// Its name in that section.
    pub fn name(&self) -> &'static str {
        self.path
            .split_once('.')
            .map_or(self.path, |(_, name)| name)
    }
}

/// Whether a section may stand below `[service.X]`.
pub(super) fn is_per_service(section: &str) -> bool {
    matches!(
        section,
        "password" | "code" | "messages" | "limits" | "policy"
    )
}

/// Name, what is allowed, and since which part it works, of every key.
pub fn keys() -> impl Iterator<Item = (&'static str, &'static str, Part)> {
    KEYS.iter().map(|key| (key.path, key.allowed, key.part()))
}

/// Finds a key by its whole name.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// What a key allows, of one that is known.
pub(super) fn allowed(path: &str) -> &'static str {
    find(path).map_or("", |key| key.allowed)
}

/// Whether a name is that of a section.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.section() == name) && !name.is_empty()
}
