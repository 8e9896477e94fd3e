//! The ledgers of one host: the fleet's, where there is one, and its own.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use super::{
    Account, Admission, Answer, Error, LostLines, Rules, Store, file::File, redis::Remote,
};
use crate::{
    config::{self, Unreachable},
    deadline::{Deadline, Moment, Standstill},
    phone::Phone,
    prefetch::Permit,
};

/// Who keeps a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeper {
    Fleet,
    Host,
}

impl Keeper {
    /// For machines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fleet => "redis",
            Self::Host => "local",
        }
    }
}

impl fmt::Display for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fleet => "the fleet's ledger",
            Self::Host => "this host's ledger",
        })
    }
}

/// So long a standstill, and such a part of the time that a question took, change nothing.
const FORGIVEN: Duration = Duration::from_secs(1);
const SHARE: u32 = 4;

/// No time-out is as short (the shortest is 100 ms, and half of it for an idle connection): whoever
/// is refused within this time was refused by others, however busy this machine is.
const QUICK: Duration = Duration::from_millis(40);

type Kept = Result<Box<dyn Store>, Error>;

/// Both of them. While the fleet's is out of reach this host's own one counts, if the settings say
/// so: with the same limits, but for this host alone.
pub struct Books {
    /// Both are opened before privileges go. A login that does not get as far as to need them does
    /// not fail for them.
    fleet: Option<Kept>,
    own: Kept,
    lost: Option<LostLines>,
    /// The fleet's was out of reach in this login.
    stands_in: bool,
    /// The fleet's has let this login pass.
    passes: bool,
    /// Guesses that this host's own has counted, of those that [`Self::succeed`] has returned.
    own_guesses: u32,
    unreachable: Unreachable,
    trouble: Option<Error>,
    standstill: Box<dyn Fn() -> Standstill>,
}

impl Books {
    /// Opens what needs a path, and connects to nobody.
    #[must_use]
    pub fn open(settings: &config::Ledger, standstill: Box<dyn Fn() -> Standstill>) -> Self {
        let unreachable = settings
            .redis
            .as_ref()
            .map_or(Unreachable::Local, |redis| redis.unreachable);
        let fleet = settings.redis.as_ref();
        let fleet = fleet.map(|redis| Remote::new(redis).map(kept));
        let mut lost = None;
        let own = match unreachable {
            Unreachable::Local => File::open(&settings.path).map(|file| {
                lost = file.lost_lines();
                kept(file)
            }),
            Unreachable::Deny => Err(Error::Local {
                what: "this host's own ledger is not in use".into(),
                remedy: "set ledger.unreachable = \"local\" to use it".into(),
            }),
        };
        Self {
            fleet,
            own,
            lost,
            stands_in: false,
            passes: false,
            own_guesses: 0,
            unreachable,
            trouble: None,
            standstill,
        }
    }

    /// Where log lines of this machine that were lost are counted: in this host's own ledger. `None`:
    /// it is not in use, or cannot be opened.
    pub const fn lost_lines(&mut self) -> Option<LostLines> {
        self.lost.take()
    }

    /// Begins to connect.
    pub fn begin(&mut self, permit: Permit) {
        if let Some(Ok(fleet)) = &mut self.fleet {
            fleet.begin(permit);
        }
    }

    /// Closes a connection that was begun and is not used yet.
    pub fn close(&mut self) {
        if let Some(Ok(fleet)) = &mut self.fleet {
            fleet.close();
        }
    }

    /// What has gone wrong since the last question, without keeping it from being answered.
    pub const fn trouble(&mut self) -> Option<Error> {
        self.trouble.take()
    }

    /// Each that this host counts in, for an administrator.
    pub fn each(&mut self) -> impl Iterator<Item = (Keeper, Result<&mut dyn Store, Error>)> {
        let in_use = self.unreachable == Unreachable::Local;
        let fleet = self.fleet.as_mut();
        let fleet = fleet.map(|fleet| (Keeper::Fleet, opened(fleet)));
        let own = in_use.then(|| (Keeper::Host, opened(&mut self.own)));
        fleet.into_iter().chain(own)
    }

