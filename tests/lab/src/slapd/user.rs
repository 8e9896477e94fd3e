//! Users of the directory: a builder for an entry in LDIF.
#![forbid(unsafe_code)]

use super::SUFFIX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;

/// A unit below `ou=people` whose entries contain the result of a bind as them.
const SCRIPTED: &str = "scripted,ou=people";

/// A user in the directory.
#[derive(Clone, Debug)]
pub struct LdapUser {
    uid: String,
    unit: &'static str,
    attributes: Vec<(String, String)>,
}

impl LdapUser {
    /// Creates a user without password and phone. Tests run in parallel: each needs names of its own.
    pub fn new(uid: &str) -> Self {
        let user = Self {
            uid: uid.to_owned(),
            unit: "people",
            attributes: Vec::new(),
        };
        user.attr("objectClass", "inetOrgPerson")
            .attr("objectClass", "verifiedPerson")
            .attr("uid", uid)
            .attr("cn", uid)
            .attr("sn", uid)
    }

    pub fn password(self, password: &str) -> Self {
        self.attr("userPassword", password)
    }

    /// Sets `phoneNumberVerified: TRUE`, as in Gluu's schema, and this number as `mobile`.
    pub fn phone(self, number: &str) -> Self {
        self.verified("TRUE").attr("mobile", number)
    }

    /// Sets `phoneNumberVerified`, a boolean: `TRUE` or `FALSE`.
    pub fn verified(self, value: &str) -> Self {
        self.attr("phoneNumberVerified", value)
    }

    /// Sets `verifiedPhone`, which may be any text, such as the number itself in older releases of Gluu.
    pub fn verified_text(self, text: &str) -> Self {
        self.attr("verifiedPhone", text)
    }

    /// Adds a value of any attribute.
    pub fn attr(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Moves the entry below `ou=open`, which anonymous clients may search.
    pub fn open(mut self) -> Self {
        self.unit = "open";
        self
    }

    /// Makes the password expired, without grace logins.
    pub fn expired(self) -> Self {
        let policy = format!("cn=expired,ou=policies,{SUFFIX}");
        self.attr("pwdPolicySubentry", &policy)
            .attr("pwdChangedTime", "20200101000000Z")
    }

    /// Makes the password expired, with three grace logins.
    pub fn grace(self) -> Self {
        let policy = format!("cn=grace,ou=policies,{SUFFIX}");
        self.attr("pwdPolicySubentry", &policy)
            .attr("pwdChangedTime", "20200101000000Z")
    }

    /// Requires a change of the password before anything else.
    pub fn must_change(self) -> Self {
        self.attr("pwdReset", "TRUE")
    }

    /// Locks the account permanently, as an administrator does.
    pub fn locked(self) -> Self {
        self.attr("pwdAccountLockedTime", "000001010000Z")
    }

    /// Sets the result code and diagnostic message of every bind as this user.
    pub fn bind_result(self, code: u32, message: &str) -> Self {
        let mut user = self;
        user.unit = SCRIPTED;
        let user = user
            .attr("objectClass", "errAuxObject")
            .attr("errOp", "bind")
            .attr("errCode", &code.to_string());
        if message.is_empty() {
            user
        } else {
            user.attr("errText", message)
        }
    }

    /// Sets the duration in seconds and the result code of every bind as this user.
    pub fn bind_delay(self, seconds: u32, code: u32) -> Self {
        self.bind_result(code, "")
            .attr("errSleepTime", &seconds.to_string())
    }

    pub fn uid(&self) -> &str {
        &self.uid
    }

    pub fn dn(&self) -> String {
        format!("uid={},ou={},{SUFFIX}", escape_dn(&self.uid), self.unit)
    }

    /// Returns the entry. Values are in base64, so that a test may use any bytes.
    pub fn ldif(&self) -> String {
        let mut text = format!("dn:: {}\n", STANDARD.encode(self.dn()));
        for (name, value) in &self.attributes {
            let _ = writeln!(text, "{name}:: {}", STANDARD.encode(value));
        }
        text.push('\n');
        text
    }
}

/// Escapes every special byte in hex (RFC 4514 §2.4).
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
