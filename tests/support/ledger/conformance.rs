//! Compares a ledger with the model: both get the same random history and must give the same answers.

mod dice;
mod equality;
pub mod guesses;
pub mod numbers;

use std::time::Duration;

pub use dice::Dice;

use super::{model::Model, *};

/// The steps of one history.
const STEPS: usize = 400;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Runs the history of this seed on both. The ledger is new, and used by nothing else.
///
/// `pass` moves the ledger's clock forward, always by whole seconds. `slack` is how far that clock may
/// have moved by itself; below a second it changes no decision.
pub fn compare(
    model: Model,
    ledger: &mut dyn Ledger,
    pass: impl Fn(Duration),
    slack: Duration,
    seed: u64,
) {
    let mut history = History::new(model, ledger, slack, seed);
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
    ledger: &'a mut dyn Ledger,
    model: Model,
    slack: Duration,
    dice: Dice,
    limits: Limits,
    remember: Option<Duration>,
    new_phone: Duration,
    now: Duration,
    /// Reservations that may be released: account, the model's, the ledger's.
    reservations: Vec<(Account, Reservation, Reservation)>,
    /// New numbers that are logged, but not recorded as announced yet.
    unannounced: Vec<(Account, Vec<Phone>)>,
    /// SMS that were not released: time, number, segments.
    sent: Vec<(Duration, Phone, u16)>,
    logins: u32,
}

