//! ssh with the directory's password: `pam.d/sshd-ldap`.

mod notices;
mod programs;

use super::steps::{self, PASSWORD, Service, TestUser, assert_logged};
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::pty::Pty;
use lab::slapd::{LdapUser, Slapd};
use lab::sshd::{Key, Options, Sshd};
use lab::twilio::wrong_code;
use std::path::Path;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "logins::ssh_password::opens_and_shows_every_prompt",
        opens_and_shows_every_prompt,
    ),
    (
        "logins::ssh_password::wrong_codes_end_it",
        wrong_codes_end_it,
    ),
    (
        "logins::ssh_password::an_expired_code_is_replaced",
        an_expired_code_is_replaced,
    ),
    (
        "logins::ssh_password::asking_for_too_many_sms_ends_it",
        asking_for_too_many_sms_ends_it,
    ),
    (
        "logins::ssh_password::the_phone_is_not_verified",
        the_phone_is_not_verified,
    ),
    (
        "logins::ssh_password::wrong_password_or_name_sends_nothing",
        wrong_password_or_name_sends_nothing,
    ),
    (
        "logins::ssh_password::users_that_sshd_refuses_are_not_looked_up",
        users_that_sshd_refuses_are_not_looked_up,
    ),
    (
        "logins::ssh_password::the_variant_admits_local_accounts",
        the_variant_admits_local_accounts,
    ),
    (
        "logins::ssh_password::an_askpass_program_gets_one_sms",
        programs::an_askpass_program_gets_one_sms,
    ),
    (
        "logins::ssh_password::grace_logins_show_how_many_are_left",
        notices::grace_logins_show_how_many_are_left,
    ),
    (
        "logins::ssh_password::wrong_codes_of_others_are_shown",
        notices::wrong_codes_of_others_are_shown,
    ),
    (
        "logins::ssh_password::a_client_with_one_password_fails_cleanly",
        programs::a_client_with_one_password_fails_cleanly,
    ),
];

const STACK: &str = "sshd-ldap";

/// An sshd with the shipped stack and these settings.
fn sshd(lab: &Lab, settings: &Path) -> (Service, Sshd) {
    sshd_with(lab, STACK, settings, &[])
}

fn sshd_with(lab: &Lab, service: &str, settings: &Path, lines: &[&str]) -> (Service, Sshd) {
    let text = steps::shipped(lab, STACK, settings);
    let held = Service::hold(lab, service, &text);
    let sshd = Sshd::start(&Options {
        service: service.to_owned(),
        lines: lines.iter().map(|&line| line.to_owned()).collect(),
        ..Options::default()
    });
    (held, sshd)
}

fn type_password(sshd: &Sshd, user: &str, password: &str) -> Pty {
    let mut terminal = sshd.login(user, Key::None);
    terminal.expect("Password: ");
    terminal.type_line(password);
    terminal
}

fn refused(mut terminal: Pty) -> String {
    terminal.expect("Permission denied");
    assert!(!terminal.wait().success());
    assert!(!terminal.screen().contains("WELCOME"));
    terminal.screen()
}

/// The end of a login after `PAM_MAXTRIES`. sshd then offers the client no method at all, and ssh falls back to
/// its preferred method: it asks for a password that sshd does not accept.
pub fn ended(mut terminal: Pty) -> String {
    let ends = ["Permission denied", "'s password: "];
    if terminal.expect_one_of(&ends, lab::pty::TIMEOUT).0 == 1 {
        terminal.type_line(PASSWORD);
        return refused(terminal);
    }
    assert!(!terminal.wait().success());
    terminal.screen()
}

