//! ssh where something else verifies the first factor: sshd a key (`sshd-key`, `sshd-auto`), or
//! `pam_unix` a password (`sshd-stack`).

use super::ssh_password::ended;
use super::steps::{LOCAL, PASSWORD, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::pty::Pty;
use lab::slapd::LdapUser;
use lab::sshd::{Key, Options, Sshd};

pub const CASES: &[Case] = &[
    ("logins::ssh_proved::a_key_and_a_code", a_key_and_a_code),
    ("logins::ssh_proved::no_key_no_sms", no_key_no_sms),
    (
        "logins::ssh_proved::auto_asks_each_for_what_is_missing",
        auto_asks_each_for_what_is_missing,
    ),
    (
        "logins::ssh_proved::pam_unix_proves_the_password",
        pam_unix_proves_the_password,
    ),
];

/// An sshd with the shipped stack of this name.
fn sshd(lab: &Lab, stack: &str, methods: &str) -> (Service, Sshd) {
    let held = Service::shipped(lab, stack);
    let sshd = Sshd::start(&Options {
        service: stack.to_owned(),
        methods: methods.to_owned(),
        ..Options::default()
    });
    (held, sshd)
}

fn opens(mut terminal: Pty, lab: &Lab, who: &TestUser) -> String {
    who.type_code(lab, &mut terminal);
    terminal.expect(&format!("WELCOME {}", who.name()));
    assert!(terminal.wait().success());
    terminal.screen()
}

fn refused(mut terminal: Pty) -> String {
    terminal.expect("Permission denied");
    assert!(!terminal.wait().success());
    terminal.screen()
}

fn a_key_and_a_code(lab: &Lab) {
    let alice = TestUser::new(lab, "key-code");
    let (_stack, sshd) = sshd(lab, "sshd-key", "publickey,keyboard-interactive");
    let screen = opens(sshd.login(alice.name(), Key::Right), lab, &alice);
    assert!(!screen.contains("Password"), "{screen}");
    assert_logged(lab, alice.name(), &["sent", "granted"]);
    assert_eq!(lab.slapd().binds(&alice.person.dn()), 0);
    // Without the key sshd does not call the module.
    refused(sshd.login(alice.name(), Key::None));
    assert_logged(lab, alice.name(), &["sent", "granted"]);
    assert_eq!(alice.sms(lab), 1);
}

/// A forgotten `AuthenticationMethods`: the code alone is never enough.
fn no_key_no_sms(lab: &Lab) {
    let alice = TestUser::new(lab, "key-none");
    let (_stack, sshd) = sshd(lab, "sshd-key", "keyboard-interactive");
    let screen = refused(sshd.login(alice.name(), Key::None));
    assert!(!screen.contains("SMS"), "{screen}");
    assert!(!screen.contains("Password"), "{screen}");
    assert_logged(lab, alice.name(), &["denied no-first-factor"]);
    assert_eq!(alice.sms(lab), 0);
}

fn auto_asks_each_for_what_is_missing(lab: &Lab) {
    let with_key = TestUser::new(lab, "auto-key");
    let without = TestUser::new(lab, "auto-password");
    let methods = "publickey,keyboard-interactive keyboard-interactive";
    let (_stack, sshd) = sshd(lab, "sshd-auto", methods);
    let screen = opens(sshd.login(with_key.name(), Key::Right), lab, &with_key);
    assert!(!screen.contains("Password"), "{screen}");
    assert_logged(lab, with_key.name(), &["sent", "granted"]);

    let give = |password| {
        let mut terminal = sshd.login(without.name(), Key::None);
        terminal.expect("Password: ");
        terminal.type_line(password);
        terminal
    };
    refused(give("wrong horse"));
    opens(give(PASSWORD), lab, &without);
    let all = ["denied wrong-password", "sent", "granted"];
    assert_logged(lab, without.name(), &all);
    assert_eq!(without.sms(lab), 1);
}

fn pam_unix_proves_the_password(lab: &Lab) {
    let alice = TestUser::with_local_password(lab, "stack-alice");
    let unverified = LdapUser::new("stack-bob").password(PASSWORD);
    lab.slapd().add(&unverified);
    lab.machine().add(&User::new("stack-bob").password(LOCAL));
    let (_stack, sshd) = sshd(lab, "sshd-stack", "keyboard-interactive");
    let give = |name, password| {
        let mut terminal = sshd.login(name, Key::None);
        terminal.expect("Password: ");
        terminal.type_line(password);
        terminal
    };
    // The directory's password is not this machine's, and the stack ends before us.
    refused(give(alice.name(), PASSWORD));
    assert_logged(lab, alice.name(), &[]);
    assert_eq!(alice.sms(lab), 0);
    opens(give(alice.name(), LOCAL), lab, &alice);
    assert_logged(lab, alice.name(), &["sent", "granted"]);
    let screen = ended(give("stack-bob", LOCAL));
    assert!(screen.contains("No verified phone number"), "{screen}");
    assert_logged(lab, "stack-bob", &["denied not-verified stack"]);
}
