//! Name lookups. Each runs in a thread of its own, and each wait for one has a limit.
#![forbid(unsafe_code)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, socket_with},
};

use super::{Error, peer, printable};
use crate::deadline::{Deadline, Wait};

/// The number of addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;

/// The port of name servers.
const DNS_PORT: u16 = 53;

/// The stack of a lookup thread: NSS modules (sss, resolve, mdns) run on it. It is set explicitly, since
/// std would otherwise read the environment.
const LOOKUP_STACK: usize = 512 * 1024;

/// Time for a lookup in addition to the timeout of the server. The C library needs 5 s or more before it
/// queries the second name server (resolv.conf(5), `timeout` and `attempts`).
const EXTRA_TIME: Duration = Duration::from_secs(10);

/// A lookup gets at most this part (one third) of the time left until the login's deadline: the connection
/// needs the rest.
const MAX_PART: u32 = 3;

/// How long a server waits for the lookups of those before it in a list. Without it a server with an address
/// would always be tried before one with a name.
const HEAD_START: Duration = Duration::from_millis(250);

/// A name with an IPv4 and an IPv6 address, for tests.
#[cfg(test)]
pub(crate) const BOTH: &str = "both.test";

/// Returns the deadline of a lookup that begins now: the server's `timeout` plus 10 s, but at most a third of
/// the time left until the login's deadline.
#[must_use]
pub fn lookup_limit(timeout: Duration, by: Deadline) -> Deadline {
    let part = by.left().checked_div(MAX_PART).unwrap_or_default();
    by.or_within(timeout.saturating_add(EXTRA_TIME).min(part))
}

/// Returns a deadline for a connection that is opened while the user types, when the login's deadline is
/// paused: long enough for a lookup to get all of its time.
#[must_use]
pub fn prefetch_deadline(timeout: Duration) -> Deadline {
    Deadline::within(timeout.saturating_add(EXTRA_TIME).saturating_mul(MAX_PART))
}

/// A server's name and addresses.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) found: Vec<SocketAddr>,
}

impl Addresses {
    /// Returns the name or address that was looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Describes the server for error texts.
    pub(super) fn peer(&self) -> String {
        peer(&self.host, self.port)
    }
}

/// The lookups of all servers of a list. They run in parallel.
#[derive(Debug, Clone)]
pub struct Lookups {
    /// `None`: returned already.
    lookups: Vec<Option<Lookup>>,
    head_start: Deadline,
}

impl Lookups {
    /// Starts them. `None` is a server without a host name (a local socket).
    pub fn begin<'a>(servers: impl IntoIterator<Item = Option<(&'a str, u16)>>) -> Self {
        let begin = |server: Option<(&str, u16)>| match server {
            Some((host, port)) => Some(Lookup::begin(host, port)),
            None => Some(Lookup::known("", 0, Vec::new())),
        };
        Self {
            lookups: servers.into_iter().map(begin).collect(),
            head_start: Deadline::within(HEAD_START),
        }
    }

    /// Returns the index of the next server to try, and its addresses. The order is that of the list, but a
    /// server whose lookup has ended does not wait for one whose lookup has not. `None`: all were returned.
    pub fn next(&mut self, limit: Deadline) -> Option<(usize, Result<Addresses, Error>)> {
        let wait = unless_over(limit);
        let (first, lookup) = self.remaining().next()?;
        wait_for(limit.min(self.head_start), || {
            lookup.has_ended().then_some(())
        });
        let next = self.wait(limit).unwrap_or(first);
        let lookup = self.lookups.get_mut(next).and_then(Option::take)?;
        Some((next, lookup.end(wait)))
    }

    /// Waits until one of the lookups has ended, while another thread tries the servers.
    pub fn wait_for_one(&self, limit: Deadline) -> Result<(), Error> {
        let wait = unless_over(limit);
        match (self.wait(limit), self.remaining().next()) {
            (None, Some((_, lookup))) => Err(lookup.timed_out(wait)),
            (Some(_), _) | (_, None) => Ok(()),
        }
    }

    fn wait(&self, limit: Deadline) -> Option<usize> {
        wait_for(limit, || {
            let known = self.remaining().find(|(_, lookup)| lookup.has_ended());
            known.map(|(at, _)| at)
        })
    }

    fn remaining(&self) -> impl Iterator<Item = (usize, &Lookup)> {
        let lookups = self.lookups.iter().enumerate();
        lookups.filter_map(|(at, lookup)| lookup.as_ref().map(|lookup| (at, lookup)))
    }
}

