//! The table of settings: one row for each key.
//!
//! A row gives the path, type and range, default, scope and help text of a key. The parser, the
//! defaults, the public structs of [`Settings`](super::Settings), the errors, the reference part of
//! `sms_otp.toml(5)`, the sample file and the dictionary of the fuzzer are derived from the rows.
//! To add a key, add a row, use the field that it creates, and run `UPDATE=1 cargo test --lib
//! config::reference`.
#![forbid(unsafe_code)]

mod global;
mod messages;
mod per_service;

use std::collections::BTreeMap;

use super::value_types::{Invalid, ValueType, parse_value};
pub use global::{Ldap, Ledger, Twilio};
pub(super) use global::{LdapKeys, LedgerKeys, TwilioKeys};
pub use messages::Messages;
pub(super) use messages::MessagesKeys;
#[cfg(any(test, fuzzing))]
pub(super) use per_service::LimitsKeys;
pub use per_service::{Code, Limits, Password, Policy};

/// A value, and where the file sets it.
#[derive(Clone)]
pub(super) struct Located<T> {
    pub value: T,
    /// The full path of the key, with `service.X`.
    pub key: String,
    pub line: usize,
}

/// A value as the file gives it.
pub(super) struct Given<'i> {
    pub key: String,
    pub line: usize,
    pub value: toml::Spanned<toml::de::DeValue<'i>>,
}

/// Parses a value into its field.
fn store<T: ValueType>(
    field: &mut Option<Located<T::Value>>,
    given: Given<'_>,
) -> Result<(), Invalid> {
    *field = Some(Located {
        value: parse_value::<T>(given.value)?,
        key: given.key,
        line: given.line,
    });
    Ok(())
}

/// Everything that a settings file sets.
#[derive(Default)]
pub(super) struct File {
    pub top: global::TopKeys,
    pub twilio: TwilioKeys,
    pub ldap: LdapKeys,
    pub ledger: LedgerKeys,
    pub common: PerService,
    /// `[service.X]`, by X in lower case.
    pub services: BTreeMap<String, PerService>,
    /// The line of each section.
    pub sections: BTreeMap<String, usize>,
    /// Path and line of each key whose value is a secret.
    pub secrets: Vec<(String, usize)>,
}

/// The sections that `[service.X]` may contain.
#[derive(Clone, Default)]
pub(super) struct PerService {
    pub password: per_service::PasswordKeys,
    pub code: per_service::CodeKeys,
    pub messages: messages::MessagesKeys,
    pub policy: per_service::PolicyKeys,
    pub limits: per_service::LimitsKeys,
}

impl PerService {
    /// Combines two layers: each key of `self`, else that of `base`.
    pub fn over(self, base: &Self) -> Self {
        Self {
            password: self.password.over(&base.password),
            code: self.code.over(&base.code),
            messages: self.messages.over(&base.messages),
            policy: self.policy.over(&base.policy),
            limits: self.limits.over(&base.limits),
        }
    }
}

/// Where a key may be set, and how its value is stored.
#[derive(Clone, Copy)]
pub(super) enum Scope {
    /// Once, for all services.
    Global(fn(&mut File, Given<'_>) -> Result<(), Invalid>),
    /// In its section and in `[service.X]`.
    PerService(fn(&mut PerService, Given<'_>) -> Result<(), Invalid>),
}

/// What the sample file shows for a key.
#[cfg_attr(not(test), allow(dead_code, reason = "the generator is a test"))]
#[derive(Clone, Copy)]
pub(super) enum Sample {
    /// The default, commented out.
    Default,
    /// A value that is in effect.
    Set(&'static str),
    /// Another value than the default, commented out.
    Example(&'static str),
}

/// One key.
#[cfg_attr(not(test), allow(dead_code, reason = "the generator is a test"))]
pub(super) struct Row {
    /// The full path, such as `ldap.timeout`.
    pub path: &'static str,
    /// Type and range.
    pub allowed: fn() -> String,
    /// The range in a short form, for types that have one.
    pub range: fn() -> Option<String>,
    pub is_secret: bool,
    /// As TOML.
    pub default: Option<&'static str>,
    pub sample: Sample,
    /// Lines of the doc comment, each with a leading space.
    pub help: &'static str,
    pub scope: Scope,
}

/// One section of the file.
#[cfg_attr(not(test), allow(dead_code, reason = "the generator is a test"))]
pub(super) struct Section {
    /// What the paths of its keys begin with: `ldap.`; empty for keys before the first section.
    pub prefix: &'static str,
    pub help: &'static str,
    pub rows: &'static [&'static [Row]],
}

/// All sections, in the order of the manual page and the sample file.
pub(super) static SECTIONS: &[Section] = &[
    global::TopKeys::SECTION,
    TwilioKeys::SECTION,
    LdapKeys::SECTION,
    per_service::PasswordKeys::SECTION,
    per_service::CodeKeys::SECTION,
    messages::MessagesKeys::SECTION,
    per_service::PolicyKeys::SECTION,
    per_service::LimitsKeys::SECTION,
    LedgerKeys::SECTION,
];

impl Section {
    /// Its name in brackets; empty for keys before the first section.
    pub fn name(&self) -> &'static str {
        self.prefix.trim_end_matches('.')
    }

    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        self.rows.iter().copied().flatten()
    }

    pub fn is_per_service(&self) -> bool {
        self.rows().any(Row::is_per_service)
    }
}

impl Row {
    pub fn is_per_service(&self) -> bool {
        matches!(self.scope, Scope::PerService(_))
    }

    /// The section; empty for a key before the first section.
    pub fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    /// The name within the section.
    pub fn name(&self) -> &'static str {
        self.path
            .split_once('.')
            .map_or(self.path, |(_, name)| name)
    }
}

/// All keys.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(Section::rows)
}

/// Finds a key by its full path.
pub(super) fn find(path: &str) -> Option<&'static Row> {
    rows().find(|row| row.path == path)
}

