//! `[twilio]`: who sends, and what proves that he may.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    super::{
        ApiUrl, Error, Fault, Sender, Twilio,
        address::is_loopback,
        draft::{self, At},
        values::secret::Kind,
    },
    Desk, Kept,
};

impl Desk<'_> {
    pub fn twilio(
        &self,
        mut twilio: draft::Twilio,
        section: Option<usize>,
    ) -> Result<Twilio, Error> {
        let account_sid = self
            .need(twilio.sid.take(), section, "twilio.twilio_sid")?
            .0;
        let (key, kept) = self.credentials(&mut twilio, section)?;
        let sender = match (twilio.from, twilio.service) {
            (Some(from), None) => Sender::Number(from.value.0),
            (None, Some(service)) => Sender::Service(service.value.0),
            (Some(from), Some(service)) => return Err(self.beside(from.spot(), service.spot())),
            (None, None) => {
                let allowed = "this, or messaging_service_sid";
                let key = "twilio.from_number";
                return Err(self.error(section, key, Fault::Missing { allowed }));
            }
        };
        let api_url = twilio.api_url.map_or_else(ApiUrl::twilio, |at| at.value);
        // A tunnel would carry the token in clear to wherever the proxy is.
        match &twilio.proxy {
            Some(at) if !api_url.tls && !is_loopback(&at.value.host) => {
                return Err(self.at(at.spot(), Fault::ProxyInTheClear));
            }
            Some(_) | None => (),
        }
        Ok(Twilio {
            auth_user: key.unwrap_or_else(|| account_sid.clone()),
            account_sid,
            auth_secret: self.open(kept, Kind::Token)?,
            sender,
            api_url,
            ca_file: self.bundle(twilio.ca_file)?,
            proxy: twilio.proxy.map(|at| at.value),
            timeout: twilio
                .timeout
                .map_or(Duration::from_secs(10), |at| at.value.0),
            preconnect: twilio.preconnect.is_none_or(|at| at.value),
        })
    }

    /// The API key, if it is not the account itself, and what proves it.
    fn credentials(
        &self,
        twilio: &mut draft::Twilio,
        section: Option<usize>,
    ) -> Result<(Option<String>, Kept), Error> {
        let token = self.kept(
            twilio.token.take().map(At::into_secret),
            twilio.token_file.take(),
        )?;
        let secret = self.kept(
            twilio.key_secret.take().map(At::into_secret),
            twilio.key_secret_file.take(),
        )?;
        match (token, twilio.key_sid.take(), secret) {
            (Some(token), None, None) => Ok((None, token)),
            (None, Some(key), Some(secret)) => Ok((Some(key.value.0), secret)),
            (Some(token), Some(key), _) => Err(self.beside(token.spot(), key.spot())),
            (Some(token), None, Some(secret)) => Err(self.beside(token.spot(), secret.spot())),
            (None, Some(key), None) => {
                let other = "twilio.api_key_secret_file";
                Err(self.at(key.spot(), Fault::Without { other }))
            }
            (None, None, Some(secret)) => {
                let other = "twilio.api_key_sid";
                Err(self.at(secret.spot(), Fault::Without { other }))
            }
            (None, None, None) => {
                let allowed = "this, or twilio_token, or api_key_sid with api_key_secret_file";
                let key = "twilio.twilio_token_file";
                Err(self.error(section, key, Fault::Missing { allowed }))
            }
        }
    }
}
