//! Connections to Twilio, opened for a text or before one is needed.
#![forbid(unsafe_code)]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use crate::{
    config::{self, ApiUrl, Proxy},
    deadline::Deadline,
    net::{
        self, Lookup,
        http::{Connection, Server},
    },
    prefetch::{Permit, Prefetch},
};

/// The pause before a failed connection is tried a second time.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The address of the Twilio API, the proxy before it, and the CA certificates to verify it. Contains no
/// secret.
#[derive(Debug)]
pub(super) struct Endpoint {
    api: ApiUrl,
    ca: Option<Arc<[u8]>>,
    proxy: Option<Proxy>,
    /// For each step of connecting, and for a response.
    pub(super) timeout: Duration,
    server: OnceLock<Server>,
}

impl Endpoint {
    pub(super) fn new(settings: &config::Twilio) -> Self {
        Self {
            api: settings.api_url.clone(),
            ca: settings.ca_file.clone(),
            proxy: settings.proxy.clone(),
            timeout: settings.timeout,
            server: OnceLock::new(),
        }
    }

    /// Returns the server with its TLS configuration. Reading the CA certificates takes longer than
    /// everything else here, so they are read once, at the first call.
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

    /// Whether the CA certificates have been read.
    #[cfg(test)]
    pub(super) fn has_read_ca(&self) -> bool {
        self.server.get().is_some()
    }

    /// Connects: name lookup, TCP, proxy, TLS. An outage within the `timeout` is tried once more, since no
    /// request has been sent; a certificate that does not verify is not.
    pub(super) fn open(&self, by: Deadline) -> Result<Connection, net::Error> {
        let retry_until = by.or_within(self.timeout);
        match self.open_once(self.look_up(), by) {
            Err(error) if error.is_outage() && retry_until.left() > RETRY_PAUSE => {
                std::thread::sleep(RETRY_PAUSE);
                self.open_once(self.look_up(), by)
            }
            other => other,
        }
    }

    fn open_once(&self, lookup: Lookup, by: Deadline) -> Result<Connection, net::Error> {
        let addresses = lookup.wait(net::lookup_limit(self.timeout, by))?;
        Connection::open(self.server()?, &addresses, self.timeout, by)
    }

    /// Starts the lookup of the host to connect to: the proxy, if there is one.
    fn look_up(&self) -> Lookup {
        match &self.proxy {
            None => Lookup::begin(&self.api.host, self.api.port),
            Some(proxy) => Lookup::begin(&proxy.host, proxy.port),
        }
    }
}

/// A connection that another thread opens before it is needed. The thread sends no request.
#[derive(Debug)]
pub(super) struct Preconnect {
    lookup: Lookup,
    connection: Prefetch<Option<Connection>>,
}

impl Preconnect {
    /// Starts the thread. `None`: no thread can be started, and the text will open its own connection.
    pub(super) fn begin(endpoint: &Arc<Endpoint>, permit: Permit) -> Option<Self> {
        let lookup = endpoint.look_up();
        let connection = {
            let (endpoint, lookup) = (Arc::clone(endpoint), lookup.clone());
            // Tried once. The error is dropped: the text that needs a connection tries again.
            let open = move || {
                let by = net::prefetch_deadline(endpoint.timeout);
                endpoint.open_once(lookup, by).ok()
            };
            Prefetch::begin("twilio", permit, open)?
        };
        Some(Self { lookup, connection })
    }

    /// Returns the connection. If it is not open yet, waits for its name lookup as long as for any
    /// other, and then for the connection for a `timeout`. `Ok(None)`: a new one may be tried.
    ///
    /// # Errors
    /// The wait for the lookup was in vain. A new lookup would take as long.
    pub(super) fn opened(
        self,
        timeout: Duration,
        by: Deadline,
    ) -> Result<Option<Connection>, net::Error> {
        if let Some(ended) = self.connection.take_ready() {
            return Ok(ended);
        }
        self.lookup.wait(net::lookup_limit(timeout, by))?;
        Ok(self.connection.take(by.or_within(timeout)).flatten())
    }

    /// One that is open.
    #[cfg(test)]
    pub(super) fn of(connection: Connection) -> Self {
        Self {
            lookup: Lookup::begin("127.0.0.1", 1),
            connection: Prefetch::ready(Some(connection)),
        }
    }
}
