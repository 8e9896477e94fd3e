//! One connection to one server, and the two requests that are sent on it.
#![forbid(unsafe_code)]

use std::{future::Future, io, net::TcpStream, os::unix::net::UnixStream, sync::Arc};

use ldap3::{
    DerefAliases, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchOptions,
    StdStream, asn1::StructureTag, controls::RawControl,
};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    failures,
    relay::{self, ConnState},
    result_code,
    validate::Request,
};
use crate::{
    config::{LdapUri, Security},
    deadline::Wait,
    failure::Failure,
    net::{self, Timeouts},
};

/// Size limit of a search: two entries show that the first is not the only one.
const MAX_ENTRIES: i32 = 2;

/// Waits for one step, within its time.
async fn within<T>(
    timeouts: Timeouts,
    server: &str,
    what: &str,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let by = timeouts.step();
    let wait = Wait::until(by);
    let result = tokio::time::timeout(by.left(), step).await;
    result
        .unwrap_or_else(|_| Err(failures::timed_out(server, what)))
        .map_err(|failure| failures::unless_late(failure, wait))
}

/// An open connection without TLS.
pub enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Returns the name of a server for error texts.
pub fn server_name(uri: &LdapUri) -> String {
    match uri {
        LdapUri::Tcp {
            host,
            port,
            security,
        } => {
            let scheme = match security {
                Security::Tls => "ldaps",
                Security::StartTls | Security::Loopback => "ldap",
            };
            if host.contains(':') {
                format!("{scheme}://[{host}]:{port}")
            } else {
                format!("{scheme}://{host}:{port}")
            }
        }
        LdapUri::Unix(path) => format!("ldapi socket {}", path.display()),
    }
}

/// The result of a search.
pub struct SearchResult {
    /// At most two.
    pub entries: Vec<StructureTag>,
    /// `None` if the result was not waited for, because there were two entries.
    pub result: Option<LdapResult>,
    /// Whether there were references to other servers.
    pub has_references: bool,
}

/// An LDAP connection. Dropping it closes the connection without an unbind request and without waiting.
pub struct Session {
    ldap: ldap3::Ldap,
    tasks: [AbortHandle; 2],
    state: Arc<ConnState>,
    pub server: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Session {
    /// Starts TLS on a connection if the settings require it, and then the LDAP library.
    pub async fn open(
        transport: Transport,
        uri: &LdapUri,
        tls: Option<&Arc<ClientConfig>>,
        server: String,
        timeouts: Timeouts,
    ) -> Result<Self, Failure> {
        let system = |error| failures::system(&server, &error);
        let (stream, host, security) = match (transport, uri) {
            (Transport::Tcp(stream), LdapUri::Tcp { host, security, .. }) => {
                stream.set_nonblocking(true).map_err(system)?;
                let stream = tokio::net::TcpStream::from_std(stream).map_err(system)?;
                (stream, host, *security)
            }
            (Transport::Unix(stream), _) => {
                stream.set_nonblocking(true).map_err(system)?;
                let stream = tokio::net::UnixStream::from_std(stream).map_err(system)?;
                return Self::start(stream, server).await;
            }
            (Transport::Tcp(_), LdapUri::Unix(_)) => {
                return Err(failures::local(format!("{server}: not a local socket")));
            }
        };
        match (security, tls) {
            (Security::Loopback, _) => Self::start(stream, server).await,
            (Security::Tls | Security::StartTls, Some(tls)) => {
                let is_start_tls = security == Security::StartTls;
                let stream = secure(stream, host, tls, is_start_tls, &server, timeouts).await?;
                Self::start(stream, server).await
            }
            (Security::Tls | Security::StartTls, None) => {
                Err(failures::local(format!("{server}: no TLS configuration")))
            }
        }
    }

    /// Starts the LDAP library behind the relay.
    async fn start<S>(stream: S, server: String) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let system = |error| failures::system(&server, &error);
        let (near, far) = UnixStream::pair().map_err(system)?;
        near.set_nonblocking(true).map_err(system)?;
        let near = tokio::net::UnixStream::from_std(near).map_err(system)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(far));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
            .await
            .map_err(|_| failures::local(format!("{server}: no local socket for LDAP")))?;
        let state = Arc::new(ConnState::default());
        let relay = tokio::spawn({
            let (state, server) = (Arc::clone(&state), server.clone());
            async move {
                let forward = async {
                    relay::forward(stream, near, &state, &server).await;
                    Ok(())
                };
                state.run(&server, forward).await;
            }
        });
        let library = tokio::spawn({
            let (state, server) = (Arc::clone(&state), server.clone());
            async move {
                let drive = async { connection.drive().await.map_or_else(socket_error, Ok) };
                state.run(&server, drive).await;
            }
        });
        Ok(Self {
            ldap,
            tasks: [relay.abort_handle(), library.abort_handle()],
            state,
            server,
        })
    }

    /// Whether the connection has ended, as far as its tasks have run.
    pub fn has_ended(&self) -> bool {
        self.state.failure().is_some()
    }

    /// Sends one simple bind (RFC 4511 §4.2).
    pub async fn bind(
        &mut self,
        dn: &str,
        password: &str,
        control: Option<RawControl>,
        timeouts: Timeouts,
    ) -> Result<LdapResult, Failure> {
        self.state.expect(Request::Bind);
        let (state, server, ldap) = (&self.state, &self.server, &mut self.ldap);
        let bind = async {
            ldap.with_controls(control.into_iter().collect::<Vec<_>>())
                .simple_bind(dn, password)
                .await
                .map_err(|error| library_failure(state, server, &error))
        };
        within(timeouts, server, "the bind", bind).await
    }

    /// Searches for at most two entries. References to other servers are not entries and are not
    /// followed: the administrator has not configured the servers that they name.
    pub async fn search(
        &mut self,
        base: &str,
        filter: &str,
        attributes: Vec<&str>,
        timeouts: Timeouts,
    ) -> Result<SearchResult, Failure> {
        self.state.expect(Request::Search);
        let (state, server, ldap) = (&self.state, &self.server, &mut self.ldap);
        let failure = |error| library_failure(state, server, &error);
        let search = async {
            let mut found = SearchResult {
                entries: Vec::new(),
                result: None,
                has_references: false,
            };
            let mut stream = ldap
                .with_search_options(options(timeouts))
                .streaming_search(base, Scope::Subtree, filter, attributes)
                .await
                .map_err(failure)?;
            while let Some(entry) = stream.next().await.map_err(failure)? {
                if entry.is_ref() {
                    found.has_references = true;
                } else {
                    found.entries.push(entry.0);
                }
                if found.entries.len() > 1 {
                    return Ok(found);
                }
            }
            found.result = Some(stream.finish().await);
            Ok(found)
        };
        within(timeouts, server, "the search", search).await
    }
}

