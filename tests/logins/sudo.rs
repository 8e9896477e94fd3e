//! sudo: `pam.d/sudo`. It asks three times on one PAM handle, and shows no text but the prompts.

mod programs;

use super::steps::{self, PASSWORD, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::pty::Pty;
use lab::twilio::wrong_code;

pub const CASES: &[Case] = &[
    ("logins::sudo::opens", opens),
    (
        "logins::sudo::the_login_shell_has_sudo_s_settings",
        the_login_shell_has_sudo_s_settings,
    ),
    (
        "logins::sudo::the_login_shell_after_pam_unix",
        the_login_shell_after_pam_unix,
    ),
    (
        "logins::sudo::without_its_sample_the_login_shell_needs_no_code",
        without_its_sample_the_login_shell_needs_no_code,
    ),
    (
        "logins::sudo::its_own_prompt_replaces_ours_unless_sudoers_forbids_it",
        its_own_prompt_replaces_ours_unless_sudoers_forbids_it,
    ),
    (
        "logins::sudo::a_wrong_password_is_asked_for_again",
        a_wrong_password_is_asked_for_again,
    ),
    (
        "logins::sudo::wrong_codes_are_remembered",
        wrong_codes_are_remembered,
    ),
    (
        "logins::sudo::answers_that_are_no_code_are_remembered",
        answers_that_are_no_code_are_remembered,
    ),
    (
        "logins::sudo::a_pipe_gets_one_sms",
        programs::a_pipe_gets_one_sms,
    ),
    (
        "logins::sudo::an_askpass_program_gets_one_sms",
        programs::an_askpass_program_gets_one_sms,
    ),
    (
        "logins::sudo::an_outage_is_not_forgiven",
        an_outage_is_not_forgiven,
    ),
    ("logins::sudo::ctrl_c_ends_it", ctrl_c_ends_it),
    (
        "logins::sudo::does_not_ask_again_within_the_timeout",
        does_not_ask_again_within_the_timeout,
    ),
    ("logins::sudo::after_pam_unix", after_pam_unix),
    (
        "logins::sudo::the_variant_admits_local_accounts",
        the_variant_admits_local_accounts,
    ),
];

fn prompt(who: &TestUser) -> String {
    format!("[sudo] password for {}: ", who.name())
}

fn type_password(who: &TestUser, terminal: &mut Pty, password: &str) {
    terminal.expect(&prompt(who));
    terminal.type_line(password);
}

fn opens(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-opens");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, PASSWORD);
    terminal.expect(&alice.sent());
    let code = alice.code(lab);
    terminal.type_line(&wrong_code(&code));
    terminal.expect("Wrong code, 2 tries left. Verification code: ");
    terminal.type_line("abc");
    terminal.expect("That is not a 6-digit code. Verification code: ");
    terminal.type_line("");
    terminal.expect("Code sent again. Verification code: ");
    terminal.type_line(&code);
    terminal.expect("uid=0(root)");
    assert!(terminal.wait().success());
    let lines = assert_logged(lab, alice.name(), &["sent", "sent", "granted"]);
    for line in &lines {
        assert!(
            line.message.starts_with("pam_sms_otp(sudo:auth): "),
            "{}",
            line.raw
        );
        assert_eq!((line.tag.as_str(), line.facility), ("sudo", 10));
    }
    // sudo does not fork before the user is authenticated.
    assert_eq!(lines[0].pid, Some(terminal.pid()));
}

/// `sudo -i` is the service sudo-i, which `[service.sudo]` covers.
fn the_login_shell_has_sudo_s_settings(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-shell");
    alice.may_sudo("");
    let settings = steps::settings(lab).set("service.sudo.code.digits", "7");
    let settings = steps::written(lab, "sudo-i", &settings);
    let stack = steps::shipped(lab, "sudo", &settings);
    let _sudo = Service::hold(lab, "sudo", &stack);
    let _stack = Service::shipped(lab, "sudo-i");
    let mut terminal = alice.runs("sudo", &["-i", "id", "-u"]);
    type_password(&alice, &mut terminal, PASSWORD);
    terminal.expect(&alice.sent());
    terminal.type_line("123456");
    terminal.expect("That is not a 7-digit code. Verification code: ");
    let code = alice.code(lab);
    assert_eq!(code.len(), 7);
    terminal.type_line(&code);
    terminal.expect("\n0\r\n");
    assert!(terminal.wait().success());
    let lines = assert_logged(lab, alice.name(), &["sent", "granted"]);
    assert!(
        lines[1]
            .message
            .starts_with("pam_sms_otp(sudo-i:auth): granted")
    );
}

/// The sample `sudo-i` includes `sudo`, so it fits `sudo-stack` as well.
fn the_login_shell_after_pam_unix(lab: &Lab) {
    let alice = TestUser::with_local_password(lab, "sudo-shell-stack");
    alice.may_sudo("");
    let stack = steps::shipped(lab, "sudo-stack", steps::shared(lab));
    let _sudo = Service::hold(lab, "sudo", &stack);
    let _stack = Service::shipped(lab, "sudo-i");
    let mut terminal = alice.runs("sudo", &["-i", "id", "-u"]);
    type_password(&alice, &mut terminal, steps::LOCAL);
    alice.type_code(lab, &mut terminal);
    terminal.expect("\n0\r\n");
    assert!(terminal.wait().success());
    assert_logged(lab, alice.name(), &["sent", "granted"]);
}

/// What the documents warn of: with `/etc/pam.d/sudo` alone, Debian's own `sudo-i` stays.
fn without_its_sample_the_login_shell_needs_no_code(lab: &Lab) {
    let alice = TestUser::with_local_password(lab, "sudo-shell-open");
    alice.may_sudo("");
    let _sudo = Service::shipped(lab, "sudo");
    let debian = "session required pam_limits.so\n@include common-auth\n\
                  @include common-account\n@include common-session\n";
    let _stack = Service::hold(lab, "sudo-i", debian);
    let mut terminal = alice.runs("sudo", &["-i", "id", "-u"]);
    type_password(&alice, &mut terminal, steps::LOCAL);
    terminal.expect("\n0\r\n");
    assert!(terminal.wait().success());
    assert_logged(lab, alice.name(), &[]);
    assert_eq!(alice.sms(lab), 0);
}

/// `-p`, as Ansible and installers pass it.
fn its_own_prompt_replaces_ours_unless_sudoers_forbids_it(lab: &Lab) {
    let _stack = Service::shipped(lab, "sudo");
    let alice = TestUser::new(lab, "sudo-prompt");
    alice.may_sudo("");
    let mut terminal = alice.runs("sudo", &["-p", "[become] secret:", "id"]);
    for answer in [PASSWORD.to_owned(), String::new()] {
        terminal.expect("[become] secret:");
        let code = || alice.code(lab);
        terminal.type_line(&if answer.is_empty() { code() } else { answer });
    }
    terminal.expect("uid=0(root)");
    assert!(!terminal.screen().contains("Code sent"));

    // As in the sample.
    let sample = std::fs::read_to_string(steps::repository().join("pam.d/sudo")).expect("a sample");
    let sample = sample.replace("\n#", "");
    let line = "Defaults !passprompt_override";
    assert!(sample.contains(line), "the sample does not say {line}");
    let bob = TestUser::new(lab, "sudo-prompt-kept");
    bob.may_sudo(&line.replace("Defaults", "Defaults:sudo-prompt-kept"));
    let mut terminal = bob.runs("sudo", &["-p", "[become] secret:", "id"]);
    terminal.expect("[become] secret:");
    terminal.type_line(PASSWORD);
    bob.type_code(lab, &mut terminal);
    terminal.expect("uid=0(root)");
    assert_eq!(terminal.screen().matches("[become] secret:").count(), 1);
}

fn a_wrong_password_is_asked_for_again(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-badpass");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = alice.runs("sudo", &["id"]);
    for _ in 0..3 {
        type_password(&alice, &mut terminal, "wrong horse");
    }
    terminal.expect("3 incorrect password attempts");
    assert!(!terminal.wait().success());
    assert_logged(lab, alice.name(), &["denied wrong-password"; 3]);
    assert_eq!(lab.slapd().binds(&alice.person.dn()), 3);
    assert_eq!(alice.sms(lab), 0);

    // Right at the second asking.
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, "wrong horse");
    type_password(&alice, &mut terminal, PASSWORD);
    alice.type_code(lab, &mut terminal);
    terminal.expect("uid=0(root)");
    assert_eq!(alice.sms(lab), 1);
}

