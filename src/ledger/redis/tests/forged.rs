//! Somebody with the ledger's password, but without its key, writes records of remembered logins.
#![forbid(unsafe_code)]

use super::{rights::RIGHTS, *};

/// The server's clock, roughly, and a seal as long as ours.
const SEAL: &str = "AAAAAAAAAAAAAAAAAAAAAA";

struct Attacker {
    server: Redis,
}

impl Attacker {
    /// With a server whose user may do what the manual says.
    fn new() -> Self {
        let users =
            format!("user default on nopass ~* &* +@all\nuser otp on >obviously-fake {RIGHTS}\n");
        Self {
            server: Redis::start_as(&lab::redis::Options {
                users: Some(&users),
                ..lab::redis::Options::default()
            }),
        }
    }

    fn store(&self) -> RedisStore {
        let password = Secret::new("obviously-fake".to_owned());
        RedisStore::begin(&config::Redis {
            login: Some((Some("otp".to_owned()), password)),
            ..settled(self.server.port())
        })
        .unwrap()
    }

    /// As the ledger's user.
    fn ask(&self, words: &[&str]) -> String {
        let login = ["--no-auth-warning", "--user", "otp", "--pass"];
        let answer = self
            .server
            .ask(&[&login, &["obviously-fake"][..], words].concat());
        assert!(!answer.contains("NOPERM"), "{answer}");
        answer.trim().to_owned()
    }

    /// A person's key and the fields of remembered logins in it. (Keys are listed by the server's
    /// administrator: the user would have to guess them.)
    fn places(&self, hasher: &Hasher, who: &Account) -> (String, Vec<(String, String)>) {
        let person = hasher.person(&who.dn);
        let key = format!("pam_sms_otp:{{otp}}:person:{person}");
        let flat = self.ask(&["HGETALL", &key]);
        let lines: Vec<&str> = flat.lines().collect();
        let fields = lines.chunks(2).map(|pair| (pair[0], pair[1]));
        let places = fields.filter(|(field, _)| field.starts_with("place:"));
        let own = |(field, value): (&str, &str)| (field.to_owned(), value.to_owned());
        (key, places.map(own).collect())
    }

    fn put(&self, key: &str, field: &str, value: &str) {
        self.ask(&["HSET", key, field, value]);
    }
}

fn rules_for_an_hour(limits: &Limits) -> Rules<'_> {
    Rules {
        remember: Some(Duration::from_secs(3600)),
        ..rules(limits)
    }
}

/// Many SMS: each try takes one.
fn many() -> Limits {
    let mut limits = limits();
    limits.sms[0].most = 100;
    limits
}

fn is_remembered(store: &mut RedisStore, who: &Account) -> bool {
    let limits = many();
    let admission = store.admit(who, rules_for_an_hour(&limits), soon());
    match admission.unwrap().decision {
        Decision::Remembered { .. } => true,
        Decision::Reserved(_) => false,
        Decision::Rejected(refusal) => panic!("{refusal:?}"),
    }
}

/// Logs in with a code, and leaves a record behind.
fn earn(store: &mut RedisStore, who: &Account) {
    let limits = many();
    let rules = rules_for_an_hour(&limits);
    let admission = store.admit(who, rules, soon()).unwrap();
    assert!(matches!(admission.decision, Decision::Reserved(_)));
    store.record_success(who, rules, 1, soon()).unwrap();
}

