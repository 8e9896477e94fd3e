//! Clients that are programs: they give every prompt the same answer, or answer only one.

use super::{STACK, refused, sshd};
use crate::logins::steps::{self, PASSWORD, Service, TestUser, assert_logged};
use lab::Lab;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};

/// A program that gives every prompt the same answer, as desktops, sshpass and many scripts do.
pub fn an_askpass_program_gets_one_sms(lab: &Lab) {
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    for (name, says, why) in [
        (
            "ssh-askpass",
            PASSWORD,
            "the client answers every prompt with the password",
        ),
        (
            "ssh-askname",
            "ssh-askname",
            "the client answers every prompt with the login name",
        ),
    ] {
        let alice = TestUser::new(lab, name);
        let folder = lab.folder(&format!("logins-{name}"));
        let (program, asked) = (folder.join("askpass"), folder.join("asked"));
        // The password first; what follows differs.
        let script = format!(
            "#!/bin/sh\nif [ -e {0} ]; then echo '{says}'; else echo '{PASSWORD}'; fi\necho >>{0}\n",
            asked.display()
        );
        lab::scratch::write(&program, 0o755, script);
        let mut ssh = sshd.ssh(alice.name(), Key::None);
        ssh.args(["-o", "NumberOfPasswordPrompts=3"]);
        ssh.env("SSH_ASKPASS", &program)
            .env("SSH_ASKPASS_REQUIRE", "force");
        let mut terminal = Pty::spawn(ssh.arg("echo WELCOME"));
        assert!(!terminal.wait().success());
        assert!(!terminal.screen().contains("WELCOME"));
        let lines = assert_logged(lab, name, &["sent", "denied no-code password"]);
        let detail = lines[1].field("detail").unwrap_or_default();
        assert!(detail.contains(why), "{detail}");
        assert_eq!(alice.sms(lab), 1);
    }
}

/// `PasswordAuthentication yes`: the one password answers the first prompt; the second has no answer.
pub fn a_client_with_one_password_fails_cleanly(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-onepass");
    let text = steps::shipped(lab, STACK, steps::shared(lab));
    let _stack = Service::hold(lab, "sshd-onepass", &text);
    let sshd = Sshd::start(&Options {
        service: "sshd-onepass".to_owned(),
        methods: "password".to_owned(),
        lines: vec!["PasswordAuthentication yes".to_owned()],
    });
    let mut ssh = sshd.ssh(alice.name(), Key::None);
    ssh.args(["-o", "PreferredAuthentications=password"]);
    let mut terminal = Pty::spawn(ssh.arg("echo WELCOME"));
    terminal.expect("password: ");
    terminal.type_line(PASSWORD);
    refused(terminal);
    assert_logged(lab, alice.name(), &["sent", "denied abandoned password"]);
    assert_eq!(alice.sms(lab), 1);
}
