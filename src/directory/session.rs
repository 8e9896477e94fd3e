//! One connection to one server, and the two things that are asked on it.
#![forbid(unsafe_code)]

use std::{future::Future, net::TcpStream, os::unix::net::UnixStream, pin::pin, sync::Arc};

use ldap3::{
    DerefAliases, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchOptions,
    StdStream, asn1::StructureTag, controls::RawControl,
};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::AbortHandle,
};
use tokio_rustls::TlsConnector;

use super::{
    Error, answer,
    gate::Awaited,
    relay::{self, Line},
    said,
};
use crate::{
    config::{LdapUri, Security},
    deadline,
    net::{self, Pace},
};

/// Entries that are asked for: with two it is known that one is not the only one.
const ENTRIES: i32 = 2;

/// Waits for a step.
async fn wait<T>(
    pace: Pace,
    name: &str,
    what: &str,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let by = pace.step();
    let mut step = pin!(step);
    loop {
        let answer = tokio::time::timeout(deadline::turn(by), step.as_mut()).await;
        deadline::turned();
        match answer {
            Ok(answer) => return answer,
            Err(_) if by.is_over() => {
                return Err(Error::Outage(format!("{name}: {what} took too long")));
            }
            Err(_) => {}
        }
    }
}

/// A connection, not protected yet.
pub enum Dialled {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// How a server is named in texts.
pub fn name(uri: &LdapUri) -> String {
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

impl From<net::Error> for Error {
    fn from(error: net::Error) -> Self {
        match error {
            net::Error::Outage(what) | net::Error::ClosedEarly(what) => Self::Outage(what),
            net::Error::Refused { what, remedy } => Self::Refused { what, remedy },
            net::Error::Local(what) => Self::Local(what),
        }
    }
}

/// What this machine lacks, with the number by which the system names it.
pub fn local(what: &str, error: &std::io::Error) -> Error {
    Error::Local(format!("{what}: {}", said::printable(&error.to_string())))
}

/// What a search gave.
pub struct Searched {
    /// At most two.
    pub entries: Vec<StructureTag>,
    /// `None`: nobody waited for it, there were two entries.
    pub result: Option<LdapResult>,
    /// Whether there were references to other servers.
    pub has_references: bool,
}

/// A connection on which LDAP is spoken. Dropping it closes it, without a word or a wait.
pub struct Session {
    ldap: ldap3::Ldap,
    tasks: [AbortHandle; 2],
    line: Arc<Line>,
    pub name: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Session {
    /// Protects a connection as settled, and speaks LDAP on it.
    pub async fn open(
        dialled: Dialled,
        uri: &LdapUri,
        tls: Option<&Arc<ClientConfig>>,
        name: String,
        pace: Pace,
    ) -> Result<Self, Error> {
        let local = |e| local(&name, &e);
        let (stream, host, security) = match (dialled, uri) {
            (Dialled::Tcp(stream), LdapUri::Tcp { host, security, .. }) => {
                stream.set_nonblocking(true).map_err(local)?;
                let stream = tokio::net::TcpStream::from_std(stream).map_err(local)?;
                (stream, host, *security)
            }
            (Dialled::Unix(stream), _) => {
                stream.set_nonblocking(true).map_err(local)?;
                let stream = tokio::net::UnixStream::from_std(stream).map_err(local)?;
                return Self::speak(stream, name).await;
            }
            (Dialled::Tcp(_), LdapUri::Unix(_)) => {
                return Err(Error::Local(format!("{name}: not a local socket")));
            }
        };
        match (security, tls) {
            (Security::Loopback, _) => Self::speak(stream, name).await,
            (Security::Tls | Security::StartTls, Some(tls)) => {
                let start = security == Security::StartTls;
                let stream = protect(stream, host, tls, start, &name, pace).await?;
                Self::speak(stream, name).await
            }
            (Security::Tls | Security::StartTls, None) => {
                Err(Error::Local(format!("{name}: no TLS configuration")))
            }
        }
    }

    /// Puts the LDAP library behind the relay.
    async fn speak<S>(server: S, name: String) -> Result<Self, Error>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let local = |e| local(&name, &e);
        let (near, far) = UnixStream::pair().map_err(local)?;
        near.set_nonblocking(true).map_err(local)?;
        let near = tokio::net::UnixStream::from_std(near).map_err(local)?;
        let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(far));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, "ldapi:///")
            .await
            .map_err(|_| Error::Local(format!("{name}: no local socket for LDAP")))?;
        let line = Arc::new(Line::default());
        let relay = tokio::spawn({
            let (line, name) = (Arc::clone(&line), name.clone());
            async move {
                let carry = async {
                    relay::carry(server, near, &line, &name).await;
                    Ok(())
                };
                line.serve(&name, carry).await;
            }
        });
        let library = tokio::spawn({
            let (line, name) = (Arc::clone(&line), name.clone());
            async move {
                let drive = async { connection.drive().await.map_or_else(on_its_socket, Ok) };
                line.serve(&name, drive).await;
            }
        });
        Ok(Self {
            ldap,
            tasks: [relay.abort_handle(), library.abort_handle()],
            line,
            name,
        })
    }

    /// Whether it is of no more use, as far as it has been served.
    pub fn has_ended(&self) -> bool {
        self.line.end().is_some()
    }