    /// Whether he needs a code, and may have one. Waiting numbers that the directory no longer has
    /// are forgotten by this host's own ledger, too.
    pub fn admit(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Error> {
        let admission = self.ask(by, |store, stands_in| {
            let rules = Rules { stands_in, ..rules };
            store.admit(who, rules, by)
        })?;
        self.passes = !matches!(admission.answer, Answer::Refused(_));
        self.note(|own| own.forget_unseen(who, by));
        Ok(admission)
    }

    /// It is logged that these numbers are new. This host's own is told after the fleet's, and of
    /// whom it may know: told before the log, it would take for an old one what nobody has seen.
    ///
    /// # Errors
    /// As those of any question. Then they are new still, and nothing may go to them.
    pub fn told(&mut self, who: &Account, new: &[Phone], by: Deadline) -> Result<(), Error> {
        self.ask(by, |store, _| store.told(who, new, by))?;
        if self.passes {
            self.note(|own| own.told(who, new, by));
        }
        Ok(())
    }

    /// The try was right and the login is granted. This host's own ledger learns the reference set
    /// of the fleet's, for the day on which it stands in. Returns the guesses that the user is to be
    /// shown: those that were counted here while the fleet's was out of reach, too.
    ///
    /// # Errors
    /// As those of any question.
    pub fn succeed(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        tries: u32,
        by: Deadline,
    ) -> Result<u32, Error> {
        let success = self.ask(by, |store, stands_in| {
            let rules = Rules { stands_in, ..rules };
            store.succeed(who, rules, tries, by)
        })?;
        let own = self.note(|own| own.learn(who, &success.reference, rules, by));
        self.own_guesses = own.unwrap_or_default();
        Ok(success.guesses.saturating_add(self.own_guesses))
    }

    /// The user was shown so many guesses.
    ///
    /// # Errors
    /// As those of any question.
    pub fn clear_guesses(&mut self, who: &Account, shown: u32, by: Deadline) -> Result<(), Error> {
        let own = std::mem::take(&mut self.own_guesses).min(shown);
        if own > 0 {
            self.note(|store| store.clear_guesses(who, own, by));
        }
        let others = shown.saturating_sub(own);
        if others == 0 {
            return Ok(());
        }
        self.ask(by, |store, _| store.clear_guesses(who, others, by))
    }

    /// What the fleet's has decided, for this host's own.
    fn note<T>(&mut self, what: impl FnOnce(&mut dyn Store) -> Result<T, Error>) -> Option<T> {
        if self.fleet.is_none() || self.unreachable != Unreachable::Local {
            return None;
        }
        match opened(&mut self.own).and_then(what) {
            Ok(noted) => Some(noted),
            Err(error) => {
                self.trouble.get_or_insert(error);
                None
            }
        }
    }

    /// Asks the fleet's, and where it is out of reach this host's own, from then on for the whole
    /// login: no second question waits for its time-out. The question hears whether the one that it
    /// asks stands in for another.
    ///
    /// Where this login's time is over nobody is out of reach: with it used up at other servers, whoever
    /// came by that could choose the ledger that knows less of him.
    pub fn ask<T>(
        &mut self,
        by: Deadline,
        question: impl Fn(&mut dyn Store, bool) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(fleet) = &mut self.fleet {
            let (began, before) = (Moment::now(), (self.standstill)());
            match opened(fleet).and_then(|fleet| question(fleet, false)) {
                Err(Error::Outage(what)) if by.is_over() => {
                    return Err(Error::Outage(format!("{what} (this login's time is up)")));
                }
                Err(Error::Outage(what)) if self.unreachable == Unreachable::Local => {
                    let after = (self.standstill)();
                    blame(&what, &before, &after, Moment::now().since(began))?;
                    let what = format!("{what}; this host's own ledger counts meanwhile");
                    self.trouble = Some(Error::Outage(what));
                    self.fleet = None;
                    self.stands_in = true;
                }
                answer => return answer,
            }
        }
        let stands_in = self.stands_in;
        opened(&mut self.own).and_then(|own| question(own, stands_in))
    }
}

/// A caller who can stop or starve this process (in a control group of his own, say) could bring
/// about any time-out, and so choose the ledger that knows less of him.
/// A long standstill counts whenever in this login it was: it may have been the deadline that passed
/// meanwhile. Small pieces count by their share of the question's own time.
fn blame(what: &str, before: &Standstill, after: &Standstill, took: Duration) -> Result<(), Error> {
    let (late, long) = (
        after.late_since(before),
        after.long_since(&Standstill::default()),
    );
    let little = late <= FORGIVEN && late.saturating_mul(SHARE) <= took;
    if long <= FORGIVEN && (took <= QUICK || little) {
        return Ok(());
    }
    let late = late.max(long);
    Err(Error::Local {
        what: format!(
            "this process stood still for {} ms, then: {what}",
            late.as_millis()
        ),
        remedy: "find out what stopped it, or what this machine is so busy with".into(),
    })
}

fn kept(store: impl Store + 'static) -> Box<dyn Store> {
    Box::new(store)
}

fn opened(kept: &mut Kept) -> Result<&mut dyn Store, Error> {
    match kept {
        Ok(store) => Ok(&mut **store),
        Err(error) => Err(error.clone()),
    }
}