fn wrong_codes_are_remembered(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-wrong");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, PASSWORD);
    terminal.expect(&alice.sent());
    let wrong = wrong_code(&alice.code(lab));
    for left in ["2 tries left", "1 try left"] {
        terminal.type_line(&wrong);
        terminal.expect(&format!("Wrong code, {left}. Verification code: "));
    }
    terminal.type_line(&wrong);
    // sudo asks twice more, and gets the result without a prompt.
    assert!(!terminal.wait().success());
    let screen = terminal.screen();
    assert_eq!(screen.matches(&prompt(&alice)).count(), 1, "{screen}");
    assert_eq!(screen.matches("Verification code: ").count(), 3, "{screen}");
    assert!(
        !screen.contains("Too many wrong codes"),
        "sudo is silent: {screen}"
    );
    assert!(!screen.contains("uid=0"), "{screen}");
    let all = ["sent", "denied wrong-code password"];
    assert_logged(lab, alice.name(), &all);
    assert_eq!(alice.sms(lab), 1);
}

fn answers_that_are_no_code_are_remembered(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-counts");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, "wrong horse");
    type_password(&alice, &mut terminal, PASSWORD);
    terminal.expect(&alice.sent());
    for _ in 0..2 {
        terminal.type_line("abc");
        terminal.expect("That is not a 6-digit code. Verification code: ");
    }
    terminal.type_line("abc");
    // The third call gets the result without a prompt.
    assert!(!terminal.wait().success());
    let screen = terminal.screen();
    assert_eq!(screen.matches(&prompt(&alice)).count(), 2, "{screen}");
    let all = ["denied wrong-password", "sent", "denied no-code password"];
    assert_logged(lab, alice.name(), &all);
    assert_eq!(alice.sms(lab), 1);
}