    /// A simple bind (RFC 4511 §4.2), sent once.
    pub async fn bind(
        &mut self,
        dn: &str,
        password: &str,
        control: Option<RawControl>,
        pace: Pace,
    ) -> Result<LdapResult, Error> {
        self.line.expect(Awaited::Bind);
        let (line, name, ldap) = (&self.line, &self.name, &mut self.ldap);
        let bind = async {
            ldap.with_controls(control.into_iter().collect::<Vec<_>>())
                .simple_bind(dn, password)
                .await
                .map_err(|e| failed(line, name, &e))
        };
        wait(pace, name, "the bind", bind).await
    }

    /// A search for at most two entries. References to other servers are not entries, and nobody
    /// follows them: whom they lead to was not settled by the administrator.
    pub async fn search(
        &mut self,
        base: &str,
        filter: &str,
        attributes: Vec<&str>,
        pace: Pace,
    ) -> Result<Searched, Error> {
        self.line.expect(Awaited::Search);
        // In whole seconds, and 0 would be for ever (RFC 4511 §4.5.1.5).
        let seconds = pace.step().left().as_secs().saturating_add(1);
        let options = SearchOptions::new()
            .deref(DerefAliases::Never)
            .typesonly(false)
            .sizelimit(ENTRIES)
            .timelimit(i32::try_from(seconds).unwrap_or(i32::MAX));
        let (line, name, ldap) = (&self.line, &self.name, &mut self.ldap);
        let failed = |e| failed(line, name, &e);
        let search = async {
            let mut entries = Vec::new();
            let mut has_references = false;
            let mut stream = ldap
                .with_search_options(options)
                .streaming_search(base, Scope::Subtree, filter, attributes)
                .await
                .map_err(failed)?;
            while let Some(entry) = stream.next().await.map_err(failed)? {
                if entry.is_ref() {
                    has_references = true;
                } else {
                    entries.push(entry.0);
                }
                if entries.len() > 1 {
                    return Ok(Searched {
                        entries,
                        result: None,
                        has_references,
                    });
                }
            }
            let result = Some(stream.finish().await);
            Ok(Searched {
                entries,
                result,
                has_references,
            })
        };
        wait(pace, name, "the search", search).await
    }
}

/// TLS on a connection, from the start or after asking for it.
async fn protect(
    mut stream: tokio::net::TcpStream,
    host: &str,
    tls: &Arc<ClientConfig>,
    start: bool,
    name: &str,
    pace: Pace,
) -> Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>, Error> {
    let server = net::server_name(host, name)?;
    if start {
        let asked = relay::start_tls(&mut stream, name);
        let code = wait(pace, name, "StartTLS", asked).await?;
        if code != answer::SUCCESS {
            let what = format!("{name}: StartTLS: {}", answer::named(code));
            return Err(if answer::is_outage(code) {
                Error::Outage(what)
            } else {
                let remedy = "Check that the server has TLS, or use ldaps:// in [ldap] uris.";
                Error::Refused { what, remedy }
            });
        }
    }
    let handshake = async {
        TlsConnector::from(Arc::clone(tls))
            .connect(server, stream)
            .await
            .map_err(|e| relay::broken(name, &e))
    };
    wait(pace, name, "TLS", handshake).await
}

/// What of the library's ends is its socket's, which leads to us: an error that has a number. One
/// without is about what it has read there.
fn on_its_socket(error: LdapError) -> Result<(), std::io::Error> {
    match error {
        LdapError::Io { source } if source.raw_os_error().is_some() => match source.kind() {
            std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset => Ok(()),
            _ => Err(source),
        },
        _ => Ok(()),
    }
}

/// The library could not go on: the line knows why.
fn failed(line: &Line, name: &str, error: &LdapError) -> Error {
    line.end().unwrap_or_else(|| match error {
        LdapError::FilterParsing => Error::Local(String::from("filter is not an LDAP filter")),
        _ => Error::Outage(format!("{name}: what it sends is not LDAP")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_the_library_is_what_it_has_read_or_this_machine() {
        let io = |source| LdapError::Io { source };
        let number = |errno| io(std::io::Error::from_raw_os_error(errno));
        let said = io(std::io::Error::other("invalid tag"));
        for whoever_reads in [number(32), number(104), said, LdapError::FilterParsing] {
            assert!(on_its_socket(whoever_reads).is_ok());
        }
        assert!(on_its_socket(number(12)).is_err());
        let line = Line::default();
        let filter = failed(&line, "x", &LdapError::FilterParsing);
        assert!(matches!(filter, Error::Local(_)), "{filter:?}");
        let other = failed(&line, "x", &LdapError::EndOfStream);
        assert!(matches!(other, Error::Outage(_)), "{other:?}");
    }

    #[test]
    fn what_this_machine_lacks_keeps_its_number() {
        let full = std::io::Error::from_raw_os_error(24);
        let expected = "no runtime: Too many open files (os error 24)";
        assert_eq!(
            local("no runtime", &full),
            Error::Local(expected.to_owned())
        );
        let low = std::io::Error::from_raw_os_error(12);
        assert_eq!(
            relay::broken("x", &low),
            Error::Local(String::from("x: Cannot allocate memory (os error 12)"))
        );
    }
}