/// Returns what a key allows; empty for an unknown key.
pub(super) fn allowed(path: &str) -> String {
    find(path).map_or_else(String::new, |row| (row.allowed)())
}

/// Finds a section by its name.
pub(super) fn find_section(name: &str) -> Option<&'static Section> {
    let mut sections = SECTIONS.iter();
    sections.find(|section| !name.is_empty() && section.name() == name)
}

/// A default as a row writes it: a literal of Rust.
trait Literal<Raw> {
    fn raw(self) -> Raw;
}

impl Literal<String> for &str {
    fn raw(self) -> String {
        self.to_owned()
    }
}

impl Literal<bool> for bool {
    fn raw(self) -> bool {
        self
    }
}

impl Literal<i64> for i64 {
    fn raw(self) -> i64 {
        self
    }
}

impl<const N: usize> Literal<Vec<String>> for [&str; N] {
    fn raw(self) -> Vec<String> {
        self.map(str::to_owned).to_vec()
    }
}

/// Returns the value that the file sets, else the default.
fn or_default<T: ValueType>(
    field: Option<&Located<T::Value>>,
    default: impl Literal<T::Raw>,
) -> Result<T::Value, Invalid> {
    match field {
        Some(located) => Ok(located.value.clone()),
        None => T::parse(default.raw()),
    }
}

