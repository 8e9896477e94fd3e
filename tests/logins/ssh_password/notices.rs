//! Texts that are shown with a granted login.

use super::{ended, sshd, type_password};
use crate::logins::steps::{self, PASSWORD, Service, TestUser};
use lab::Lab;
use lab::machine::User;
use lab::slapd::LdapUser;
use lab::twilio::wrong_code;
use std::time::Duration;

pub fn grace_logins_show_how_many_are_left(lab: &Lab) {
    let name = "ssh-grace";
    let number = lab.number();
    lab.machine().add(&User::new(name));
    let person = LdapUser::new(name)
        .password(PASSWORD)
        .phone(&number)
        .grace();
    lab.slapd().add(&person);
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    for text in [
        "Your password has expired; 2 more logins until you must change it.",
        "Your password has expired; 1 more login until you must change it.",
        "This was the last login with your expired password. Change it now.",
    ] {
        let mut terminal = type_password(&sshd, name, PASSWORD);
        terminal.expect("Verification code: ");
        terminal.type_line(
            &lab.twilio()
                .wait_for_sms(&number, Duration::from_secs(10))
                .code(),
        );
        terminal.expect(text);
        terminal.expect("WELCOME ssh-grace");
    }
    let screen = ended(type_password(&sshd, name, PASSWORD));
    let text = "Your password has expired. Change it, then log in again. (login ";
    assert!(screen.contains(text), "{screen}");
}

/// sudo is silent, so the count of guesses stays for the next ssh login.
pub fn wrong_codes_of_others_are_shown(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-guessed");
    alice.may_sudo("");
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    let wrong = wrong_code(&alice.code(lab));
    for left in ["2 tries left", "1 try left"] {
        terminal.type_line(&wrong);
        terminal.expect(&format!("Wrong code, {left}. Verification code: "));
    }
    terminal.type_line(&wrong);
    ended(terminal);
    let text = "3 wrong codes were entered since your last login.";
    {
        let _sudo = Service::shipped(lab, "sudo");
        let mut terminal = alice.runs("sudo", &["id"]);
        terminal.expect("assword");
        terminal.type_line(PASSWORD);
        alice.type_code(lab, &mut terminal);
        terminal.expect("uid=0(root)");
        assert!(!terminal.screen().contains("wrong code"), "sudo is silent");
    }
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    alice.type_code(lab, &mut terminal);
    terminal.expect(text);
    terminal.expect("WELCOME ssh-guessed");
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    alice.type_code(lab, &mut terminal);
    terminal.expect("WELCOME ssh-guessed");
    assert!(!terminal.screen().contains("wrong code"), "shown twice");
}
