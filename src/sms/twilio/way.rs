//! The way to Twilio: opened when there is something to send, or before that.
#![forbid(unsafe_code)]

use std::{
    sync::{
        Arc, OnceLock,
        mpsc::{self, TryRecvError},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use crate::{
    config::{self, ApiUrl, Proxy},
    deadline::{self, Deadline, Duty},
    net::{
        self, Lookup,
        http::{Connection, Server},
    },
    prefetch::Permit,
};

/// Before a connection that failed is tried a second time.
const BREATH: Duration = Duration::from_millis(100);

/// Stack of the thread that opens the way early: certificates are verified on it.
/// Explicit, because `RUST_MIN_STACK` would otherwise have a say.
const EARLY_STACK: usize = 512 * 1024;

/// Where Twilio is, and who may vouch for it. There is no secret in it: account and token stay with
/// whoever asks.
#[derive(Debug)]
pub(super) struct Way {
    api: ApiUrl,
    ca: Option<Arc<[u8]>>,
    proxy: Option<Proxy>,
    /// For each step on it.
    pub(super) timeout: Duration,
    server: OnceLock<Server>,
}

impl Way {
    pub(super) fn new(settings: &config::Twilio) -> Self {
        Self {
            api: settings.api_url.clone(),
            ca: settings.ca_file.clone(),
            proxy: settings.proxy.clone(),
            timeout: settings.timeout,
            server: OnceLock::new(),
        }
    }

    /// The server, with what is needed to trust it. The certificates, the system's if there are no
    /// others, take longer to read than all else: that is done once, by who comes here first.
    pub(super) fn server(&self) -> Result<&Server, net::Error> {
        if let Some(server) = self.server.get() {
            return Ok(server);
        }
        let tls = self.api.tls.then(|| net::tls_config(self.ca.as_ref()));
        let tls = tls.transpose()?;
        Ok(self.server.get_or_init(|| Server {
            host: self.api.host.clone(),
            port: self.api.port,
            tls,
            proxy: self.proxy.as_ref().map(|at| (at.host.clone(), at.port)),
        }))
    }

    /// Whether that is done.
    #[cfg(test)]
    pub(super) fn is_read(&self) -> bool {
        self.server.get().is_some()
    }

    /// Opens it: name lookup, TCP, proxy, TLS. What fails within the `timeout` is tried
    /// once more, since nothing has been asked yet; a certificate that does not verify will not
    /// verify the second time.
    pub(super) fn open(&self, by: Deadline) -> Result<Connection, net::Error> {
        let soon = by.or_within(self.timeout);
        match self.open_once(self.look_up(), by) {
            Err(error) if error.is_outage() && soon.left() > BREATH => {
                deadline::sleep(BREATH);
                self.open_once(self.look_up(), by)
            }
            other => other,
        }
    }

    fn open_once(&self, lookup: Lookup, by: Deadline) -> Result<Connection, net::Error> {
        let at = lookup.wait(net::lookup_limit(self.timeout, by))?;
        Connection::open(self.server()?, &at, self.timeout, by)
    }

    /// Begins to look up the name to connect to: the proxy's, if there is one.
    fn look_up(&self) -> Lookup {
        match &self.proxy {
            None => Lookup::begin(&self.api.host, self.api.port),
            Some(proxy) => Lookup::begin(&proxy.host, proxy.port),
        }
    }
}

/// A connection that is opened before it is needed, on a thread of its own.
///
/// The thread only connects. It ends by itself, since each step on the way has its time; if nobody
/// waits any more it closes what it has opened.
#[derive(Debug)]
pub(super) struct Early {
    lookup: Lookup,
    opened: mpsc::Receiver<Connection>,
    thread: JoinHandle<()>,
    _permit: Permit,
}

impl Early {
    /// Begins. `None`: there is no thread to be had, and so nothing is won and nothing lost.
    pub(super) fn begin(way: &Arc<Way>, permit: Permit) -> Option<Self> {
        let (done, opened) = mpsc::sync_channel(1);
        let lookup = way.look_up();
        let permitted = permit.clone();
        let open = {
            let (way, lookup, duty) = (Arc::clone(way), lookup.clone(), Duty::begin());
            move || {
                let (_duty, _permit) = (duty.take_up(), permitted);
                // Tried once, and why it failed is nobody's concern: whoever sends tries again.
                let by = net::prefetch_deadline(way.timeout);
                if let Ok(connection) = way.open_once(lookup, by) {
                    let _ = done.send(connection);
                }
            }
        };
        let thread = thread::Builder::new()
            .name("twilio".to_owned())
            .stack_size(EARLY_STACK)
            .spawn(open)
            .ok()?;
        Some(Self {
            lookup,
            opened,
            thread,
            _permit: permit,
        })
    }

    /// What has become of it. It may still be underway, and is waited for: its name lookup for as long as
    /// any, and then the connection for a `timeout`. `Ok(None)`: a new one may be tried.
    ///
    /// # Errors
    /// The lookup was waited for, in vain. A new one would be no better.
    pub(super) fn opened(
        self,
        timeout: Duration,
        by: Deadline,
    ) -> Result<Option<Connection>, net::Error> {
        match self.opened.try_recv() {
            Ok(connection) => return Ok(Some(connection)),
            Err(TryRecvError::Empty) => {
                self.lookup.wait(net::lookup_limit(timeout, by))?;
            }
            Err(TryRecvError::Disconnected) => {}
        }
        let soon = by.or_within(timeout);
        Ok(deadline::hear(&self.opened, self.thread, soon))
    }

    /// One that is open.
    #[cfg(test)]
    pub(super) fn of(connection: Connection) -> Self {
        let (opened, early) = mpsc::sync_channel(1);
        opened.send(connection).unwrap();
        Self {
            lookup: Lookup::begin("127.0.0.1", 1),
            opened: early,
            thread: thread::spawn(|| ()),
            _permit: Permit::for_a_test(),
        }
    }
}
