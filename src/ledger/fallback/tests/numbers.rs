//! Known and new numbers in both ledgers.

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// The same user with these numbers. The code is sent to the first.
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

/// How long the first number waits, and how many numbers are new.
fn wait(
    store: &mut FallbackStore,
    account: &Account,
    rules: Rules<'_>,
) -> (Option<Duration>, usize) {
    let by = Deadline::within(Duration::from_secs(5));
    let admission = store.admit(account, rules, by).unwrap();
    let wait = match admission.decision {
        Decision::Rejected(Rejection::NewPhone { wait }) => Some(wait),
        _ => None,
    };
    (wait, admission.new_numbers.len())
}

/// A login that is granted.
fn grant(store: &mut FallbackStore, account: &Account, rules: Rules<'_>) {
    let by = Deadline::within(Duration::from_secs(5));
    assert_eq!(wait(store, account, rules), (None, 0));
    store.record_success(account, rules, 0, by).unwrap();
}

/// A shared ledger and those of two hosts, with the same time.
pub fn two_hosts() -> (Model, Model, Model) {
    let all = (Model::default(), Model::default(), Model::default());
    for ledger in [&all.0, &all.1, &all.2] {
        ledger.pass(HOUR);
    }
    all
}

/// A number that another host has announced to the shared ledger waits here during an outage.
#[test]
fn a_number_that_another_host_announced_waits_here() {
    let (shared, one, other) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    let rules = Rules {
        new_phone: DAY,
        ..rules(&limits)
    };
    let host = |local: &Model| store(&shared, local, Unreachable::Local);
    grant(&mut host(&one), &with(&[OLD]), rules);
    // The first host announces it: the shared ledger and its local record that.
    let both = with(&[OLD, NEW]);
    let mut first = host(&one);
    assert_eq!(wait(&mut first, &both, rules), (None, 1));
    first.mark_announced(&both, &both.numbers[1..], by).unwrap();
    for ledger in [&shared, &one, &other] {
        ledger.pass(HOUR);
    }
    // For the second host it is not new, and the code is sent to the old number.
    grant(&mut host(&other), &both, rules);
    shared.fail(Some(outage()));
    let swapped = with(&[NEW]);
    for (local, left, new) in [(&one, 23 * HOUR, 0), (&other, DAY, 1)] {
        assert_eq!(wait(&mut host(local), &swapped, rules), (Some(left), new));
        // The number that the shared ledger has granted need not wait.
        assert_eq!(wait(&mut host(local), &with(&[OLD]), rules), (None, 0));
    }
}

/// The local ledger follows each login that the shared one decides: it forgets a waiting number that a
/// login no longer sees, and with a granted login every other number.
#[test]
fn what_the_shared_ledger_forgets_is_forgotten_here() {
    let (shared, local, _) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    let rules = Rules {
        new_phone: DAY,
        ..rules(&limits)
    };
    let login = || store(&shared, &local, Unreachable::Local);
    let pass = |time| {
        shared.pass(time);
        local.pass(time);
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
    // Abandoned: both have forgotten the number.
    assert_eq!(wait(&mut login(), &with(&[OLD]), rules), (None, 0));
    shared.fail(Some(outage()));
    assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (Some(DAY), 1));
    shared.fail(None);
    // It has waited and is granted: the former number is new in both.
    announce();
    grant(&mut login(), &with(&[NEW, OLD]), rules);
    grant(&mut login(), &with(&[NEW]), rules);
    shared.fail(Some(outage()));
    assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (None, 0));
    assert_eq!(wait(&mut login(), &with(&[OLD]), rules), (Some(DAY), 1));
}

/// No ledger records a number before it is logged.
#[test]
fn a_number_that_is_not_announced_is_new_in_both_ledgers() {
    let (shared, local, _) = two_hosts();
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
        let login = || store(&shared, &local, Unreachable::Local);
        let waits = (!new_phone.is_zero()).then_some(new_phone);
        grant(&mut login(), &with(&[OLD]), rules);
        let mut killed = login();
        assert_eq!(wait(&mut killed, &with(&[NEW]), rules), (waits, 1));
        drop(killed);
        shared.pass(DAY);
        local.pass(DAY);
        assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (waits, 1));
        shared.fail(Some(outage()));
        assert_eq!(wait(&mut login(), &with(&[NEW]), rules), (waits, 1));
        // No ledger is left that could record it.
        let mut login = login();
        let _ = wait(&mut login, &with(&[NEW]), rules);
        local.fail(Some(outage()));
        let number = &with(&[NEW]).numbers;
        assert_eq!(
            login.mark_announced(&with(&[NEW]), number, by),
            Err(outage())
        );
        local.fail(None);
        shared.fail(None);
    }
}

/// If the shared ledger fails between the admission and the announcement, the local one records the
/// announcement, with a warning, and the number is still new in the shared one.
#[test]
fn an_outage_in_between_leaves_the_announcement_to_the_local_ledger() {
    let (shared, local, _) = two_hosts();
    let by = Deadline::within(Duration::from_secs(5));
    let limits = Limits {
        sms: Vec::new(),
        ..limits()
    };
    let rules = rules(&limits);
    let new = with(&[NEW]);
    let login = |unreachable| store(&shared, &local, unreachable);
    grant(&mut login(Unreachable::Local), &with(&[OLD]), rules);
    let mut denying = login(Unreachable::Deny);
    assert_eq!(wait(&mut denying, &new, rules), (None, 1));
    let mut lenient = login(Unreachable::Local);
    assert_eq!(wait(&mut lenient, &new, rules), (None, 1));
    shared.fail(Some(outage()));
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
    shared.fail(None);
    let mut back = login(Unreachable::Local);
    assert_eq!(wait(&mut back, &new, rules), (None, 1));
    // A failure of the local ledger is a warning only: the shared one decides.
    local.fail(Some(outage()));
    back.mark_announced(&new, &new.numbers, by).unwrap();
    assert!(back.take_warning().is_some());
    assert_eq!(wait(&mut login(Unreachable::Local), &new, rules), (None, 0));
}

/// The local ledger records numbers only of logins that the shared one does not reject.
#[test]
fn numbers_of_granted_logins_are_known_here() {
    let (shared, limits) = (Model::default(), limits());
    let folder = std::env::temp_dir().join(format!("sms-otp-store-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir(&folder).unwrap();
    let local = FileStore::open(folder.join("state").to_str().unwrap_or_default());
    let mut store = store(&shared, &Model::default(), Unreachable::Local);
    store.local = local.map(boxed);
    let rules = rules(&limits);
    let by = Deadline::within(Duration::from_secs(5));
    let numbers = |store: &mut FallbackStore, account: &Account| {
        let local = opened(&mut store.local).unwrap();
        local.status(&account.dn, by).unwrap().numbers
    };
    assert!(is_reserved(&store.admit(&account(), rules, by).unwrap()));
    assert_eq!(numbers(&mut store, &account()), 0);
    store.record_success(&account(), rules, 0, by).unwrap();
    assert_eq!(numbers(&mut store, &account()), 1);
    let bob = Account {
        dn: "uid=bob".into(),
        ..account()
    };
    // The same phone, so the limit of one SMS is reached.
    assert!(!is_reserved(&store.admit(&bob, rules, by).unwrap()));
    assert_eq!(numbers(&mut store, &bob), 0);
    store.mark_announced(&bob, &bob.numbers, by).unwrap();
    assert_eq!(numbers(&mut store, &bob), 0);
    assert_eq!(store.take_warning(), None);
    std::fs::remove_dir_all(&folder).unwrap();
}
