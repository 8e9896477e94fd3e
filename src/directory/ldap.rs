//! The directory, over LDAP: one server after the other until one answers.
//!
//! [`find`](Ldap::find) needs no password and leaves its connection open, so that it can be done
//! while the person is still typing; [`prove`](Ldap::prove) sends the one bind, on that connection.
#![forbid(unsafe_code)]

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use rustls::ClientConfig;
use tokio::runtime::{Builder, Runtime};

use super::{
    Entry, Error, Found, PasswordProof, Proved, Unproved, answer,
    miss::{Miss, together},
    passwordpolicy, query, relay, said, service_account,
    session::{self, Dialled, Searched, Session},
};
use crate::{
    config::{self, LdapUri, Security},
    deadline::Deadline,
    id::LoginId,
    net::{self, Pace, Reached},
    secret::Secret,
};

/// The servers of `[ldap]`. Dropping it ends all connections without waiting for anybody.
pub struct Ldap {
    settings: Arc<config::Ldap>,
    tls: Option<Arc<ClientConfig>>,
    /// Where the one entry was found, and so where its password is proved.
    session: Option<Session>,
    runtime: Runtime,
}

/// What one server may take time for: connecting, StartTLS, TLS, the service account's bind, the
/// search.
const STEPS: u32 = 5;

impl Ldap {
    /// Gets ready; asks nobody.
    pub fn new(settings: &Arc<config::Ldap>) -> Result<Self, Error> {
        query::check(&settings.filter).map_err(|what| Error::Local(what.to_owned()))?;
        if let Some((_, password)) = &settings.bind {
            // RFC 4513 §5.1.2: such a bind "succeeds", as nobody.
            if password.reveal().is_empty() {
                return Err(Error::Local(String::from("the service password is empty")));
            }
        }
        let wants_tls = settings.uris.iter().any(|uri| match uri {
            LdapUri::Tcp { security, .. } => *security != Security::Loopback,
            LdapUri::Unix(_) => false,
        });
        let tls = wants_tls
            .then(|| net::tls_config(settings.ca_file.as_ref()))
            .transpose()?;
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(|e| session::local("no runtime", &e))?;
        Ok(Self {
            settings: Arc::clone(settings),
            tls,
            session: None,
            runtime,
        })
    }

    /// Looks for a person by name. Servers are asked in turn until one knows; each gets an equal
    /// share of the time that is left, so that one that is silent does not cost the next its turn. The
    /// names of all servers are looked up at the same time.
    pub fn find(&mut self, user: &str, by: Deadline) -> Result<Found, Error> {
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
        let mut misses = Vec::new();
        let mut to_go = u32::try_from(settings.uris.len()).unwrap_or(u32::MAX);
        while let Some((at, addresses)) = lookups.next(limit).filter(|_| !by.is_over()) {
            let Some(uri) = settings.uris.get(at) else {
                break;
            };
            let share = by.left().checked_div(to_go).unwrap_or_default();
            to_go = to_go.saturating_sub(1);
            let pace = Pace {
                by: by.or_within(share),
                step: settings.timeout,
            };
            let found = addresses.map_err(Miss::from);
            match found.and_then(|at| self.ask(uri, &at, user, pace)) {
                Ok(found) => return Ok(found),
                Err(Miss::Next(error)) => misses.push(error),
                Err(Miss::End(error)) => return Err(error),
            }
        }
        Err(together(misses))
    }

    /// Asks one server: where its name has several addresses, one after the other, for behind each
    /// there may be another machine.
    fn ask(
        &mut self,
        uri: &LdapUri,
        addresses: &net::Addresses,
        user: &str,
        pace: Pace,
    ) -> Result<Found, Miss> {
        let name = session::name(uri);
        // The texts of what fails in connecting name the server already.
        let (found, session) = match uri {
            LdapUri::Tcp { .. } => {
                let by = pace.by.or_within(pace.step.saturating_mul(STEPS));
                net::dial(addresses, Pace { by, ..pace }, |at: Reached| {
                    let name = format!("{name}{}", at.which);
                    self.ask_on(Dialled::Tcp(at.tcp), uri, &name, user, at.pace)
                })?
            }
            LdapUri::Unix(path) => {
                let dialled = Dialled::Unix(net::dial_unix(path, pace.step())?);
                self.ask_on(dialled, uri, &name, user, pace)?
            }
        };
        self.session = session;
        Ok(found)
    }

    /// Asks on a connection, which is kept if the entry was found on it.
    fn ask_on(
        &self,
        dialled: Dialled,
        uri: &LdapUri,
        name: &str,
        user: &str,
        pace: Pace,
    ) -> Result<(Found, Option<Session>), Miss> {
        let settings = &*self.settings;
        let asked = async {
            let mut session =
                Session::open(dialled, uri, self.tls.as_ref(), name.to_owned(), pace).await?;
            if let Some((dn, password)) = &settings.bind {
                let policy = settings.password_policy;
                service_account::bind(&mut session, dn, password, policy, pace).await?;
            }
            let filter = query::filter(&settings.filter, user);
            let wanted = query::attributes(settings);
            let searched = session
                .search(&settings.base, &filter, wanted, pace)
                .await?;
            let found = weigh(searched, settings, name, user)?;
            let of_use = matches!(found, Found::One(_));
            Ok::<_, Miss>((found, of_use.then_some(session)))
        };
        run(&self.runtime, name, asked)
    }

