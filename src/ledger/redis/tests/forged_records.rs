//! An attacker with the server's password, but without the key of the hosts, writes records of remembered
//! logins.
#![forbid(unsafe_code)]

use super::{permissions::PERMISSIONS, *};

/// A seal of the right length.
const SEAL: &str = "AAAAAAAAAAAAAAAAAAAAAA";

struct Attacker {
    server: Redis,
}

impl Attacker {
    /// Starts a server whose user has the documented permissions.
    fn new() -> Self {
        let users = format!(
            "user default on nopass ~* &* +@all\nuser otp on >obviously-fake {PERMISSIONS}\n"
        );
        Self {
            server: Redis::start_as(&lab::redis::Options {
                users: Some(&users),
                ..lab::redis::Options::default()
            }),
        }
    }

    fn connect(&self) -> RedisStore {
        let password = Secret::new("obviously-fake".to_owned());
        RedisStore::begin_for_a_test(&config::Redis {
            login: Some((Some("otp".to_owned()), password)),
            ..settings(self.server.port())
        })
        .unwrap()
    }

    /// Runs a command as the ledger's user.
    fn run(&self, words: &[&str]) -> String {
        let login = ["--no-auth-warning", "--user", "otp", "--pass"];
        let answer = self
            .server
            .ask(&[&login, &["obviously-fake"][..], words].concat());
        assert!(!answer.contains("NOPERM"), "{answer}");
        answer.trim().to_owned()
    }

    /// Returns a user's key and the fields of remembered logins in it.
    fn records(&self, hasher: &Hasher, who: &Account) -> (String, Vec<(String, String)>) {
        let user = hasher.user(&who.dn);
        let key = format!("pam_sms_otp:{{otp}}:person:{user}");
        let flat = self.run(&["HGETALL", &key]);
        let lines: Vec<&str> = flat.lines().collect();
        let fields = lines.chunks(2).map(|pair| (pair[0], pair[1]));
        let records = fields.filter(|(field, _)| field.starts_with("place:"));
        let own = |(field, value): (&str, &str)| (field.to_owned(), value.to_owned());
        (key, records.map(own).collect())
    }

    fn put(&self, key: &str, field: &str, value: &str) {
        self.run(&["HSET", key, field, value]);
    }
}

fn rules_for_an_hour(limits: &Limits) -> Rules<'_> {
    Rules {
        remember: Some(Duration::from_secs(3600)),
        ..rules(limits)
    }
}

/// Limits with many SMS, because each login without a record takes one.
fn high_limits() -> Limits {
    let mut limits = limits();
    limits.sms[0].most = 100;
    limits
}

fn is_remembered(store: &mut RedisStore, who: &Account) -> bool {
    let limits = high_limits();
    let admission = store.admit(who, rules_for_an_hour(&limits), soon());
    match admission.unwrap().decision {
        Decision::Remembered { .. } => true,
        Decision::Reserved(_) => false,
        Decision::Rejected(rejection) => panic!("{rejection:?}"),
    }
}

