//! One store against the plain model: the same random history, the same answers.

mod dice;
pub mod guesses;
pub mod numbers;

use std::time::Duration;

pub use dice::Dice;

use super::{model::Model, *};

/// How many steps one history has.
const STEPS: usize = 400;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Drives both through the history of this seed. The store is new, and nobody else uses it.
///
/// `pass` lets the store's time pass, always by whole seconds. `slack` is how much of its own accord
/// it may have gone on besides; below a second it changes no decision.
pub fn compare(
    model: Model,
    store: &mut dyn Ledger,
    pass: impl Fn(Duration),
    slack: Duration,
    seed: u64,
) {
    let mut history = History::new(model, store, slack, seed);
    let start = HOUR;
    history.model.pass(start);
    history.now += start;
    pass(start);
    for step in 0..STEPS {
        let time = history.time();
        history.model.pass(time);
        history.now += time;
        pass(time);
        let at = format!("seed {seed}, step {step}");
        history.step(&at);
    }
}

struct History<'a> {
    store: &'a mut dyn Ledger,
    model: Model,
    slack: Duration,
    dice: Dice,
    limits: Limits,
    remember: Option<Duration>,
    new_phone: Duration,
    now: Duration,
    /// SMS that might be given back: whose, by the model and by the store.
    slots: Vec<(Account, Reservation, Reservation)>,
    /// New numbers that are logged, and of which the ledger has not heard yet.
    untold: Vec<(Account, Vec<Phone>)>,
    /// When which number was sent how many parts, as long as it was not given back.
    sent: Vec<(Duration, Phone, u16)>,
    logins: u32,
}

impl<'a> History<'a> {
    fn new(model: Model, store: &'a mut dyn Ledger, slack: Duration, seed: u64) -> Self {
        let mut dice = Dice(seed);
        let windows = 1 + dice.below(3);
        let rule = |dice: &mut Dice, most: u64| Rule {
            most: u32::try_from(1 + dice.below(most)).unwrap(),
            within: dice.one_of(&[1, 10, 100, 1000, 10_000, 90_000].map(Duration::from_secs)),
        };
        let limits = Limits {
            sms: (0..windows).map(|_| rule(&mut dice, 8)).collect(),
            sms_total: (dice.below(2) == 0).then(|| rule(&mut dice, 14)),
            pause: Duration::from_secs(30),
            failures: dice.one_of(&[1, 3, 5]),
            lock: dice.one_of(&[Duration::from_secs(60), HOUR, DAY]),
            disable_after: dice.one_of(&[2, 8, 100]),
            ..Limits::defaults()
        };
        Self {
            store,
            model,
            slack,
            remember: dice.one_of(&[None, Some(HOUR / 4), Some(DAY)]),
            new_phone: dice.one_of(&[Duration::ZERO, HOUR, DAY]),
            dice,
            limits,
            now: Duration::ZERO,
            slots: Vec::new(),
            untold: Vec::new(),
            sent: Vec::new(),
            logins: 0,
        }
    }

    /// Mostly moments, sometimes hours; the whole history is shorter than 30 days.
    fn time(&mut self) -> Duration {
        let most = self.dice.one_of(&[1, 2, 10, 60, 600, 10_000]);
        Duration::from_secs(self.dice.below(most))
    }

    /// Somebody of four, some of whom share numbers.
    fn who(&mut self) -> Account {
        let number = self.dice.below(4);
        let phone = |of: u64| Phone::parse(&format!("+447700900{of:03}"), None).unwrap();
        let mut numbers = vec![phone(number / 2)];
        // Sometimes another number in its place, before it or behind it.
        let other = phone(2 + self.dice.below(3));
        match self.dice.below(16) {
            0 => numbers = vec![other],
            1 => numbers.insert(0, other),
            2 => numbers.push(other),
            _ => {}
        }
        let of_them = self.dice.below(numbers.len() as u64);
        let parts = self.dice.below(3);
        // Mostly from where he always comes from.
        let place = match self.dice.below(8) {
            0..2 => None,
            2 => Some(self.dice.below(3)),
            _ => Some(number % 3),
        };
        let place = place.map(|place| format!("sshd 192.0.2.{place}"));
        self.logins += 1;
        Account {
            login: LoginId(self.logins.to_be_bytes()),
            dn: format!("uid=person{number},dc=example,dc=org"),
            name: format!("person{number}"),
            phone: numbers[usize::try_from(of_them).unwrap()].clone(),
            numbers,
            allowed: self.dice.below(12) > 0,
            password_changed: match self.dice.below(30) {
                0 => "20260102000000Z".into(),
                1 => String::new(),
                _ => "20260101000000Z".into(),
            },
            origin_key: place,
            segments: 1 + u16::try_from(parts).unwrap(),
        }
    }