fn options(timeouts: Timeouts) -> SearchOptions {
    // In whole seconds; 0 would be no limit (RFC 4511 §4.5.1.5).
    let seconds = timeouts.step().left().as_secs().saturating_add(1);
    SearchOptions::new()
        .deref(DerefAliases::Never)
        .typesonly(false)
        .sizelimit(MAX_ENTRIES)
        .timelimit(i32::try_from(seconds).unwrap_or(i32::MAX))
}

/// Starts TLS on a connection, at once or after a `StartTLS` request.
async fn secure(
    mut stream: tokio::net::TcpStream,
    host: &str,
    tls: &Arc<ClientConfig>,
    is_start_tls: bool,
    server: &str,
    timeouts: Timeouts,
) -> Result<TlsStream<tokio::net::TcpStream>, Failure> {
    let name = net::server_name(host, server).map_err(failures::connection)?;
    if is_start_tls {
        let request = relay::start_tls(&mut stream, server);
        let code = within(timeouts, server, "StartTLS", request).await?;
        if code != result_code::SUCCESS {
            return Err(failures::start_tls(server, code));
        }
    }
    let handshake = async {
        TlsConnector::from(Arc::clone(tls))
            .connect(name, stream)
            .await
            .map_err(|error| failures::io(server, &error))
    };
    within(timeouts, server, "the TLS handshake", handshake).await
}

/// Returns the error of the library's end of the socket pair, if it is one: such an error has a number. An
/// error without a number is about the data.
fn socket_error(error: LdapError) -> Result<(), io::Error> {
    match error {
        LdapError::Io { source } if source.raw_os_error().is_some() => match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Ok(()),
            _ => Err(source),
        },
        _ => Ok(()),
    }
}

/// Returns why the library could not continue; the connection's state has the reason if it has ended.
fn library_failure(state: &ConnState, server: &str, error: &LdapError) -> Failure {
    state.failure().unwrap_or_else(|| match error {
        LdapError::FilterParsing => failures::invalid_filter(),
        _ => failures::not_ldap(server),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_failed_socket_of_the_library_is_an_error_of_this_machine() {
        let io = |source| LdapError::Io { source };
        let number = |errno| io(std::io::Error::from_raw_os_error(errno));
        let data = io(std::io::Error::other("invalid tag"));
        for error in [number(32), number(104), data, LdapError::FilterParsing] {
            assert!(socket_error(error).is_ok());
        }
        assert!(socket_error(number(12)).is_err());
        let state = ConnState::default();
        let filter = library_failure(&state, "x", &LdapError::FilterParsing);
        assert_eq!(filter, failures::invalid_filter());
        let other = library_failure(&state, "x", &LdapError::EndOfStream);
        assert_eq!(other, failures::not_ldap("x"));
    }
}
