//! sudo run by programs that have only the password.

use crate::logins::steps::{PASSWORD, Service, TestUser, assert_logged};
use lab::Lab;

/// `sudo -S`: the prompts go to standard error, and lines from the pipe answer them.
pub fn a_pipe_gets_one_sms(lab: &Lab) {
    let _stack = Service::shipped(lab, "sudo");
    let lines = |first: &str, then: &str| {
        let rest = [then; 12].join("\n");
        format!("{first}\n{rest}\n")
    };
    for (name, input, why) in [
        ("sudo-pipe", lines(PASSWORD, "no code"), None),
        (
            "sudo-pipe-same",
            lines(PASSWORD, PASSWORD),
            Some("the password"),
        ),
        (
            "sudo-pipe-name",
            lines(PASSWORD, "sudo-pipe-name"),
            Some("the login name"),
        ),
    ] {
        let alice = TestUser::new(lab, name);
        alice.may_sudo("");
        let file = alice.account.home.join("answers");
        lab::scratch::write(&file, 0o644, input);
        let command = format!("sudo -S id <{}", file.display());
        let mut terminal = alice.runs("sh", &["-c", &command]);
        assert!(!terminal.wait().success());
        assert!(
            !terminal.screen().contains("uid=0"),
            "{}",
            terminal.screen()
        );
        ends_as_no_code(lab, &alice, why);
    }
}

/// `sudo -A`: a program with one answer, as Cockpit's.
pub fn an_askpass_program_gets_one_sms(lab: &Lab) {
    let _stack = Service::shipped(lab, "sudo");
    let alice = TestUser::new(lab, "sudo-askpass");
    alice.may_sudo("");
    let program = alice.account.home.join("askpass");
    lab::scratch::write(&program, 0o755, format!("#!/bin/sh\necho '{PASSWORD}'\n"));
    let command = format!("SUDO_ASKPASS={} sudo -A id", program.display());
    let mut terminal = alice.runs("sh", &["-c", &command]);
    assert!(!terminal.wait().success());
    ends_as_no_code(lab, &alice, Some("the password"));
}

fn ends_as_no_code(lab: &Lab, who: &TestUser, repeats: Option<&str>) {
    let lines = assert_logged(lab, who.name(), &["sent", "denied no-code password"]);
    let detail = repeats.map_or("three inputs that are not a code".to_owned(), |what| {
        format!("the client answers every prompt with {what}")
    });
    assert_eq!(lines[1].field("detail"), Some(&*detail), "{}", lines[1].raw);
    assert_eq!(who.sms(lab), 1);
}
