use std::time::Duration;

use super::*;
use crate::{
    config::{Limits, Rule},
    id::LoginId,
    ledger::{
        Rejection,
        model::{Model, outage},
    },
    phone::Phone,
};

fn books(fleet: &Model, own: &Model, unreachable: Unreachable) -> FallbackStore {
    FallbackStore {
        shared: Some(Ok(Box::new(fleet.clone()))),
        local: Ok(Box::new(own.clone())),
        lost_lines: None,
        is_fallback: false,
        is_admitted: false,
        local_guesses: 0,
        unreachable,
        warning: None,
    }
}

fn account() -> Account {
    let phone = Phone::parse("+44 7700 900123", None).unwrap();
    Account {
        login: LoginId([1; 4]),
        dn: "uid=alice".into(),
        name: "alice".into(),
        numbers: vec![phone.clone()],
        allowed: true,
        phone,
        password_changed: String::new(),
        origin_key: None,
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
        ..Limits::defaults()
    }
}

const fn rules(limits: &Limits) -> Rules<'_> {
    Rules {
        limits,
        remember: None,
        new_phone: Duration::ZERO,
        is_fallback: false,
    }
}

fn is_reserved(admission: &Admission) -> bool {
    matches!(admission.decision, Decision::Reserved(_))
}

#[test]
fn out_of_reach_this_hosts_own_counts_by_itself_and_says_so() {
    let (fleet, own, limits) = (Model::default(), Model::default(), limits());
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    let mut books = books(&fleet, &own, Unreachable::Local);
    assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
    assert_eq!(books.take_warning(), None);
    fleet.fail(Some(outage()));
    assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
    assert!(
        books
            .take_warning()
            .is_some_and(|failure| is_outage(&failure))
    );
    // And that is the end of the fleet's for this login, so that nothing is counted by halves.
    fleet.fail(None);
    assert!(!is_reserved(&books.admit(&account(), rules, by).unwrap()));
    assert_eq!(books.take_warning(), None);
}

#[test]
fn with_deny_nobody_else_is_asked() {
    let (fleet, own, limits) = (Model::default(), Model::default(), limits());
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    fleet.fail(Some(outage()));
    let mut denying = books(&fleet, &own, Unreachable::Deny);
    assert_eq!(denying.admit(&account(), rules, by), Err(outage()));
    // Whoever refuses us is not out of reach.
    let refused = failure(FailureKind::Refused, "no", "do");
    fleet.fail(Some(refused.clone()));
    let mut lenient = books(&fleet, &own, Unreachable::Local);
    assert_eq!(lenient.record_attempt(&account(), rules, by), Err(refused));
    assert_eq!(own.clone().summary(by).unwrap().users, Some(0));
}

#[test]
fn whom_it_has_never_seen_waits_where_new_numbers_wait() {
    let (fleet, own, limits) = (Model::default(), Model::default(), limits());
    let rules = Rules {
        new_phone: Duration::from_secs(86400),
        ..rules(&limits)
    };
    let by = Deadline::within(Duration::from_secs(5));
    fleet.pass(Duration::from_secs(1));
    own.pass(Duration::from_secs(1));
    let mut books = books(&fleet, &own, Unreachable::Local);
    fleet.fail(Some(outage()));
    let stranger = books.admit(&account(), rules, by).unwrap();
    assert!(matches!(
        stranger.decision,
        Decision::Rejected(Rejection::NewPhone { .. })
    ));
    assert_eq!(stranger.new_numbers.len(), 1);
}

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The same person, the code going to the first of these numbers.
fn with(numbers: &[&str]) -> Account {
    let numbers = numbers.iter().map(|number| Phone::parse(number, None));
    let numbers: Vec<Phone> = numbers.map(Result::unwrap).collect();
    Account {
        phone: numbers[0].clone(),
        numbers,
        ..account()
    }
}

const OLD: &str = "+44 7700 900123";
const NEW: &str = "+44 7700 900199";

/// So long this number waits, and whether it is new.
fn wait(
    books: &mut FallbackStore,
    account: &Account,
    rules: Rules<'_>,
) -> (Option<Duration>, usize) {
    let by = Deadline::within(Duration::from_secs(5));
    let admission = books.admit(account, rules, by).unwrap();
    let wait = match admission.decision {
        Decision::Rejected(Rejection::NewPhone { wait }) => Some(wait),
        _ => None,
    };
    (wait, admission.new_numbers.len())
}

/// A login that is granted.
fn grant(books: &mut FallbackStore, account: &Account, rules: Rules<'_>) {
    let by = Deadline::within(Duration::from_secs(5));
    assert_eq!(wait(books, account, rules), (None, 0));
    books.record_success(account, rules, 0, by).unwrap();
}

