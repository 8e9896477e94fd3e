//! The private machine accepts and refuses logins as a real one does, with pam_unix alone.

use super::steps::Service;
use crate::Case;
use lab::Lab;
use lab::machine::User;
use lab::process::program;
use lab::pty::Pty;
use lab::sshd::{Key, Options, Sshd};
use std::process::Command;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "logins::lab_itself::ssh_asks_for_the_password",
        ssh_asks_for_the_password,
    ),
    (
        "logins::lab_itself::ssh_asks_for_key_and_password",
        ssh_asks_for_key_and_password,
    ),
    (
        "logins::lab_itself::sudo_asks_for_the_password",
        sudo_asks_for_the_password,
    ),
    (
        "logins::lab_itself::su_asks_for_the_target_s_password",
        su_asks_for_the_target_s_password,
    ),
    (
        "logins::lab_itself::login_asks_for_name_and_password",
        login_asks_for_name_and_password,
    ),
];

const UNIX: &str = "auth required pam_unix.so\naccount required pam_unix.so\n\
                    session required pam_permit.so\n";
const LOG_TIME: Duration = Duration::from_secs(10);

fn ssh_asks_for_the_password(lab: &Lab) {
    let machine = lab.machine();
    machine.add(&User::new("ssh-alice").password("right horse"));
    machine.stack("lab-ssh", UNIX);
    let sshd = Sshd::start(&Options {
        service: "lab-ssh".to_owned(),
        ..Options::default()
    });

    let mut terminal = sshd.login("ssh-alice", Key::None);
    terminal.expect("Password: ");
    terminal.type_line("right horse");
    terminal.expect("WELCOME ssh-alice");
    assert!(terminal.wait().success(), "{}", terminal.screen());

    let mut terminal = sshd.login("ssh-alice", Key::None);
    terminal.expect("Password: ");
    terminal.type_line("wrong horse");
    terminal.expect("Permission denied");
    assert!(!terminal.wait().success());
    let line = machine
        .log()
        .wait_for(&["pam_unix(lab-ssh:auth)", "ssh-alice"], LOG_TIME);
    assert!(
        line.message.contains("authentication failure"),
        "{}",
        line.raw
    );
    assert_eq!(line.facility, 10, "authpriv: {}", line.raw);
}

fn ssh_asks_for_key_and_password(lab: &Lab) {
    lab.machine()
        .add(&User::new("key-alice").password("right horse"));
    lab.machine().stack("lab-key", UNIX);
    let sshd = Sshd::start(&Options {
        service: "lab-key".to_owned(),
        methods: "publickey,keyboard-interactive".to_owned(),
        ..Options::default()
    });
    let mut terminal = sshd.login("key-alice", Key::Right);
    terminal.expect("Password: ");
    terminal.type_line("right horse");
    terminal.expect("WELCOME key-alice");
    let mut terminal = sshd.login("key-alice", Key::None);
    terminal.expect("Permission denied (publickey)");
    terminal.wait();
}

fn sudo_asks_for_the_password(lab: &Lab) {
    let machine = lab.machine();
    let alice = machine.add(&User::new("sudo-alice").password("right horse"));
    let _stack = Service::hold(lab, "sudo", UNIX);
    let rule = "sudo-alice ALL=(ALL) ALL\n";
    lab::scratch::write("/etc/sudoers.d/sudo-alice".as_ref(), 0o440, rule);
    let start = || Pty::spawn_as(Command::new(program("sudo")).arg("id"), &alice);

    let mut terminal = start();
    terminal.expect("password for sudo-alice: ");
    terminal.type_line("right horse");
    terminal.expect("uid=0(root)");
    assert!(terminal.wait().success());

    let mut terminal = start();
    for _ in 0..3 {
        terminal.expect("password for sudo-alice: ");
        terminal.type_line("wrong horse");
    }
    terminal.expect("3 incorrect password attempts");
    assert!(!terminal.wait().success());

    let mut terminal = start();
    terminal.expect("password for sudo-alice: ");
    terminal.interrupt();
    assert!(!terminal.wait().success(), "{}", terminal.screen());
}

fn su_asks_for_the_target_s_password(lab: &Lab) {
    let machine = lab.machine();
    let caller = machine.add(&User::new("su-caller"));
    machine.add(&User::new("su-target").password("right horse"));
    let _stack = Service::hold(lab, "su", UNIX);
    let mut su = Command::new(program("su"));
    let mut terminal = Pty::spawn_as(su.args(["su-target", "-c", "id -un"]), &caller);
    terminal.expect("Password: ");
    terminal.type_line("right horse");
    terminal.expect("su-target");
    assert!(terminal.wait().success());
}

fn login_asks_for_name_and_password(lab: &Lab) {
    let machine = lab.machine();
    machine.add(&User::new("login-alice").password("right horse"));
    let _stack = Service::hold(lab, "login", UNIX);
    let mut terminal = Pty::spawn(&mut Command::new(program("login")));
    terminal.expect("login: ");
    terminal.type_line("login-alice");
    terminal.expect("Password: ");
    terminal.type_line("wrong horse");
    terminal.expect("Login incorrect");
    terminal.expect("login: ");
    terminal.type_line("login-alice");
    terminal.expect("Password: ");
    terminal.type_line("right horse");
    terminal.expect("$ ");
    terminal.type_line("echo I am $(id -un)");
    terminal.expect("I am login-alice");
    terminal.type_line("exit");
    terminal.wait();
}