/// Declares one section of the file. An example, with one row of each kind:
///
/// ```text
/// section! {
///     /// The help text of the section.
///     global ldap "ldap.": LdapKeys => Ldap { uris: Vec<LdapUri>, }
///     resolved {
///         /// The servers, tried in this order.
///         uris: LdapAddresses, set ["ldaps://ldap1.example.org"];
///     }
///     fields {
///         /// The limit for each step at one server.
///         ///
///         /// A lookup of its name is not part of it.
///         timeout: Timeout = "5s";
///     }
/// }
/// ```
///
/// `global` keys are set once; `per_service` ones also in `[service.X]`. `ldap` is the field of
/// [`File`] or [`PerService`]; `"ldap."` is what the paths of the keys begin with. The struct
/// `LdapKeys` is what the file sets. The struct `Ldap` is public: it has the fields in braces, whose
/// values the resolver makes from the keys below `resolved`, and one field for each key below
/// `fields`. Both kinds of blocks may be repeated, so that related keys are next to each other.
///
/// In a row, the doc comment is the help text. Its first paragraph is shown in the manual page and the
/// sample file, with a block of text that follows it; the rest is shown in the manual page only. A name
/// in backquotes is a key. Then follow the name, the type (see [`value_types`](super::value_types))
/// and the default: a literal that is valid in Rust and in TOML. A key without a default becomes an
/// `Option`, and with `= empty` a list that is empty while it is not set. The sample file shows the
/// default, commented out, or the value after `set`, or, commented out, the value after `example`.
macro_rules! section {
    (
        $(#[doc = $section_help:literal])*
        $scope:ident $section:ident $prefix:literal: $Keys:ident =>
        $(#[$attribute:meta])* $Public:ident { $($extra:ident: $extra_type:ty,)* }
        $(
            resolved { $(
                $(#[doc = $input_help:literal])*
                $input:ident: $input_type:ty
                $(= $input_default:tt)? $(, $input_mark:ident $input_sample:tt)?;
            )* }
            fields { $(
                $(#[doc = $help:literal])*
                $key:ident: $type:ty
                $(= $default:tt)? $(, $mark:ident $sample:tt)?;
            )* }
        )+
    ) => {
        /// What the file sets.
        #[derive(Clone, Default)]
        pub(in crate::config) struct $Keys {
            $(
                $(pub $input: Option<Located<<$input_type as ValueType>::Value>>,)*
                $(pub $key: Option<Located<<$type as ValueType>::Value>>,)*
            )+
        }

        $(#[doc = $section_help])*
        $(#[$attribute])*
        #[derive(Debug)]
        pub struct $Public {
            $(pub $extra: $extra_type,)*
            $($($(#[doc = $help])* pub $key: section!(@type $type $(, $default)?),)*)+
        }

        impl $Keys {
            pub const SECTION: Section = Section {
                prefix: $prefix,
                help: concat!($($section_help, "\n"),*),
                rows: &[$(
                    &[$(section!(@row $scope $section $prefix $input: $input_type,
                        section!(@text $($input_default)?),
                        section!(@sample $($input_mark $input_sample)?),
                        concat!($($input_help, "\n"),*)),)*],
                    &[$(section!(@row $scope $section $prefix $key: $type,
                        section!(@text $($default)?),
                        section!(@sample $($mark $sample)?),
                        concat!($($help, "\n"),*)),)*],
                )+],
            };

            $($($(section!(@input $input: $input_type, $input_default);)?)*)+

            /// Makes the public struct: what the file sets, defaults, and the resolved fields.
            pub fn build(&self, $($extra: $extra_type),*) -> Result<$Public, Invalid> {
                Ok($Public {
                    $($extra,)*
                    $($($key: section!(@value self.$key, $type $(, $default)?),)*)+
                })
            }

            section!(@over $scope { $($($input)* $($key)*)+ });
        }
    };
    (@input $key:ident: $type:ty, empty) => {};
    (@input $key:ident: $type:ty, $default:tt) => {
        /// Returns the value that the file sets, else the default.
        pub fn $key(&self) -> Result<<$type as ValueType>::Value, Invalid> {
            or_default::<$type>(self.$key.as_ref(), $default)
        }
    };
    (@over global { $($key:ident)* }) => {};
    (@over per_service { $($key:ident)* }) => {
        /// Combines two layers: each key of `self`, else that of `base`.
        pub fn over(self, base: &Self) -> Self {
            Self { $($key: self.$key.or_else(|| base.$key.clone()),)* }
        }
    };
    (@type $type:ty) => { Option<<$type as ValueType>::Value> };
    (@type $type:ty, $default:tt) => { <$type as ValueType>::Value };
    (@value $keys:ident.$key:ident, $type:ty) => {
        $keys.$key.as_ref().map(|located| located.value.clone())
    };
    (@value $keys:ident.$key:ident, $type:ty, empty) => {
        $keys.$key.as_ref().map(|located| located.value.clone()).unwrap_or_default()
    };
    (@value $keys:ident.$key:ident, $type:ty, $default:tt) => {
        or_default::<$type>($keys.$key.as_ref(), $default)?
    };
    (@text) => { None };
    (@text empty) => { None };
    (@text $default:tt) => { Some(stringify!($default)) };
    (@sample) => { Sample::Default };
    (@sample set $value:tt) => { Sample::Set(stringify!($value)) };
    (@sample example $value:tt) => { Sample::Example(stringify!($value)) };
    (@row $scope:ident $section:ident $prefix:literal $key:ident: $type:ty,
        $default:expr, $sample:expr, $help:expr) => {
        Row {
            path: concat!($prefix, stringify!($key)),
            allowed: <$type as ValueType>::allowed,
            range: <$type as ValueType>::range,
            is_secret: <$type as ValueType>::IS_SECRET,
            default: $default,
            sample: $sample,
            help: $help,
            scope: section!(@scope $scope $section $key $type),
        }
    };
    (@scope global $section:ident $key:ident $type:ty) => {
        Scope::Global(|file, given| store::<$type>(&mut file.$section.$key, given))
    };
    (@scope per_service $section:ident $key:ident $type:ty) => {
        Scope::PerService(|layer, given| store::<$type>(&mut layer.$section.$key, given))
    };
}
use section;
