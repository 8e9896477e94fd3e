//! One connection to one server.
#![forbid(unsafe_code)]

use std::{path::Path, sync::Arc, time::Duration};

use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::{
    fault::{Asked, Fault, Help, connection, is_outage, outage},
    resp::{self, Reply, command},
};
use crate::{
    deadline::{Deadline, Moment},
    failure::Failure,
    net,
    secret::Secret,
};

/// ACL user (`None`: the default one) and password.
pub type Login = (Option<String>, Secret);

/// An open connection. Whoever has seen it fail drops it: an answer that comes late shall not pass
/// for that to another question.
pub struct Link {
    stream: net::Stream,
    /// What came in and is not read yet.
    inbox: Vec<u8>,
    /// When it was last seen to live.
    used: Moment,
}

impl Link {
    /// Connects, and says what comes first. Where a name has several addresses, that is done until
    /// one of them answers it well.
    pub fn open<T>(
        server: &net::Addresses,
        tls: Option<&Arc<ClientConfig>>,
        by: Deadline,
        greet: impl Fn(Self, Deadline) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        net::Stream::open(server, tls, by, |stream, by| {
            let link = Self {
                stream,
                inbox: Vec::new(),
                used: Moment::now(),
            };
            greet(link, by)
        })
    }

    /// Connects to a local socket.
    pub fn open_local(path: &Path, by: Deadline) -> Result<Self, Failure> {
        Ok(Self {
            stream: net::Stream::open_local(path, by).map_err(connection)?,
            inbox: Vec::new(),
            used: Moment::now(),
        })
    }

    /// For how long nothing was heard on it.
    pub fn idle(&self) -> Duration {
        Moment::now().since(self.used)
    }

    #[cfg(test)]
    pub const fn grow_old(&mut self) {
        self.used = Moment::at(Duration::ZERO);
    }

    pub fn place(&self) -> &str {
        self.stream.peer()
    }

    /// Says commands in one go, and hears a reply to each. Errors among them are not looked at; after one
    /// the server may have closed the connection, and the replies end there.
    pub fn exchange(
        &mut self,
        commands: &[Zeroizing<Vec<u8>>],
        by: Deadline,
    ) -> Result<Vec<Reply>, Fault> {
        self.say_and_hear(commands, by).map_err(|error| {
            // Who is only slow has perhaps done it, and would not be quicker a second time.
            let cut = is_outage(&error) && !by.is_over();
            let help = if cut { Help::Again } else { Help::Nothing };
            Fault { error, help }
        })
    }

    fn say_and_hear(
        &mut self,
        commands: &[Zeroizing<Vec<u8>>],
        by: Deadline,
    ) -> Result<Vec<Reply>, Failure> {
        if !self.inbox.is_empty() {
            return Err(self.outage("it says what nobody has asked"));
        }
        let commands: Vec<&[u8]> = commands.iter().map(|one| one.as_slice()).collect();
        let said = Zeroizing::new(commands.concat());
        if let Err(error) = self.stream.write_all(&said, by) {
            // On a local socket a server that has closed is noticed at once; it may have said why.
            return match self.hear(by) {
                Ok(reply) if reply.is_error() => Ok(vec![reply]),
                Ok(_) | Err(_) => Err(connection(error)),
            };
        }
        let mut replies = Vec::new();
        for _ in commands {
            match self.hear(by) {
                Ok(reply) => replies.push(reply),
                // At maxclients it says so, and nothing to the other commands.
                Err(_) if replies.iter().any(Reply::is_error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(replies)
    }

    fn hear(&mut self, by: Deadline) -> Result<Reply, Failure> {
        loop {
            let next = resp::reply(&self.inbox);
            if let Some((reply, rest)) = next.map_err(|_| self.outage("it does not speak RESP"))? {
                self.inbox = rest.to_vec();
                self.used = Moment::now();
                return Ok(reply);
            }
            let mut piece = [0; 16 * 1024];
            let some = self.stream.read(&mut piece, by).map_err(connection)?;
            if some == 0 {
                return Err(self.outage("cut off"));
            }
            self.inbox
                .extend_from_slice(piece.get(..some).unwrap_or_default());
        }
    }

    /// Says who we are and which database we mean, and asks something, in one go.
    pub fn greet(
        &mut self,
        login: Option<&Login>,
        database: u32,
        questions: &[&[&[u8]]],
        by: Deadline,
    ) -> Result<Vec<Reply>, Fault> {
        let mut asked = Vec::new();
        let mut commands = Vec::new();
        if let Some((user, password)) = login {
            let mut parts: Vec<&[u8]> = vec![b"AUTH"];
            parts.extend(user.iter().map(String::as_bytes));
            parts.push(password.reveal().as_bytes());
            asked.push(Asked::Login);
            commands.push(command(&parts));
        }
        if database != 0 {
            asked.push(Asked::Database);
            commands.push(command(&[b"SELECT", database.to_string().as_bytes()]));
        }
        let before = commands.len();
        for question in questions {
            asked.push(Asked::Other);
            commands.push(command(question));
        }
        let replies = self.exchange(&commands, by)?;
        let replies = replies.into_iter().zip(asked);
        let mut heard = replies
            .map(|(reply, asked)| self.no_error(reply, asked))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(heard.split_off(before))
    }

    /// Errors become faults.
    pub fn no_error(&self, reply: Reply, asked: Asked) -> Result<Reply, Fault> {
        match reply {
            Reply::Error(text) => Err(Fault::answered(self.place(), asked, &text)),
            reply => Ok(reply),
        }
    }

    /// It is no use, and how.
    pub fn outage(&self, how: &str) -> Failure {
        outage(format!("{}: {how}", self.place()))
    }
}
