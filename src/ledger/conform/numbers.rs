//! Which numbers are new, told as stories: the same for every store.

use super::*;

const OWNER: &str = "+447700900101";
const THIEF: &str = "+447700900166";
const LOWER: &str = "+447700900100";

/// One person's logins. Each begins an hour after the one before.
struct Logins<'a> {
    store: &'a mut dyn Ledger,
    pass: &'a dyn Fn(Duration),
    person: &'static str,
    new_phone: Duration,
}

/// What a login finds: how many of its numbers are announced, and what is left of the wait.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    announced: usize,
    wait: Option<Duration>,
}

const KNOWN: Found = Found {
    announced: 0,
    wait: None,
};

fn waits(announced: usize, hours: u32) -> Found {
    Found {
        announced,
        wait: Some(HOUR * hours),
    }
}

fn by() -> Deadline {
    Deadline::within(Duration::from_secs(30))
}

impl Logins<'_> {
    /// Where the directory shows these numbers. The code goes to the first.
    fn account(&self, numbers: &[&str]) -> Account {
        let numbers: Vec<Phone> = numbers
            .iter()
            .map(|number| Phone::parse(number, None).unwrap())
            .collect();
        Account {
            login: LoginId([1; 4]),
            dn: format!("uid={},dc=example,dc=org", self.person),
            name: self.person.to_owned(),
            phone: numbers[0].clone(),
            numbers,
            allowed: true,
            password_changed: String::new(),
            origin_key: Some("sshd 192.0.2.7".to_owned()),
            segments: 1,
        }
    }

    fn limits() -> Limits {
        Limits {
            sms: Vec::new(),
            sms_total: None,
            pause: Duration::ZERO,
            failures: 10,
            lock: HOUR,
            disable_after: 100,
            ..Limits::defaults()
        }
    }

    /// The right password, the lines in the log, and then a cut connection.
    fn abandoned(&mut self, numbers: &[&str]) -> Found {
        self.login(numbers, true, false)
    }

    /// The same, while the system log takes nothing.
    fn unlogged(&mut self, numbers: &[&str]) -> Found {
        self.login(numbers, false, false)
    }

    /// The right code, unless the number has to wait.
    fn granted(&mut self, numbers: &[&str]) -> Found {
        self.login(numbers, true, true)
    }

    /// `logged`: the system log takes what is written. `code`: the right one is given.
    fn login(&mut self, numbers: &[&str], logged: bool, code: bool) -> Found {
        (self.pass)(HOUR);
        let (who, limits) = (self.account(numbers), Self::limits());
        let rules = rules(&limits, None, self.new_phone);
        let admission = self.store.admit(&who, rules, by()).unwrap();
        if logged && !admission.new_numbers.is_empty() {
            let new = &admission.new_numbers;
            self.store.mark_announced(&who, new, by()).unwrap();
        }
        let wait = match admission.decision {
            Decision::Rejected(Rejection::NewPhone { wait }) => Some(wait),
            Decision::Reserved(_) => None,
            other => panic!("{other:?}"),
        };
        if code && wait.is_none() {
            let _ = self.store.record_attempt(&who, rules, by()).unwrap();
            self.store.record_success(&who, rules, 1, by()).unwrap();
        }
        Found {
            announced: admission.new_numbers.len(),
            wait,
        }
    }
}

/// Plays them all. The store's clock goes on by `pass` alone.
pub fn compare(store: &mut dyn Ledger, pass: impl Fn(Duration)) {
    let mut person = |person, new_phone, story: fn(&mut Logins<'_>)| {
        story(&mut Logins {
            store: &mut *store,
            pass: &pass,
            person,
            new_phone,
        });
    };
    person("outwaited", DAY, the_wait_is_not_outwaited);
    person("between", DAY, a_login_of_the_owner_ends_the_wait);
    person("denied", DAY, a_denied_login_changes_nothing);
    person("alternating", DAY, two_servers_that_disagree);
    person("reordered", DAY, an_order_is_no_change);
    person("recycled", DAY, a_former_number_is_new_again);
    person("second", DAY, a_second_number_waits_beside_the_first);
    person(
        "allowed",
        Duration::ZERO,
        allowed_numbers_are_announced_once,
    );
    person("unlogged", Duration::ZERO, what_was_not_logged_is_new);
    person(
        "services",
        Duration::ZERO,
        a_strict_service_waits_all_the_same,
    );
}

/// The thief's number is seen once, the owner's is put back, and after the wait the thief's returns:
/// it is new again, because a login has not seen it in between.
fn the_wait_is_not_outwaited(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    assert_eq!(him.granted(&[THIEF]), waits(1, 24));
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    (him.pass)(DAY * 2);
    assert_eq!(him.granted(&[THIEF]), waits(1, 24));
    // An abandoned login is enough to end the wait.
    assert_eq!(him.abandoned(&[OWNER]), KNOWN);
    (him.pass)(DAY * 2);
    assert_eq!(him.granted(&[THIEF]), waits(1, 24));
    // Who leaves it there, where the owner sees it, has waited.
    (him.pass)(DAY);
    assert_eq!(him.granted(&[THIEF]), KNOWN);
}