    fn step(&mut self, at: &str) {
        let by = Deadline::within(Duration::from_secs(30));
        let who = self.who();
        match self.dice.below(23) {
            0..8 => self.admit(who, by, at),
            8..10 => self.reserve(who, by, at),
            10..12 => self.release(by, at),
            12..15 => self.record_attempt(&who, by, at),
            15 | 20..22 => self.record_success(&who, by, at),
            16 => self.unlock(&who, by, at),
            17..19 => self.status(&who, by, at),
            19 => self.mark_announced(by, at),
            _ => self.summary(by, at),
        }
    }

    fn admit(&mut self, who: Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        let expected = self.model.admit(&who, rules, by).unwrap();
        let found = self.store.admit(&who, rules, by).unwrap();
        assert_eq!(expected.new_numbers, found.new_numbers, "{at}");
        if !expected.new_numbers.is_empty() {
            self.untold.push((who.clone(), expected.new_numbers));
            // Mostly it is logged and told at once, sometimes later, and sometimes he is killed before.
            match self.dice.below(6) {
                0 => {}
                1 => drop(self.untold.pop()),
                _ => self.mark_announced(by, at),
            }
        }
        match (expected.decision, found.decision) {
            (Decision::Reserved(one), Decision::Reserved(other)) => self.took(who, one, other),
            (Decision::Rejected(one), Decision::Rejected(other)) => {
                self.same_refusal(one, other, at);
            }
            (one, other) => assert_eq!(one, other, "{at}"),
        }
    }

    /// Once more is the same.
    fn mark_announced(&mut self, by: Deadline, at: &str) {
        let Some((who, new)) = self.untold.pop() else {
            return;
        };
        for _ in 0..=self.dice.below(2) {
            self.model.mark_announced(&who, &new, by).expect(at);
            self.store.mark_announced(&who, &new, by).expect(at);
        }
    }

    fn reserve(&mut self, who: Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        let expected = self.model.reserve(&who, rules, by).unwrap();
        match (expected, self.store.reserve(&who, rules, by).unwrap()) {
            (Ok(one), Ok(other)) => self.took(who, one, other),
            (Err(one), Err(other)) => self.same_refusal(one, other, at),
            (one, other) => panic!("{at}: {one:?} and {other:?}"),
        }
    }

    fn took(&mut self, who: Account, one: Reservation, other: Reservation) {
        self.sent.push((self.now, who.phone.clone(), who.segments));
        self.slots.push((who, one, other));
        if self.slots.len() > 3 {
            drop(self.slots.remove(0));
        }
    }

    fn release(&mut self, by: Deadline, at: &str) {
        let Some((who, one, other)) = self.slots.pop() else {
            return;
        };
        let when = Duration::from_millis(one.at);
        let same = |sent: &(Duration, Phone, u16)| *sent == (when, who.phone.clone(), who.segments);
        let place = self.sent.iter().position(same).expect(at);
        self.sent.remove(place);
        self.model.release(&who, one, by).unwrap();
        self.store.release(&who, other, by).unwrap();
    }

    fn record_attempt(&mut self, who: &Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        let expected = self.model.record_attempt(who, rules, by).unwrap();
        match (expected, self.store.record_attempt(who, rules, by).unwrap()) {
            (Err(one), Err(other)) => self.same_refusal(one, other, at),
            (one, other) => assert_eq!(one, other, "{at}"),
        }
    }

    fn record_success(&mut self, who: &Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        // Nobody's code is right whom the ledger has never been asked about: of him a store may write
        // down that this request counts, or nothing.
        if !self.model.status(&who.dn, by).expect(at).known {
            return;
        }
        let tries = u32::try_from(self.dice.below(3)).unwrap();
        let expected = self.model.record_success(who, rules, tries, by).expect(at);
        let found = self.store.record_success(who, rules, tries, by).expect(at);
        assert_eq!(expected, found, "{at}");
        // Sometimes the host is silent.
        if self.dice.below(2) == 0 {
            self.model.clear_guesses(who, expected.guesses, by).unwrap();
            self.store.clear_guesses(who, found.guesses, by).unwrap();
        }
    }

    fn unlock(&mut self, who: &Account, by: Deadline, at: &str) {
        let forget = self.dice.below(2) == 0;
        let expected = self.model.unlock(&who.dn, forget, by).unwrap();
        let found = self.store.unlock(&who.dn, forget, by).unwrap();
        self.same_standing(expected, found, at);
    }

    fn status(&mut self, who: &Account, by: Deadline, at: &str) {
        let expected = self.model.status(&who.dn, by).unwrap();
        let found = self.store.status(&who.dn, by).unwrap();
        self.same_standing(expected, found, at);
    }