/// A lookup of one server.
#[derive(Debug, Clone)]
pub struct Lookup {
    host: String,
    port: u16,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Known(Result<Vec<IpAddr>, Error>),
    Running(Arc<Query>),
}

impl Lookup {
    /// Starts it, and does not wait.
    #[must_use]
    pub fn begin(host: &str, port: u16) -> Self {
        if let Some(addresses) = without_query(host) {
            return Self::known(host, port, addresses);
        }
        let state = match Query::begin(host) {
            Ok(query) => State::Running(query),
            Err(error) => State::Known(Err(error)),
        };
        Self {
            host: host.to_owned(),
            port,
            state,
        }
    }

    fn known(host: &str, port: u16, addresses: Vec<IpAddr>) -> Self {
        Self {
            host: host.to_owned(),
            port,
            state: State::Known(Ok(addresses)),
        }
    }

    /// Waits for its result.
    pub fn wait(self, limit: Deadline) -> Result<Addresses, Error> {
        let wait = unless_over(limit);
        wait_for(limit, || self.has_ended().then_some(()));
        self.end(wait)
    }

    fn has_ended(&self) -> bool {
        match &self.state {
            State::Known(_) => true,
            State::Running(query) => query.answer.get().is_some(),
        }
    }

    /// Returns its result. Without one it has timed out.
    fn end(self, wait: Option<Wait>) -> Result<Addresses, Error> {
        let answer = match &self.state {
            State::Known(answer) => answer.clone(),
            State::Running(query) => match query.answer.get() {
                Some(answer) => answer.clone(),
                None => Err(self.timed_out(wait)),
            },
        };
        let found = answer.map_err(|error| self.judge(error, wait))?.into_iter();
        Ok(Addresses {
            found: found.map(|ip| SocketAddr::new(ip, self.port)).collect(),
            host: self.host,
            port: self.port,
        })
    }

    fn timed_out(&self, wait: Option<Wait>) -> Error {
        let host = printable(&self.host);
        self.judge(
            Error::Outage(format!("name lookup of {host} timed out")),
            wait,
        )
    }

    /// A timeout of the C library may have passed while this process did not run.
    fn judge(&self, error: Error, wait: Option<Wait>) -> Error {
        match (error, wait.and_then(Wait::late)) {
            (Error::Outage(_), Some(late)) => {
                Error::Late(format!("name lookup of {}: {late}", printable(&self.host)))
            }
            (error, _) => error,
        }
    }
}

/// Begins a wait. `None`: its time is over, because of the servers before it. That shows nothing about this
/// process.
fn unless_over(limit: Deadline) -> Option<Wait> {
    (!limit.is_over()).then(|| Wait::until(limit))
}

/// Returns the addresses of a host that needs no name service: an address or `localhost`.
fn without_query(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        // The settings accept this name without TLS, so no name service may change its meaning (RFC 6761
        // section 6.3). Only one address: on the other one, where the server does not listen, a local user
        // could listen, and would be connected to as soon as the server is slow.
        return Some(vec![Ipv4Addr::LOCALHOST.into()]);
    }
    #[cfg(test)]
    if host == BOTH {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    None
}

/// A query to the name service. `getaddrinfo` has no timeout and cannot be interrupted: its thread ends with
/// the process, and the helper's process ends with the login. Until then lookups of the same name share the
/// query.
#[derive(Debug)]
struct Query {
    host: String,
    answer: OnceLock<Result<Vec<IpAddr>, Error>>,
}

/// The queries without an answer.
static RUNNING: Mutex<Vec<Arc<Query>>> = Mutex::new(Vec::new());

/// Notified when one of them is answered.
static ANSWERED: Condvar = Condvar::new();

