//! Name lookups: host names to addresses. Each lookup runs in a thread of its own, and each wait for
//! one has a limit.
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

use super::{Error, place, printable};
use crate::deadline::{Deadline, Wait};

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Where name servers listen.
const DNS: u16 = 53;

/// Stack of a lookup thread: NSS modules (sss, resolve, mdns) run on it.
/// Explicit, because `RUST_MIN_STACK` would otherwise have a say.
const LOOKUP_STACK: usize = 512 * 1024;

/// Time for a lookup beyond a server's own timeout. The C library needs 5 s and more before it asks
/// the second name server (resolv.conf(5), `timeout` and `attempts`).
const EXTRA: Duration = Duration::from_secs(10);

/// A lookup gets at most this part of what is left of the login's deadline: the servers after it need
/// the rest.
const PARTS: u32 = 3;

/// How long a later server of a list waits for the names of those before it. Without it a server that
/// is written as an address would always come before one that has a name.
const HEAD_START: Duration = Duration::from_millis(250);

/// For tests: a name with two addresses, on any machine.
#[cfg(test)]
pub(crate) const BOTH: &str = "both.test";

/// Until when a lookup may take that begins now: a server's `timeout` and 10 s, but at most a third of
/// what is left of the login's deadline.
#[must_use]
pub fn lookup_limit(timeout: Duration, by: Deadline) -> Deadline {
    let part = by.left().checked_div(PARTS).unwrap_or_default();
    by.or_within(timeout.saturating_add(EXTRA).min(part))
}

/// A deadline for what is opened while the user types, when that of the login does not run: long
/// enough for a lookup to have all of its time.
#[must_use]
pub fn prefetch_deadline(timeout: Duration) -> Deadline {
    Deadline::within(timeout.saturating_add(EXTRA).saturating_mul(PARTS))
}

/// A server's name and addresses.
#[derive(Debug, Clone)]
pub struct Addresses {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) found: Vec<SocketAddr>,
}

impl Addresses {
    /// The name (or address) that was looked up.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port, for error texts.
    pub(super) fn place(&self) -> String {
        place(&self.host, self.port)
    }
}

/// The lookups of all servers in a list. All begin at the same time.
#[derive(Debug, Clone)]
pub struct Lookups {
    /// `None`: handed out already.
    lookups: Vec<Option<Lookup>>,
    head_start: Deadline,
}

impl Lookups {
    /// Begins them. `None` is a server without a host name (a local socket).
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

    /// The next server to try, by its place in the list, and its addresses: in the order of the list,
    /// but a server whose name is known does not wait for one whose name is not. `None`: all have been
    /// handed out.
    pub fn next(&mut self, limit: Deadline) -> Option<(usize, Result<Addresses, Error>)> {
        let wait = Wait::until(limit);
        let (first, lookup) = self.remaining().next()?;
        wait_for(limit.min(self.head_start), || {
            lookup.is_known().then_some(())
        });
        let next = self.wait(limit).unwrap_or(first);
        let lookup = self.lookups.get_mut(next).and_then(Option::take)?;
        Some((next, lookup.end(wait)))
    }

    /// Waits until one of the lookups has ended, where another thread tries the servers.
    pub fn wait_for_one(&self, limit: Deadline) -> Result<(), Error> {
        let wait = Wait::until(limit);
        match (self.wait(limit), self.remaining().next()) {
            (None, Some((_, lookup))) => Err(lookup.timed_out(wait)),
            (Some(_), _) | (_, None) => Ok(()),
        }
    }

    fn wait(&self, limit: Deadline) -> Option<usize> {
        wait_for(limit, || {
            let known = self.remaining().find(|(_, lookup)| lookup.is_known());
            known.map(|(at, _)| at)
        })
    }

    fn remaining(&self) -> impl Iterator<Item = (usize, &Lookup)> {
        let lookups = self.lookups.iter().enumerate();
        lookups.filter_map(|(at, lookup)| lookup.as_ref().map(|lookup| (at, lookup)))
    }
}

/// One server's lookup, as one of those who wait for it sees it.
#[derive(Debug, Clone)]
pub struct Lookup {
    host: String,
    port: u16,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Known(Result<Vec<IpAddr>, Error>),
    Asked(Arc<Query>),
}

