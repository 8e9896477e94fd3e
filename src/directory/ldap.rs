//! Queries to the LDAP servers: one after the other until one answers.
//!
//! [`find`](Ldap::find) needs no password and keeps its connection open, so that it can run while the user
//! types; [`verify_password`](Ldap::verify_password) sends one bind on that connection.
#![forbid(unsafe_code)]

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};

use super::{
    Entry, Found, PasswordError, PasswordProof, VerifiedPassword, bind_result,
    failover::{self, ServerFailure},
    failures, password_policy, query, result_code, sanitize, service_account,
    session::{self, SearchResult, Session, Transport},
};
use crate::{
    config::{self, LdapUri, Security},
    deadline::{Deadline, Wait},
    failure::Failure,
    id::LoginId,
    net::{self, Connected, Timeouts},
    secret::Secret,
};

/// The servers of `[ldap]`. Dropping it closes all connections without waiting.
pub struct Ldap {
    settings: Arc<config::Ldap>,
    tls: Option<Arc<ClientConfig>>,
    /// The connection on which the entry was found; its password is verified on the same one.
    session: Option<Session>,
    runtime: Runtime,
}

/// Steps of a query to one server: connecting, StartTLS, TLS, the service account's bind, the search.
const STEPS: u32 = 5;

impl Ldap {
    /// Prepares for queries, without connecting.
    pub fn new(settings: &Arc<config::Ldap>) -> Result<Self, Failure> {
        query::check(&settings.filter)?;
        if let Some((_, password)) = &settings.bind {
            // RFC 4513 §5.1.2: such a bind succeeds as an anonymous one.
            if password.reveal().is_empty() {
                return Err(failures::local("the password of bind_dn is empty"));
            }
        }
        let needs_tls = settings.uris.iter().any(|uri| match uri {
            LdapUri::Tcp { security, .. } => *security != Security::Loopback,
            LdapUri::Unix(_) => false,
        });
        let tls = needs_tls
            .then(|| net::tls_config(settings.ca_file.as_ref()))
            .transpose()
            .map_err(failures::connection)?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|error| failures::system("cannot start the async runtime", &error))?;
        Ok(Self {
            settings: Arc::clone(settings),
            tls,
            session: None,
            runtime,
        })
    }

    /// Finds the entry of a user name. Servers are queried in turn until one answers; each gets an equal
    /// share of the remaining time, so that a silent server leaves time for the next. The names of all
    /// servers are looked up at the same time.
    pub fn find(&mut self, user: &str, by: Deadline) -> Result<Found, Failure> {
        self.session = None;
        if user.is_empty() {
            return Ok(Found::None);
        }
        let settings = Arc::clone(&self.settings);
        let hosts = settings.uris.iter().map(|uri| match uri {
            LdapUri::Tcp { host, port, .. } => Some((host.as_str(), *port)),
            LdapUri::Unix(_) => None,
        });
        let mut lookups = net::Lookups::begin(hosts);
        let limit = net::lookup_limit(settings.timeout, by);
        let user = settings.search_name(user);
        let wait = Wait::until(by);
        let mut failures = Vec::new();
        let mut remaining = u32::try_from(settings.uris.len()).unwrap_or(u32::MAX);
        while let Some((at, addresses)) = lookups.next(limit).filter(|_| !by.is_over()) {
            let Some(uri) = settings.uris.get(at) else {
                break;
            };
            let share = by.left().checked_div(remaining).unwrap_or_default();
            remaining = remaining.saturating_sub(1);
            let timeouts = Timeouts {
                by: by.or_within(share),
                step: settings.timeout,
            };
            let found = addresses.map_err(ServerFailure::from);
            match found.and_then(|at| self.query(uri, &at, user, timeouts)) {
                Ok(found) => return Ok(found),
                Err(ServerFailure::TryNext(failure)) => failures.push(failure),
                Err(ServerFailure::Final(failure)) => return Err(failure),
            }
        }
        Err(failures::unless_late(failover::combine(failures), wait))
    }

    /// Queries one server. If its name has several addresses they are tried in turn, for there may be
    /// another machine at each.
    fn query(
        &mut self,
        uri: &LdapUri,
        addresses: &net::Addresses,
        user: &str,
        timeouts: Timeouts,
    ) -> Result<Found, ServerFailure> {
        let server = session::server_name(uri);
        // A failed connection names the server in its text.
        let (found, session) = match uri {
            LdapUri::Tcp { .. } => {
                let by = timeouts.by.or_within(timeouts.step.saturating_mul(STEPS));
                net::dial(addresses, Timeouts { by, ..timeouts }, |at: Connected| {
                    let server = format!("{server}{}", at.which);
                    self.query_on(Transport::Tcp(at.tcp), uri, &server, user, at.timeouts)
                })?
            }
            LdapUri::Unix(path) => {
                let transport = Transport::Unix(net::dial_unix(path, timeouts.step())?);
                self.query_on(transport, uri, &server, user, timeouts)?
            }
        };
        self.session = session;
        Ok(found)
    }

    /// Queries on an open connection, which is returned if the entry was found on it.
    fn query_on(
        &self,
        transport: Transport,
        uri: &LdapUri,
        server: &str,
        user: &str,
        timeouts: Timeouts,
    ) -> Result<(Found, Option<Session>), ServerFailure> {
        let settings = &*self.settings;
        let query = async {
            let tls = self.tls.as_ref();
            let mut session =
                Session::open(transport, uri, tls, server.to_owned(), timeouts).await?;
            if let Some((dn, password)) = &settings.bind {
                let policy = settings.password_policy;
                service_account::bind(&mut session, dn, password, policy, timeouts).await?;
            }
            let filter = query::filter(&settings.filter, user);
            let attributes = query::attributes(settings);
            let result = session
                .search(&settings.base, &filter, attributes, timeouts)
                .await?;
            let found = evaluate(result, settings, server, user)?;
            let is_needed = matches!(found, Found::One(_));
            Ok::<_, ServerFailure>((found, is_needed.then_some(session)))
        };
        block_on(&self.runtime, server, query)
    }

    /// Whether the connection on which the entry was found has ended since: it may have been idle while
    /// the user typed.
    pub fn is_disconnected(&self) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        let check = async {
            // A connection makes progress only while the runtime runs. At each yield the runtime polls
            // its sockets once: one to receive the end of the connection, one to pass it on.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok::<_, Failure>(session.has_ended())
        };
        block_on(&self.runtime, &session.server, check).unwrap_or(true)
    }

    /// Verifies a password with one bind as the entry that [`find`](Self::find) returned, on the same
    /// connection, which cannot be used again. No other server is asked and nothing is sent twice,
    /// because a directory counts each wrong password in its own account lock.
    pub fn verify_password(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<VerifiedPassword, PasswordError> {
        let password = password.reveal();
        // RFC 4513 §5.1.2: a bind with an empty password is anonymous, and succeeds.
        if password.is_empty() {
            return Err(PasswordError::Wrong);
        }
        if by.is_over() {
            // The directory would count a bind whose result is not waited for.
            return Err(failures::unless_late(failures::no_time_left(), Wait::until(by)).into());
        }
        let mut session = self.session.take().ok_or_else(|| {
            failures::local("no open connection to the server that holds the entry")
        })?;
        check_dn(&entry.dn, &session.server)?;
        let timeouts = Timeouts {
            by,
            step: self.settings.timeout,
        };
        let server = session.server.clone();
        let control = password_policy::request(self.settings.password_policy);
        let bind = async move { session.bind(&entry.dn, password, control, timeouts).await };
        let result = block_on(&self.runtime, &server, bind)?;
        let grace = bind_result::evaluate(&result, &server, password, self.settings.grace)?;
        let proof = PasswordProof { login };
        Ok(VerifiedPassword { proof, grace })
    }
}

