//! What the file says, key by key, before it is a whole.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use super::{
    ApiUrl, Grace, Proxy, Source, Subject, Unreachable,
    address::{LdapAddresses, RedisAddress},
    file::Given,
    filter::Filter,
    messages::{Last, Prompt, Sms},
    values::{
        Attribute, Attributes, Base, FilePath, FromNumber, Lasting, Leaf, Line, Sid, Whole, Why,
        ldap::{Domains, PlainNumbers},
        ledger::{Folder, MONTH, NewPhone, Prefixes, Rate, Rates, RedisUser},
        read,
        secret::Token,
    },
};
use crate::{phone::Region, secret::Secret};

/// A value, and where it stands.
#[derive(Clone)]
pub(super) struct At<T> {
    pub value: T,
    /// The key's whole name.
    pub key: String,
    pub line: usize,
}

/// A key that may be there.
pub(super) type Slot<T> = Option<At<T>>;

/// Puts a value where it belongs.
pub(super) fn put<T: Leaf>(slot: &mut Slot<T>, given: Given<'_>) -> Result<(), Why> {
    *slot = Some(At {
        value: read(given.value)?,
        key: given.key,
        line: given.line,
    });
    Ok(())
}

/// `twilio.timeout`, `ldap.timeout`, `ledger.timeout`
pub(super) type Timeout = Lasting<100, 60_000>;

/// The whole file.
#[derive(Default)]
pub(super) struct Draft {
    pub deadline: Slot<Lasting<1_000, 120_000>>,
    pub twilio: Twilio,
    pub ldap: Ldap,
    pub ledger: Ledger,
    /// `[password]`, `[code]`, `[messages]`, `[limits]`, `[policy]`
    pub common: Overlay,
    /// `[service.X]`, by X in lower case.
    pub services: BTreeMap<String, Overlay>,
    /// The lines of sections.
    pub sections: BTreeMap<String, usize>,
}

#[derive(Default)]
pub(super) struct Twilio {
    pub sid: Slot<Sid<'A', 'C'>>,
    pub token: Slot<Token>,
    pub token_file: Slot<FilePath>,
    pub key_sid: Slot<Sid<'S', 'K'>>,
    pub key_secret: Slot<Token>,
    pub key_secret_file: Slot<FilePath>,
    pub from: Slot<FromNumber>,
    pub service: Slot<Sid<'M', 'G'>>,
    pub api_url: Slot<ApiUrl>,
    pub ca_file: Slot<FilePath>,
    pub proxy: Slot<Proxy>,
    pub timeout: Slot<Timeout>,
    pub preconnect: Slot<bool>,
}

#[derive(Default)]
pub(super) struct Ldap {
    pub uris: Slot<LdapAddresses>,
    pub start_tls: Slot<bool>,
    pub ca_file: Slot<FilePath>,
    pub timeout: Slot<Timeout>,
    pub bind_dn: Slot<Line>,
    pub bind_password: Slot<Secret>,
    pub bind_password_file: Slot<FilePath>,
    pub base: Slot<Base>,
    pub filter: Slot<Filter>,
    pub verified_attribute: Slot<Attribute>,
    pub phone_attributes: Slot<Attributes>,
    pub default_region: Slot<Region>,
    pub grace: Slot<Grace>,
    pub plain_numbers: Slot<PlainNumbers>,
    pub strip_domains: Slot<Domains>,
    pub password_policy: Slot<bool>,
}

#[derive(Default)]
pub(super) struct Ledger {
    pub path: Slot<Folder>,
    pub redis: Slot<RedisAddress>,
    pub redis_user: Slot<RedisUser>,
    pub redis_password_file: Slot<FilePath>,
    pub ca_file: Slot<FilePath>,
    pub key_file: Slot<FilePath>,
    pub timeout: Slot<Timeout>,
    pub unreachable: Slot<Unreachable>,
}

/// What may differ by service.
#[derive(Default)]
pub(super) struct Overlay {
    pub source: Slot<Source>,
    pub refuse_after: Slot<Lasting<0, 10_000>>,
    pub digits: Slot<Whole<6, 10>>,
    pub lifetime: Slot<Lasting<5_000, 600_000>>,
    pub tries: Slot<Whole<1, 10>>,
    pub resends: Slot<Whole<0, 10>>,
    pub echo: Slot<bool>,
    pub messages: Texts,
    pub min_uid: Slot<Whole<1, { u32::MAX }>>,
    pub subject: Slot<Subject>,
    pub remember: Slot<Lasting<1_000, MONTH>>,
    pub new_phone: Slot<NewPhone>,
    pub sms: Slot<Rates>,
    pub sms_total: Slot<Rate<1_000_000>>,
    pub pause: Slot<Lasting<0, 300_000>>,
    pub failures: Slot<Whole<1, 100>>,
    pub lock: Slot<Lasting<1_000, 86_400_000>>,
    pub disable_after: Slot<Whole<1, 100>>,
    pub allowed_prefixes: Slot<Prefixes>,
}

#[derive(Default)]
pub(super) struct Texts {
    pub sms: Slot<Sms>,
    pub password: Slot<Prompt>,
    pub code: Slot<Prompt>,
    pub sent: Slot<Prompt>,
    pub resent: Slot<Prompt>,
    pub wrong: Slot<Prompt>,
    pub expired: Slot<Prompt>,
    pub not_a_code: Slot<Prompt>,
    pub no_resend: Slot<Prompt>,
    pub wait: Slot<Prompt>,
    pub too_many: Slot<Last>,
    pub too_late: Slot<Last>,
    pub not_verified: Slot<Last>,
    pub no_code: Slot<Last>,
    pub password_expired: Slot<Last>,
    pub stopped: Slot<Last>,
    pub bad_number: Slot<Last>,
    pub new_phone: Slot<Last>,
    pub not_sent: Slot<Last>,
    pub later: Slot<Last>,
    pub grace: Slot<Last>,
    pub guesses: Slot<Last>,
}

/// What counts for one service: its own table where it says something, else the common sections.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a> {
    pub own: Option<&'a Overlay>,
    pub common: &'a Overlay,
}

impl<'a> Layers<'a> {
    /// The key that counts.
    pub fn get<T>(self, slot: impl Fn(&Overlay) -> &Slot<T>) -> Option<&'a At<T>> {
        self.own
            .and_then(|own| slot(own).as_ref())
            .or_else(|| slot(self.common).as_ref())
    }

    /// Its value.
    pub fn value<T: Clone>(self, slot: impl Fn(&Overlay) -> &Slot<T>) -> Option<T> {
        self.get(slot).map(|at| at.value.clone())
    }
}

/// The services that `sudo -i` and `su -` ask for, and whose section counts for them unless they have
/// their own.
pub const LOGIN_SHELLS: [(&str, &str); 2] = [("sudo-i", "sudo"), ("su-l", "su")];

impl Draft {
    /// What counts for a service.
    pub fn layers(&self, service: &str) -> Layers<'_> {
        let service = service.to_ascii_lowercase();
        let other = LOGIN_SHELLS
            .iter()
            .find(|(shell, _)| *shell == service)
            .map_or(service.as_str(), |(_, other)| other);
        Layers {
            own: self
                .services
                .get(&service)
                .or_else(|| self.services.get(other)),
            common: &self.common,
        }
    }
}
