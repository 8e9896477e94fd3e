//! The ledgers of one host: the fleet's, where there is one, and its own.
#![forbid(unsafe_code)]

use std::{fmt, time::Duration};

use super::{Account, Admission, Answer, Error, Rules, Store, file::File, redis::Remote};
use crate::{
    config::{self, Unreachable},
    deadline::{Deadline, Moment, Standstill},
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
    /// The fleet's was out of reach in this login.
    stands_in: bool,
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
        let own = match unreachable {
            Unreachable::Local => File::open(&settings.path).map(kept),
            Unreachable::Deny => Err(Error::Local {
                what: "this host's own ledger is not in use".into(),
                remedy: "set ledger.unreachable = \"local\" to use it".into(),
            }),
        };
        Self {
            fleet,
            own,
            stands_in: false,
            unreachable,
            trouble: None,
            standstill,
        }
    }

    /// Begins to connect.
    pub fn begin(&mut self) {
        if let Some(Ok(fleet)) = &mut self.fleet {
            fleet.begin();
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

    /// Whether he needs a code, and may have one. The numbers of whom the fleet's lets pass, this
    /// host's own is told, for the day on which it stands in.
    pub fn admit(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Error> {
        let admission = self.ask(|store, stands_in| {
            let rules = Rules { stands_in, ..rules };
            store.admit(who, rules, by)
        })?;
        let passes = !matches!(admission.answer, Answer::Refused(_));
        if passes && self.fleet.is_some() && self.unreachable == Unreachable::Local {
            let told = opened(&mut self.own);
            let told = told.and_then(|own| own.learn(who, &admission.new_numbers, by));
            self.trouble = self.trouble.take().or(told.err());
        }
        Ok(admission)
    }

    /// Asks the fleet's, and where it is out of reach this host's own, from then on for the whole
    /// login: no second question waits for its time-out. The question hears whether the one that it
    /// asks stands in for another.
    pub fn ask<T>(
        &mut self,
        question: impl Fn(&mut dyn Store, bool) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(fleet) = &mut self.fleet {
            let (began, before) = (Moment::now(), (self.standstill)());
            match opened(fleet).and_then(|fleet| question(fleet, false)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Limits, Rule},
        deadline::Reading,
        id::LoginId,
        ledger::{Refusal, model::Model},
        phone::Phone,
    };

    /// In milliseconds.
    fn seen(late: u64, long: u64) -> Standstill {
        let ms = Duration::from_millis;
        let reading = Reading {
            late: ms(late),
            long: ms(long),
        };
        std::iter::once(reading).collect()
    }

    fn books(fleet: &Model, own: &Model, unreachable: Unreachable) -> Books {
        Books {
            fleet: Some(Ok(Box::new(fleet.clone()))),
            own: Ok(Box::new(own.clone())),
            stands_in: false,
            unreachable,
            trouble: None,
            standstill: Box::new(Standstill::default),
        }
    }

    fn account() -> Account {
        let phone = Phone::read("+44 7700 900123", None).unwrap();
        Account {
            login: LoginId([1; 4]),
            person: "uid=alice".into(),
            name: "alice".into(),
            numbers: vec![phone.clone()],
            allowed: true,
            phone,
            password_changed: String::new(),
            place: None,
            segments: 1,
        }
    }

    fn limits() -> Limits {
        Limits {
            sms: vec![Rule {
                most: 1,
                within: Duration::from_secs(60),
            }],
            sms_total: None,
            pause: Duration::ZERO,
            failures: 1,
            lock: Duration::from_secs(60),
            disable_after: 100,
            allowed_prefixes: Vec::new(),
        }
    }

    fn is_reserved(admission: &Admission) -> bool {
        matches!(admission.answer, Answer::Reserved(_))
    }

    #[test]
    fn out_of_reach_this_hosts_own_counts_by_itself_and_says_so() {
        let (fleet, own, limits) = (Model::default(), Model::default(), limits());
        let rules = Rules {
            limits: &limits,
            remember: None,
            new_phone: Duration::ZERO,
            stands_in: false,
        };
        let by = Deadline::within(Duration::from_secs(5));
        let mut books = books(&fleet, &own, Unreachable::Local);
        assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
        assert_eq!(books.trouble(), None);
        fleet.fail(Some(Error::Outage("x:6379: timed out".into())));
        assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
        assert!(matches!(books.trouble(), Some(Error::Outage(_))));
        // And that is the end of the fleet's for this login, so that nothing is counted by halves.
        fleet.fail(None);
        assert!(!is_reserved(&books.admit(&account(), rules, by).unwrap()));
        assert_eq!(books.trouble(), None);
    }

    #[test]
    fn with_deny_nobody_else_is_asked() {
        let (fleet, own, limits) = (Model::default(), Model::default(), limits());
        let rules = Rules {
            limits: &limits,
            remember: None,
            new_phone: Duration::ZERO,
            stands_in: false,
        };
        let by = Deadline::within(Duration::from_secs(5));
        let outage = Error::Outage("x:6379: timed out".into());
        fleet.fail(Some(outage.clone()));
        let mut denying = books(&fleet, &own, Unreachable::Deny);
        assert_eq!(denying.admit(&account(), rules, by), Err(outage));
        // Whoever refuses us is not out of reach.
        let refused = Error::Refused {
            what: "no".into(),
            remedy: "do".into(),
        };
        fleet.fail(Some(refused.clone()));
        let mut lenient = books(&fleet, &own, Unreachable::Local);
        assert_eq!(
            lenient.ask(|store, _| store.begin_try(&account(), rules, by)),
            Err(refused)
        );
        assert_eq!(own.clone().overview(by).unwrap().people, Some(0));
    }

    #[test]
    fn whom_it_has_never_seen_waits_where_new_numbers_wait() {
        let (fleet, own, limits) = (Model::default(), Model::default(), limits());
        let rules = Rules {
            limits: &limits,
            remember: None,
            new_phone: Duration::from_secs(86400),
            stands_in: false,
        };
        let by = Deadline::within(Duration::from_secs(5));
        fleet.pass(Duration::from_secs(1));
        own.pass(Duration::from_secs(1));
        let mut books = books(&fleet, &own, Unreachable::Local);
        assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
        fleet.fail(Some(Error::Outage("x:6379: timed out".into())));
        let stranger = books.admit(&account(), rules, by).unwrap();
        assert!(matches!(
            stranger.answer,
            Answer::Refused(Refusal::NewPhone { .. })
        ));
        assert_eq!(stranger.new_numbers.len(), 1);
    }

    #[test]
    fn whoever_stops_this_process_does_not_choose_the_ledger() {
        let (fleet, own, limits) = (Model::default(), Model::default(), limits());
        let rules = Rules {
            limits: &limits,
            remember: None,
            new_phone: Duration::ZERO,
            stands_in: false,
        };
        let by = Deadline::within(Duration::from_secs(5));
        fleet.fail(Some(Error::Outage("x:6379: timed out".into())));
        let mut books = books(&fleet, &own, Unreachable::Local);
        books.standstill = Box::new(|| seen(0, 2000));
        let error = books.admit(&account(), rules, by).unwrap_err();
        assert!(matches!(error, Error::Local { .. }), "{error}");
        assert_eq!(own.clone().overview(by).unwrap().people, Some(0));
    }

    #[test]
    fn a_standstill_counts_by_its_share_and_a_quick_refusal_is_others() {
        let ms = Duration::from_millis;
        for (late, long, took, is_others) in [
            (0, 0, 2000, true),
            (400, 0, 2000, true),
            // Chopped into pieces, none of which is long.
            (700, 0, 2000, false),
            (1900, 1900, 2000, false),
            // On a busy machine, by somebody who refuses the connection.
            (30, 0, 1, true),
            (30, 0, 60, false),
            // The deadline passed before the question was put.
            (0, 30_000, 0, false),
        ] {
            let judged = blame("", &seen(50, 0), &seen(50 + late, long), ms(took));
            assert_eq!(judged.is_ok(), is_others, "{late} {long} {took}");
        }
    }
}
