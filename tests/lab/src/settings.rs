//! Settings files for the module. Each is a valid file with changes.
#![forbid(unsafe_code)]

use crate::certs::Certs;
use crate::scratch;
use crate::slapd::Slapd;
use crate::twilio::Twilio;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Settings as dotted keys and values in TOML.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, String>,
}

impl Settings {
    /// Returns settings for this directory and this Twilio. There is no pause between two SMS, and the limit
    /// per phone is high, so that users can share a phone; everything else has its default.
    pub fn for_lab(certs: &Certs, slapd: &Slapd, twilio: &Twilio) -> Self {
        let account = twilio.account();
        let ca = certs.ca().display().to_string();
        Self::default()
            .text("twilio.twilio_sid", &account.sid)
            .text("twilio.twilio_token", &account.token)
            .text("twilio.from_number", &account.from)
            .text("twilio.api_url", &twilio.url())
            .text("twilio.ca_file", &ca)
            .set("ldap.uris", &format!("[{}]", quoted(&slapd.ldaps())))
            .text("ldap.ca_file", &ca)
            .text("ldap.bind_dn", Slapd::BIND_DN)
            .text("ldap.bind_password", Slapd::BIND_PASSWORD)
            .text("ldap.base", &Slapd::people())
            .set("limits.sms", "[\"100/1h\"]")
            .text("limits.pause", "0s")
    }

    /// Sets `section.key` to a value in TOML.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.values.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Sets `section.key` to a string.
    pub fn text(self, key: &str, value: &str) -> Self {
        let value = quoted(value);
        self.set(key, &value)
    }

    pub fn without(mut self, key: &str) -> Self {
        self.values.remove(key);
        self
    }

    pub fn toml(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.values {
            let _ = writeln!(text, "{key} = {value}");
        }
        text
    }

    /// Writes the file with mode 0600.
    pub fn write(&self, path: &Path) {
        scratch::write(path, 0o600, self.toml());
    }
}

/// Encodes a basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}
