//! The directory as one login asks it: ahead of the need, while the person still types.
//!
//! Connecting, TLS, the service account's bind and the search need nothing but a name, so a thread
//! does them beside the prompt. What it has found is taken over after Enter, if it is still true
//! then; whatever is not is asked for anew, as if nothing had been begun.
#![forbid(unsafe_code)]

use std::{sync::Arc, time::Duration};

use super::{Directory, Entry, Error, Found, Proved, Unproved, ldap::Ldap};
use crate::{
    config,
    deadline::{Deadline, Moment},
    id::LoginId,
    prefetch::{Permit, Prefetch},
    secret::Secret,
};

/// What was found longer ago is asked for anew: a number or an account may have been withdrawn,
/// and a firewall may have forgotten the connection without a word.
const FRESH: Duration = Duration::from_secs(60);

/// What the thread may take to tell that its time is over: it knows which server was too slow.
const LAST_WORD: Duration = Duration::from_millis(250);

/// The directory, opened when it is first needed.
pub struct Phonebook {
    settings: Arc<config::Ldap>,
    begun: Option<Begun>,
    ldap: Option<Ldap>,
}

/// A search that is under way.
struct Begun {
    name: String,
    answer: Prefetch<Answer>,
}

/// What became of it.
struct Answer {
    /// With the connection on which the entry was found. `None`: this machine could not even begin.
    ldap: Option<Ldap>,
    /// `None`: it has lain there, and does not count any more.
    found: Option<Result<Found, Error>>,
    asked: Moment,
}

impl Phonebook {
    /// Asks nobody yet.
    #[must_use]
    pub const fn new(settings: Arc<config::Ldap>) -> Self {
        Self {
            settings,
            begun: None,
            ldap: None,
        }
    }

    /// Whether nothing is under way any more, for the tests.
    #[cfg(test)]
    pub fn is_idle(&self) -> bool {
        self.begun
            .as_ref()
            .is_none_or(|begun| begun.answer.has_ended())
    }

    fn open(&mut self) -> Result<&mut Ldap, Error> {
        let ldap = match self.ldap.take() {
            Some(ldap) => ldap,
            None => Ldap::new(&self.settings)?,
        };
        Ok(self.ldap.insert(ldap))
    }
}

impl Directory for Phonebook {
    /// Begins to look for a person, and does not wait for it. The thread gives up at `by`, and ends
    /// with this process at the latest. Where there can be no thread, [`find`](Self::find) does all
    /// the work.
    fn begin(&mut self, name: &str, by: Deadline, permit: Permit) {
        let (settings, wanted) = (Arc::clone(&self.settings), name.to_owned());
        let search = move || search(&settings, &wanted, by);
        let answer = Prefetch::begin("directory", permit, search);
        self.begun = answer.map(|answer| Begun {
            name: name.to_owned(),
            answer,
        });
    }

    /// Closes the connection of a search that nobody has asked for yet, at the latest when the thread
    /// has ended.
    fn close(&mut self) {
        self.begun = None;
    }

    /// Looks for a person by name, or takes what was found ahead.
    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, Error> {
        if let Some(begun) = self.begun.take().filter(|begun| begun.name == name) {
            let answer = begun.take(by)?;
            self.ldap = answer.ldap;
            if let Some(found) = answer.found {
                return found;
            }
        }
        self.open()?.find(name, by)
    }

    /// Proves a password, by binding once.
    fn prove(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<Proved, Unproved> {
        self.open()?.prove(entry, password, login, by)
    }
}

impl Begun {
    /// The answer, waited for if need be.
    fn take(self, by: Deadline) -> Result<Answer, Error> {
        if let Some(answer) = self.answer.take_ready() {
            return Ok(answer.after_a_while(Moment::now()));
        }
        let patience = Deadline::within(by.left().saturating_add(LAST_WORD));
        self.answer.take(patience).ok_or_else(|| {
            Error::Outage("the time was over before the directory had answered".into())
        })
    }
}

impl Answer {
    /// What is left of it where nobody has waited for it. A failure may be over by now.
    fn after_a_while(self, now: Moment) -> Self {
        let is_fresh = now.since(self.asked) < FRESH;
        let is_cut_off = self.ldap.as_ref().is_some_and(Ldap::is_cut_off);
        let found = self
            .found
            .filter(|found| found.is_ok() && is_fresh && !is_cut_off);
        Self { found, ..self }
    }
}

fn search(settings: &Arc<config::Ldap>, name: &str, by: Deadline) -> Answer {
    let asked = Moment::now();
    let (ldap, found) = match Ldap::new(settings) {
        Ok(mut ldap) => {
            let found = ldap.find(name, by);
            (Some(ldap), found)
        }
        Err(error) => (None, Err(error)),
    };
    Answer {
        ldap,
        found: Some(found),
        asked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_lain_for_a_minute_counts_no_more_and_a_failure_never() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let counts = |found, now| {
            let answer = Answer {
                ldap: None,
                found: Some(found),
                asked: at(100),
            };
            answer.after_a_while(at(now)).found.is_some()
        };
        assert!(counts(Ok(Found::None), 159));
        assert!(!counts(Ok(Found::None), 160));
        assert!(!counts(Err(Error::Outage(String::from("down"))), 100));
    }
}