/// The caller could have caused it, so a stack that forgives outages refuses them, too.
fn an_outage_is_not_forgiven(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-outage");
    alice.may_sudo("");
    let stack = |settings: &std::path::Path| {
        let ours = lab.product().line(settings);
        let permit =
            ["auth", "account", "session"].map(|kind| format!("{kind} required pam_permit.so"));
        let first = format!("auth [success=ok authinfo_unavail=ignore default=die] {ours}");
        format!("{first}\n{}\n", permit.join("\n"))
    };
    {
        let _stack = Service::hold(lab, "sudo", &stack(steps::shared(lab)));
        let mut terminal = alice.runs("sudo", &["id"]);
        type_password(&alice, &mut terminal, PASSWORD);
        alice.type_code(lab, &mut terminal);
        terminal.expect("uid=0(root)");
    }
    // Port 9 (discard) has no server.
    let settings = steps::settings(lab).set("ldap.uris", "[\"ldaps://127.0.0.1:9\"]");
    let settings = steps::written(lab, "sudo-outage", &settings);
    let _stack = Service::hold(lab, "sudo", &stack(&settings));
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, PASSWORD);
    assert!(!terminal.wait().success());
    let screen = terminal.screen();
    assert!(!screen.contains("uid=0"), "{screen}");
    let all = ["sent", "granted", "failed directory outage"];
    assert_logged(lab, alice.name(), &all);
}

fn ctrl_c_ends_it(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-ctrl-c");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = alice.runs("sudo", &["id"]);
    terminal.expect(&prompt(&alice));
    terminal.interrupt();
    assert!(!terminal.wait().success());
    assert_logged(lab, alice.name(), &["denied cancelled"]);
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, PASSWORD);
    terminal.expect(&alice.sent());
    terminal.interrupt();
    assert!(!terminal.wait().success());
    assert!(!terminal.screen().contains("uid=0"));
    let all = ["denied cancelled", "sent", "denied abandoned password"];
    assert_logged(lab, alice.name(), &all);
    assert_eq!(alice.sms(lab), 1);
}

fn does_not_ask_again_within_the_timeout(lab: &Lab) {
    let alice = TestUser::new(lab, "sudo-again");
    alice.may_sudo("Defaults:sudo-again timestamp_timeout=5");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = alice.runs("sh", &["-c", "sudo id -u; sudo id -un"]);
    type_password(&alice, &mut terminal, PASSWORD);
    alice.type_code(lab, &mut terminal);
    terminal.expect("\n0\r\n");
    terminal.expect("root");
    assert!(terminal.wait().success());
    assert_logged(lab, alice.name(), &["sent", "granted"]);
}

fn after_pam_unix(lab: &Lab) {
    let alice = TestUser::with_local_password(lab, "sudo-stack");
    alice.may_sudo("");
    let stack = steps::shipped(lab, "sudo-stack", steps::shared(lab));
    let _stack = Service::hold(lab, "sudo", &stack);
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, PASSWORD);
    terminal.expect(&prompt(&alice));
    assert_eq!(alice.sms(lab), 0, "the directory's is not this machine's");
    terminal.type_line(steps::LOCAL);
    alice.type_code(lab, &mut terminal);
    terminal.expect("uid=0(root)");
    assert!(terminal.wait().success());
    assert_logged(lab, alice.name(), &["sent", "granted"]);
}

fn the_variant_admits_local_accounts(lab: &Lab) {
    let alice = TestUser::with_local_password(lab, "sudo-both");
    alice.may_sudo("");
    let local = User::new("sudo-local").password(steps::LOCAL);
    let local = lab.machine().add(&local);
    let rule = "sudo-local ALL=(ALL) ALL\n";
    lab::scratch::write("/etc/sudoers.d/sudo-local".as_ref(), 0o440, rule);
    let stack = steps::shipped(lab, "sudo", steps::shared(lab));
    let _stack = Service::hold(lab, "sudo", &steps::variant(&stack));
    let mut sudo = std::process::Command::new(lab::process::program("sudo"));
    let mut terminal = Pty::spawn_as(sudo.arg("id"), &local);
    terminal.expect("[sudo] password for sudo-local: ");
    terminal.type_line(steps::LOCAL);
    terminal.expect("uid=0(root)");
    assert_logged(lab, "sudo-local", &["denied no-such-user"]);
    let mut terminal = alice.runs("sudo", &["id"]);
    type_password(&alice, &mut terminal, steps::LOCAL);
    type_password(&alice, &mut terminal, PASSWORD);
    alice.type_code(lab, &mut terminal);
    terminal.expect("uid=0(root)");
}