fn opens_and_shows_every_prompt(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-prompts");
    let (_stack, sshd) = sshd_with(lab, "sshd", steps::shared(lab), &[]);
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    let code = alice.code(lab);
    terminal.type_line(&wrong_code(&code));
    terminal.expect("Wrong code, 2 tries left. Verification code: ");
    terminal.type_line("r");
    terminal.expect("Code sent again. Verification code: ");
    assert_eq!(alice.code(lab), code, "the same code goes out again");
    terminal.type_line("not yet");
    terminal.expect("That is not a 6-digit code. Verification code: ");
    terminal.type_line("");
    terminal.expect("Code sent again. Verification code: ");
    terminal.type_line(&wrong_code(&code));
    terminal.expect("Wrong code, 1 try left. Verification code: ");
    terminal.type_line(&format!(" {}-{} ", &code[..3], &code[3..]));
    terminal.expect("WELCOME ssh-prompts");
    assert!(terminal.wait().success());
    assert!(
        terminal.screen().contains(&code[..3]),
        "what is typed at the code prompt is shown"
    );
    assert!(!terminal.screen().contains(PASSWORD), "the password is not");

    let lines = assert_logged(lab, alice.name(), &["sent", "sent", "sent", "granted"]);
    let logins: Vec<_> = lines.iter().map(|line| line.field("login")).collect();
    assert!(logins.windows(2).all(|two| two[0] == two[1]), "{lines:#?}");
    for line in &lines {
        assert!(
            line.message.starts_with("pam_sms_otp(sshd:auth): "),
            "{}",
            line.raw
        );
        // OpenSSH 9.8 made it sshd-session.
        assert!(line.tag.starts_with("sshd"), "{}", line.raw);
        assert_eq!(
            (line.facility, line.field("rhost")),
            (10, Some("127.0.0.1"))
        );
        assert!(line.pid.is_some(), "{}", line.raw);
    }
    assert_eq!(lines[0].field("phone"), Some(alice.masked().as_str()));
    assert!(
        lines[0]
            .field("sid")
            .is_some_and(|sid| sid.starts_with("SM"))
    );
    assert_eq!(alice.sms(lab), 3);
}

fn wrong_codes_end_it(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-wrong");
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    let wrong = wrong_code(&alice.code(lab));
    terminal.type_line(&wrong);
    terminal.expect("Wrong code, 2 tries left. Verification code: ");
    terminal.type_line(&wrong);
    terminal.expect("Wrong code, 1 try left. Verification code: ");
    terminal.type_line(&wrong);
    let screen = ended(terminal);
    let lines = assert_logged(lab, alice.name(), &["sent", "denied wrong-code password"]);
    let login = lines[1].field("login").expect("a login");
    let text = format!("Too many wrong codes. (login {login})");
    assert!(screen.contains(&text), "{screen}");
    assert_eq!(alice.sms(lab), 1);
}

fn an_expired_code_is_replaced(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-expired");
    let settings = steps::settings(lab)
        .text("code.lifetime", "5s")
        .set("code.resends", "1");
    let settings = steps::written(lab, "expired", &settings);
    let text = steps::shipped(lab, STACK, &settings);
    let _stack = Service::hold(lab, "sshd-short", &text);
    let sshd = Sshd::start(&Options {
        service: "sshd-short".to_owned(),
        ..Options::default()
    });
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    let first = alice.code(lab);
    std::thread::sleep(Duration::from_millis(5200));
    terminal.type_line(&first);
    terminal.expect("The code has expired; a new one was sent. Verification code: ");
    let second = alice.code(lab);
    std::thread::sleep(Duration::from_millis(5200));
    terminal.type_line(&second);
    let screen = ended(terminal);
    let lines = assert_logged(
        lab,
        alice.name(),
        &["sent", "sent", "denied expired-code password"],
    );
    let login = lines[2].field("login").expect("a login");
    let text = format!("The code has expired. (login {login})");
    assert!(screen.contains(&text), "{screen}");
}

fn asking_for_too_many_sms_ends_it(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-resend");
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    for _ in 0..2 {
        terminal.type_line("r");
        terminal.expect("Code sent again. Verification code: ");
    }
    for _ in 0..2 {
        terminal.type_line("r");
        terminal.expect("No more SMS in this login. Verification code: ");
    }
    terminal.type_line("r");
    ended(terminal);
    let end = "denied no-code password";
    assert_logged(lab, alice.name(), &["sent", "sent", "sent", end]);
    assert_eq!(alice.sms(lab), 3);
}

fn the_phone_is_not_verified(lab: &Lab) {
    let name = "ssh-unverified";
    let number = lab.number();
    lab.machine().add(&User::new(name));
    let person = LdapUser::new(name).password(PASSWORD).verified("FALSE");
    lab.slapd().add(&person.attr("mobile", &number));
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    let screen = ended(type_password(&sshd, name, PASSWORD));
    let lines = assert_logged(lab, name, &["denied not-verified password"]);
    let login = lines[0].field("login").expect("a login");
    let text = format!("No verified phone number on file. Ask your administrator. (login {login})");
    assert!(screen.contains(&text), "{screen}");
    assert_eq!(lab.twilio().sms_to(&number).len(), 0);
}

