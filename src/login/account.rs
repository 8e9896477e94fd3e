//! The user's account: directory entry, verified phone number, and origin.
#![forbid(unsafe_code)]

use super::{Login, LoginError};
use crate::{
    directory::{Entry, NoPhone},
    ledger::Account,
    phone::Phone,
    policy::{Identity, Origin, OriginSources},
    sms,
    verdict::{Denied, Refusal},
};

impl Login<'_> {
    /// Reads the account from the entry of a user whose first factor is verified.
    pub(super) fn account(
        &mut self,
        identity: &Identity,
        entry: &Entry,
    ) -> Result<Account, LoginError> {
        let numbers = entry.phones(&self.settings.ldap).map_err(|none| {
            let (denied, why) = match none {
                NoPhone::NotVerified(why) => (Denied::NotVerified, why),
                NoPhone::NoNumber(why) => (Denied::NoNumber, why),
            };
            Refusal::new(denied, entry.alias_or_referral().map_or(why, str::to_owned))
        })?;
        let phone = numbers.first().cloned().ok_or(Denied::NoNumber)?;
        self.phone = Some(phone.clone());
        let request = self.request;
        self.origin = Origin::from_sources(&OriginSources {
            ssh_auth_info: request.ssh_auth_info,
            rhost: request.rhost,
            ruser: request.ruser,
            caller: request.caller,
            session: request.session,
        });
        let origin_key = |origin: &Origin| origin.key(request.user, request.service);
        let longest_code = "0".repeat(self.settings.code.digits.into());
        let text = self.sms_text(&longest_code, self.settings.code.lifetime);
        Ok(Account {
            login: request.id,
            dn: entry.normalized_dn(),
            // Escaped, because `sms-otp status` shows it: it must not contain terminal control sequences.
            name: identity.name().escape_debug().to_string(),
            allowed: self.is_allowed(&phone),
            phone,
            numbers,
            password_changed: entry.password_changed().to_owned(),
            origin_key: self.origin.as_ref().map(origin_key),
            segments: sms::segments(&text),
        })
    }

    fn is_allowed(&self, phone: &Phone) -> bool {
        let prefixes = &self.settings.limits.allowed_prefixes;
        let begins_with = |prefix: &String| phone.e164().starts_with(prefix);
        prefixes.is_empty() || prefixes.iter().any(begins_with)
    }
}