impl<'a> History<'a> {
    fn new(model: Model, ledger: &'a mut dyn Ledger, slack: Duration, seed: u64) -> Self {
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
            ledger,
            model,
            slack,
            remember: dice.one_of(&[None, Some(HOUR / 4), Some(DAY)]),
            new_phone: dice.one_of(&[Duration::ZERO, HOUR, DAY]),
            dice,
            limits,
            now: Duration::ZERO,
            reservations: Vec::new(),
            unannounced: Vec::new(),
            sent: Vec::new(),
            logins: 0,
        }
    }

    /// The time to the next step: usually seconds, sometimes hours. The whole history takes less than
    /// 30 days.
    fn time(&mut self) -> Duration {
        let most = self.dice.one_of(&[1, 2, 10, 60, 600, 10_000]);
        Duration::from_secs(self.dice.below(most))
    }

    /// One of four accounts, some of which share numbers.
    fn account(&mut self) -> Account {
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
        // Usually the same origin.
        let origin = match self.dice.below(8) {
            0..2 => None,
            2 => Some(self.dice.below(3)),
            _ => Some(number % 3),
        };
        let origin = origin.map(|origin| format!("sshd 192.0.2.{origin}"));
        self.logins += 1;
        Account {
            login: LoginId(self.logins.to_be_bytes()),
            dn: format!("uid=user{number},dc=example,dc=org"),
            name: format!("user{number}"),
            phone: numbers[usize::try_from(of_them).unwrap()].clone(),
            numbers,
            allowed: self.dice.below(12) > 0,
            password_changed: match self.dice.below(30) {
                0 => "20260102000000Z".into(),
                1 => String::new(),
                _ => "20260101000000Z".into(),
            },
            origin_key: origin,
            segments: 1 + u16::try_from(parts).unwrap(),
        }
    }

    fn step(&mut self, at: &str) {
        let by = Deadline::within(Duration::from_secs(30));
        let account = self.account();
        match self.dice.below(23) {
            0..8 => self.admit(account, by, at),
            8..10 => self.reserve(account, by, at),
            10..12 => self.release(by, at),
            12..15 => self.record_attempt(&account, by, at),
            15 | 20..22 => self.record_success(&account, by, at),
            16 => self.unlock(&account, by, at),
            17..19 => self.status(&account, by, at),
            19 => self.mark_announced(by, at),
            _ => self.summary(by, at),
        }
    }

    fn admit(&mut self, account: Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        let expected = self.model.admit(&account, rules, by).unwrap();
        let found = self.ledger.admit(&account, rules, by).unwrap();
        assert_eq!(expected.new_numbers, found.new_numbers, "{at}");
        if !expected.new_numbers.is_empty() {
            self.unannounced
                .push((account.clone(), expected.new_numbers));
            // Usually it is recorded at once, sometimes later, and sometimes the login ends before.
            match self.dice.below(6) {
                0 => {}
                1 => drop(self.unannounced.pop()),
                _ => self.mark_announced(by, at),
            }
        }
        match (expected.decision, found.decision) {
            (Decision::Reserved(one), Decision::Reserved(other)) => {
                self.add_reservation(account, one, other);
            }
            (Decision::Rejected(one), Decision::Rejected(other)) => {
                self.same_rejection(one, other, at);
            }
            (one, other) => assert_eq!(one, other, "{at}"),
        }
    }

    /// Recording it twice has no further effect.
    fn mark_announced(&mut self, by: Deadline, at: &str) {
        let Some((account, new)) = self.unannounced.pop() else {
            return;
        };
        for _ in 0..=self.dice.below(2) {
            self.model.mark_announced(&account, &new, by).expect(at);
            self.ledger.mark_announced(&account, &new, by).expect(at);
        }
    }

    fn reserve(&mut self, account: Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        let expected = self.model.reserve(&account, rules, by).unwrap();
        match (expected, self.ledger.reserve(&account, rules, by).unwrap()) {
            (Ok(one), Ok(other)) => self.add_reservation(account, one, other),
            (Err(one), Err(other)) => self.same_rejection(one, other, at),
            (one, other) => panic!("{at}: {one:?} and {other:?}"),
        }
    }

    fn add_reservation(&mut self, account: Account, one: Reservation, other: Reservation) {
        self.sent
            .push((self.now, account.phone.clone(), account.segments));
        self.reservations.push((account, one, other));
        if self.reservations.len() > 3 {
            drop(self.reservations.remove(0));
        }
    }

    fn release(&mut self, by: Deadline, at: &str) {
        let Some((account, one, other)) = self.reservations.pop() else {
            return;
        };
        let when = Duration::from_millis(one.at);
        let same = |sent: &(Duration, Phone, u16)| {
            *sent == (when, account.phone.clone(), account.segments)
        };
        let index = self.sent.iter().position(same).expect(at);
        self.sent.remove(index);
        self.model.release(&account, one, by).unwrap();
        self.ledger.release(&account, other, by).unwrap();
    }

    fn record_attempt(&mut self, account: &Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        let expected = self.model.record_attempt(account, rules, by).unwrap();
        match (
            expected,
            self.ledger.record_attempt(account, rules, by).unwrap(),
        ) {
            (Err(one), Err(other)) => self.same_rejection(one, other, at),
            (one, other) => assert_eq!(one, other, "{at}"),
        }
    }

    fn record_success(&mut self, account: &Account, by: Deadline, at: &str) {
        let limits = self.limits.clone();
        let rules = rules(&limits, self.remember, self.new_phone);
        // A success without an earlier admission does not occur: ledgers may differ in what they store.
        if !self.model.status(&account.dn, by).expect(at).known {
            return;
        }
        let attempts = u32::try_from(self.dice.below(3)).unwrap();
        let expected = self
            .model
            .record_success(account, rules, attempts, by)
            .expect(at);
        let found = self
            .ledger
            .record_success(account, rules, attempts, by)
            .expect(at);
        assert_eq!(expected, found, "{at}");
        // Sometimes the host shows no texts.
        if self.dice.below(2) == 0 {
            self.model
                .clear_guesses(account, expected.guesses, by)
                .unwrap();
            self.ledger
                .clear_guesses(account, found.guesses, by)
                .unwrap();
        }
    }

    fn unlock(&mut self, account: &Account, by: Deadline, at: &str) {
        let forget = self.dice.below(2) == 0;
        let expected = self.model.unlock(&account.dn, forget, by).unwrap();
        let found = self.ledger.unlock(&account.dn, forget, by).unwrap();
        self.same_status(expected, found, at);
    }

    fn status(&mut self, account: &Account, by: Deadline, at: &str) {
        let expected = self.model.status(&account.dn, by).unwrap();
        let found = self.ledger.status(&account.dn, by).unwrap();
        self.same_status(expected, found, at);
    }

    fn summary(&mut self, by: Deadline, at: &str) {
        let expected = self.model.summary(by).unwrap();
        let mut found = self.ledger.summary(by).unwrap();
        // The sum is by hours: it contains all SMS of the last 24 hours, and none older than 25.
        let (all, now) = (&self.sent, self.now);
        let in_last = |hours: u32| all.iter().filter(move |sent| now < sent.0 + HOUR * hours);
        let parts = |hours: u32| in_last(hours).map(|sent| u64::from(sent.2)).sum::<u64>();
        let sms = |hours: u32| in_last(hours).count() as u64;
        assert!((sms(24)..=sms(25)).contains(&found.sms), "{at}");
        assert!((parts(24)..=parts(25)).contains(&found.segments), "{at}");
        // A phone may be forgotten when none of its SMS counts any more.
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
fn the_model_counts_guesses() {
    let mut model = Model::default();
    let mut other = model.clone();
    let mut history = History::new(Model::default(), &mut model, HOUR, 1);
    guesses::compare(&mut other, history.account());
}

/// The model conforms to itself, so that the history contains no question without an answer.
#[test]
fn the_model_conforms_to_itself() {
    for new in [Model::default, Model::sealing] {
        for seed in 0..50 {
            let mut model = new();
            let clock = model.clone();
            let pass = |time| clock.pass(time);
            compare(new(), &mut model, pass, Duration::ZERO, seed);
        }
    }
}
