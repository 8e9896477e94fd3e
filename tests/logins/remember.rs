//! Remembered logins: by the key, the address, or the terminal session that a user comes from.

use super::steps::{self, LOCAL, PASSWORD, ROOT, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};

pub const CASES: &[Case] = &[
    ("logins::remember::a_key", a_key),
    ("logins::remember::an_address", an_address),
    ("logins::remember::a_session_of_sudo", a_session_of_sudo),
    ("logins::remember::a_session_of_su", a_session_of_su),
    (
        "logins::remember::for_one_target_of_su",
        for_one_target_of_su,
    ),
];

const REMEMBERED: &str = "skipped remembered";

/// The shipped stack of this name, with logins remembered for an hour.
fn remembering(lab: &Lab, name: &str) -> Service {
    let settings = steps::settings(lab).text("policy.remember", "1h");
    let settings = steps::written(lab, &format!("remember-{name}"), &settings);
    Service::hold(lab, name, &steps::shipped(lab, name, &settings))
}

fn sshd(lab: &Lab, stack: &str, methods: &str) -> (Service, Sshd) {
    let held = remembering(lab, stack);
    let sshd = Sshd::start(&Options {
        service: stack.to_owned(),
        methods: methods.to_owned(),
        ..Options::default()
    });
    (held, sshd)
}

fn is_in(mut terminal: Pty, who: &TestUser) -> String {
    terminal.expect(&format!("WELCOME {}", who.name()));
    assert!(terminal.wait().success());
    terminal.screen()
}

fn a_key(lab: &Lab) {
    let alice = TestUser::new(lab, "remember-key");
    let (_stack, sshd) = sshd(lab, "sshd-key", "publickey,keyboard-interactive");
    let mut first = sshd.login(alice.name(), Key::Right);
    alice.type_code(lab, &mut first);
    is_in(first, &alice);
    let screen = is_in(sshd.login(alice.name(), Key::Right), &alice);
    assert!(!screen.contains("SMS"), "{screen}");
    let lines = assert_logged(lab, alice.name(), &["sent", "granted", REMEMBERED]);
    assert_eq!(lines[2].field("earned"), lines[1].field("login"));
    // A different key is a different origin, even from the same address.
    sshd.change_key();
    let mut other = sshd.login(alice.name(), Key::Right);
    alice.type_code(lab, &mut other);
    is_in(other, &alice);
    let all = ["sent", "granted", REMEMBERED, "sent", "granted"];
    assert_logged(lab, alice.name(), &all);
}

fn an_address(lab: &Lab) {
    let alice = TestUser::new(lab, "remember-address");
    let (_stack, sshd) = sshd(lab, "sshd-ldap", "keyboard-interactive");
    let give = |password| {
        let mut terminal = sshd.login(alice.name(), Key::None);
        terminal.expect("Password: ");
        terminal.type_line(password);
        terminal
    };
    let mut first = give(PASSWORD);
    alice.type_code(lab, &mut first);
    is_in(first, &alice);
    let screen = is_in(give(PASSWORD), &alice);
    assert!(!screen.contains("SMS"), "{screen}");
    let mut wrong = give("wrong horse");
    wrong.expect("Permission denied");
    wrong.wait();
    let all = ["sent", "granted", REMEMBERED, "denied wrong-password"];
    assert_logged(lab, alice.name(), &all);
    assert_eq!(alice.sms(lab), 1);
}

fn a_session_of_sudo(lab: &Lab) {
    let alice = TestUser::new(lab, "remember-sudo");
    alice.may_sudo("Defaults:remember-sudo timestamp_timeout=0");
    let _stack = remembering(lab, "sudo");
    let twice = || alice.runs("sh", &["-c", "sudo id -u; sudo id -un"]);
    for _ in 0..2 {
        let mut terminal = twice();
        terminal.expect("password for remember-sudo: ");
        terminal.type_line(PASSWORD);
        alice.type_code(lab, &mut terminal);
        terminal.expect("\n0\r\n");
        terminal.expect("password for remember-sudo: ");
        terminal.type_line(PASSWORD);
        terminal.expect("root");
        assert!(terminal.wait().success());
    }
    let one = ["sent", "granted", REMEMBERED];
    assert_logged(lab, alice.name(), &[one, one].concat());
    assert_eq!(alice.sms(lab), 2);
}

/// The caller's code: the stack verifies the target's password each time.
fn a_session_of_su(lab: &Lab) {
    let alice = TestUser::new(lab, "remember-su");
    lab.machine().password("root", ROOT);
    let _stack = remembering(lab, "su");
    let twice = "su -c 'echo I AM $(id -un)'; su -c 'echo AGAIN $(id -un)'";
    let mut terminal = alice.runs("sh", &["-c", twice]);
    terminal.expect("Password: ");
    terminal.type_line(ROOT);
    alice.type_code(lab, &mut terminal);
    terminal.expect("I AM root");
    terminal.expect("Password: ");
    terminal.type_line(ROOT);
    terminal.expect("AGAIN root");
    assert!(terminal.wait().success());
    assert_eq!(alice.sms(lab), 1);
    // With a wrong password of the target nothing is skipped.
    let mut terminal = alice.runs("sh", &["-c", &twice[..twice.find(';').expect("two")]]);
    terminal.expect("Password: ");
    terminal.type_line("wrong horse");
    terminal.expect("su: ");
    assert!(!terminal.wait().success());
    assert_eq!(alice.sms(lab), 1);
}

/// The caller is remembered for one target in this session, and for no other.
fn for_one_target_of_su(lab: &Lab) {
    let alice = TestUser::new(lab, "remember-caller");
    let targets = ["remember-bob", "remember-cal"];
    for target in targets {
        lab.machine().add(&User::new(target).password(LOCAL));
    }
    let _stack = remembering(lab, "su");
    let su = |target| format!("su {target} -c 'echo I AM $(id -un)'");
    let [bob, cal] = targets.map(su);
    let mut terminal = alice.runs("sh", &["-c", &format!("{bob}; {bob}; {cal}")]);
    for (target, is_asked) in [
        ("remember-bob", true),
        ("remember-bob", false),
        ("remember-cal", true),
    ] {
        terminal.expect("Password: ");
        terminal.type_line(LOCAL);
        if is_asked {
            alice.type_code(lab, &mut terminal);
        }
        terminal.expect(&format!("I AM {target}"));
    }
    assert!(terminal.wait().success());
    assert_eq!(alice.sms(lab), 2);
    assert_logged(lab, "remember-bob", &["sent", "granted", REMEMBERED]);
    assert_logged(lab, "remember-cal", &["sent", "granted"]);
}
