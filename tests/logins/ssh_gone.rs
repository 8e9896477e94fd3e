//! Users who leave in the middle of an ssh login: by Ctrl-C, by a closed connection, or because
//! `LoginGraceTime` is over.

use super::steps::{self, PASSWORD, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};
use std::path::{Path, PathBuf};

pub const CASES: &[Case] = &[
    ("logins::ssh_gone::at_the_password", at_the_password),
    ("logins::ssh_gone::at_the_code", at_the_code),
    (
        "logins::ssh_gone::when_login_grace_time_is_over",
        when_login_grace_time_is_over,
    ),
];

/// An sshd whose helper is a program that no other case runs.
fn sshd(lab: &Lab, service: &str, lines: &[&str]) -> (Service, Sshd, PathBuf) {
    let helper = lab.folder(&format!("logins-{service}")).join("helper");
    lab::scratch::copy_program(&lab.product().helper(), &helper);
    let text = steps::shipped(lab, "sshd-ldap", steps::shared(lab));
    let path = |path: &Path| path.display().to_string();
    let text = text.replace(&path(&lab.product().helper()), &path(&helper));
    let held = Service::hold(lab, service, &text);
    let sshd = Sshd::start(&Options {
        service: service.to_owned(),
        lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        ..Options::default()
    });
    (held, sshd, helper)
}

/// Two ways to leave.
const WAYS: [fn(Pty); 2] = [
    |mut terminal| {
        terminal.interrupt();
        assert!(!terminal.wait().success());
    },
    // The client is killed: its connection closes.
    drop,
];

fn at_the_password(lab: &Lab) {
    let alice = TestUser::new(lab, "gone-password");
    let (_stack, sshd, helper) = sshd(lab, "sshd-gone-password", &[]);
    let mut expected = Vec::new();
    for go in WAYS {
        let mut terminal = sshd.login(alice.name(), Key::None);
        terminal.expect("Password: ");
        go(terminal);
        expected.push("denied cancelled");
        // The user typed nothing, so the directory was not asked about the name; NSS has it.
        assert_logged(lab, alice.name(), &expected);
        steps::soon_gone(&helper);
    }
    assert_eq!(alice.sms(lab), 0);
}

fn at_the_code(lab: &Lab) {
    let alice = TestUser::new(lab, "gone-code");
    let (_stack, sshd, helper) = sshd(lab, "sshd-gone-code", &[]);
    let mut expected = Vec::new();
    for go in WAYS {
        let mut terminal = sshd.login(alice.name(), Key::None);
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        terminal.expect(&alice.sent());
        go(terminal);
        expected.extend(["sent", "denied abandoned password"]);
        assert_logged(lab, alice.name(), &expected);
        steps::soon_gone(&helper);
    }
    assert_eq!(alice.sms(lab), 2);
}

/// sshd_config(5), LoginGraceTime: sshd ends the login from a signal handler, in any state of PAM.
/// The client notices it only at the next Enter.
fn when_login_grace_time_is_over(lab: &Lab) {
    let alice = TestUser::new(lab, "gone-grace");
    let (_stack, sshd, helper) = sshd(lab, "sshd-gone-grace", &["LoginGraceTime 4"]);
    let mut expected = Vec::new();
    for at_the_code in [false, true] {
        let mut terminal = sshd.login(alice.name(), Key::None);
        terminal.expect("Password: ");
        if at_the_code {
            terminal.type_line(PASSWORD);
            terminal.expect(&alice.sent());
            expected.extend(["sent", "denied abandoned password"]);
        } else {
            expected.push("denied cancelled");
        }
        assert_logged(lab, alice.name(), &expected);
        steps::soon_gone(&helper);
        terminal.type_line(&if at_the_code {
            alice.code(lab)
        } else {
            PASSWORD.to_owned()
        });
        assert!(!terminal.wait().success());
        assert!(!terminal.screen().contains("WELCOME"));
    }
    assert_eq!(alice.sms(lab), 1);
}
