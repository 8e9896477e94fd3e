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

const fn rules(limits: &Limits) -> Rules<'_> {
    Rules {
        limits,
        remember: None,
        new_phone: Duration::ZERO,
        stands_in: false,
    }
}

fn is_reserved(admission: &Admission) -> bool {
    matches!(admission.answer, Answer::Reserved(_))
}

#[test]
fn out_of_reach_this_hosts_own_counts_by_itself_and_says_so() {
    let (fleet, own, limits) = (Model::default(), Model::default(), limits());
    let rules = rules(&limits);
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
    let rules = rules(&limits);
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
        new_phone: Duration::from_secs(86400),
        ..rules(&limits)
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

/// Whom the fleet's refuses, this host's own does not get to know.
#[test]
fn numbers_of_whom_the_fleets_lets_pass_are_known_here() {
    let (fleet, limits) = (Model::default(), limits());
    let folder = std::env::temp_dir().join(format!("sms-otp-books-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let own = File::open(folder.join("state").to_str().unwrap_or_default());
    let mut books = books(&fleet, &Model::default(), Unreachable::Local);
    books.own = own.map(kept);
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    let numbers = |books: &mut Books, who: &Account| {
        let own = opened(&mut books.own).unwrap();
        own.standing(&who.person, by).unwrap().numbers
    };
    assert!(is_reserved(&books.admit(&account(), rules, by).unwrap()));
    assert_eq!(numbers(&mut books, &account()), 1);
    let bob = Account {
        person: "uid=bob".into(),
        ..account()
    };
    // The same phone: the limit of one SMS holds for it, too.
    assert!(!is_reserved(&books.admit(&bob, rules, by).unwrap()));
    assert_eq!(numbers(&mut books, &bob), 0);
    assert_eq!(books.trouble(), None);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn whoever_stops_this_process_does_not_choose_the_ledger() {
    let (fleet, own, limits) = (Model::default(), Model::default(), limits());
    let rules = rules(&limits);
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
