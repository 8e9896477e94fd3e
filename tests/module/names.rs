//! Names that a directory compares in its own way: other spellings, other names of one entry, and
//! names with a domain.

use super::login::{Login, PASSWORD, Say, Seen, someone};
use crate::Case;
use lab::bench::Bench;
use lab::pamhost::code;
use lab::slapd::{Person, Slapd};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::names::another_spelling_of_root_is_not_let_in",
        another_spelling_of_root_is_not_let_in,
    ),
    (
        "module::names::a_system_user_beside_the_typed_name_is_not_let_in",
        a_system_user_beside_the_typed_name_is_not_let_in,
    ),
    (
        "module::names::a_person_named_like_a_system_user_is_let_in",
        a_person_named_like_a_system_user_is_let_in,
    ),
    (
        "module::names::every_way_to_compare_the_name_counts",
        every_way_to_compare_the_name_counts,
    ),
    (
        "module::names::more_names_than_are_looked_up_are_refused",
        more_names_than_are_looked_up_are_refused,
    ),
    (
        "module::names::domains_are_taken_off",
        domains_are_taken_off,
    ),
    (
        "module::names::one_person_with_and_without_domain",
        one_person_with_and_without_domain,
    ),
    (
        "module::names::a_system_user_with_a_domain_is_not_let_in",
        a_system_user_with_a_domain_is_not_let_in,
    ),
];

const SAYS: [Say; 2] = [Say::Password, Say::Code];

/// A person below `ou=open`, which no other test looks at.
fn open(bench: &Bench, person: Person) -> (Person, String) {
    let number = bench.number();
    let person = person.password(PASSWORD).phone(&number).open();
    bench.slapd().add(&person);
    (person, number)
}

fn login<'b>(bench: &'b Bench, case: &'static str, user: &str, number: &str) -> Login<'b> {
    Login::new(bench, case)
        .text("ldap.base", &Slapd::open())
        .user(user)
        .number(number)
}

/// The login is refused as a system user's without SMS or bind, and the log says why.
fn refused(login: &Login, person: &Person, why: &str) {
    let (transcript, seen) = login.run(&SAYS, 1);
    assert_eq!(
        transcript.codes(),
        [code::AUTH_ERR],
        "{why}: {:?}",
        seen.log()
    );
    assert!(
        seen.log()[0].contains("reason=system-user"),
        "{:?}",
        seen.log()
    );
    assert!(!seen.log()[0].contains("first="), "{:?}", seen.log());
    assert_eq!((seen.sms(), login.requests()), (0, 0));
    assert_eq!(login.bench.slapd().binds(&person.dn()), 0, "no bind");
    let detail = login.newest_field("detail");
    assert!(detail.contains(why), "{detail}");
}

fn another_spelling_of_root_is_not_let_in(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let (root, number) = open(bench, Person::new("root"));
    for name in ["ROOT", "root ", " Root", "\u{ff52}\u{ff4f}\u{ff4f}\u{ff54}"] {
        let login = login(bench, "spelling", name, &number);
        refused(&login, &root, "uid 0 is below policy.min_uid");
    }
    // As root itself it is not asked for, and passes on to other modules.
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied reason=system-user");
    login(bench, "spelling", "root", &number).sees("root", &SAYS, &unknown);
    // A wrong password is not told from a right one, by the time either.
    let slow = login(bench, "spelling", "ROOT", &number).text("password.refuse_after", "1s");
    for says in [Say::Password, Say::Text("wrong")] {
        let began = Instant::now();
        let (transcript, _) = slow.run(&[says], 1);
        assert_eq!(transcript.codes(), [code::AUTH_ERR]);
        assert!(
            began.elapsed() >= Duration::from_millis(750),
            "{:?}",
            began.elapsed()
        );
    }
}

fn a_system_user_beside_the_typed_name_is_not_let_in(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    for (name, other) in [("beside-al", "daemon"), ("beside-bo", "nobody")] {
        let (person, number) = open(bench, Person::new(name).attr("uid", other));
        let login = login(bench, "beside", name, &number);
        refused(
            &login,
            &person,
            "another name in the entry (ldap.filter): uid ",
        );
    }
    let (_, number) = open(
        bench,
        Person::new("beside-cy").attr("uid", "cyrus-the-great"),
    );
    for name in ["beside-cy", "cyrus-the-great", "Beside-CY"] {
        login(bench, "beside", name, &number).sees(name, &SAYS, &Seen::granted());
    }
}

/// `backup` is an account of Debian's.
fn a_person_named_like_a_system_user_is_let_in(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let (_, number) = open(bench, Person::new("Backup"));
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied reason=system-user");
    login(bench, "backup", "backup", &number).sees("backup", &SAYS, &unknown);
    login(bench, "backup", "Backup", &number).sees("Backup", &SAYS, &Seen::granted());
}

