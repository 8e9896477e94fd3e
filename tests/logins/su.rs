//! su: `pam.d/su` and `pam.d/su-l`, with the sample's `[service.su]`. The target's password, and a
//! code to the caller's phone.

use super::steps::{self, LOCAL, PASSWORD, ROOT, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::process::program;
use lab::pty::Pty;
use lab::slapd::LdapUser;
use lab::twilio::wrong_code;
use std::process::Command;

pub const CASES: &[Case] = &[
    ("logins::su::to_root", to_root),
    ("logins::su::to_another_user", to_another_user),
    (
        "logins::su::the_caller_s_password_does_not_open",
        the_caller_s_password_does_not_open,
    ),
    (
        "logins::su::a_caller_who_is_not_in_the_directory",
        a_caller_who_is_not_in_the_directory,
    ),
    ("logins::su::a_caller_of_the_system", a_caller_of_the_system),
    (
        "logins::su::the_final_message_is_shown",
        the_final_message_is_shown,
    ),
    ("logins::su::in_a_login_shell", in_a_login_shell),
    ("logins::su::root_is_not_asked", root_is_not_asked),
    ("logins::su::ctrl_c_ends_it", ctrl_c_ends_it),
];

/// The target has a password and no phone.
fn target(lab: &Lab, name: &str) {
    lab.machine().add(&User::new(name).password(LOCAL));
}

fn type_password(terminal: &mut Pty, password: &str) {
    terminal.expect("Password: ");
    terminal.type_line(password);
}

fn refused(mut terminal: Pty, words: &str) -> String {
    terminal.expect(words);
    assert!(!terminal.wait().success());
    assert!(!terminal.screen().contains("I AM"), "{}", terminal.screen());
    terminal.screen()
}

const WHO: &str = "echo I AM $(id -un)";

fn to_root(lab: &Lab) {
    let alice = TestUser::new(lab, "su-root");
    lab.machine().password("root", ROOT);
    let _stack = Service::shipped(lab, "su");
    let mut terminal = alice.runs("su", &["-c", WHO]);
    type_password(&mut terminal, ROOT);
    alice.type_code(lab, &mut terminal);
    terminal.expect("I AM root");
    assert!(terminal.wait().success());
    let line = lab.machine().log().wait_for(
        &["pam_sms_otp(su:auth): granted", "su-root"],
        std::time::Duration::from_secs(10),
    );
    assert_eq!(line.field("user"), Some("root"), "{}", line.raw);
    assert_eq!(line.field("caller"), Some("su-root"), "{}", line.raw);
    assert_eq!(line.tag, "su", "{}", line.raw);
}

fn to_another_user(lab: &Lab) {
    let alice = TestUser::new(lab, "su-alice");
    target(lab, "su-bob");
    let _stack = Service::shipped(lab, "su");
    let mut terminal = alice.runs("su", &["su-bob", "-c", WHO]);
    type_password(&mut terminal, LOCAL);
    alice.type_code(lab, &mut terminal);
    terminal.expect("I AM su-bob");
    assert!(terminal.wait().success());
    assert_logged(lab, "su-bob", &["sent", "granted"]);
    assert_eq!(alice.sms(lab), 1);
}

fn the_caller_s_password_does_not_open(lab: &Lab) {
    let alice = TestUser::with_local_password(lab, "su-own");
    // The target is in the directory too: neither their phone nor their password there is used.
    let bob = TestUser::new(lab, "su-other");
    let _stack = Service::shipped(lab, "su");
    for password in [LOCAL, PASSWORD] {
        let mut terminal = alice.runs("su", &["su-other", "-c", WHO]);
        type_password(&mut terminal, password);
        refused(terminal, "Authentication failure");
    }
    assert_logged(lab, "su-other", &[]);
    assert_eq!((alice.sms(lab), bob.sms(lab)), (0, 0));
    lab.machine().password("su-other", ROOT);
    let mut terminal = alice.runs("su", &["su-other", "-c", WHO]);
    type_password(&mut terminal, ROOT);
    alice.type_code(lab, &mut terminal);
    terminal.expect("I AM su-other");
    assert_eq!((alice.sms(lab), bob.sms(lab)), (1, 0));
}

fn a_caller_who_is_not_in_the_directory(lab: &Lab) {
    let caller = lab.machine().add(&User::new("su-no-entry"));
    let bob = TestUser::with_local_password(lab, "su-known");
    let _stack = Service::shipped(lab, "su");
    let mut su = Command::new(program("su"));
    let mut terminal = Pty::spawn_as(su.args(["su-known", "-c", WHO]), &caller);
    type_password(&mut terminal, LOCAL);
    refused(terminal, "Authentication failure");
    assert_logged(lab, "su-known", &["denied no-such-user stack"]);
    assert_eq!(bob.sms(lab), 0);
}

fn a_caller_of_the_system(lab: &Lab) {
    let caller = lab.machine().add(&User::new("su-daemon").uid(950));
    target(lab, "su-served");
    let phone = lab.number();
    let entry = LdapUser::new("su-daemon").password(PASSWORD).phone(&phone);
    lab.slapd().add(&entry);
    let _stack = Service::shipped(lab, "su");
    let mut su = Command::new(program("su"));
    let mut terminal = Pty::spawn_as(su.args(["su-served", "-c", WHO]), &caller);
    type_password(&mut terminal, LOCAL);
    refused(terminal, "Authentication failure");
    assert_logged(lab, "su-served", &["denied system-user"]);
    assert_eq!(lab.twilio().sms_to(&phone).len(), 0);
}

fn the_final_message_is_shown(lab: &Lab) {
    let alice = TestUser::new(lab, "su-words");
    target(lab, "su-goal");
    let _stack = Service::shipped(lab, "su");
    let mut terminal = alice.runs("su", &["su-goal", "-c", WHO]);
    type_password(&mut terminal, LOCAL);
    terminal.expect(&alice.sent());
    let wrong = wrong_code(&alice.code(lab));
    for left in ["2 tries left", "1 try left"] {
        terminal.type_line(&wrong);
        terminal.expect(&format!("Wrong code, {left}. Verification code: "));
    }
    terminal.type_line(&wrong);
    terminal.expect("Too many wrong codes. (login ");
    refused(terminal, "su: ");
    assert_logged(lab, "su-goal", &["sent", "denied wrong-code stack"]);

    lab.slapd()
        .replace(&alice.person, "phoneNumberVerified", &["FALSE"]);
    let mut terminal = alice.runs("su", &["su-goal", "-c", WHO]);
    type_password(&mut terminal, LOCAL);
    let screen = refused(terminal, "su: ");
    let words = "No verified phone number on file. Ask your administrator. (login ";
    assert!(screen.contains(words), "{screen}");
    assert_eq!(alice.sms(lab), 1);
}

/// `su -` is the service su-l, which `[service.su]` covers.
fn in_a_login_shell(lab: &Lab) {
    let alice = TestUser::new(lab, "su-shell");
    target(lab, "su-home");
    let _stack = Service::shipped(lab, "su");
    let _login = Service::shipped(lab, "su-l");
    let mut terminal = alice.runs("su", &["-", "su-home", "-c", WHO]);
    type_password(&mut terminal, LOCAL);
    alice.type_code(lab, &mut terminal);
    terminal.expect("I AM su-home");
    let lines = assert_logged(lab, "su-home", &["sent", "granted"]);
    let head = "pam_sms_otp(su-l:auth): granted";
    assert!(lines[1].message.starts_with(head), "{lines:#?}");
}

fn root_is_not_asked(lab: &Lab) {
    target(lab, "su-below");
    let _stack = Service::shipped(lab, "su");
    let mut su = Command::new(program("su"));
    let mut terminal = Pty::spawn(su.args(["su-below", "-c", WHO]));
    terminal.expect("I AM su-below");
    assert!(terminal.wait().success());
    assert!(!terminal.screen().contains("Password"));
    assert_logged(lab, "su-below", &[]);
}

fn ctrl_c_ends_it(lab: &Lab) {
    let alice = TestUser::new(lab, "su-ctrl-c");
    target(lab, "su-quiet");
    let stack = steps::shipped(lab, "su", steps::shared(lab));
    let _stack = Service::hold(lab, "su", &stack);
    let mut terminal = alice.runs("su", &["su-quiet", "-c", WHO]);
    type_password(&mut terminal, LOCAL);
    terminal.expect(&alice.sent());
    terminal.interrupt();
    assert!(!terminal.wait().success());
    assert!(!terminal.screen().contains("I AM"), "{}", terminal.screen());
    assert_logged(lab, "su-quiet", &["sent", "denied abandoned stack"]);
}