/// Two hosts of a fleet, whose clocks stand at an hour and go on together.
fn two_hosts() -> (Model, Model, Model) {
    let all = (Model::default(), Model::default(), Model::default());
    for ledger in [&all.0, &all.1, &all.2] {
        ledger.pass(HOUR);
    }
    all
}

/// A number that waits in the fleet's since another host found it waits here, too.
#[test]
fn what_another_host_has_learnt_does_not_count_as_old_here() {
    let (fleet, one, other) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    let rules = Rules {
        new_phone: DAY,
        ..rules(&limits)
    };
    let host = |own: &Model| books(&fleet, own, Unreachable::Local);
    grant(&mut host(&one), &with(&[OLD]), rules);
    // The first host is told of it: both ledgers know.
    let both = with(&[OLD, NEW]);
    let mut first = host(&one);
    assert_eq!(wait(&mut first, &both, rules), (None, 1));
    first.mark_announced(&both, &both.numbers[1..], by).unwrap();
    for ledger in [&fleet, &one, &other] {
        ledger.pass(HOUR);
    }
    // To the second it is not new, and the code goes to the old one.
    grant(&mut host(&other), &both, rules);
    fleet.fail(Some(outage()));
    let swapped = with(&[NEW]);
    for (own, left, new) in [(&one, 23 * HOUR, 0), (&other, DAY, 1)] {
        assert_eq!(wait(&mut host(own), &swapped, rules), (Some(left), new));
        // The one that the fleet's has granted has nothing to wait for.
        assert_eq!(wait(&mut host(own), &with(&[OLD]), rules), (None, 0));
    }
}

/// This host's own ledger sees each login that the fleet's decides: a number that waits here, too, is
/// forgotten when a login no longer sees it, and with a grant every other one.
#[test]
fn what_the_fleets_forgets_is_forgotten_here() {
    let (fleet, own, _) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    let rules = Rules {
        new_phone: DAY,
        ..rules(&limits)
    };
    let login = || books(&fleet, &own, Unreachable::Local);
    let pass = |time| {
        fleet.pass(time);
        own.pass(time);
    };
    let both = with(&[OLD, NEW]);
    let announce = || {
        let mut announcing = login();
        assert_eq!(wait(&mut announcing, &both, rules), (None, 1));
        announcing
            .mark_announced(&both, &both.numbers[1..], by)
            .unwrap();
        pass(2 * DAY);
    };
    grant(&mut login(), &with(&[OLD]), rules);
    announce();
    // Abandoned: the number is gone in both.
    assert_eq!(wait(&mut login(), &with(&[OLD]), rules), (None, 0));
    fleet.fail(Some(outage()));
    assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (Some(DAY), 1));
    fleet.fail(None);
    // It has waited, and is granted: the former one is new in both.
    announce();
    grant(&mut login(), &with(&[NEW, OLD]), rules);
    grant(&mut login(), &with(&[NEW]), rules);
    fleet.fail(Some(outage()));
    assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (None, 0));
    assert_eq!(wait(&mut login(), &with(&[OLD]), rules), (Some(DAY), 1));
}

/// At no host it is known before that is logged, nor by any of the ledgers.
#[test]
fn an_untold_number_is_new_to_both_ledgers() {
    let (fleet, own, _) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    for new_phone in [Duration::ZERO, DAY] {
        let rules = Rules {
            new_phone,
            ..rules(&limits)
        };
        let login = || books(&fleet, &own, Unreachable::Local);
        let waits = (!new_phone.is_zero()).then_some(new_phone);
        grant(&mut login(), &with(&[OLD]), rules);
        let mut killed = login();
        assert_eq!(wait(&mut killed, &with(&[NEW]), rules), (waits, 1));
        drop(killed);
        fleet.pass(DAY);
        own.pass(DAY);
        assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (waits, 1));
        fleet.fail(Some(outage()));
        assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (waits, 1));
        // Nobody is left who could be told.
        let mut login = login();
        let _ = wait(&mut login, &with(&[NEW]), rules);
        own.fail(Some(outage()));
        let number = &with(&[NEW]).numbers;
        assert_eq!(
            login.mark_announced(&with(&[NEW]), number, by),
            Err(outage())
        );
        own.fail(None);
        fleet.fail(None);
    }
}

