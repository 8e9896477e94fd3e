//! Which wrong codes are shown to the user: the same for every ledger.

use super::*;

/// The codes of one user.
struct Codes<'a> {
    ledger: &'a mut dyn Ledger,
    account: Account,
    limits: Limits,
}

impl Codes<'_> {
    fn by() -> Deadline {
        Deadline::within(Duration::from_secs(30))
    }

    fn admit(&mut self) -> Decision {
        let rules = rules(&self.limits, Some(DAY), Duration::ZERO);
        let admission = self.ledger.admit(&self.account, rules, Self::by());
        admission.unwrap().decision
    }

    /// A login with this number of wrong codes.
    fn attempts(&mut self, number: u32) {
        let rules = rules(&self.limits, Some(DAY), Duration::ZERO);
        for _ in 0..number {
            let attempt = self
                .ledger
                .record_attempt(&self.account, rules, Self::by())
                .unwrap();
            assert_eq!(attempt, Ok(Attempt::Counted));
        }
    }

    /// A login that is granted with the last of these attempts. Returns the guesses of others.
    fn granted(&mut self, attempts: u32) -> u32 {
        self.attempts(attempts);
        let rules = rules(&self.limits, Some(DAY), Duration::ZERO);
        let success = self
            .ledger
            .record_success(&self.account, rules, attempts, Self::by());
        success.unwrap().guesses
    }

    fn clear(&mut self, shown: u32) {
        self.ledger
            .clear_guesses(&self.account, shown, Self::by())
            .unwrap();
    }
}

/// Runs the logins. The ledger is new.
pub fn compare(ledger: &mut dyn Ledger, account: Account) {
    let limits = Limits {
        sms: Vec::new(),
        sms_total: None,
        pause: Duration::ZERO,
        failures: 50,
        lock: HOUR,
        disable_after: 100,
        ..Limits::defaults()
    };
    let account = Account {
        allowed: true,
        password_changed: String::new(),
        origin_key: Some("sshd 192.0.2.7".to_owned()),
        ..account
    };
    run(Codes {
        ledger,
        account,
        limits,
    });
}

fn run(mut codes: Codes<'_>) {
    // This login is remembered later: its record has the time of this admission.
    let admitted = codes.admit();
    assert!(matches!(admitted, Decision::Reserved(_)));
    // Wrong codes of the granted login itself are not guesses.
    assert_eq!(codes.granted(3), 0);
    codes.attempts(2);
    codes.attempts(1);
    // An unlock clears the failures, and keeps the guesses.
    let dn = codes.account.dn.clone();
    let before = codes.ledger.unlock(&dn, true, Codes::by()).unwrap();
    assert_eq!(before.failures, 3);
    assert_eq!(codes.granted(2), 3);
    // They were not shown: the host shows no texts.
    assert_eq!(codes.granted(1), 3);
    let remembered = codes.admit();
    assert!(matches!(remembered, Decision::Remembered { .. }));
    assert_eq!(codes.granted(1), 3);
    // Guesses that were counted while the text was shown stay.
    codes.attempts(1);
    codes.clear(3);
    assert_eq!(codes.granted(1), 1);
    codes.clear(1);
    assert_eq!(codes.granted(1), 0);
    // Two logins at the same time have shown more than is counted.
    codes.clear(7);
    codes.attempts(1);
    assert_eq!(codes.granted(1), 1);
}
