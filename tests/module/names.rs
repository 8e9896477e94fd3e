//! Names as a directory compares them: other spellings, several names of one entry, and names with a
//! domain.

use super::login::{Login, PASSWORD, Say, Seen, someone};
use super::password::overflow_user;
use crate::Case;
use lab::Lab;
use lab::pamhost::code;
use lab::slapd::{LdapUser, Slapd};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::names::another_spelling_of_root_is_refused",
        another_spelling_of_root_is_refused,
    ),
    (
        "module::names::an_entry_that_also_names_a_system_user_is_refused",
        an_entry_that_also_names_a_system_user_is_refused,
    ),
    (
        "module::names::a_name_that_differs_from_a_system_user_in_case_is_granted",
        a_name_that_differs_from_a_system_user_in_case_is_granted,
    ),
    (
        "module::names::all_names_that_the_filter_compares_are_checked",
        all_names_that_the_filter_compares_are_checked,
    ),
    (
        "module::names::too_many_names_are_refused",
        too_many_names_are_refused,
    ),
    ("module::names::domains_are_stripped", domains_are_stripped),
    (
        "module::names::a_user_with_and_without_domain_is_one",
        a_user_with_and_without_domain_is_one,
    ),
    (
        "module::names::a_system_user_with_a_domain_is_refused",
        a_system_user_with_a_domain_is_refused,
    ),
];

const RIGHT: [Say; 2] = [Say::Password, Say::Code];

/// Adds an account below `ou=open`, which no other test uses.
fn open(lab: &Lab, person: LdapUser) -> (LdapUser, String) {
    let number = lab.number();
    let person = person.password(PASSWORD).phone(&number).open();
    lab.slapd().add(&person);
    (person, number)
}

fn login<'b>(lab: &'b Lab, case: &'static str, user: &str, number: &str) -> Login<'b> {
    Login::new(lab, case)
        .text("ldap.base", &Slapd::open())
        .user(user)
        .number(number)
}

/// Checks that the login is refused as a system user's, without SMS and without bind, for this reason.
fn refused(login: &Login, person: &LdapUser, why: &str) {
    let (transcript, seen) = login.run(&RIGHT, 1);
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
    assert_eq!(login.lab.slapd().binds(&person.dn()), 0, "no bind");
    let detail = login.newest_field("detail");
    assert!(detail.contains(why), "{detail}");
}

fn another_spelling_of_root_is_refused(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let (root, number) = open(lab, LdapUser::new("root"));
    for name in ["ROOT", "root ", " Root", "\u{ff52}\u{ff4f}\u{ff4f}\u{ff54}"] {
        let login = login(lab, "spelling", name, &number);
        refused(&login, &root, "uid 0 is below policy.min_uid");
    }
    // The name root itself is not searched for, and other modules may continue.
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied reason=system-user");
    login(lab, "spelling", "root", &number).sees("root", &RIGHT, &unknown);
    // A wrong password has the same result as the right one, after the same time.
    let slow = login(lab, "spelling", "ROOT", &number).text("password.refuse_after", "1s");
    for input in [Say::Password, Say::Text("wrong")] {
        let began = Instant::now();
        let (transcript, _) = slow.run(&[input], 1);
        assert_eq!(transcript.codes(), [code::AUTH_ERR]);
        assert!(
            began.elapsed() >= Duration::from_millis(750),
            "{:?}",
            began.elapsed()
        );
    }
}

fn an_entry_that_also_names_a_system_user_is_refused(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    for (name, other) in [("beside-al", "daemon"), ("beside-bo", &overflow_user())] {
        let (person, number) = open(lab, LdapUser::new(name).attr("uid", other));
        let login = login(lab, "beside", name, &number);
        refused(
            &login,
            &person,
            "another name in the entry (ldap.filter): uid ",
        );
    }
    let (_, number) = open(
        lab,
        LdapUser::new("beside-cy").attr("uid", "cyrus-the-great"),
    );
    for name in ["beside-cy", "cyrus-the-great", "Beside-CY"] {
        login(lab, "beside", name, &number).sees(name, &RIGHT, &Seen::granted());
    }
}

/// `backup` is a system user on Debian.
fn a_name_that_differs_from_a_system_user_in_case_is_granted(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let (_, number) = open(lab, LdapUser::new("Backup"));
    let unknown = Seen::refused(code::USER_UNKNOWN, "denied reason=system-user");
    login(lab, "backup", "backup", &number).sees("backup", &RIGHT, &unknown);
    login(lab, "backup", "Backup", &number).sees("Backup", &RIGHT, &Seen::granted());
}

