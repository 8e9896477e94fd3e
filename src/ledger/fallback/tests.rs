mod numbers;

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

fn store(shared: &Model, local: &Model, unreachable: Unreachable) -> FallbackStore {
    FallbackStore {
        shared: Some(Ok(Box::new(shared.clone()))),
        local: Ok(Box::new(local.clone())),
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
fn during_an_outage_the_local_ledger_counts_with_a_warning() {
    let (shared, local, limits) = (Model::default(), Model::default(), limits());
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    let mut store = store(&shared, &local, Unreachable::Local);
    assert!(is_reserved(&store.admit(&account(), rules, by).unwrap()));
    assert_eq!(store.take_warning(), None);
    shared.fail(Some(outage()));
    assert!(is_reserved(&store.admit(&account(), rules, by).unwrap()));
    assert!(
        store
            .take_warning()
            .is_some_and(|failure| is_outage(&failure))
    );
    // The shared ledger is not used again in this login.
    shared.fail(None);
    assert!(!is_reserved(&store.admit(&account(), rules, by).unwrap()));
    assert_eq!(store.take_warning(), None);
}

#[test]
fn with_deny_the_local_ledger_is_not_used() {
    let (shared, local, limits) = (Model::default(), Model::default(), limits());
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    shared.fail(Some(outage()));
    let mut denying = store(&shared, &local, Unreachable::Deny);
    assert_eq!(denying.admit(&account(), rules, by), Err(outage()));
    // A refusal is not an outage.
    let refused = failure(FailureKind::Refused, "no", "do");
    shared.fail(Some(refused.clone()));
    let mut lenient = store(&shared, &local, Unreachable::Local);
    assert_eq!(lenient.record_attempt(&account(), rules, by), Err(refused));
    assert_eq!(local.clone().summary(by).unwrap().users, Some(0));
}

#[test]
fn unknown_users_wait_if_new_numbers_wait() {
    let (shared, local, limits) = (Model::default(), Model::default(), limits());
    let rules = Rules {
        new_phone: Duration::from_secs(86400),
        ..rules(&limits)
    };
    let by = Deadline::within(Duration::from_secs(5));
    shared.pass(Duration::from_secs(1));
    local.pass(Duration::from_secs(1));
    let mut store = store(&shared, &local, Unreachable::Local);
    shared.fail(Some(outage()));
    let unknown = store.admit(&account(), rules, by).unwrap();
    assert!(matches!(
        unknown.decision,
        Decision::Rejected(Rejection::NewPhone { .. })
    ));
    assert_eq!(unknown.new_numbers.len(), 1);
}

/// Guesses of an outage are shown as well, and each ledger clears its local.
#[test]
fn guesses_of_both_ledgers_are_shown() {
    let (shared, local, _) = numbers::two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        failures: 100,
        ..limits()
    };
    let rules = rules(&limits);
    let login = |unreachable| store(&shared, &local, unreachable);
    let guess = || {
        let mut guessing = login(Unreachable::Local);
        let _ = guessing.admit(&account(), rules, by).unwrap();
        let tried = guessing.record_attempt(&account(), rules, by);
        assert_eq!(tried, Ok(Ok(crate::ledger::Attempt::Counted)));
    };
    guess();
    guess();
    shared.fail(Some(outage()));
    guess();
    shared.fail(None);
    let succeed = |store: &mut FallbackStore| {
        store
            .record_success(&account(), rules, 0, by)
            .unwrap()
            .guesses
    };
    // With deny the local ledger is not used.
    assert_eq!(succeed(&mut login(Unreachable::Deny)), 2);
    let mut granted = login(Unreachable::Local);
    assert_eq!(succeed(&mut granted), 3);
    // One more before they are cleared.
    guess();
    granted.clear_guesses(&account(), 3, by).unwrap();
    let mut next = login(Unreachable::Local);
    assert_eq!(succeed(&mut next), 1);
    next.clear_guesses(&account(), 1, by).unwrap();
    assert_eq!(succeed(&mut login(Unreachable::Local)), 0);
}

#[test]
fn a_login_whose_time_is_up_does_not_choose_the_ledger() {
    let (shared, local, limits) = (Model::default(), Model::default(), limits());
    shared.fail(Some(outage()));
    let over = Deadline::within(Duration::ZERO);
    let mut store = store(&shared, &local, Unreachable::Local);
    let error = store.admit(&account(), rules(&limits), over).unwrap_err();
    assert_eq!(error.kind, FailureKind::Outage, "{error:?}");
    assert_eq!(store.take_warning(), None);
    let by = Deadline::within(Duration::from_secs(5));
    assert!(is_reserved(
        &store.admit(&account(), rules(&limits), by).unwrap()
    ));
}
