//! The directory as one login uses it: queried in the background while the user types.
//!
//! Connecting, TLS, the service account's bind and the search need only a name, so a thread does them
//! while the prompt is open. After Enter its result is used if it still holds; otherwise the query is
//! made anew, as if there had been none.
#![forbid(unsafe_code)]

use std::{sync::Arc, time::Duration};

use super::{Directory, Entry, Found, PasswordError, VerifiedPassword, failures, ldap::Ldap};
use crate::{
    config,
    deadline::{Deadline, Moment, Wait},
    failure::Failure,
    id::LoginId,
    prefetch::{Permit, Prefetch},
    secret::Secret,
};

/// An older result is not used: a number or an account may have been withdrawn, and a firewall may have
/// dropped the connection. (Without a suspend of the machine, idle connections are closed sooner.)
const MAX_AGE: Duration = Duration::from_secs(60);

/// How much longer than the deadline the thread is waited for: its failure names the server that was
/// too slow.
const EXTRA_WAIT: Duration = Duration::from_millis(250);

/// The directory, opened when it is first needed.
pub struct Client {
    settings: Arc<config::Ldap>,
    search: Option<Search>,
    ldap: Option<Ldap>,
}

/// A search in the background.
struct Search {
    name: String,
    result: Prefetch<SearchResult>,
}

struct SearchResult {
    /// With the connection on which the entry was found. `None` if preparing for queries failed.
    ldap: Option<Ldap>,
    /// `None` if it is too old.
    found: Option<Result<Found, Failure>>,
    began: Moment,
}

impl Client {
    /// Returns a client without a connection.
    #[must_use]
    pub const fn new(settings: Arc<config::Ldap>) -> Self {
        Self {
            settings,
            search: None,
            ldap: None,
        }
    }

    /// Whether no search is running.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.search
            .as_ref()
            .is_none_or(|search| search.result.has_ended())
    }

    fn open(&mut self) -> Result<&mut Ldap, Failure> {
        let ldap = match self.ldap.take() {
            Some(ldap) => ldap,
            None => Ldap::new(&self.settings)?,
        };
        Ok(self.ldap.insert(ldap))
    }
}

impl Directory for Client {
    /// If no thread can be started, [`find`](Self::find) does all the work.
    fn begin(&mut self, name: &str, by: Deadline, permit: Permit) {
        let (settings, user) = (Arc::clone(&self.settings), name.to_owned());
        let search = move || search(&settings, &user, by);
        let result = Prefetch::begin("directory", permit, search);
        self.search = result.map(|result| Search {
            name: name.to_owned(),
            result,
        });
    }

    fn close(&mut self) {
        self.search = None;
    }

    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, Failure> {
        if let Some(search) = self.search.take().filter(|search| search.name == name) {
            let result = search.take(by)?;
            self.ldap = result.ldap;
            if let Some(found) = result.found {
                return found;
            }
        }
        self.open()?.find(name, by)
    }

    fn verify_password(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<VerifiedPassword, PasswordError> {
        self.open()?.verify_password(entry, password, login, by)
    }
}

impl Search {
    /// Returns the result, and waits for it if necessary.
    fn take(self, by: Deadline) -> Result<SearchResult, Failure> {
        if let Some(result) = self.result.take_ready() {
            return Ok(result.if_usable(Moment::now()));
        }
        let by = by.extended(EXTRA_WAIT);
        let wait = Wait::until(by);
        self.result.take(by).ok_or_else(|| {
            let failure = failures::outage("the deadline passed before the directory answered");
            failures::unless_late(failure, wait)
        })
    }
}

impl SearchResult {
    /// Drops a result that was ready before it was needed, if it is old or failed: a failure may be over
    /// by now.
    fn if_usable(self, now: Moment) -> Self {
        let is_fresh = now.since(self.began) < MAX_AGE;
        let is_disconnected = self.ldap.as_ref().is_some_and(Ldap::is_disconnected);
        let found = self
            .found
            .filter(|found| found.is_ok() && is_fresh && !is_disconnected);
        Self { found, ..self }
    }
}

fn search(settings: &Arc<config::Ldap>, name: &str, by: Deadline) -> SearchResult {
    let began = Moment::now();
    let (ldap, found) = match Ldap::new(settings) {
        Ok(mut ldap) => {
            let found = ldap.find(name, by);
            (Some(ldap), found)
        }
        Err(error) => (None, Err(error)),
    };
    SearchResult {
        ldap,
        found: Some(found),
        began,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_older_than_a_minute_and_a_failure_are_not_used() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let is_used = |found, now| {
            let result = SearchResult {
                ldap: None,
                found: Some(found),
                began: at(100),
            };
            result.if_usable(at(now)).found.is_some()
        };
        assert!(is_used(Ok(Found::None), 159));
        assert!(!is_used(Ok(Found::None), 160));
        assert!(!is_used(Err(failures::outage("down")), 100));
    }
}
