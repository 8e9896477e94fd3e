//! People as data: a builder that ends as an entry in LDIF.
#![forbid(unsafe_code)]

use super::SUFFIX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// Below `ou=people`, in a database whose entries say how binding as them ends.
const SCRIPTED: &str = "scripted,ou=people";

/// One person in the scratch directory.
#[derive(Clone, Debug)]
pub struct Person {
    uid: String,
    unit: &'static str,
    attributes: Vec<(String, String)>,
}

impl Person {
    /// A person without password and phone. Tests run side by side: give each its own names.
    pub fn new(uid: &str) -> Self {
        let person = Self {
            uid: uid.to_owned(),
            unit: "people",
            attributes: Vec::new(),
        };
        person
            .attr("objectClass", "inetOrgPerson")
            .attr("objectClass", "verifiedPerson")
            .attr("uid", uid)
            .attr("cn", uid)
            .attr("sn", uid)
    }

    pub fn password(self, password: &str) -> Self {
        self.attr("userPassword", password)
    }

    /// `phoneNumberVerified: TRUE`, as in Gluu's schema, and this number as `mobile`.
    pub fn phone(self, number: &str) -> Self {
        self.verified("TRUE").attr("mobile", number)
    }

    /// A value of `phoneNumberVerified`, which is a boolean: `TRUE` or `FALSE`.
    pub fn verified(self, value: &str) -> Self {
        self.attr("phoneNumberVerified", value)
    }

    /// A value of `verifiedPhone`, which may hold any text: the number itself, as older Gluus had it.
    pub fn verified_text(self, text: &str) -> Self {
        self.attr("verifiedPhone", text)
    }

    /// A value more of any attribute.
    pub fn attr(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Below `ou=open`, where anonymous may search.
    pub fn open(mut self) -> Self {
        self.unit = "open";
        self
    }

    /// The right password is too old, and there is no grace left.
    pub fn expired(self) -> Self {
        let policy = format!("cn=expired,ou=policies,{SUFFIX}");
        self.attr("pwdPolicySubentry", &policy)
            .attr("pwdChangedTime", "20200101000000Z")
    }

    /// The right password is too old, and lets in three more times.
    pub fn grace(self) -> Self {
        let policy = format!("cn=grace,ou=policies,{SUFFIX}");
        self.attr("pwdPolicySubentry", &policy)
            .attr("pwdChangedTime", "20200101000000Z")
    }

    /// The right password lets in, to change it and for nothing else.
    pub fn must_change(self) -> Self {
        self.attr("pwdReset", "TRUE")
    }

    /// Locked by an administrator, for good.
    pub fn locked(self) -> Self {
        self.attr("pwdAccountLockedTime", "000001010000Z")
    }

    /// Binding as this person gives this result code and diagnostic message, whatever the password.
    pub fn bind_answers(self, code: u32, message: &str) -> Self {
        let mut person = self;
        person.unit = SCRIPTED;
        let person = person
            .attr("objectClass", "errAuxObject")
            .attr("errOp", "bind")
            .attr("errCode", &code.to_string());
        if message.is_empty() {
            person
        } else {
            person.attr("errText", message)
        }
    }

    /// Binding as this person takes the directory this many seconds, and then gives this result code.
    pub fn bind_takes(self, seconds: u32, code: u32) -> Self {
        self.bind_answers(code, "")
            .attr("errSleepTime", &seconds.to_string())
    }

    pub fn uid(&self) -> &str {
        &self.uid
    }

    pub fn dn(&self) -> String {
        format!("uid={},ou={},{SUFFIX}", escape_dn(&self.uid), self.unit)
    }

    /// The entry. Values go in base64, so that a test may put anything into them.
    pub fn ldif(&self) -> String {
        let mut text = format!("dn:: {}\n", STANDARD.encode(self.dn()));
        for (name, value) in &self.attributes {
            let _ = writeln!(text, "{name}:: {}", STANDARD.encode(value));
        }
        text.push('\n');
        text
    }
}

/// RFC 4514 §2.4: every byte that is not plain is written in hex.
fn escape_dn(value: &str) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "\\{byte:02x}");
        }
    }
    text
}
