//! One connection to one server.
#![forbid(unsafe_code)]

use std::{path::Path, sync::Arc, time::Duration};

use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::{
    fault::{CommandKind, Fault, RetryAdvice, connection, is_outage, outage},
    resp::{self, Reply, encode_command},
};
use crate::{
    deadline::{Deadline, Moment},
    failure::Failure,
    net,
    secret::Secret,
};

/// ACL user (`None`: the default user) and password.
pub(super) type Credentials = (Option<String>, Secret);

/// An open connection. After an error it has to be dropped: a late reply must not be taken for the reply to
/// another request.
pub(super) struct Connection {
    stream: net::Stream,
    /// Received bytes that are not decoded yet.
    received: Vec<u8>,
    last_reply: Moment,
}

impl Connection {
    /// Connects to the first address at which `handshake` succeeds.
    pub(super) fn open<T>(
        server: &net::Addresses,
        tls: Option<&Arc<ClientConfig>>,
        by: Deadline,
        handshake: impl Fn(Self, Deadline) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        net::Stream::open(server, tls, by, |stream, by| {
            handshake(Self::new(stream), by)
        })
    }

    /// Connects to a local socket.
    pub(super) fn open_local(path: &Path, by: Deadline) -> Result<Self, Fault> {
        Ok(Self::new(net::Stream::open_local(path, by)?))
    }

    fn new(stream: net::Stream) -> Self {
        Self {
            stream,
            received: Vec::new(),
            last_reply: Moment::now(),
        }
    }

    /// Returns the time since the last reply.
    pub(super) fn idle_time(&self) -> Duration {
        Moment::now().since(self.last_reply)
    }

    #[cfg(test)]
    pub(super) const fn set_idle(&mut self) {
        self.last_reply = Moment::at(Duration::ZERO);
    }

    /// Sends commands in one write, and returns the reply to each. They may be errors; after an error the
    /// server may close the connection, and there are no more replies.
    pub(super) fn exchange(
        &mut self,
        commands: &[Zeroizing<Vec<u8>>],
        by: Deadline,
    ) -> Result<Vec<Reply>, Fault> {
        self.send_and_receive(commands, by).map_err(|failure| {
            // After a timeout the server may have run the command, and would not be faster in a retry.
            let is_cut = is_outage(&failure) && !by.is_over();
            let advice = if is_cut {
                RetryAdvice::Reconnect
            } else {
                RetryAdvice::DoNotRetry
            };
            Fault { failure, advice }
        })
    }

    fn send_and_receive(
        &mut self,
        commands: &[Zeroizing<Vec<u8>>],
        by: Deadline,
    ) -> Result<Vec<Reply>, Failure> {
        if !self.received.is_empty() {
            return Err(self.outage("unexpected data before the request"));
        }
        let commands: Vec<&[u8]> = commands.iter().map(|one| one.as_slice()).collect();
        let bytes = Zeroizing::new(commands.concat());
        if let Err(error) = self.stream.write_all(&bytes, by) {
            // On a local socket the write fails if the server has closed it, and an error may be there to read.
            return match self.receive(by) {
                Ok(reply) if reply.is_error() => Ok(vec![reply]),
                Ok(_) | Err(_) => Err(connection(error)),
            };
        }
        let mut replies = Vec::new();
        for _ in commands {
            match self.receive(by) {
                Ok(reply) => replies.push(reply),
                // At maxclients the server sends one error for all commands.
                Err(_) if replies.iter().any(Reply::is_error) => break,
                Err(failure) => return Err(failure),
            }
        }
        Ok(replies)
    }

    fn receive(&mut self, by: Deadline) -> Result<Reply, Failure> {
        loop {
            let next = resp::decode(&self.received);
            let invalid = |_| self.outage("not a Redis server (invalid RESP)");
            if let Some((reply, rest)) = next.map_err(invalid)? {
                self.received = rest.to_vec();
                self.last_reply = Moment::now();
                return Ok(reply);
            }
            let mut buffer = [0; 16 * 1024];
            let length = self.stream.read(&mut buffer, by).map_err(connection)?;
            if length == 0 {
                return Err(self.outage("the server closed the connection"));
            }
            self.received
                .extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
    }

    /// Authenticates, selects the database, and sends further commands, in one write. Returns the replies to
    /// the further commands.
    pub(super) fn handshake(
        &mut self,
        credentials: Option<&Credentials>,
        database: u32,
        further: &[&[&[u8]]],
        by: Deadline,
    ) -> Result<Vec<Reply>, Fault> {
        let mut kinds = Vec::new();
        let mut commands = Vec::new();
        if let Some((user, password)) = credentials {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(user.iter().map(String::as_bytes));
            parts.push(password.reveal().as_bytes());
            kinds.push(CommandKind::Auth);
            commands.push(encode_command(&parts));
        }
        if database != 0 {
            kinds.push(CommandKind::Select);
            commands.push(encode_command(&[
                b"SELECT",
                database.to_string().as_bytes(),
            ]));
        }
        let before = commands.len();
        for command in further {
            kinds.push(CommandKind::Other);
            commands.push(encode_command(command));
        }
        let replies = self.exchange(&commands, by)?;
        let replies = replies.into_iter().zip(kinds);
        let mut replies = replies
            .map(|(reply, kind)| self.check(reply, kind))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(replies.split_off(before))
    }

    /// Converts an error reply to a fault.
    pub(super) fn check(&self, reply: Reply, kind: CommandKind) -> Result<Reply, Fault> {
        match reply {
            Reply::Error(text) => Err(Fault::from_reply(self.stream.peer(), kind, &text)),
            reply => Ok(reply),
        }
    }

    /// An outage of this server.
    pub(super) fn outage(&self, what: &str) -> Failure {
        outage(format!("{}: {what}", self.stream.peer()))
    }
}
