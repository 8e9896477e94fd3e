//! Which wrong codes the user is to be shown: the same for every store.

use super::*;

/// One person's codes.
struct Codes<'a> {
    store: &'a mut dyn Ledger,
    who: Account,
    limits: Limits,
}

impl Codes<'_> {
    fn by() -> Deadline {
        Deadline::within(Duration::from_secs(30))
    }

    fn admit(&mut self) -> Decision {
        let rules = rules(&self.limits, Some(DAY), Duration::ZERO);
        let admission = self.store.admit(&self.who, rules, Self::by());
        admission.unwrap().decision
    }

    /// A login with so many codes of which none is right, or not the last.
    fn tries(&mut self, number: u32) {
        let rules = rules(&self.limits, Some(DAY), Duration::ZERO);
        for _ in 0..number {
            let tried = self
                .store
                .record_attempt(&self.who, rules, Self::by())
                .unwrap();
            assert_eq!(tried, Ok(Attempt::Counted));
        }
    }

    /// A login that is granted with the last of so many tries: the guesses of others.
    fn granted(&mut self, tries: u32) -> u32 {
        self.tries(tries);
        let rules = rules(&self.limits, Some(DAY), Duration::ZERO);
        let success = self
            .store
            .record_success(&self.who, rules, tries, Self::by());
        success.unwrap().guesses
    }

    fn clear(&mut self, shown: u32) {
        self.store
            .clear_guesses(&self.who, shown, Self::by())
            .unwrap();
    }
}

/// Plays it. The store is new.
pub fn compare(store: &mut dyn Ledger, who: Account) {
    let limits = Limits {
        sms: Vec::new(),
        sms_total: None,
        pause: Duration::ZERO,
        failures: 50,
        lock: HOUR,
        disable_after: 100,
        ..Limits::defaults()
    };
    let who = Account {
        allowed: true,
        password_changed: String::new(),
        origin_key: Some("sshd 192.0.2.7".to_owned()),
        ..who
    };
    play(Codes { store, who, limits });
}

fn play(mut codes: Codes<'_>) {
    // The login that is remembered later: its record is of the time when it was admitted.
    let admitted = codes.admit();
    assert!(matches!(admitted, Decision::Reserved(_)));
    // Slips of the user's own are no guesses.
    assert_eq!(codes.granted(3), 0);
    codes.tries(2);
    codes.tries(1);
    // An unlock forgives them and hides nothing.
    let person = codes.who.dn.clone();
    let before = codes.store.unlock(&person, true, Codes::by()).unwrap();
    assert_eq!(before.failures, 3);
    assert_eq!(codes.granted(2), 3);
    // Nobody has read that: the host was silent.
    assert_eq!(codes.granted(1), 3);
    let remembered = codes.admit();
    assert!(matches!(remembered, Decision::Remembered { .. }));
    assert_eq!(codes.granted(1), 3);
    // What is guessed while the text is shown stays.
    codes.tries(1);
    codes.clear(3);
    assert_eq!(codes.granted(1), 1);
    codes.clear(1);
    assert_eq!(codes.granted(1), 0);
    // More was shown than is counted, by two logins at once.
    codes.clear(7);
    codes.tries(1);
    assert_eq!(codes.granted(1), 1);
}
