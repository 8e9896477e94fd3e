//! Which numbers are new, in sequences of logins: the same for every ledger.

use super::*;

const OWNER: &str = "+447700900101";
const THIEF: &str = "+447700900166";
const LOWER: &str = "+447700900100";

/// The logins of one user. Each begins an hour after the one before.
struct Logins<'a> {
    ledger: &'a mut dyn Ledger,
    pass: &'a dyn Fn(Duration),
    user: &'static str,
    new_phone: Duration,
}

/// The result of a login: how many of its numbers are announced, and the rest of the wait.
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
    /// The account when the directory has these numbers. The code is sent to the first.
    fn account(&self, numbers: &[&str]) -> Account {
        let numbers: Vec<Phone> = numbers
            .iter()
            .map(|number| Phone::parse(number, None).unwrap())
            .collect();
        Account {
            login: LoginId([1; 4]),
            dn: format!("uid={},dc=example,dc=org", self.user),
            name: self.user.to_owned(),
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

    /// The correct password and the lines in the log; then the user disconnects.
    fn abandoned(&mut self, numbers: &[&str]) -> Found {
        self.login(numbers, true, false)
    }

    /// The same, when the system log does not take the lines.
    fn unlogged(&mut self, numbers: &[&str]) -> Found {
        self.login(numbers, false, false)
    }

    /// The correct code, unless the number has to wait.
    fn granted(&mut self, numbers: &[&str]) -> Found {
        self.login(numbers, true, true)
    }

    /// `logged`: the system log takes the lines. `code`: the user types the correct code.
    fn login(&mut self, numbers: &[&str], logged: bool, code: bool) -> Found {
        (self.pass)(HOUR);
        let (account, limits) = (self.account(numbers), Self::limits());
        let rules = rules(&limits, None, self.new_phone);
        let admission = self.ledger.admit(&account, rules, by()).unwrap();
        if logged && !admission.new_numbers.is_empty() {
            let new = &admission.new_numbers;
            self.ledger.mark_announced(&account, new, by()).unwrap();
        }
        let wait = match admission.decision {
            Decision::Rejected(Rejection::NewPhone { wait }) => Some(wait),
            Decision::Reserved(_) => None,
            other => panic!("{other:?}"),
        };
        if code && wait.is_none() {
            let _ = self.ledger.record_attempt(&account, rules, by()).unwrap();
            self.ledger
                .record_success(&account, rules, 1, by())
                .unwrap();
        }
        Found {
            announced: admission.new_numbers.len(),
            wait,
        }
    }
}

/// Runs all sequences. Only `pass` moves the ledger's clock.
pub fn compare(ledger: &mut dyn Ledger, pass: impl Fn(Duration)) {
    let mut logins = |user, new_phone, sequence: fn(&mut Logins<'_>)| {
        sequence(&mut Logins {
            ledger: &mut *ledger,
            pass: &pass,
            user,
            new_phone,
        });
    };
    logins("outwaited", DAY, a_number_that_was_removed_waits_again);
    logins("between", DAY, a_login_of_the_owner_ends_the_wait);
    logins("denied", DAY, a_denied_login_changes_nothing);
    logins("alternating", DAY, two_servers_that_differ);
    logins("reordered", DAY, the_order_of_numbers_does_not_matter);
    logins("recycled", DAY, a_former_number_is_new_again);
    logins("second", DAY, a_second_number_waits_beside_the_first);
    logins(
        "allowed",
        Duration::ZERO,
        allowed_numbers_are_announced_once,
    );
    logins(
        "unlogged",
        Duration::ZERO,
        a_number_that_was_not_logged_stays_new,
    );
    logins(
        "services",
        Duration::ZERO,
        a_strict_service_waits_its_own_time,
    );
}

/// The thief's number is seen once, the owner's is restored, and after the wait the thief's returns: it
/// is new again, because a login in between has not seen it.
fn a_number_that_was_removed_waits_again(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    assert_eq!(logins.granted(&[THIEF]), waits(1, 24));
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    (logins.pass)(DAY * 2);
    assert_eq!(logins.granted(&[THIEF]), waits(1, 24));
    // An abandoned login is enough to end the wait.
    assert_eq!(logins.abandoned(&[OWNER]), KNOWN);
    (logins.pass)(DAY * 2);
    assert_eq!(logins.granted(&[THIEF]), waits(1, 24));
    // A number that stays in the directory has waited.
    (logins.pass)(DAY);
    assert_eq!(logins.granted(&[THIEF]), KNOWN);
}

fn a_login_of_the_owner_ends_the_wait(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    for _ in 0..3 {
        assert_eq!(logins.abandoned(&[THIEF]), waits(1, 24));
        assert_eq!(logins.abandoned(&[THIEF]), waits(0, 23));
        assert_eq!(logins.granted(&[OWNER]), KNOWN);
    }
}

/// Denied logins with other numbers do not make the owner's number new.
fn a_denied_login_changes_nothing(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    let many: Vec<String> = (0..20).map(|n| format!("+4477009002{n:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(logins.abandoned(&many).wait, Some(DAY));
    // Of more numbers than a record holds, the one that the code is sent to is kept.
    assert_eq!(logins.abandoned(&many).wait, Some(HOUR * 23));
    assert_eq!(logins.abandoned(&[OWNER]), KNOWN);
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
}

/// Two directory servers differ: each login that does not see the number ends its wait.
fn two_servers_that_differ(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    for _ in 0..30 {
        assert_eq!(logins.granted(&[THIEF]), waits(1, 24));
        assert_eq!(logins.granted(&[OWNER]), KNOWN);
    }
}

fn the_order_of_numbers_does_not_matter(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER, LOWER]), KNOWN);
    for numbers in [[LOWER, OWNER], [OWNER, LOWER], [LOWER, LOWER]] {
        assert_eq!(logins.granted(&numbers), KNOWN);
    }
    // The last of them was granted without the owner's second number.
    assert_eq!(logins.granted(&[OWNER]), waits(1, 24));
}

