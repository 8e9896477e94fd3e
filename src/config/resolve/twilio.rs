//! `[twilio]`: the credentials and the sender.
#![forbid(unsafe_code)]

use super::{
    super::{
        Error, Fault, Sender, Twilio, address::is_loopback, table::TwilioKeys,
        value_types::secret::Kind,
    },
    Resolver, SecretSource,
};

impl Resolver<'_> {
    pub fn twilio(&self, keys: &TwilioKeys, section: Option<usize>) -> Result<Twilio, Error> {
        let account_sid = self.require(keys.twilio_sid.as_ref(), section, "twilio.twilio_sid")?;
        let account_sid = account_sid.value.clone();
        let (api_key, source) = self.credentials(keys, section)?;
        let sender = self.sender(keys, section)?;
        let auth_user = api_key.unwrap_or_else(|| account_sid.clone());
        let auth_secret = self.secret(&source, Kind::Token)?;
        let ca_file = self.ca_bundle(keys.ca_file.as_ref())?;
        let proxy = keys.proxy.as_ref().map(|proxy| proxy.value.clone());
        let built = keys.build(account_sid, auth_user, auth_secret, sender, ca_file, proxy);
        let twilio = self.valid(built)?;
        // Through a proxy on another host, plain HTTP would carry the token unencrypted.
        match &keys.proxy {
            Some(proxy) if !twilio.api_url.tls && !is_loopback(&proxy.value.host) => {
                Err(self.error_at(proxy.spot(), Fault::UnencryptedProxy))
            }
            Some(_) | None => Ok(twilio),
        }
    }

    fn sender(&self, keys: &TwilioKeys, section: Option<usize>) -> Result<Sender, Error> {
        match (&keys.from_number, &keys.messaging_service_sid) {
            (Some(from), None) => Ok(Sender::Number(from.value.clone())),
            (None, Some(service)) => Ok(Sender::Service(service.value.clone())),
            (Some(from), Some(service)) => Err(self.conflict(from.spot(), service.spot())),
            (None, None) => {
                let allowed = "this, or messaging_service_sid".to_owned();
                let key = "twilio.from_number";
                Err(self.error(section, key, Fault::Missing { allowed }))
            }
        }
    }

    /// Returns the API key, unless the account itself is used, and the secret that belongs to it.
    fn credentials<'t>(
        &self,
        keys: &'t TwilioKeys,
        section: Option<usize>,
    ) -> Result<(Option<String>, SecretSource<'t>), Error> {
        let token =
            self.secret_source(keys.twilio_token.as_ref(), keys.twilio_token_file.as_ref())?;
        let secret = self.secret_source(
            keys.api_key_secret.as_ref(),
            keys.api_key_secret_file.as_ref(),
        )?;
        match (token, &keys.api_key_sid, secret) {
            (Some(token), None, None) => Ok((None, token)),
            (None, Some(key), Some(secret)) => Ok((Some(key.value.clone()), secret)),
            (Some(token), Some(key), _) => Err(self.conflict(token.spot(), key.spot())),
            (Some(token), None, Some(secret)) => Err(self.conflict(token.spot(), secret.spot())),
            (None, Some(key), None) => Err(self.requires(key.spot(), "twilio.api_key_secret_file")),
            (None, None, Some(secret)) => Err(self.requires(secret.spot(), "twilio.api_key_sid")),
            (None, None, None) => {
                let allowed = "this, or twilio_token, or api_key_sid with api_key_secret_file";
                let allowed = allowed.to_owned();
                let key = "twilio.twilio_token_file";
                Err(self.error(section, key, Fault::Missing { allowed }))
            }
        }
    }
}
