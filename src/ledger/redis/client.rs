//! The client: opens its connection in the background, replaces a failed one, and follows redirections of a
//! cluster.
#![forbid(unsafe_code)]

use std::{mem, sync::Arc, time::Duration};

use zeroize::Zeroizing;

use super::{
    connection::Connection,
    fault::{CommandKind, Fault, RetryAdvice, connecting_timed_out, connection, is_outage, outage},
    resp::{Reply, encode_command},
    script_call::ScriptCall,
    topology::Topology,
};
use crate::{
    deadline::{Deadline, Wait},
    failure::Failure,
    net::{self, Lookups},
    prefetch::{Permit, Prefetch},
};

/// After this time without use a connection may have been dropped by the network. Users take longer than
/// this to type a code, and NAT and firewalls drop idle connections after some minutes.
const IDLE: Duration = Duration::from_secs(20);

/// The maximum number of exchanges for one request: a connection may have failed, and a cluster may redirect.
const MAX_EXCHANGES: usize = 3;

/// How long a server waits for a replica to have the change, in milliseconds; at most half of the timeout.
///
/// A failover to that replica loses no change that was confirmed. A timeout is not an error: the master has
/// the change, and otherwise a replica that is down would refuse all logins
/// (<https://redis.io/docs/latest/commands/wait/>).
const MAX_REPLICA_WAIT: u128 = 100;

/// The client of the shared ledger.
pub(super) struct Client {
    topology: Arc<Topology>,
    state: State,
    /// The server runs no script by its hash.
    sends_scripts: bool,
}

enum State {
    Opening {
        lookups: Lookups,
        connection: Prefetch<Result<Connection, Failure>>,
    },
    Open(Connection),
    Closed,
}

impl Client {
    /// Does not connect yet.
    pub(super) fn new(topology: Topology) -> Self {
        Self {
            topology: Arc::new(topology),
            state: State::Closed,
            sends_scripts: false,
        }
    }

    /// Begins to connect in the background. If no thread can be started, the first request connects.
    pub(super) fn begin(&mut self, permit: Permit) {
        let lookups = self.topology.look_up();
        let open = {
            let (topology, lookups) = (Arc::clone(&self.topology), lookups.clone());
            move || topology.open(lookups, net::prefetch_deadline(topology.timeout))
        };
        if let Some(connection) = Prefetch::begin("ledger", permit, open) {
            self.state = State::Opening {
                lookups,
                connection,
            };
        }
    }

    /// Closes a connection from [`Self::begin`] that is not used yet, at the latest when its thread ends.
    pub(super) fn close(&mut self) {
        if let State::Opening { .. } = self.state {
            self.state = State::Closed;
        }
    }

    /// Makes the connection look as if it was not used for a long time.
    #[cfg(test)]
    pub(super) fn set_idle(&mut self) {
        if let State::Open(connection) = &mut self.state {
            connection.set_idle();
        }
    }

    /// Returns the connection that is open or being opened, or a new one.
    fn connection(&mut self, by: Deadline) -> Result<Connection, Failure> {
        match mem::replace(&mut self.state, State::Closed) {
            State::Open(connection) => Ok(connection),
            State::Closed => self.open(by),
            State::Opening {
                lookups,
                connection,
            } => self.await_connection(&lookups, connection, by),
        }
    }

    fn open(&self, by: Deadline) -> Result<Connection, Failure> {
        self.topology.open(self.topology.look_up(), by)
    }

    fn await_connection(
        &self,
        lookups: &Lookups,
        prefetch: Prefetch<Result<Connection, Failure>>,
        by: Deadline,
    ) -> Result<Connection, Failure> {
        match prefetch.take_ready() {
            // What failed then may work now.
            Some(Err(_)) => self.open(by),
            Some(opened) => opened,
            None => {
                let limit = net::lookup_limit(self.topology.timeout, by);
                lookups.wait_for_one(limit).map_err(connection)?;
                // The thread's time for connecting does not run during lookups.
                let limit = limit.left().saturating_add(self.topology.timeout);
                let by = by.or_within(limit);
                let wait = Wait::until(by);
                let late = || connecting_timed_out(wait);
                prefetch.take(by).ok_or_else(late)?
            }
        }
    }

