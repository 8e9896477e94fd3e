//! Twilio's Message resource (<https://www.twilio.com/docs/messaging/api/message-resource>).
#![forbid(unsafe_code)]

mod codes;
mod outcome;
#[cfg(test)]
mod tests;
mod wording;

use std::{thread, time::Duration};

use super::{Error, Kind, Sent};
use crate::{
    config::{self, Sender},
    deadline::{Deadline, Moment},
    net::{
        self,
        http::{self, Connection, Post, Server, Unanswered},
    },
    phone::Phone,
    secret::Secret,
};

/// How often a text goes out again after Twilio has said "later".
const MOST_REPEATS: u32 = 3;

/// Before a connection that failed is tried a second time.
const BREATH: Duration = Duration::from_millis(100);

/// The carrier, with our account.
#[derive(Debug)]
pub struct Twilio {
    server: Server,
    path: String,
    authorization: Secret,
    sender: Sender,
    timeout: Duration,
}

impl Twilio {
    /// Reads what is needed to trust Twilio, and contacts nobody. The system's CA certificates are
    /// read here, so this comes before privileges go.
    pub fn new(settings: &config::Twilio) -> Result<Self, Error> {
        let api = &settings.api_url;
        let proxy = settings.proxy.as_ref();
        let tls = if api.tls {
            Some(net::tls_config(settings.ca_file.as_deref()).map_err(unasked)?)
        } else {
            None
        };
        Ok(Self {
            server: Server {
                host: api.host.clone(),
                port: api.port,
                tls,
                proxy: proxy.map(|proxy| (proxy.host.clone(), proxy.port)),
            },
            path: format!(
                "/2010-04-01/Accounts/{}/Messages.json",
                settings.account_sid
            ),
            authorization: wording::basic(&settings.auth_user, settings.auth_secret.reveal()),
            sender: settings.sender.clone(),
            timeout: settings.timeout,
        })
    }

    /// Opens the way to Twilio: TCP, proxy, TLS, each within the settings' `timeout`. What fails
    /// sooner than that is tried once more, since nothing has been asked yet; a certificate that
    /// does not verify will not verify the second time.
    pub fn connect(&self, by: Deadline) -> Result<Connection, Error> {
        let soon = by.or_within(self.timeout);
        match Connection::open(&self.server, self.timeout, by) {
            Err(net::Error::Outage(_)) if soon.left() > BREATH => {
                thread::sleep(BREATH);
                Connection::open(&self.server, self.timeout, by)
            }
            other => other,
        }
        .map_err(unasked)
    }

    /// Hands a text to Twilio, which may keep it for as long as it is `valid` and no longer.
    ///
    /// Each answer is waited for no longer than the settings' `timeout`, however long it took to
    /// connect. A text is posted once;
    /// only after a 429, when it was surely not taken, it goes out again, at the time Twilio names,
    /// if it is still valid then.
    pub fn send(
        &self,
        to: &Phone,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, Error> {
        self.deliver(None, to.e164(), body, valid, by)
    }

    /// As [`Self::send`], over a connection that may be open already.
    fn deliver(
        &self,
        mut open: Option<Connection>,
        to: &str,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, Error> {
        let began = Moment::now();
        let end = Deadline::at(began.after(valid));
        let mut limited = None;
        let mut repeats = 0;
        loop {
            let connection = match open.take() {
                Some(connection) => connection,
                None => self.connect(by)?,
            };
            // What is left of it now: the ways here and the waits count.
            let valid = end.left();
            if valid.is_zero() {
                return Err(limited.unwrap_or_else(too_slow));
            }
            let form = wording::form(to, &self.sender, body, valid);
            let post = Post {
                path: &self.path,
                authorization: &self.authorization,
                form: &form,
            };
            let until = by.or_within(self.timeout);
            let reply = http::post(&self.server, connection, &post, until).map_err(unanswered)?;
            let error = match outcome::of(&reply) {
                Ok(sid) => {
                    let took = Moment::now().since(began);
                    return Ok(Sent { sid, took });
                }
                Err(error) => error,
            };
            match outcome::later(&reply).filter(|_| error.kind == Kind::Limited) {
                Some(wait) if repeats < MOST_REPEATS && wait < by.min(end).left() => {
                    thread::sleep(wait);
                    repeats = repeats.saturating_add(1);
                    limited = Some(error);
                }
                _ => return Err(error),
            }
        }
    }
}

/// What was to be sent was over before there was a connection.
fn too_slow() -> Error {
    Error::new(
        Kind::Outage,
        None,
        "connecting to Twilio took longer than the code lives",
        "look at network, name service, firewall and twilio.proxy on this machine, and at code.lifetime",
    )
    .not_sent()
}

/// Nothing was asked yet.
fn unasked(error: net::Error) -> Error {
    from_net(error).not_sent()
}

/// Twilio may have read the request and never have come to answer it.
fn unanswered(Unanswered { asked, error }: Unanswered) -> Error {
    if asked {
        from_net(error)
    } else {
        unasked(error)
    }
}

/// What a failed connection means to whoever wanted to send.
fn from_net(error: net::Error) -> Error {
    match error {
        net::Error::Outage(text) => Error::new(
            Kind::Outage,
            None,
            text,
            "look at network, name service, firewall and twilio.proxy on this machine, and at https://status.twilio.com",
        ),
        net::Error::Untrusted(text) => Error::new(
            Kind::Refused,
            None,
            text,
            "something between this machine and Twilio answers for it, or the clock is wrong; if that is your own proxy, set twilio.ca_file to its CA",
        ),
        net::Error::Local(text) => Error::new(
            Kind::Local,
            None,
            text,
            "look at twilio.ca_file, twilio.proxy, the system's CA certificates, and limits and filters on this machine",
        ),
    }
}