fn a_former_number_is_new_again(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    assert_eq!(logins.granted(&[LOWER]), waits(1, 24));
    (logins.pass)(DAY);
    // The former number stays in the reference set until the new one is granted.
    assert_eq!(logins.granted(&[LOWER]), KNOWN);
    assert_eq!(logins.granted(&[OWNER]), waits(1, 24));
}

fn a_second_number_waits_beside_the_first(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    let announced = Found {
        announced: 1,
        wait: None,
    };
    assert_eq!(logins.granted(&[OWNER, THIEF]), announced);
    // A login with the first number does not end the wait of the second.
    assert_eq!(logins.granted(&[OWNER, THIEF]), KNOWN);
    assert_eq!(logins.granted(&[THIEF, OWNER]), waits(0, 22));
    (logins.pass)(HOUR * 21);
    assert_eq!(logins.granted(&[THIEF, OWNER]), KNOWN);
    assert_eq!(logins.granted(&[THIEF]), KNOWN);
    assert_eq!(logins.granted(&[OWNER]), waits(1, 24));
}

fn allowed_numbers_are_announced_once(logins: &mut Logins<'_>) {
    let announced = Found {
        announced: 1,
        wait: None,
    };
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    assert_eq!(logins.granted(&[THIEF]), announced);
    assert_eq!(logins.granted(&[THIEF]), KNOWN);
    assert_eq!(logins.abandoned(&[OWNER]), announced);
    assert_eq!(logins.abandoned(&[OWNER]), KNOWN);
    assert_eq!(logins.granted(&[THIEF]), KNOWN);
    assert_eq!(logins.granted(&[OWNER]), announced);
}

/// If the log does not take the line, the next login announces the number, also after a granted one.
fn a_number_that_was_not_logged_stays_new(logins: &mut Logins<'_>) {
    let announced = Found {
        announced: 1,
        wait: None,
    };
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    for _ in 0..3 {
        assert_eq!(logins.login(&[THIEF], false, true), announced);
        assert_eq!(logins.unlogged(&[THIEF]), announced);
    }
    logins.new_phone = DAY;
    for _ in 0..3 {
        assert_eq!(logins.unlogged(&[THIEF]), waits(1, 24));
    }
    assert_eq!(logins.abandoned(&[THIEF]), waits(1, 24));
    assert_eq!(logins.abandoned(&[THIEF]), waits(0, 23));
}

/// A service that allows new numbers at once does not shorten the wait of another service.
fn a_strict_service_waits_its_own_time(logins: &mut Logins<'_>) {
    assert_eq!(logins.granted(&[OWNER]), KNOWN);
    assert_eq!(logins.granted(&[THIEF]).announced, 1);
    logins.new_phone = DAY;
    assert_eq!(logins.granted(&[THIEF]), waits(0, 23));
    (logins.pass)(DAY);
    assert_eq!(logins.granted(&[THIEF]), KNOWN);
}

#[test]
fn the_model_conforms() {
    let mut model = Model::default();
    let clock = model.clone();
    clock.pass(HOUR);
    compare(&mut model, |time| clock.pass(time));
}