/// Logs in with a code, which makes a record.
fn log_in(store: &mut RedisStore, who: &Account) {
    let limits = high_limits();
    let rules = rules_for_an_hour(&limits);
    let admission = store.admit(who, rules, soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
    store.record_success(who, rules, 1, soon()).unwrap();
}

#[test]
fn without_the_key_no_record_can_be_made_or_changed() {
    let attacker = Attacker::new();
    let mut store = attacker.connect();
    let hasher = Hasher::new(&settings(1).key);
    let (alice, bob) = (account(1), account(2));
    let mut elsewhere = alice.clone();
    elsewhere.origin_key = Some("alice sshd 198.51.100.7".to_owned());
    log_in(&mut store, &alice);
    assert!(is_remembered(&mut store, &alice));
    let (key, records) = attacker.records(&hasher, &alice);
    let [(field, genuine)] = records.as_slice() else {
        panic!("{records:?}");
    };
    let words: Vec<&str> = genuine.split(' ').collect();
    let [at, login, seal] = words.as_slice() else {
        panic!("{genuine}");
    };
    let earlier = (at.parse::<u64>().unwrap() - 1).to_string();

    for forged in [
        format!("{at} {login}"),
        format!("{at} {login} {SEAL}"),
        format!("{at} {login} "),
        format!("{at} 00c0ffee {seal}"),
        format!("{earlier} {login} {seal}"),
        format!("{at} {login} {seal} {seal}"),
    ] {
        attacker.put(&key, field, &forged);
        assert!(!is_remembered(&mut store, &alice), "{forged}");
    }
    // Copied to another origin, and to another user with the same origin.
    let copy = format!(
        "place:{}",
        hasher.origin(elsewhere.origin_key.as_deref().unwrap())
    );
    attacker.put(&key, &copy, genuine);
    assert!(!is_remembered(&mut store, &elsewhere));
    assert!(!is_remembered(&mut store, &bob));
    let (of_bob, _) = attacker.records(&hasher, &bob);
    attacker.put(&of_bob, field, genuine);
    assert!(!is_remembered(&mut store, &bob));

    attacker.put(&key, field, genuine);
    assert!(
        is_remembered(&mut store, &alice),
        "the genuine record is still valid"
    );
}

/// A record is valid for the password and the phone of its login.
#[test]
fn a_record_is_valid_for_one_password_and_one_phone() {
    let attacker = Attacker::new();
    let mut store = attacker.connect();
    let hasher = Hasher::new(&settings(1).key);
    let mut who = account(1);
    who.numbers.push(account(2).phone);
    log_in(&mut store, &who);
    let (key, records) = attacker.records(&hasher, &who);
    let (field, genuine) = &records[0];

    let mut changed = who.clone();
    changed.password_changed = "20260202000000Z".to_owned();
    assert!(!is_remembered(&mut store, &changed));
    attacker.put(&key, field, genuine);
    assert!(!is_remembered(&mut store, &changed), "put back");
    changed.password_changed = String::new();
    assert!(!is_remembered(&mut store, &changed), "without the date");

    let mut other = who.clone();
    other.phone = account(2).phone;
    assert!(
        !is_remembered(&mut store, &who),
        "the date has changed again"
    );
    attacker.put(&key, field, genuine);
    assert!(!is_remembered(&mut store, &other));
    assert!(is_remembered(&mut store, &who));
}

/// Only an invalid record costs a second round trip.
#[test]
fn an_invalid_record_costs_one_more_request() {
    let attacker = Attacker::new();
    let mut store = attacker.connect();
    let hasher = Hasher::new(&settings(1).key);
    let who = account(1);
    log_in(&mut store, &who);
    let (key, records) = attacker.records(&hasher, &who);
    let (field, genuine) = &records[0];
    let forged = genuine.replace(genuine.split(' ').next_back().unwrap(), SEAL);
    for (record, requests) in [(genuine, 1), (&forged, 2)] {
        attacker.put(&key, field, record);
        attacker.server.ask(&["CONFIG", "RESETSTAT"]);
        assert_eq!(is_remembered(&mut store, &who), requests == 1);
        let asked = attacker.server.ask(&["INFO", "commandstats"]);
        let calls = format!("cmdstat_evalsha:calls={requests},");
        assert!(asked.contains(&calls), "{asked}");
    }
}

/// The password still allows one thing (see docs/threat-model.md): a copy of a recent record is valid again
/// after `unlock --forget`.
#[test]
fn a_copy_of_a_recent_record_can_be_restored() {
    let attacker = Attacker::new();
    let mut store = attacker.connect();
    let hasher = Hasher::new(&settings(1).key);
    let who = account(1);
    log_in(&mut store, &who);
    let (key, records) = attacker.records(&hasher, &who);
    let (field, genuine) = &records[0];
    store.unlock(&who.dn, true, soon()).unwrap();
    assert!(!is_remembered(&mut store, &who));
    attacker.put(&key, field, genuine);
    assert!(is_remembered(&mut store, &who));
}

/// A fake server without the key cannot report a remembered login either.
#[test]
fn a_fake_server_cannot_report_a_remembered_login() {
    let reply =
        "{\"answer\":{\"is\":\"remembered\",\"by\":\"00c0ffee\",\"at\":1,\"seal\":\"AAAA\"}}";
    let reply = format!("${}\r\n{reply}\r\n", reply.len()).into_bytes();
    let role = b"*1\r\n$6\r\nmaster\r\n".to_vec();
    let port = broken_servers::replay(vec![role, reply.clone(), reply]);
    let limits = high_limits();
    let mut store = RedisStore::begin_for_a_test(&settings(port)).unwrap();
    let answer = store.admit(&account(1), rules_for_an_hour(&limits), soon());
    refused(answer);
}