/// The fleet's goes between its answer and what it is to be told: this host's own is told instead, and
/// says so, and the fleet's finds it new once more.
#[test]
fn out_of_reach_in_between_this_hosts_own_is_told() {
    let (fleet, own, _) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    let rules = rules(&limits);
    let new = with(&[NEW]);
    let login = |unreachable| books(&fleet, &own, unreachable);
    grant(&mut login(Unreachable::Local), &with(&[OLD]), rules);
    let mut denying = login(Unreachable::Deny);
    assert_eq!(wait(&mut denying, &new, rules), (None, 1));
    let mut lenient = login(Unreachable::Local);
    assert_eq!(wait(&mut lenient, &new, rules), (None, 1));
    fleet.fail(Some(outage()));
    assert_eq!(
        denying.mark_announced(&new, &new.numbers, by),
        Err(outage())
    );
    lenient.mark_announced(&new, &new.numbers, by).unwrap();
    assert!(
        lenient
            .take_warning()
            .is_some_and(|failure| is_outage(&failure))
    );
    assert_eq!(wait(&mut login(Unreachable::Local), &new, rules), (None, 0));
    fleet.fail(None);
    let mut back = login(Unreachable::Local);
    assert_eq!(wait(&mut back, &new, rules), (None, 1));
    // That its own cannot be told keeps nobody out: the fleet's decides.
    own.fail(Some(outage()));
    back.mark_announced(&new, &new.numbers, by).unwrap();
    assert!(back.take_warning().is_some());
    assert_eq!(wait(&mut login(Unreachable::Local), &new, rules), (None, 0));
}

/// What was guessed while the fleet's was out of reach is shown as well, and each ledger clears its own.
#[test]
fn guesses_of_both_ledgers_are_shown() {
    let (fleet, own, _) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        failures: 100,
        ..limits()
    };
    let rules = rules(&limits);
    let login = |unreachable| books(&fleet, &own, unreachable);
    let guess = || {
        let mut guessing = login(Unreachable::Local);
        let _ = guessing.admit(&account(), rules, by).unwrap();
        let tried = guessing.record_attempt(&account(), rules, by);
        assert_eq!(tried, Ok(Ok(crate::ledger::Attempt::Counted)));
    };
    guess();
    guess();
    fleet.fail(Some(outage()));
    guess();
    fleet.fail(None);
    let succeed = |books: &mut FallbackStore| {
        books
            .record_success(&account(), rules, 0, by)
            .unwrap()
            .guesses
    };
    // With deny this host's own ledger has no part in it.
    assert_eq!(succeed(&mut login(Unreachable::Deny)), 2);
    let mut granted = login(Unreachable::Local);
    assert_eq!(succeed(&mut granted), 3);
    // One more, before the user has read that.
    guess();
    granted.clear_guesses(&account(), 3, by).unwrap();
    let mut next = login(Unreachable::Local);
    assert_eq!(succeed(&mut next), 1);
    next.clear_guesses(&account(), 1, by).unwrap();
    assert_eq!(succeed(&mut login(Unreachable::Local)), 0);
}

/// Whom the fleet's does not grant a login, this host's own does not get to know.
#[test]
fn numbers_of_whom_the_fleets_grants_a_login_are_known_here() {
    let (fleet, limits) = (Model::default(), limits());
    let folder = std::env::temp_dir().join(format!("sms-otp-books-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let own = FileStore::open(folder.join("state").to_str().unwrap_or_default());
    let mut books = books(&fleet, &Model::default(), Unreachable::Local);
    books.local = own.map(boxed);
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    let numbers = |books: &mut FallbackStore, account: &Account| {
        let own = opened(&mut books.local).unwrap();
        own.status(&account.dn, by).unwrap().numbers
    };
    assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
    assert_eq!(numbers(&mut books, &account()), 0);
    books.record_success(&account(), rules, 0, by).unwrap();
    assert_eq!(numbers(&mut books, &account()), 1);
    let bob = Account {
        dn: "uid=bob".into(),
        ..account()
    };
    // The same phone: the limit of one SMS holds for it, too.
    assert!(!is_reserved(&books.admit(&bob, rules, by).unwrap()));
    assert_eq!(numbers(&mut books, &bob), 0);
    books.mark_announced(&bob, &bob.numbers, by).unwrap();
    assert_eq!(numbers(&mut books, &bob), 0);
    assert_eq!(books.take_warning(), None);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn who_has_used_up_his_time_does_not_choose_the_ledger() {
    let (fleet, own, limits) = (Model::default(), Model::default(), limits());
    fleet.fail(Some(outage()));
    let over = Deadline::within(Duration::ZERO);
    let mut books = books(&fleet, &own, Unreachable::Local);
    let error = books.admit(&account(), rules(&limits), over).unwrap_err();
    assert_eq!(error.kind, FailureKind::Outage, "{error:?}");
    assert_eq!(books.take_warning(), None);
    let by = Deadline::within(Duration::from_secs(5));
    assert!(is_reserved(
        &books.admit(&account(), rules(&limits), by).unwrap()
    ));
}
