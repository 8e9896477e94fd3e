//! Sends texts with Twilio's Message resource
//! (<https://www.twilio.com/docs/messaging/api/message-resource>).
#![forbid(unsafe_code)]

mod endpoint;
mod error_codes;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use super::{Carrier, SendError, Sent};
use crate::{
    config::{self, Sender},
    deadline::{Deadline, Moment, Wait},
    failure::{Failure, FailureKind, Stage},
    net::{
        self, Remedies,
        http::{self, Connection, Post, PostError, Response},
    },
    phone::Phone,
    prefetch::Permit,
    secret::Secret,
};
use endpoint::{Endpoint, Preconnect};

/// How often a text is posted again after a 429.
const MAX_REPEATS: u32 = 3;

/// The Twilio API with one account.
#[derive(Debug)]
pub struct Twilio {
    endpoint: Arc<Endpoint>,
    /// Whether [`Carrier::begin`] opens a connection.
    may_preconnect: bool,
    preconnect: Option<Preconnect>,
    path: String,
    auth_user: String,
    auth_secret: Secret,
    sender: Sender,
}

impl Twilio {
    /// Creates a client. Does not connect, and reads no file: the system's CA certificates are read
    /// when the first connection is opened.
    #[must_use]
    pub fn new(settings: &config::Twilio) -> Self {
        Self {
            endpoint: Arc::new(Endpoint::new(settings)),
            may_preconnect: settings.preconnect,
            preconnect: None,
            path: format!(
                "/2010-04-01/Accounts/{}/Messages.json",
                settings.account_sid
            ),
            auth_user: settings.auth_user.clone(),
            auth_secret: settings.auth_secret.clone(),
            sender: settings.sender.clone(),
        }
    }

    /// As [`Carrier::send`], with a connection that may have been opened before.
    fn deliver(
        &self,
        preconnect: Option<Preconnect>,
        to: &str,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError> {
        let began = Moment::now();
        let end = Deadline::at(began.after(valid));
        let lifetime = Wait::until(end);
        let opened = preconnect.map(|it| it.opened(self.endpoint.timeout, by));
        let mut opened = opened.transpose().map_err(connect_failed)?.flatten();
        let mut limited = None;
        let mut repeats = 0;
        loop {
            let open = opened
                .take()
                .and_then(|mut it| it.is_usable().then_some(it));
            let was_open = open.is_some();
            let connection = match open {
                Some(connection) => connection,
                None => self.endpoint.open(by).map_err(connect_failed)?,
            };
            // Connecting and waiting have used up a part of it.
            let valid = end.left();
            if valid.is_zero() {
                return Err(limited.unwrap_or_else(|| expired_while_connecting(lifetime)));
            }
            let reply = match self.post(connection, to, body, valid, by) {
                // The peer closed it unnoticed. No byte of the text has been sent: connect again, once.
                Err(PostError { is_sent: false, .. }) if was_open => continue,
                reply => reply.map_err(no_response)?,
            };
            let error = match response::parse(&reply) {
                Ok(sid) => {
                    let took = Moment::now().since(began);
                    return Ok(Sent { sid, took });
                }
                Err(error) => error,
            };
            let is_limited = error.failure.kind == FailureKind::Limited;
            match response::retry_after(&reply).filter(|_| is_limited) {
                Some(wait) if repeats < MAX_REPEATS && wait < by.min(end).left() => {
                    std::thread::sleep(wait);
                    repeats = repeats.saturating_add(1);
                    limited = Some(error);
                }
                _ => return Err(error),
            }
        }
    }

    /// Posts a text once.
    fn post(
        &self,
        connection: Connection,
        to: &str,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Response, PostError> {
        // Encoded for this request only: the less time it is in memory, the better.
        let authorization = request::basic(&self.auth_user, self.auth_secret.reveal());
        let form = request::form(to, &self.sender, body, valid);
        let post = Post {
            path: &self.path,
            authorization: &authorization,
            form: &form,
        };
        let server = self.endpoint.server().map_err(|error| PostError {
            is_sent: false,
            error,
        })?;
        http::post(
            server,
            connection,
            &post,
            by.or_within(self.endpoint.timeout),
        )
    }
}

impl Carrier for Twilio {
    /// Opens a connection for the next text on another thread. No request is sent on it. If it fails, the
    /// failure is ignored, and the next text opens its own connection.
    fn begin(&mut self, permit: Permit) {
        if self.may_preconnect && self.preconnect.is_none() {
            self.preconnect = Preconnect::begin(&self.endpoint, permit);
        }
    }

    fn close(&mut self) {
        self.preconnect = None;
    }

    /// Sends a text. Each response has the settings' `timeout`, independent of the time for connecting. A
    /// text is posted once. Only after a 429, which certainly refuses it, is it posted again, at the time
    /// of `Retry-After`, and only if it is still valid then.
    ///
    /// Uses the connection of [`Carrier::begin`], and waits up to a `timeout` if it is not open yet. One
    /// that was closed, or is too old, is replaced as long as no byte of the request has been sent.
    fn send(
        &mut self,
        to: &Phone,
        body: &Secret,
        valid: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError> {
        let preconnect = self.preconnect.take();
        self.deliver(preconnect, to.e164(), body, valid, by)
    }
}

/// The code expired before there was a connection.
fn expired_while_connecting(lifetime: Wait) -> SendError {
    if let Some(late) = lifetime.late() {
        return connect_failed(net::Error::Late(format!("connecting to Twilio: {late}")));
    }
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
fn no_response(PostError { is_sent, error }: PostError) -> SendError {
    if is_sent {
        SendError::unknown(error.into_failure(Stage::Twilio, REMEDIES))
    } else {
        connect_failed(error)
    }
}