#[test]
fn nobody_without_the_key_makes_or_changes_a_record() {
    let attacker = Attacker::new();
    let mut store = attacker.store();
    let hasher = Hasher::new(&settled(1).key);
    let (alice, bob) = (account(1), account(2));
    let mut elsewhere = alice.clone();
    elsewhere.origin_key = Some("alice sshd 198.51.100.7".to_owned());
    earn(&mut store, &alice);
    assert!(is_remembered(&mut store, &alice));
    let (key, places) = attacker.places(&hasher, &alice);
    let [(field, genuine)] = places.as_slice() else {
        panic!("{places:?}");
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
    // Moved to another place, and to another person who comes from the same one.
    let place = format!(
        "place:{}",
        hasher.place(elsewhere.origin_key.as_deref().unwrap())
    );
    attacker.put(&key, &place, genuine);
    assert!(!is_remembered(&mut store, &elsewhere));
    assert!(!is_remembered(&mut store, &bob));
    let (of_bob, _) = attacker.places(&hasher, &bob);
    attacker.put(&of_bob, field, genuine);
    assert!(!is_remembered(&mut store, &bob));

    attacker.put(&key, field, genuine);
    assert!(
        is_remembered(&mut store, &alice),
        "it was right all the time"
    );
}

/// A record counts for the password and the phone that it was earned with.
#[test]
fn a_record_is_of_one_password_and_one_phone() {
    let attacker = Attacker::new();
    let mut store = attacker.store();
    let hasher = Hasher::new(&settled(1).key);
    let mut who = account(1);
    who.numbers.push(account(2).phone);
    earn(&mut store, &who);
    let (key, places) = attacker.places(&hasher, &who);
    let (field, genuine) = &places[0];

    let mut changed = who.clone();
    changed.password_changed = "20260202000000Z".to_owned();
    assert!(!is_remembered(&mut store, &changed));
    attacker.put(&key, field, genuine);
    assert!(!is_remembered(&mut store, &changed), "put back");
    changed.password_changed = String::new();
    assert!(!is_remembered(&mut store, &changed), "nobody sees the date");

    let mut other = who.clone();
    other.phone = account(2).phone;
    assert!(
        !is_remembered(&mut store, &who),
        "the date is back: it has changed"
    );
    attacker.put(&key, field, genuine);
    assert!(!is_remembered(&mut store, &other));
    assert!(is_remembered(&mut store, &who));
}

/// It costs one more round trip, and only then.
#[test]
fn a_record_that_does_not_count_costs_one_more_question() {
    let attacker = Attacker::new();
    let mut store = attacker.store();
    let hasher = Hasher::new(&settled(1).key);
    let who = account(1);
    earn(&mut store, &who);
    let (key, places) = attacker.places(&hasher, &who);
    let (field, genuine) = &places[0];
    let forged = genuine.replace(genuine.split(' ').next_back().unwrap(), SEAL);
    for (record, questions) in [(genuine, 1), (&forged, 2)] {
        attacker.put(&key, field, record);
        attacker.server.ask(&["CONFIG", "RESETSTAT"]);
        assert_eq!(is_remembered(&mut store, &who), questions == 1);
        let asked = attacker.server.ask(&["INFO", "commandstats"]);
        let calls = format!("cmdstat_evalsha:calls={questions},");
        assert!(asked.contains(&calls), "{asked}");
    }
}

/// What the password still allows, as docs/threat-model.md says: a kept copy of a young record is good
/// after `unlock --forget`.
#[test]
fn a_kept_copy_of_a_young_record_can_be_put_back() {
    let attacker = Attacker::new();
    let mut store = attacker.store();
    let hasher = Hasher::new(&settled(1).key);
    let who = account(1);
    earn(&mut store, &who);
    let (key, places) = attacker.places(&hasher, &who);
    let (field, genuine) = &places[0];
    store.unlock(&who.dn, true, soon()).unwrap();
    assert!(!is_remembered(&mut store, &who));
    attacker.put(&key, field, genuine);
    assert!(is_remembered(&mut store, &who));
}

/// A server that answers for itself cannot say that a login is remembered without the key either.
#[test]
fn a_server_cannot_say_so_either() {
    let said =
        "{\"answer\":{\"is\":\"remembered\",\"by\":\"00c0ffee\",\"at\":1,\"seal\":\"AAAA\"}}";
    let said = format!("${}\r\n{said}\r\n", said.len()).into_bytes();
    let role = b"*1\r\n$6\r\nmaster\r\n".to_vec();
    let port = hostile::says(vec![role, said.clone(), said]);
    let limits = many();
    let mut store = RedisStore::begin(&settled(port)).unwrap();
    let answer = store.admit(&account(1), rules_for_an_hour(&limits), soon());
    refused(answer);
}
