//! The only account of the fake Twilio, its numbers and its state.
#![forbid(unsafe_code)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An account with its credentials, all of them invented.
#[derive(Clone, Debug)]
pub struct Account {
    pub sid: String,
    pub token: String,
    pub key_sid: String,
    pub key_secret: String,
    /// The sender that the account owns.
    pub from: String,
    /// The Messaging Service that the account owns.
    pub service: String,
    /// `active`, `suspended` or `closed`.
    pub status: &'static str,
    /// `Trial` or `Full`.
    pub kind: &'static str,
    /// Whether `from` can send SMS.
    pub from_sends_sms: bool,
    /// Numbers that a trial account may write to; a full account may write to all.
    pub caller_ids: Vec<String>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            sid: "AC00c0ffee00c0ffee00c0ffee00c0ffee".to_owned(),
            token: "1ab7e57ab7e57ab7e57ab7e57ab7e57a".to_owned(),
            key_sid: "SK00decade00decade00decade00decade".to_owned(),
            key_secret: "1absecret1absecret1absecret1absecr".to_owned(),
            from: "+12025550199".to_owned(),
            service: "MG00facade00facade00facade00facade".to_owned(),
            status: "active",
            kind: "Full",
            from_sends_sms: true,
            caller_ids: Vec::new(),
        }
    }
}

impl Account {
    /// Whether an `Authorization` header contains the token or the API key of this account.
    pub fn is_authenticated_by(&self, header: Option<&str>) -> bool {
        let Some(encoded) = header.and_then(|header| header.strip_prefix("Basic ")) else {
            return false;
        };
        let Ok(decoded) = STANDARD.decode(encoded) else {
            return false;
        };
        let pair = |user: &str, secret: &str| format!("{user}:{secret}").into_bytes() == decoded;
        pair(&self.sid, &self.token) || pair(&self.key_sid, &self.key_secret)
    }

    /// Returns the `Authorization` header of a client with the account's token.
    pub fn authorization(&self) -> String {
        format!(
            "Basic {}",
            STANDARD.encode(format!("{}:{}", self.sid, self.token))
        )
    }
}