    fn summary(&mut self, by: Deadline, at: &str) {
        let expected = self.model.summary(by).unwrap();
        let mut found = self.store.summary(by).unwrap();
        // It counts by hours: no SMS of the last 24 hours is missing, none of before 25 is there.
        let (all, now) = (&self.sent, self.now);
        let in_last = |hours: u32| all.iter().filter(move |sent| now < sent.0 + HOUR * hours);
        let parts = |hours: u32| in_last(hours).map(|sent| u64::from(sent.2)).sum::<u64>();
        let sms = |hours: u32| in_last(hours).count() as u64;
        assert!((sms(24)..=sms(25)).contains(&found.sms), "{at}");
        assert!((parts(24)..=parts(25)).contains(&found.segments), "{at}");
        // A phone may be forgotten once none of its SMS counts any more.
        let mut counted: Vec<&Phone> = self
            .sent
            .iter()
            .filter(|(when, _, _)| self.now < *when + self.longest())
            .map(|(_, phone, _)| phone)
            .collect();
        counted.sort();
        counted.dedup();
        let phones = Some(counted.len() as u64)..=expected.phones;
        for (found, expected) in [
            (found.phones, phones),
            (found.users, expected.users..=expected.users),
            (found.remembered, expected.remembered..=expected.remembered),
        ] {
            assert!(
                found.is_none() || expected.contains(&found),
                "{at}: {found:?} of {expected:?}"
            );
        }
        found.failed.sort_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(found.failed.len(), expected.failed.len(), "{at}");
        for (found, expected) in found.failed.iter().zip(&expected.failed) {
            assert_eq!(found.name, expected.name, "{at}");
            assert_eq!(found.failures, expected.failures, "{at}");
            self.same_wait(found.locked, expected.locked, at);
        }
    }

    fn longest(&self) -> Duration {
        let rules = self.limits.sms.iter();
        rules.map(|rule| rule.within).max().unwrap_or_default()
    }

    fn same_refusal(&self, one: Rejection, other: Rejection, at: &str) {
        match (one, other) {
            (Rejection::Locked { wait: one }, Rejection::Locked { wait: other }) => {
                self.same_wait(one, other, at);
            }
            (Rejection::Prefix, Rejection::Prefix) => {}
            (Rejection::NewPhone { wait: one }, Rejection::NewPhone { wait: other }) => {
                self.same_time(one, other, at);
            }
            (
                Rejection::Limited {
                    wait,
                    scope: whose,
                    rule,
                },
                Rejection::Limited {
                    wait: other_wait,
                    scope: other_whose,
                    rule: other_rule,
                },
            ) => {
                self.same_time(wait, other_wait, at);
                assert_eq!((whose, rule), (other_whose, other_rule), "{at}");
            }
            (one, other) => panic!("{at}: {one:?} and {other:?}"),
        }
    }

    /// But for SMS that no rule counts any more: how long those are kept is the store's affair.
    fn same_standing(&self, one: AccountStatus, other: AccountStatus, at: &str) {
        assert_eq!(one.known, other.known, "{at}");
        assert_eq!(one.failures, other.failures, "{at}");
        assert_eq!(one.numbers, other.numbers, "{at}");
        self.same_wait(one.locked, other.locked, at);
        let singly = |sms: Vec<(Duration, u32)>| -> Vec<Duration> {
            let each = sms.into_iter();
            let each = each.flat_map(|(ago, number)| (0..number).map(move |_| ago));
            each.filter(|ago| *ago < self.longest()).collect()
        };
        let (ones, others) = (singly(one.sms), singly(other.sms));
        assert_eq!(ones.len(), others.len(), "{at}");
        for (one, other) in ones.into_iter().zip(others) {
            self.same_time(one, other, at);
        }
        let by_login = |mut logins: Vec<(LoginId, Duration)>| {
            logins.sort_by_key(|(login, _)| login.0);
            logins
        };
        let (ones, others) = (by_login(one.remembered), by_login(other.remembered));
        assert_eq!(ones.len(), others.len(), "{at}");
        for (one, other) in ones.into_iter().zip(others) {
            assert_eq!(one.0, other.0, "{at}");
            self.same_time(one.1, other.1, at);
        }
    }

    fn same_wait(&self, one: Option<Duration>, other: Option<Duration>, at: &str) {
        assert_eq!(one.is_some(), other.is_some(), "{at}");
        self.same_time(one.unwrap_or_default(), other.unwrap_or_default(), at);
    }

    fn same_time(&self, one: Duration, other: Duration, at: &str) {
        assert!(
            one.abs_diff(other) <= self.slack,
            "{at}: {one:?} and {other:?}"
        );
    }
}

fn rules(limits: &Limits, remember: Option<Duration>, new_phone: Duration) -> Rules<'_> {
    Rules {
        limits,
        remember,
        new_phone,
        is_fallback: false,
    }
}

#[test]
fn the_model_shows_what_others_have_guessed() {
    let mut model = Model::default();
    let mut other = model.clone();
    let mut history = History::new(Model::default(), &mut model, HOUR, 1);
    guesses::compare(&mut other, history.who());
}

/// The model agrees with itself: what is asked here can be answered.
#[test]
fn the_model_is_like_the_model() {
    for new in [Model::default, Model::sealing] {
        for seed in 0..50 {
            let mut model = new();
            let clock = model.clone();
            let pass = |time| clock.pass(time);
            compare(new(), &mut model, pass, Duration::ZERO, seed);
        }
    }
}