fn all_names_that_the_filter_compares_are_checked(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let (sys, number) = open(lab, LdapUser::new("sys").attr("mail", "sys@example.org"));
    for (filter, name) in [
        ("(userid={user})", "SYS"),
        ("(0.9.2342.19200300.100.1.1={user})", "SYS"),
        ("(uid:caseIgnoreMatch:={user})", "SYS"),
        ("(mail={user}@example.org)", "SYS"),
        ("(|(description={user})(mail={user}@EXAMPLE.org))", "Sys"),
        ("(name={user})", "SYS"),
    ] {
        let login = login(lab, "compared", name, &number).text("ldap.filter", filter);
        refused(&login, &sys, "is below policy.min_uid");
    }
    // With an attribute option, which the attribute of the entry has too.
    let (man, number) = open(
        lab,
        LdapUser::new("option-man").attr("description;lang-de", "man"),
    );
    for filter in ["(description={user})", "(description;lang-de={user})"] {
        let login = login(lab, "compared", "MAN", &number).text("ldap.filter", filter);
        refused(&login, &man, "is below policy.min_uid");
    }
}

fn too_many_names_are_refused(lab: &Lab) {
    let named = |name: &str, more: u32| {
        let person = (0..more).fold(LdapUser::new(name), |person, at| {
            person.attr("uid", &format!("{name}-{at}"))
        });
        open(lab, person)
    };
    let (_, number) = named("eight-names", 8);
    login(lab, "names", "eight-names", &number).sees("8", &RIGHT, &Seen::granted());
    let (nine, number) = named("nine-names", 9);
    let login = login(lab, "names", "nine-names", &number);
    refused(&login, &nine, "9 other names in the entry");
}

/// A login with two domains that are stripped.
fn stripped<'b>(lab: &'b Lab, case: &'static str, user: &str, number: &str) -> Login<'b> {
    Login::new(lab, case)
        .set("ldap.strip_domains", "[\"example.org\", \"EXAMPLE\"]")
        .user(user)
        .number(number)
}

fn domains_are_stripped(lab: &Lab) {
    let ann = someone(lab, "domain-ann");
    for name in [
        "domain-ann",
        "domain-ann@example.org",
        "domain-ann@EXAMPLE.ORG",
        "EXAMPLE\\domain-ann",
        "example\\domain-ann",
        "domain-ann@EXAMPLE",
    ] {
        // Every login checks that the log has the name as it was typed.
        let (transcript, seen) = stripped(lab, "domains", name, &ann.number).run(&RIGHT, 2);
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
        stripped(lab, "domains", name, &ann.number).sees(name, &RIGHT, &unknown);
    }
    // Without the setting a domain is part of the name.
    let plain = Login::new(lab, "domains").user("domain-ann@example.org");
    plain.sees("not set", &RIGHT, &unknown);
}

/// Limits count for the entry; a login is remembered for the name.
fn a_user_with_and_without_domain_is_one(lab: &Lab) {
    let ben = someone(lab, "domain-ben");
    let folder = lab.folder("domain-ledger");
    let login = |name: &str| {
        stripped(lab, "domain", name, &ben.number)
            .text("ledger.path", folder.to_str().expect("a path"))
            .set("limits.sms", "[\"2/1h\"]")
            .text("policy.remember", "1h")
            .rhost("192.0.2.7")
    };
    login("domain-ben").sees("first", &RIGHT, &Seen::granted());
    let (again, _) = login("domain-ben").run(&[Say::Password], 1);
    assert_eq!(again.codes(), [code::SUCCESS]);
    login("domain-ben@example.org").sees("another name", &RIGHT, &Seen::granted());
    let (limited, seen) = login("domain-ben@Example.org").run(&RIGHT, 1);
    assert_eq!(limited.codes(), [code::MAXTRIES]);
    assert!(seen.log()[0].contains("reason=limited"), "{:?}", seen.log());
}

fn a_system_user_with_a_domain_is_refused(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let (root, number) = open(lab, LdapUser::new("games"));
    let login = |name: &str| {
        stripped(lab, "domain-system", name, &number).text("ldap.base", &Slapd::open())
    };
    for name in ["games@example.org", "EXAMPLE\\games", "root@example.org"] {
        refused(&login(name), &root, "the name without its domain: uid ");
    }
    // The directory also ignores case in the rest of the name.
    refused(
        &login("GAMES@example.org"),
        &root,
        "another name in the entry",
    );
}
