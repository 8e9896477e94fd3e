//! People who go away in the middle of an ssh login: with Ctrl-C, or with their connection.

use super::steps::{self, PASSWORD, Service, Somebody, told};
use crate::Case;
use lab::bench::Bench;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};
use std::path::{Path, PathBuf};

pub const CASES: &[Case] = &[
    ("logins::ssh_gone::at_the_password", at_the_password),
    ("logins::ssh_gone::at_the_code", at_the_code),
];

/// An sshd whose helper is a program that no other case runs.
fn sshd(bench: &Bench, service: &str) -> (Service, Sshd, PathBuf) {
    let helper = bench.folder(&format!("logins-{service}")).join("helper");
    lab::scratch::copy_program(&bench.product().helper(), &helper);
    let text = steps::shipped(bench, "sshd-ldap", steps::shared(bench));
    let path = |path: &Path| path.display().to_string();
    let text = text.replace(&path(&bench.product().helper()), &path(&helper));
    let held = Service::hold(bench, service, &text);
    let sshd = Sshd::start(&Options {
        service: service.to_owned(),
        ..Options::default()
    });
    (held, sshd, helper)
}

/// Two ways to go.
const WAYS: [fn(Pty); 2] = [
    |mut terminal| {
        terminal.interrupt();
        assert!(!terminal.wait().success());
    },
    // The client is killed: its connection closes.
    drop,
];

fn at_the_password(bench: &Bench) {
    let alice = Somebody::new(bench, "gone-password");
    let (_stack, sshd, helper) = sshd(bench, "sshd-gone-password");
    let mut expected = Vec::new();
    for go in WAYS {
        let mut terminal = sshd.login(alice.name(), Key::None);
        terminal.expect("Password: ");
        go(terminal);
        expected.push("denied cancelled");
        // He said nothing, so nobody knows whether there is such a name in the directory; NSS knows.
        told(bench, alice.name(), &expected);
        steps::soon_gone(&helper);
    }
    assert_eq!(alice.sms(bench), 0);
}

fn at_the_code(bench: &Bench) {
    let alice = Somebody::new(bench, "gone-code");
    let (_stack, sshd, helper) = sshd(bench, "sshd-gone-code");
    let mut expected = Vec::new();
    for go in WAYS {
        let mut terminal = sshd.login(alice.name(), Key::None);
        terminal.expect("Password: ");
        terminal.type_line(PASSWORD);
        terminal.expect(&alice.sent());
        go(terminal);
        expected.extend(["sent", "denied abandoned password"]);
        told(bench, alice.name(), &expected);
        steps::soon_gone(&helper);
    }
    assert_eq!(alice.sms(bench), 2);
}
