//! The connection: begun ahead, replaced when it has died, sent on by a cluster.
#![forbid(unsafe_code)]

use std::{mem, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::{
    call::Call,
    fault::{Asked, Fault, Help, connection, is_outage, outage},
    link::Link,
    resp::{Reply, command},
    site::Site,
};
use crate::{
    deadline::{Deadline, Wait},
    failure::Failure,
    net::{self, Lookups},
    prefetch::{Permit, Prefetch},
};

/// A connection that was used within this time has hardly been forgotten on its way. People need
/// longer than this for their codes, and NAT and firewalls some minutes to forget.
const IDLE: Duration = Duration::from_secs(20);

/// Exchanges for one question: a connection may have died meanwhile, and a cluster may send us on.
const MOST_EXCHANGES: usize = 3;

/// How long a server waits for a replica to have it too, in milliseconds, and never longer than half
/// of the time that its answer may take.
///
/// With it a failover to that replica loses nothing that was answered. None in that time is no
/// refusal: the master has it, and a replica that is down would otherwise keep everybody out
/// (<https://redis.io/docs/latest/commands/wait/>).
const REPLICA: u128 = 100;

/// The way to whoever keeps the ledger.
pub struct Line {
    site: Arc<Site>,
    state: State,
    /// A server has said that it runs no script by its hash.
    sends_whole: bool,
}

enum State {
    Coming(Lookups, Prefetch<Result<Link, Failure>>),
    Open(Link),
    Closed,
}

impl Line {
    /// Connects to nobody yet.
    pub fn new(site: Site) -> Self {
        Self {
            site: Arc::new(site),
            state: State::Closed,
            sends_whole: false,
        }
    }

    /// Begins to connect, and does not wait for it: the first question does. The thread ends within
    /// the site's timeout after the name lookup, whether somebody waits for it or not.
    /// Without a thread the first question connects.
    pub fn begin(&mut self, permit: Permit) {
        let lookups = self.site.look_up();
        let connect = {
            let (site, lookups) = (Arc::clone(&self.site), lookups.clone());
            move || {
                let by = net::prefetch_deadline(site.timeout);
                site.open(lookups, by)
            }
        };
        if let Some(coming) = Prefetch::begin("ledger", permit, connect) {
            self.state = State::Coming(lookups, coming);
        }
    }

    /// Closes a connection that nothing was asked on yet, at the latest when the thread has ended.
    pub fn close(&mut self) {
        if let State::Coming(..) = self.state {
            self.state = State::Closed;
        }
    }

    /// As if nothing had been asked for a long time.
    #[cfg(test)]
    pub fn grow_old(&mut self) {
        if let State::Open(link) = &mut self.state {
            link.grow_old();
        }
    }

    /// The connection that was begun, or a new one.
    fn link(&mut self, by: Deadline) -> Result<Link, Failure> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Open(link) => Ok(link),
            State::Closed => self.site.open(self.site.look_up(), by),
            State::Coming(lookups, coming) => {
                // What lay there already may be over by now.
                match coming.take_ready() {
                    Some(Err(_)) => self.site.open(self.site.look_up(), by),
                    Some(link) => link,
                    None => {
                        let limit = net::lookup_limit(self.site.timeout, by);
                        lookups.wait_for_one(limit).map_err(connection)?;
                        // The thread keeps its own time, which does not run during lookups.
                        let soon = limit.left().saturating_add(self.site.timeout);
                        let by = by.or_within(soon);
                        let wait = Wait::until(by);
                        coming.take(by).ok_or_else(|| took_too_long(wait))?
                    }
                }
            }
        }
    }

    /// Runs a script. A connection that has failed is not used again; what it did not answer is
    /// sent once more, and the script knows it.
    pub fn run(&mut self, call: &Call<'_>, by: Deadline) -> Result<Vec<u8>, Failure> {
        let mut told = outage("the ledger: no answer");
        for _ in 0..MOST_EXCHANGES {
            let mut link = self.link(by)?;
            // Between here and there idle connections are forgotten now and then, without a word:
            // so much time is left that there is some for another one.
            let idle = link.idle() > IDLE;
            let patience = if idle {
                self.site.timeout.checked_div(2).unwrap_or_default()
            } else {
                self.site.timeout
            };
            let fault = match self.call(&mut link, call, None, by, patience) {
                Ok(text) => {
                    self.state = State::Open(link);
                    return Ok(text);
                }
                Err(fault) => fault,
            };
            match fault.help {
                Help::Nothing if idle && is_outage(&fault.error) => {}
                Help::Nothing | Help::Whole { .. } => return Err(fault.error),
                Help::Again => {}
                Help::Moved(host, port) => {
                    self.state = State::Open(self.site.node(&host, port, by)?);
                }
                // Only this once: the slot is on its way there, and not yet theirs.
                Help::Ask(host, port) => {
                    self.state = State::Open(link);
                    let mut there = self.site.greeted(&host, port, by)?;
                    let patience = self.site.timeout;
                    let step = by.or_within(patience);
                    let asking = Some(command(&[b"ASKING"]));
                    return Ok(self.call(&mut there, call, asking, step, patience)?);
                }
            }
            told = fault.error;
        }
        Err(told)
    }

    /// Calls a script, by its hash if the server has it. The server has done nothing where it says
    /// that it has not.
    fn call(
        &mut self,
        link: &mut Link,
        call: &Call<'_>,
        before: Option<Zeroizing<Vec<u8>>>,
        by: Deadline,
        patience: Duration,
    ) -> Result<Vec<u8>, Fault> {
        let mut commands: Vec<_> = before.into_iter().collect();
        let script = commands.len();
        commands.push(if self.sends_whole {
            call.whole()
        } else {
            call.by_hash()
        });
        if self.site.fails_over() {
            commands.push(wait_for_a_replica(self.site.timeout));
        }
        let fault = match answer(link, &commands, by.or_within(patience)) {
            Err(fault) if !self.sends_whole => fault,
            answered => return answered,
        };
        let Help::Whole { always } = fault.help else {
            return Err(fault);
        };
        self.sends_whole = always;
        if let Some(command) = commands.get_mut(script) {
            *command = call.whole();
        }
        answer(link, &commands, by.or_within(self.site.timeout))
    }
}

fn took_too_long(wait: Wait) -> Failure {
    match wait.late() {
        Some(late) => connection(net::Error::Late(format!("the ledger: {late}"))),
        None => outage("the ledger: connecting took too long"),
    }
}

fn wait_for_a_replica(timeout: Duration) -> Zeroizing<Vec<u8>> {
    let half = timeout.checked_div(2).unwrap_or_default();
    // 0 would be for ever.
    let wait = half.as_millis().clamp(1, REPLICA).to_string();
    command(&[b"WAIT", b"1", wait.as_bytes()])
}

/// What a script says. ASKING says OK before it, WAIT a number after it.
fn answer(
    link: &mut Link,
    commands: &[Zeroizing<Vec<u8>>],
    by: Deadline,
) -> Result<Vec<u8>, Fault> {
    let replies = link.exchange(commands, by)?.into_iter();
    let sound = replies
        .map(|reply| link.no_error(reply, Asked::Other))
        .collect::<Result<Vec<_>, _>>()?;
    sound
        .into_iter()
        .rev()
        .find_map(|reply| match reply {
            Reply::Text(text) => Some(text),
            _ => None,
        })
        .ok_or_else(|| Fault::lasting(link.outage("its answer is none of ours")))
}
