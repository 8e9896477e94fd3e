//! Twilio's Message resource (<https://www.twilio.com/docs/messaging/api/message-resource>).
#![forbid(unsafe_code)]

mod codes;
mod outcome;
#[cfg(any(test, fuzzing))]
pub mod properties;
#[cfg(test)]
mod tests;
mod way;
mod wording;

use std::{sync::Arc, time::Duration};

use super::{Error, Kind, Sent};
use crate::{
    config::{self, Sender},
    deadline::{self, Deadline, Moment},
    net::{
        self,
        http::{self, Post, Unanswered},
    },
    phone::Phone,
    prefetch::Permit,
    secret::Secret,
};
use way::{Early, Way};

/// How often a text goes out again after Twilio has said "later".
const MOST_REPEATS: u32 = 3;

/// The carrier, with our account.
#[derive(Debug)]
pub struct Twilio {
    way: Arc<Way>,
    early: Option<Early>,
    path: String,
    authorization: Secret,
    sender: Sender,
}

impl Twilio {
    /// Contacts nobody and reads nothing: the system's CA certificates are read on the way to
    /// Twilio, by whoever goes there first.
    #[must_use]
    pub fn new(settings: &config::Twilio) -> Self {
        Self {
            way: Arc::new(Way::new(settings)),
            early: None,
            path: format!(
                "/2010-04-01/Accounts/{}/Messages.json",
                settings.account_sid
            ),
            authorization: wording::basic(&settings.auth_user, settings.auth_secret.reveal()),
            sender: settings.sender.clone(),
        }
    }

    /// Begins to open the way to Twilio, on a thread of its own, for the text that is sent next.
    /// Nothing is asked; if it fails, it is as if it had never been.
    pub fn begin(&mut self, permit: Permit) {
        if self.early.is_none() {
            self.early = Early::begin(&self.way, permit);
        }
    }

    /// Closes what was begun and is not used yet.
    pub fn close(&mut self) {
        self.early = None;
    }

    /// Hands a text to Twilio, which may keep it for as long as it is `valid` and no longer.
    ///
    /// Each answer is waited for no longer than the settings' `timeout`, however long it took to
    /// connect. A text is posted once;
    /// only after a 429, when it was surely not taken, it goes out again, at the time Twilio names,
    /// if it is still valid then.
    ///
    /// A connection that was [begun](Self::begin) is taken, and waited for as long as a `timeout`
    /// if it is still underway. One that has died or grown old is replaced, as long as no byte of
    /// the text has left.
    pub fn send(
        &mut self,
        to: &Phone,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, Error> {
        let early = self.early.take();
        self.deliver(early, to.e164(), body, valid, by)
    }

    /// As [`Self::send`], over a connection that may be open already.
    fn deliver(
        &self,
        early: Option<Early>,
        to: &str,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, Error> {
        let began = Moment::now();
        let end = Deadline::at(began.after(valid));
        let early = early.map(|early| early.opened(self.way.timeout, by));
        let mut early = early.transpose().map_err(unasked)?.flatten();
        let mut limited = None;
        let mut repeats = 0;
        loop {
            let open = early.take().and_then(|mut it| it.is_good().then_some(it));
            let was_open = open.is_some();
            let connection = match open {
                Some(connection) => connection,
                None => self.way.open(by).map_err(unasked)?,
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
            let until = by.or_within(self.way.timeout);
            let server = self.way.server().map_err(unasked)?;
            let reply = match http::post(server, connection, &post, until) {
                // It had died unseen. Nothing of the text has left: a new one, once.
                Err(Unanswered { asked: false, .. }) if was_open => continue,
                reply => reply.map_err(unanswered)?,
            };
            let error = match outcome::of(&reply) {
                Ok(sid) => {
                    let took = Moment::now().since(began);
                    return Ok(Sent { sid, took });
                }
                Err(error) => error,
            };
            match outcome::later(&reply).filter(|_| error.kind == Kind::Limited) {
                Some(wait) if repeats < MOST_REPEATS && wait < by.min(end).left() => {
                    deadline::sleep(wait);
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
        net::Error::Outage(text) | net::Error::ClosedEarly(text) => Error::new(
            Kind::Outage,
            None,
            text,
            "look at network, name service, firewall and twilio.proxy on this machine, and at https://status.twilio.com",
        ),
        net::Error::Refused { what, remedy } => Error::new(Kind::Refused, None, what, remedy),
        net::Error::Local(text) => Error::new(
            Kind::Local,
            None,
            text,
            "look at twilio.ca_file, twilio.proxy, the system's CA certificates, and limits and filters on this machine",
        ),
    }
}
