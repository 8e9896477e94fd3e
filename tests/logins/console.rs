//! login on a terminal: `pam.d/login`. It asks for another name on the same PAM handle.

use super::steps::{self, LOCAL, PASSWORD, ROOT, Service, Somebody, another, told};
use crate::Case;
use lab::bench::Bench;
use lab::process::program;
use lab::pty::Pty;
use lab::world::User;
use std::process::Command;

pub const CASES: &[Case] = &[
    ("logins::console::opens", opens),
    (
        "logins::console::each_name_has_its_own_memory",
        each_name_has_its_own_memory,
    ),
    (
        "logins::console::people_need_the_directory_root_does_not",
        people_need_the_directory_root_does_not,
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

fn opens(bench: &Bench) {
    let alice = Somebody::new(bench, "con-alice");
    let _stack = Service::shipped(bench, "login");
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    alice.type_code(bench, &mut terminal);
    is_in(terminal, "$ ", alice.name());
    let lines = told(bench, alice.name(), &["sent", "granted"]);
    assert!(
        lines[1]
            .message
            .starts_with("pam_sms_otp(login:auth): granted")
    );
    assert_eq!(lines[1].tag, "login", "{lines:#?}");
    assert_eq!(lines[1].field("rhost"), None, "{lines:#?}");
}

fn each_name_has_its_own_memory(bench: &Bench) {
    let alice = Somebody::new(bench, "con-first");
    let bob = Somebody::new(bench, "con-second");
    let _stack = Service::shipped(bench, "login");
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    terminal.expect(&alice.sent());
    let wrong = another(&alice.code(bench));
    for left in ["2 tries left", "1 try left"] {
        terminal.type_line(&wrong);
        terminal.expect(&format!("Wrong code, {left}. SMS code: "));
    }
    terminal.type_line(&wrong);
    terminal.expect("Too many wrong codes. (login ");
    terminal.expect("Login incorrect");
    // The same name again is answered at once, without a prompt.
    give_name(&mut terminal, alice.name());
    let shown = terminal.expect("Login incorrect");
    assert!(!shown.contains("Password"), "{shown}");
    // Another name starts anew.
    give(&mut terminal, bob.name(), "wrong horse");
    terminal.expect("Login incorrect");
    give(&mut terminal, bob.name(), PASSWORD);
    bob.type_code(bench, &mut terminal);
    is_in(terminal, "$ ", bob.name());
    let all = ["sent", "denied wrong-code password"];
    told(bench, alice.name(), &all);
    let all = ["denied wrong-password", "sent", "granted"];
    told(bench, bob.name(), &all);
    assert_eq!((alice.sms(bench), bob.sms(bench)), (1, 1));
}

fn people_need_the_directory_root_does_not(bench: &Bench) {
    let alice = Somebody::new(bench, "con-outage");
    bench.world().password("root", ROOT);
    // Port 9 (discard) has had no server for a long time.
    let settings = steps::settings(bench).set("ldap.uris", "[\"ldaps://127.0.0.1:9\"]");
    let settings = steps::written(bench, "outage", &settings);
    let stack = steps::shipped(bench, "login", &settings);
    let _stack = Service::hold(bench, "login", &stack);
    let mut terminal = login();
    give(&mut terminal, alice.name(), PASSWORD);
    terminal.expect("Login incorrect");
    give(&mut terminal, "root", ROOT);
    is_in(terminal, "# ", "root");
    told(bench, alice.name(), &["failed directory outage"]);
    assert_eq!(alice.sms(bench), 0);
}

fn a_local_password_alone_opens_nothing(bench: &Bench) {
    bench.world().add(&User::new("con-local").password(LOCAL));
    bench.world().password("root", ROOT);
    let _stack = Service::shipped(bench, "login");
    let mut terminal = login();
    give(&mut terminal, "con-local", LOCAL);
    terminal.expect("Login incorrect");
    told(bench, "con-local", &["denied no-such-user"]);
    give(&mut terminal, "root", LOCAL);
    terminal.expect("Login incorrect");
    give(&mut terminal, "root", ROOT);
    is_in(terminal, "# ", "root");
}
