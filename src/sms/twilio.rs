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

use super::{Carrier, SendError, Sent};
use crate::{
    config::{self, Sender},
    deadline::{self, Deadline, Moment},
    failure::{Failure, FailureKind, Stage},
    net::{
        self, Remedies,
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
    /// Whether [`Carrier::begin`] opens a connection.
    preconnect: bool,
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
            preconnect: settings.preconnect,
            early: None,
            path: format!(
                "/2010-04-01/Accounts/{}/Messages.json",
                settings.account_sid
            ),
            authorization: wording::basic(&settings.auth_user, settings.auth_secret.reveal()),
            sender: settings.sender.clone(),
        }
    }

    /// As [`Carrier::send`], over a connection that may be open already.
    fn deliver(
        &self,
        early: Option<Early>,
        to: &str,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError> {
        let began = Moment::now();
        let end = Deadline::at(began.after(valid));
        let early = early.map(|early| early.opened(self.way.timeout, by));
        let mut early = early.transpose().map_err(connect_failed)?.flatten();
        let mut limited = None;
        let mut repeats = 0;
        loop {
            let open = early.take().and_then(|mut it| it.is_good().then_some(it));
            let was_open = open.is_some();
            let connection = match open {
                Some(connection) => connection,
                None => self.way.open(by).map_err(connect_failed)?,
            };
            // What is left of it now: the ways here and the waits count.
            let valid = end.left();
            if valid.is_zero() {
                return Err(limited.unwrap_or_else(expired_while_connecting));
            }
            let form = wording::form(to, &self.sender, body, valid);
            let post = Post {
                path: &self.path,
                authorization: &self.authorization,
                form: &form,
            };
            let until = by.or_within(self.way.timeout);
            let server = self.way.server().map_err(connect_failed)?;
            let reply = match http::post(server, connection, &post, until) {
                // It had died unseen. Nothing of the text has left: a new one, once.
                Err(Unanswered { asked: false, .. }) if was_open => continue,
                reply => reply.map_err(no_response)?,
            };
            let error = match outcome::of(&reply) {
                Ok(sid) => {
                    let took = Moment::now().since(began);
                    return Ok(Sent { sid, took });
                }
                Err(error) => error,
            };
            match outcome::later(&reply).filter(|_| error.failure.kind == FailureKind::Limited) {
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

impl Carrier for Twilio {
    /// Begins to open the way to Twilio, on a thread of its own, for the text that is sent next.
    /// Nothing is asked; if it fails, it is as if it had never been.
    fn begin(&mut self, permit: Permit) {
        if self.preconnect && self.early.is_none() {
            self.early = Early::begin(&self.way, permit);
        }
    }

    /// Closes what was begun and is not used yet.
    fn close(&mut self) {
        self.early = None;
    }

    /// Hands a text to Twilio, which may keep it for as long as it is `valid` and no longer.
    ///
    /// Each answer is waited for no longer than the settings' `timeout`, however long it took to
    /// connect. A text is posted once;
    /// only after a 429, when it was surely not taken, it goes out again, at the time Twilio names,
    /// if it is still valid then.
    ///
    /// A connection that was [begun](Carrier::begin) is taken, and waited for as long as a `timeout`
    /// if it is still underway. One that has died or grown old is replaced, as long as no byte of
    /// the text has left.
    fn send(
        &mut self,
        to: &Phone,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError> {
        let early = self.early.take();
        self.deliver(early, to.e164(), body, valid, by)
    }
}

/// The code expired before there was a connection.
fn expired_while_connecting() -> SendError {
    SendError::not_sent(Failure::new(
        Stage::Twilio,
        FailureKind::Outage,
        "connecting to Twilio took longer than the lifetime of the code",
        "check network, name service, firewall and twilio.proxy of this machine, and code.lifetime",
    ))
}

/// What the administrator can do about a failed connection.
const REMEDIES: Remedies = Remedies {
    outage: "check network, name service, firewall and twilio.proxy of this machine, and https://status.twilio.com",
    local: "check twilio.ca_file, twilio.proxy, the system's CA certificates, and limits and filters of this machine",
};

/// A connection failed before a request was sent.
fn connect_failed(error: net::Error) -> SendError {
    SendError::not_sent(error.into_failure(Stage::Twilio, REMEDIES))
}

/// No response. If a part of the request was sent, Twilio may have processed it.
fn no_response(Unanswered { asked, error }: Unanswered) -> SendError {
    if asked {
        SendError::unknown(error.into_failure(Stage::Twilio, REMEDIES))
    } else {
        connect_failed(error)
    }
}