fn running() -> MutexGuard<'static, Vec<Arc<Query>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until `find` returns a value, or the deadline.
fn wait_for<T>(by: Deadline, find: impl Fn() -> Option<T>) -> Option<T> {
    // Answers are stored under this lock, so no notification is missed.
    let mut guard = running();
    loop {
        let (found, left) = (find(), by.left());
        if found.is_some() || left.is_zero() {
            return found;
        }
        let waited = ANSWERED.wait_timeout(guard, left);
        (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

impl Query {
    /// Starts a query, or returns the running one for the same name.
    fn begin(host: &str) -> Result<Arc<Self>, Error> {
        let mut running = running();
        if let Some(query) = running.iter().find(|query| query.is_for(host)) {
            return Ok(Arc::clone(query));
        }
        let query = Arc::new(Self {
            host: host.to_owned(),
            answer: OnceLock::new(),
        });
        let answerer = Answerer(Arc::clone(&query));
        let thread = thread::Builder::new()
            .name("lookup".to_owned())
            .stack_size(LOOKUP_STACK)
            .spawn(move || answerer.answer(look_up));
        match thread {
            Ok(_) => {
                running.push(Arc::clone(&query));
                Ok(query)
            }
            Err(error) => Err(Error::Local(format!(
                "no thread for the name lookup of {}: {error}",
                printable(host)
            ))),
        }
    }

    fn is_for(&self, host: &str) -> bool {
        self.host.eq_ignore_ascii_case(host)
    }
}

/// The obligation to answer a query. If it is dropped during a panic, the answer is an error.
struct Answerer(Arc<Query>);

impl Answerer {
    fn answer(self, look_up: impl FnOnce(&str) -> Result<Vec<IpAddr>, Error>) {
        let answer = look_up(&self.0.host);
        self.end(answer);
    }

    fn end(&self, answer: Result<Vec<IpAddr>, Error>) {
        let mut running = running();
        let _ = self.0.answer.set(answer);
        running.retain(|query| !Arc::ptr_eq(query, &self.0));
        ANSWERED.notify_all();
    }
}

impl Drop for Answerer {
    fn drop(&mut self) {
        if thread::panicking() {
            self.end(Err(Error::Local(format!(
                "the name lookup of {} panicked; please report it",
                printable(&self.0.host)
            ))));
        }
    }
}

fn look_up(host: &str) -> Result<Vec<IpAddr>, Error> {
    let shown = printable(host);
    match (host, 0).to_socket_addrs() {
        Ok(found) => {
            let found: Vec<_> = found.take(MAX_ADDRESSES).map(|at| at.ip()).collect();
            if found.is_empty() {
                return Err(Error::Outage(format!("the name {shown} has no address")));
            }
            Ok(found)
        }
        // std returns an errno only for EAI_SYSTEM, and libc's text otherwise. Of those errors one is local
        // (EAI_MEMORY), all others are an outage.
        Err(error) if is_out_of_memory(&error) => Err(Error::Local(format!(
            "no memory for the name lookup of {shown}"
        ))),
        Err(error) => Err(match Error::io(&shown, &error) {
            Error::Outage(_) if is_out_of_ports() => Error::Local(format!(
                "no local port is left for the name lookup of {shown}"
            )),
            Error::Outage(_) => Error::Outage(printable(&format!(
                "name lookup of {shown} failed: {error}"
            ))),
            other => other,
        }),
    }
}

/// The texts of glibc and musl.
fn is_out_of_memory(error: &io::Error) -> bool {
    let text = error.to_string();
    text.ends_with("Memory allocation failure") || text.ends_with("Out of memory")
}

/// Whether all local UDP ports are in use, which a local user can cause. The C library does not distinguish
/// that from a name server that does not answer; `connect(2)` returns EAGAIN (ip(7)).
fn is_out_of_ports() -> bool {
    let probe = |family, address: IpAddr| {
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        connect(socket, &SocketAddr::new(address, DNS_PORT))
    };
    let v4 = probe(AddressFamily::INET, Ipv4Addr::LOCALHOST.into());
    let v6 = probe(AddressFamily::INET6, Ipv6Addr::LOCALHOST.into());
    [v4, v6].contains(&Err(Errno::AGAIN))
}

#[cfg(test)]
mod tests;
