//! login on a terminal: `pam.d/login`. It asks for another name on the same PAM handle.

use super::steps::{self, LOCAL, PASSWORD, ROOT, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::process::program;
use lab::pty::Pty;
use lab::twilio::wrong_code;
use std::process::Command;

pub const CASES: &[Case] = &[
    ("logins::console::opens", opens),
    ("logins::console::wrong_codes_end_it", wrong_codes_end_it),
    (
        "logins::console::answers_that_are_no_code_end_it",
        answers_that_are_no_code_end_it,
    ),
    (
        "logins::console::root_does_not_need_the_directory",
        root_does_not_need_the_directory,
    ),
    (
        "logins::console::a_local_password_alone_opens_nothing",
        a_local_password_alone_opens_nothing,
    ),
];

fn login() -> Pty {
    Pty::spawn(&mut Command::new(program("login")))
}

fn give_name(terminal: &mut Pty, name: &str) {
    terminal.expect("login: ");
    terminal.type_line(name);
}

fn give(terminal: &mut Pty, name: &str, password: &str) {
    give_name(terminal, name);
    terminal.expect("Password: ");
    terminal.type_line(password);
}

fn is_in(mut terminal: Pty, prompt: &str, name: &str) {
    terminal.expect(prompt);
    terminal.type_line("echo I am $(id -un)");
    terminal.expect(&format!("I am {name}"));
    terminal.type_line("exit");
    terminal.wait();
}

fn opens(lab: &Lab) {
    let alice = TestUser::new(lab, "con-alice");
    let _stack = Service::shipped(lab, "login");
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    alice.type_code(lab, &mut terminal);
    is_in(terminal, "$ ", alice.name());
    let lines = assert_logged(lab, alice.name(), &["sent", "granted"]);
    assert!(
        lines[1]
            .message
            .starts_with("pam_sms_otp(login:auth): granted")
    );
    assert_eq!(lines[1].tag, "login", "{lines:#?}");
    assert_eq!(lines[1].field("rhost"), None, "{lines:#?}");
}

fn wrong_codes_end_it(lab: &Lab) {
    let alice = TestUser::new(lab, "con-wrong");
    let _stack = Service::shipped(lab, "login");
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    let wrong = wrong_code(&alice.code(lab));
    for left in ["2 tries left", "1 try left"] {
        terminal.type_line(&wrong);
        terminal.expect(&format!("Wrong code, {left}. Verification code: "));
    }
    terminal.type_line(&wrong);
    terminal.expect("Too many wrong codes. (login ");
    ended(terminal, &alice);
    assert_logged(lab, alice.name(), &["sent", "denied wrong-code password"]);
    assert_eq!(alice.sms(lab), 1);
}

/// After `PAM_MAXTRIES` some versions of login end at once, with different texts in shadow and util-linux; others ask
/// for a name again and get the same result without a prompt.
fn ended(mut terminal: Pty, who: &TestUser) {
    let ends = [
        "Maximum number of tries exceeded",
        "login: ",
        "Login incorrect",
    ];
    if terminal.expect_one_of(&ends, lab::pty::TIMEOUT).0 == 1 {
        terminal.type_line(who.name());
        let shown = terminal.expect("Login incorrect");
        assert!(!shown.contains("Password"), "{shown}");
    }
}

fn answers_that_are_no_code_end_it(lab: &Lab) {
    let alice = TestUser::new(lab, "con-no-code");
    let _stack = Service::shipped(lab, "login");
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    for _ in 0..2 {
        terminal.type_line("abc");
        terminal.expect("That is not a 6-digit code. Verification code: ");
    }
    terminal.type_line("abc");
    terminal.expect("No code was entered. (login ");
    ended(terminal, &alice);
    assert_logged(lab, alice.name(), &["sent", "denied no-code password"]);
    assert_eq!(alice.sms(lab), 1);
}

fn root_does_not_need_the_directory(lab: &Lab) {
    let alice = TestUser::new(lab, "con-outage");
    lab.machine().password("root", ROOT);
    // Port 9 (discard) has no server.
    let settings = steps::settings(lab).set("ldap.uris", "[\"ldaps://127.0.0.1:9\"]");
    let settings = steps::written(lab, "outage", &settings);
    let stack = steps::shipped(lab, "login", &settings);
    let _stack = Service::hold(lab, "login", &stack);
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    terminal.expect("Login incorrect");
    // An outage is remembered for this name: the same answer at once, without a prompt.
    give_name(&mut terminal, alice.name());
    let shown = terminal.expect("Login incorrect");
    assert!(!shown.contains("Password"), "{shown}");
    give(&mut terminal, "root", ROOT);
    is_in(terminal, "# ", "root");
    assert_logged(lab, alice.name(), &["failed directory outage"]);
    assert_eq!(alice.sms(lab), 0);
}

fn a_local_password_alone_opens_nothing(lab: &Lab) {
    lab.machine().add(&User::new("con-local").password(LOCAL));
    lab.machine().password("root", ROOT);
    let _stack = Service::shipped(lab, "login");
    let mut terminal = login();
    give(&mut terminal, "con-local", LOCAL);
    terminal.expect("Login incorrect");
    assert_logged(lab, "con-local", &["denied no-such-user"]);
    give(&mut terminal, "root", LOCAL);
    terminal.expect("Login incorrect");
    give(&mut terminal, "root", ROOT);
    is_in(terminal, "# ", "root");
}