fn a_login_of_the_owner_ends_the_wait(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    for _ in 0..3 {
        assert_eq!(him.abandoned(&[THIEF]), waits(1, 24));
        assert_eq!(him.abandoned(&[THIEF]), waits(0, 23));
        assert_eq!(him.granted(&[OWNER]), KNOWN);
    }
}

/// However often the thief's number is seen, the owner's own is not new.
fn a_denied_login_changes_nothing(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    let many: Vec<String> = (0..20).map(|n| format!("+4477009002{n:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(him.abandoned(&many).wait, Some(DAY));
    // With more numbers than there is room for, the one that the code goes to waits.
    assert_eq!(him.abandoned(&many).wait, Some(HOUR * 23));
    assert_eq!(him.abandoned(&[OWNER]), KNOWN);
    assert_eq!(him.granted(&[OWNER]), KNOWN);
}

/// One directory server lags behind the other: each login that does not see the number ends its wait.
fn two_servers_that_disagree(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    for _ in 0..30 {
        assert_eq!(him.granted(&[THIEF]), waits(1, 24));
        assert_eq!(him.granted(&[OWNER]), KNOWN);
    }
}

fn an_order_is_no_change(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER, LOWER]), KNOWN);
    for numbers in [[LOWER, OWNER], [OWNER, LOWER], [LOWER, LOWER]] {
        assert_eq!(him.granted(&numbers), KNOWN);
    }
    // The last of them was granted without the other.
    assert_eq!(him.granted(&[OWNER]), waits(1, 24));
}

fn a_former_number_is_new_again(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    assert_eq!(him.granted(&[LOWER]), waits(1, 24));
    (him.pass)(DAY);
    // The former number stays in the set until the new one is granted.
    assert_eq!(him.granted(&[LOWER]), KNOWN);
    assert_eq!(him.granted(&[OWNER]), waits(1, 24));
}

fn a_second_number_waits_beside_the_first(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    let announced = Found {
        announced: 1,
        wait: None,
    };
    assert_eq!(him.granted(&[OWNER, THIEF]), announced);
    // A login by the first number leaves the second waiting.
    assert_eq!(him.granted(&[OWNER, THIEF]), KNOWN);
    assert_eq!(him.granted(&[THIEF, OWNER]), waits(0, 22));
    (him.pass)(HOUR * 21);
    assert_eq!(him.granted(&[THIEF, OWNER]), KNOWN);
    assert_eq!(him.granted(&[THIEF]), KNOWN);
    assert_eq!(him.granted(&[OWNER]), waits(1, 24));
}

fn allowed_numbers_are_announced_once(him: &mut Logins<'_>) {
    let announced = Found {
        announced: 1,
        wait: None,
    };
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    assert_eq!(him.granted(&[THIEF]), announced);
    assert_eq!(him.granted(&[THIEF]), KNOWN);
    assert_eq!(him.abandoned(&[OWNER]), announced);
    assert_eq!(him.abandoned(&[OWNER]), KNOWN);
    assert_eq!(him.granted(&[THIEF]), KNOWN);
    assert_eq!(him.granted(&[OWNER]), announced);
}

/// Where the log takes no line, the number is announced by the next login, also when it was granted.
fn what_was_not_logged_is_new(him: &mut Logins<'_>) {
    let announced = Found {
        announced: 1,
        wait: None,
    };
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    for _ in 0..3 {
        assert_eq!(him.login(&[THIEF], false, true), announced);
        assert_eq!(him.unlogged(&[THIEF]), announced);
    }
    him.new_phone = DAY;
    for _ in 0..3 {
        assert_eq!(him.unlogged(&[THIEF]), waits(1, 24));
    }
    assert_eq!(him.abandoned(&[THIEF]), waits(1, 24));
    assert_eq!(him.abandoned(&[THIEF]), waits(0, 23));
}

/// A service that lets new numbers in at once does not shorten the wait of one that does not.
fn a_strict_service_waits_all_the_same(him: &mut Logins<'_>) {
    assert_eq!(him.granted(&[OWNER]), KNOWN);
    assert_eq!(him.granted(&[THIEF]).announced, 1);
    him.new_phone = DAY;
    assert_eq!(him.granted(&[THIEF]), waits(0, 23));
    (him.pass)(DAY);
    assert_eq!(him.granted(&[THIEF]), KNOWN);
}

#[test]
fn the_model_tells_the_same() {
    let mut model = Model::default();
    let clock = model.clone();
    clock.pass(HOUR);
    compare(&mut model, |time| clock.pass(time));
}