fn every_way_to_compare_the_name_counts(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let (sys, number) = open(bench, Person::new("sys").attr("mail", "sys@example.org"));
    for (filter, name) in [
        ("(userid={user})", "SYS"),
        ("(0.9.2342.19200300.100.1.1={user})", "SYS"),
        ("(uid:caseIgnoreMatch:={user})", "SYS"),
        ("(mail={user}@example.org)", "SYS"),
        ("(|(description={user})(mail={user}@EXAMPLE.org))", "Sys"),
        ("(name={user})", "SYS"),
    ] {
        let login = login(bench, "compared", name, &number).text("ldap.filter", filter);
        refused(&login, &sys, "is below policy.min_uid");
    }
    // With an option, which the entry's attribute has too.
    let (man, number) = open(
        bench,
        Person::new("option-man").attr("description;lang-de", "man"),
    );
    for filter in ["(description={user})", "(description;lang-de={user})"] {
        let login = login(bench, "compared", "MAN", &number).text("ldap.filter", filter);
        refused(&login, &man, "is below policy.min_uid");
    }
}

fn more_names_than_are_looked_up_are_refused(bench: &Bench) {
    let named = |name: &str, more: u32| {
        let person = (0..more).fold(Person::new(name), |person, at| {
            person.attr("uid", &format!("{name}-{at}"))
        });
        open(bench, person)
    };
    let (_, number) = named("eight-names", 8);
    login(bench, "names", "eight-names", &number).sees("8", &SAYS, &Seen::granted());
    let (nine, number) = named("nine-names", 9);
    let login = login(bench, "names", "nine-names", &number);
    refused(&login, &nine, "9 other names in the entry");
}

/// Both domains are the directory's.
fn stripped<'b>(bench: &'b Bench, case: &'static str, user: &str, number: &str) -> Login<'b> {
    Login::new(bench, case)
        .set("ldap.strip_domains", "[\"example.org\", \"EXAMPLE\"]")
        .user(user)
        .number(number)
}

fn domains_are_taken_off(bench: &Bench) {
    let ann = someone(bench, "domain-ann");
    for name in [
        "domain-ann",
        "domain-ann@example.org",
        "domain-ann@EXAMPLE.ORG",
        "EXAMPLE\\domain-ann",
        "example\\domain-ann",
        "domain-ann@EXAMPLE",
    ] {
        // That the log has the name as it was typed is looked at in every login.
        let (transcript, seen) = stripped(bench, "domains", name, &ann.number).run(&SAYS, 2);
        assert_eq!(
            transcript.codes(),
            [code::SUCCESS],
            "{name}: {:?}",
            seen.log()
        );
    }
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied user=? reason=no-such-user");
    for name in [
        "domain-ann@example.net",
        "domain-ann@sub.example.org",
        "domain-ann@example.org@example.org",
        "EXAMPLE\\EXAMPLE\\domain-ann",
        "EXAMPLE\\domain-ann@example.org",
        "OTHER\\domain-ann",
        "@example.org",
        "EXAMPLE\\",
    ] {
        stripped(bench, "domains", name, &ann.number).sees(name, &SAYS, &unknown);
    }
    // Without the setting a domain is part of the name.
    let plain = Login::new(bench, "domains").user("domain-ann@example.org");
    plain.sees("not set", &SAYS, &unknown);
}

/// Limits are those of the entry; what is remembered is the name.
fn one_person_with_and_without_domain(bench: &Bench) {
    let ben = someone(bench, "domain-ben");
    let folder = bench.folder("domain-ledger");
    let login = |name: &str| {
        stripped(bench, "domain", name, &ben.number)
            .text("ledger.path", folder.to_str().expect("a path"))
            .set("limits.sms", "[\"2/1h\"]")
            .text("policy.remember", "1h")
            .rhost("192.0.2.7")
    };
    login("domain-ben").sees("first", &SAYS, &Seen::granted());
    let (again, _) = login("domain-ben").run(&[Say::Password], 1);
    assert_eq!(again.codes(), [code::SUCCESS]);
    login("domain-ben@example.org").sees("another name", &SAYS, &Seen::granted());
    let (limited, seen) = login("domain-ben@Example.org").run(&SAYS, 1);
    assert_eq!(limited.codes(), [code::MAXTRIES]);
    assert!(seen.log()[0].contains("reason=limited"), "{:?}", seen.log());
}

fn a_system_user_with_a_domain_is_not_let_in(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let (root, number) = open(bench, Person::new("games"));
    let login = |name: &str| {
        stripped(bench, "domain-system", name, &number).text("ldap.base", &Slapd::open())
    };
    for name in ["games@example.org", "EXAMPLE\\games", "root@example.org"] {
        refused(&login(name), &root, "the name without its domain: uid ");
    }
    // The directory folds what is left, too.
    refused(
        &login("GAMES@example.org"),
        &root,
        "another name in the entry",
    );
}