    /// Runs a script. A failed connection is not used again. If the reply was lost, the script is called
    /// once more with the same request id.
    pub(super) fn run(&mut self, call: &ScriptCall<'_>, by: Deadline) -> Result<Vec<u8>, Failure> {
        let timeout = self.topology.timeout;
        let mut last = outage("the ledger: no reply");
        for _ in 0..MAX_EXCHANGES {
            let mut connection = self.connection(by)?;
            // The network may have dropped an idle connection: time is left for a new one.
            let is_idle = connection.idle_time() > IDLE;
            let limit = if is_idle {
                timeout.checked_div(2).unwrap_or_default()
            } else {
                timeout
            };
            let fault = match self.call(&mut connection, call, None, by, limit) {
                Ok(text) => {
                    self.state = State::Open(connection);
                    return Ok(text);
                }
                Err(fault) => fault,
            };
            match fault.advice {
                RetryAdvice::DoNotRetry if is_idle && is_outage(&fault.failure) => {}
                RetryAdvice::DoNotRetry | RetryAdvice::SendScript { .. } => {
                    return Err(fault.failure);
                }
                RetryAdvice::Reconnect => {}
                RetryAdvice::Moved(host, port) => {
                    self.state = State::Open(self.topology.open_node(&host, port, by)?);
                }
                RetryAdvice::Ask(host, port) => {
                    // Only this request: the other node does not serve the hash slot yet.
                    self.state = State::Open(connection);
                    return self.call_once_at(&host, port, call, by);
                }
            }
            last = fault.failure;
        }
        Err(last)
    }

    fn call_once_at(
        &mut self,
        host: &str,
        port: u16,
        call: &ScriptCall<'_>,
        by: Deadline,
    ) -> Result<Vec<u8>, Failure> {
        let timeout = self.topology.timeout;
        let mut importing = self.topology.open_importing_node(host, port, by)?;
        let by = by.or_within(timeout);
        let asking = Some(encode_command(&[b"ASKING"]));
        Ok(self.call(&mut importing, call, asking, by, timeout)?)
    }

    /// Calls a script, by its hash if the server has it. With the advice to send the script, the server has
    /// not run anything.
    fn call(
        &mut self,
        connection: &mut Connection,
        call: &ScriptCall<'_>,
        before: Option<Zeroizing<Vec<u8>>>,
        by: Deadline,
        limit: Duration,
    ) -> Result<Vec<u8>, Fault> {
        let mut commands: Vec<_> = before.into_iter().collect();
        let position = commands.len();
        commands.push(if self.sends_scripts {
            call.eval()
        } else {
            call.evalsha()
        });
        if self.topology.has_failover() {
            commands.push(wait_for_replica(self.topology.timeout));
        }
        let fault = match exchange(connection, &commands, by.or_within(limit)) {
            Err(fault) if !self.sends_scripts => fault,
            result => return result,
        };
        let RetryAdvice::SendScript { always } = fault.advice else {
            return Err(fault);
        };
        self.sends_scripts = always;
        if let Some(command) = commands.get_mut(position) {
            *command = call.eval();
        }
        exchange(connection, &commands, by.or_within(self.topology.timeout))
    }
}

fn wait_for_replica(timeout: Duration) -> Zeroizing<Vec<u8>> {
    let half = timeout.checked_div(2).unwrap_or_default();
    // 0 would mean without limit.
    let wait = half.as_millis().clamp(1, MAX_REPLICA_WAIT).to_string();
    encode_command(&[b"WAIT", b"1", wait.as_bytes()])
}

/// Sends the commands and returns the script's reply. ASKING replies OK before it, WAIT a number after it.
fn exchange(
    connection: &mut Connection,
    commands: &[Zeroizing<Vec<u8>>],
    by: Deadline,
) -> Result<Vec<u8>, Fault> {
    let mut text = None;
    for reply in connection.exchange(commands, by)? {
        if let Reply::Text(reply) = connection.check(reply, CommandKind::Other)? {
            text = Some(reply);
        }
    }
    text.ok_or_else(|| connection.outage("the script returned no text").into())
}