/// Runs a query, and closes the connection of a session that was dropped in it. The LDAP library panics on
/// shapes that it does not expect; [`validate`](super::validate) stops all that are known, and this catches
/// the others. A panic is a fault of this program, whatever caused it, and not an outage.
fn block_on<T, E: From<Failure>>(
    runtime: &Runtime,
    server: &str,
    query: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let query = async {
        let result = query.await;
        tokio::task::yield_now().await; // drops aborted tasks, and their sockets with them
        result
    };
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(query))).unwrap_or_else(|payload| {
        // Dropping it may panic again.
        std::mem::forget(payload);
        Err(failures::panicked(server).into())
    })
}

/// Returns what a search has found.
fn evaluate(
    found: SearchResult,
    settings: &config::Ldap,
    server: &str,
    user: &str,
) -> Result<Found, ServerFailure> {
    if found.entries.len() > 1 {
        return Ok(Found::Several);
    }
    if let Some(result) = found.result {
        if result.rc != result_code::SUCCESS {
            let text = sanitize::without_name(user, &result.text);
            let description = result_code::describe(result.rc, &text);
            let failure = failures::search(server, result.rc, &description);
            return Err(if result_code::is_outage(result.rc) {
                ServerFailure::TryNext(failure)
            } else {
                ServerFailure::Final(failure)
            });
        }
    }
    let Some(entry) = found.entries.into_iter().next() else {
        return Ok(if found.has_references {
            Found::Elsewhere
        } else {
            Found::None
        });
    };
    let entry = Entry::parse(entry, settings).ok_or_else(|| failures::not_ldap(server))?;
    check_dn(&entry.dn, server).map_err(ServerFailure::Final)?;
    Ok(Found::One(entry))
}

/// Refuses a DN that cannot be bound as. A bind with an empty DN is anonymous, whatever the password is
/// (RFC 4513 §5.1), and some servers treat other names as empty; every DN of an entry contains a `=`.
fn check_dn(dn: &str, server: &str) -> Result<(), Failure> {
    if dn.contains('=') {
        return Ok(());
    }
    Err(failures::no_dn(server))
}