impl Lookup {
    /// Begins it, and does not wait.
    #[must_use]
    pub fn begin(host: &str, port: u16) -> Self {
        if let Some(addresses) = without_asking(host) {
            return Self::known(host, port, addresses);
        }
        let state = match Query::begin(host) {
            Ok(query) => State::Asked(query),
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
        let wait = Wait::until(limit);
        wait_for(limit, || self.is_known().then_some(()));
        self.end(wait)
    }

    fn is_known(&self) -> bool {
        match &self.state {
            State::Known(_) => true,
            State::Asked(query) => query.answer.get().is_some(),
        }
    }

    /// Its result. One that is not known by now took too long.
    fn end(self, wait: Wait) -> Result<Addresses, Error> {
        let answer = match &self.state {
            State::Known(answer) => answer.clone(),
            State::Asked(query) => match query.answer.get() {
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

    fn timed_out(&self, wait: Wait) -> Error {
        let host = printable(&self.host);
        self.judge(
            Error::Outage(format!("name lookup of {host} timed out")),
            wait,
        )
    }

    /// The C library's own timeouts pass too while this process does not run.
    fn judge(&self, error: Error, wait: Wait) -> Error {
        match (error, wait.late()) {
            (Error::Outage(_), Some(late)) => {
                Error::Late(format!("name lookup of {}: {late}", printable(&self.host)))
            }
            (error, _) => error,
        }
    }
}

/// The addresses of what is no name for a name service: an address, or this machine's own name.
fn without_asking(host: &str) -> Option<Vec<IpAddr>> {
    if let Ok(address) = host.parse() {
        return Some(vec![address]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        // The settings accept this name without TLS, so no name service decides what it means
        // (RFC 6761 section 6.3). One address only: on the other one, on which its server does not
        // listen, any local user may, and would be asked as soon as the server is slow.
        return Some(vec![Ipv4Addr::LOCALHOST.into()]);
    }
    #[cfg(test)]
    if host == BOTH {
        return Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    None
}

/// A question to the name service. `getaddrinfo` has no timeout and cannot be interrupted: a thread that
/// lingers ends with the process, and the helper's process ends with the login. Until then everyone who
/// wants to know the same name waits for the same answer.
#[derive(Debug)]
struct Query {
    host: String,
    answer: OnceLock<Result<Vec<IpAddr>, Error>>,
}

/// The questions without an answer.
static RUNNING: Mutex<Vec<Arc<Query>>> = Mutex::new(Vec::new());

/// One of them was answered.
static ANSWERED: Condvar = Condvar::new();

fn running() -> MutexGuard<'static, Vec<Arc<Query>>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until it is there, or the time is over.
fn wait_for<T>(by: Deadline, is_there: impl Fn() -> Option<T>) -> Option<T> {
    // An answer is stored under this lock: none is missed.
    let mut guard = running();
    loop {
        let (found, left) = (is_there(), by.left());
        if found.is_some() || left.is_zero() {
            return found;
        }
        let waited = ANSWERED.wait_timeout(guard, left);
        (guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
    }
}

impl Query {
    /// Asks, unless this name is being asked for already.
    fn begin(host: &str) -> Result<Arc<Self>, Error> {
        let mut running = running();
        if let Some(query) = running.iter().find(|query| query.is_for(host)) {
            return Ok(Arc::clone(query));
        }
        let query = Arc::new(Self {
            host: host.to_owned(),
            answer: OnceLock::new(),
        });
        let asked = Asked(Arc::clone(&query));
        let thread = thread::Builder::new()
            .name("lookup".to_owned())
            .stack_size(LOOKUP_STACK)
            .spawn(move || asked.answer(look_up));
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

/// Who has to answer a question. Dropped without an answer, it answers that it panicked.
struct Asked(Arc<Query>);

impl Asked {
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

impl Drop for Asked {
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
        // std gives an errno only for EAI_SYSTEM, and libc's words otherwise: of those failures one is
        // this machine's (EAI_MEMORY), all others are an outage.
        Err(error) if is_out_of_memory(&error) => Err(Error::Local(format!(
            "no memory for the name lookup of {shown}"
        ))),
        Err(error) => Err(match Error::io(&shown, &error) {
            Error::Outage(_) if no_port_is_left() => Error::Local(format!(
                "no local port is left for the name lookup of {shown}"
            )),
            Error::Outage(_) => Error::Outage(printable(&format!(
                "name lookup of {shown} failed: {error}"
            ))),
            other => other,
        }),
    }
}

/// As glibc and musl say it.
fn is_out_of_memory(error: &io::Error) -> bool {
    let text = error.to_string();
    text.ends_with("Memory allocation failure") || text.ends_with("Out of memory")
}

/// Whether no datagram can be sent because all local ports are taken, which any local user can do.
/// The C library does not distinguish that from a silent name server; `connect(2)` gives EAGAIN before
/// anything else (ip(7)).
fn no_port_is_left() -> bool {
    let is_left = |family, address: IpAddr| {
        let socket = socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        connect(socket, &SocketAddr::new(address, DNS))
    };
    let v4 = is_left(AddressFamily::INET, Ipv4Addr::LOCALHOST.into());
    let v6 = is_left(AddressFamily::INET6, Ipv6Addr::LOCALHOST.into());
    [v4, v6].contains(&Err(Errno::AGAIN))
}

#[cfg(test)]
mod tests;