    /// Whether the connection on which an entry was found has ended since: it may have lain idle
    /// for as long as somebody types.
    pub fn is_cut_off(&self) -> bool {
        let Some(session) = &self.session else {
            return false;
        };
        let looked = async {
            // Nobody serves a connection but while something is asked. Each turn lets the runtime
            // look at its sockets once; the first brings the news, the second hands it on.
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Ok::<_, Error>(session.has_ended())
        };
        run(&self.runtime, &session.name, looked).unwrap_or(true)
    }

    /// Proves a password with one bind as the entry that [`find`](Self::find) gave, where it was
    /// found. That connection is used up by it: from then on nobody else is asked, and nothing is
    /// sent twice, because a directory counts each wrong password in its own lock.
    pub fn prove(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<Proved, Unproved> {
        let password = password.reveal();
        // RFC 4513 §5.1.2: a bind with an empty password is nobody's, and "succeeds".
        if password.is_empty() {
            return Err(Unproved::Wrong);
        }
        if by.is_over() {
            // A bind that nobody waits for would still be counted by the directory.
            return Err(Error::Outage(String::from("no time was left to ask")).into());
        }
        let mut session = self.session.take().ok_or_else(|| {
            Error::Local(String::from("no connection on which an entry was found"))
        })?;
        check_dn(&entry.dn, &session.name)?;
        let pace = Pace {
            by,
            step: self.settings.timeout,
        };
        let name = session.name.clone();
        let control = passwordpolicy::request(self.settings.password_policy);
        let bind = async move { session.bind(&entry.dn, password, control, pace).await };
        let result = run(&self.runtime, &name, bind)?;
        let grace = answer::judge(&result, &name, password, self.settings.grace)?;
        let proof = PasswordProof { login };
        Ok(Proved { proof, grace })
    }
}

/// Drives what is asked, and hangs up where a session was dropped. The LDAP library panics on
/// shapes that it does not expect; the gate lets none through that is known, and this is for the
/// others. A panic is this program's fault, whatever has brought it about, and no outage.
fn run<T, E: From<Error>>(
    runtime: &Runtime,
    name: &str,
    asked: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let whole = async {
        let outcome = asked.await;
        tokio::task::yield_now().await; // lets ended tasks go, and their sockets with them
        outcome
    };
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(whole))).unwrap_or_else(|payload| {
        // Dropping it may panic once more.
        std::mem::forget(payload);
        Err(relay::panicked(name).into())
    })
}

/// What a search has found.
fn weigh(
    searched: Searched,
    settings: &config::Ldap,
    name: &str,
    user: &str,
) -> Result<Found, Miss> {
    let Searched {
        entries,
        result,
        has_references,
    } = searched;
    if entries.len() > 1 {
        return Ok(Found::Several);
    }
    if let Some(result) = result {
        if result.rc != answer::SUCCESS {
            let told = answer::told(result.rc, &said::without_name(user, &result.text));
            let what = format!("{name}: the search: {told}");
            return Err(if answer::is_outage(result.rc) {
                Miss::Next(Error::Outage(what))
            } else {
                Miss::End(Error::Refused {
                    what,
                    remedy: search_remedy(result.rc),
                })
            });
        }
    }
    let Some(entry) = entries.into_iter().next() else {
        return Ok(if has_references {
            Found::Elsewhere
        } else {
            Found::None
        });
    };
    let entry = Entry::parse(entry, settings)
        .ok_or_else(|| Miss::Next(Error::Outage(format!("{name}: what it sends is not LDAP"))))?;
    check_dn(&entry.dn, name).map_err(Miss::End)?;
    Ok(Found::One(entry))
}

const fn search_remedy(code: u32) -> &'static str {
    match code {
        answer::NO_SUCH_OBJECT | answer::REFERRAL => {
            "Check base in [ldap]: this server does not hold it (or does not show it to us)."
        }
        answer::INSUFFICIENT_ACCESS_RIGHTS | answer::OPERATIONS_ERROR => {
            "Check that the account in [ldap] bind_dn (without one: anybody) may search base."
        }
        answer::SIZE_LIMIT_EXCEEDED => {
            "Let the server return two entries at least: its size limit is smaller."
        }
        _ => "Check base and filter in [ldap], and what the server allows bind_dn to search.",
    }
}

/// A name under which somebody can bind. The empty one is anonymous, whatever the password is
/// (RFC 4513 §5.1), and some servers make other things empty: every DN of an entry has a `=`.
fn check_dn(dn: &str, name: &str) -> Result<(), Error> {
    if dn.contains('=') {
        return Ok(());
    }
    Err(Error::Refused {
        what: format!("{name}: it found an entry that has no name"),
        remedy: "Check base and filter in [ldap]: they must find people only.",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_is_refused_says_what_to_look_at() {
        for (code, says) in [
            (answer::NO_SUCH_OBJECT, "does not hold it"),
            (answer::REFERRAL, "does not hold it"),
            (answer::INSUFFICIENT_ACCESS_RIGHTS, "may search base"),
            (answer::OPERATIONS_ERROR, "may search base"),
            (answer::SIZE_LIMIT_EXCEEDED, "size limit"),
            (2, "base and filter"),
        ] {
            assert!(search_remedy(code).contains(says), "{code}");
        }
    }
}