fn wrong_password_or_name_sends_nothing(lab: &Lab) {
    let alice = TestUser::new(lab, "ssh-badpass");
    lab.machine().add(&User::new("ssh-unknown"));
    let (_stack, sshd) = sshd(lab, steps::shared(lab));
    let wrong = refused(type_password(&sshd, alice.name(), "wrong horse"));
    assert_logged(lab, alice.name(), &["denied wrong-password"]);
    let unknown = refused(type_password(&sshd, "ssh-unknown", PASSWORD));
    assert_logged(lab, "ssh-unknown", &["denied no-such-user"]);
    let same = |screen: String, name| screen.replace(name, "NAME");
    assert_eq!(
        same(wrong, alice.name()),
        same(unknown, "ssh-unknown"),
        "the screen reveals no names"
    );
    // An empty one is refused before any bind.
    refused(type_password(&sshd, alice.name(), ""));
    assert_logged(
        lab,
        alice.name(),
        &["denied wrong-password", "denied wrong-password"],
    );
    assert_eq!(lab.slapd().binds(&alice.person.dn()), 1);
    assert_eq!(alice.sms(lab), 0);
}

fn users_that_sshd_refuses_are_not_looked_up(lab: &Lab) {
    // On the machine and in the directory, with the right password; but not through this sshd.
    let barred = TestUser::new(lab, "ssh-barred");
    // In the directory only: sshd has no such user.
    let number = lab.number();
    let not_local = LdapUser::new("ssh-not-local")
        .password(PASSWORD)
        .phone(&number);
    lab.slapd().add(&not_local);
    let settings = steps::written(lab, "barred", &steps::settings(lab));
    let (_stack, sshd) = sshd_with(
        lab,
        "sshd-barred",
        &settings,
        &["DenyUsers ssh-barred", "PermitRootLogin no"],
    );
    refused(type_password(&sshd, barred.name(), PASSWORD));
    assert_logged(lab, barred.name(), &["denied wrong-password"]);
    refused(type_password(&sshd, "ssh-not-local", PASSWORD));
    refused(type_password(&sshd, "root", PASSWORD));
    let log = lab.machine().log();
    let line = log.wait_for(
        &["pam_sms_otp(sshd-barred:auth): denied", "user=?"],
        Duration::from_secs(10),
    );
    assert_eq!(line.field("reason"), Some("wrong-password"), "{}", line.raw);
    let lines = log.lines_with(&["pam_sms_otp(sshd-barred:auth)", "ssh-not-local"]);
    assert!(lines.is_empty(), "{lines:#?}");
    // A name of this machine is searched while the password is typed, before sshd refuses the user. The
    // password is not sent anywhere.
    assert_eq!(lab.slapd().binds(&barred.person.dn()), 0);
    assert_eq!(lab.slapd().binds(&not_local.dn()), 0);
    for name in ["root", "ssh-not-local"] {
        // Other cases may search for the same name, below other entries.
        let base = format!("SRCH base=\"{}\"", Slapd::people());
        let log = lab.slapd().log();
        let mut searches = log.lines().filter(|line| line.contains(&base));
        let asked = searches.any(|line| line.contains(&format!("(uid={name})")));
        assert!(!asked, "the directory was asked for {name}");
    }
    assert_eq!(barred.sms(lab), 0);
    assert_eq!(lab.twilio().sms_to(&number).len(), 0);
}

fn the_variant_admits_local_accounts(lab: &Lab) {
    let local = User::new("ssh-local").password(steps::LOCAL);
    lab.machine().add(&local);
    let alice = TestUser::with_local_password(lab, "ssh-both");
    let text = steps::shipped(lab, STACK, steps::shared(lab));
    let _stack = Service::hold(lab, "sshd-variant", &steps::variant(&text));
    let sshd = Sshd::start(&Options {
        service: "sshd-variant".to_owned(),
        ..Options::default()
    });
    let mut terminal = type_password(&sshd, "ssh-local", steps::LOCAL);
    terminal.expect("WELCOME ssh-local");
    assert_logged(lab, "ssh-local", &["denied no-such-user"]);
    refused(type_password(&sshd, "ssh-local", "wrong horse"));
    // A user of the directory needs its password and a code.
    refused(type_password(&sshd, alice.name(), steps::LOCAL));
    let mut terminal = type_password(&sshd, alice.name(), PASSWORD);
    alice.type_code(lab, &mut terminal);
    terminal.expect("WELCOME ssh-both");
    let all = ["denied wrong-password", "sent", "granted"];
    assert_logged(lab, alice.name(), &all);
    assert_eq!(alice.sms(lab), 1);
}
