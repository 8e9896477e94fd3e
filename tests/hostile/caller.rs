//! An ordinary user who runs the real sudo and su in an environment that is as hostile as they can make it.

use super::trap::{Folders, Trap};
use crate::Case;
use crate::logins::steps::{LOCAL, PASSWORD, Service, TestUser, assert_logged};
use lab::Lab;
use lab::machine::User;
use lab::process::program;
use lab::pty::Pty;
use lab::twilio::wrong_code;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::caller::sudo_in_a_hostile_environment",
        sudo_in_a_hostile_environment,
    ),
    (
        "hostile::caller::su_in_a_hostile_environment",
        su_in_a_hostile_environment,
    ),
    (
        "hostile::caller::without_standard_descriptors",
        without_standard_descriptors,
    ),
    (
        "hostile::caller::signals_ignored_or_blocked",
        signals_ignored_or_blocked,
    ),
];

/// Runs a program through env(1), which can also set what a shell cannot.
fn through_env(who: &TestUser, options: &[String], words: &[&str]) -> Pty {
    let mut env = Command::new(program("env"));
    let name = program(words[0]);
    Pty::spawn_as(env.args(options).arg(name).args(&words[1..]), &who.account)
}

/// Types a wrong code, then the right one, with the usual results.
fn type_codes(lab: &Lab, who: &TestUser, terminal: &mut Pty) {
    terminal.expect(&who.sent());
    let code = who.code(lab);
    terminal.type_line(&wrong_code(&code));
    terminal.expect("Wrong code, 2 tries left. Verification code: ");
    terminal.type_line(&code);
}

fn sudo_in_a_hostile_environment(lab: &Lab) {
    let alice = TestUser::new(lab, "env-alice");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let id = program("id").display().to_string();
    in_a_hostile_environment(lab, &alice, &["sudo", &id], "uid=0(root)", |terminal| {
        terminal.expect("[sudo] password for env-alice: ");
        terminal.type_line(PASSWORD);
    });
    assert_logged(lab, "env-alice", &["sent", "granted"]);
}

fn su_in_a_hostile_environment(lab: &Lab) {
    let bob = TestUser::new(lab, "env-bob");
    lab.machine().add(&User::new("env-goal").password(LOCAL));
    let _stack = Service::shipped(lab, "su");
    let words = ["su", "env-goal", "-c", "echo I AM in"];
    in_a_hostile_environment(lab, &bob, &words, "I AM in", |terminal| {
        terminal.expect("Password: ");
        terminal.type_line(LOCAL);
    });
    assert_logged(lab, "env-goal", &["sent", "granted"]);
}

fn in_a_hostile_environment(
    lab: &Lab,
    who: &TestUser,
    words: &[&str],
    is_in: &str,
    first: impl Fn(&mut Pty),
) {
    let trap = Trap::set(lab);
    let folders = Folders::new(lab, who.name(), who.account.uid);
    let mut options = vec![format!("--chdir={}", folders.cwd.display())];
    options.extend(trap.environment(&folders));
    let before = folders.listing();
    let mut terminal = through_env(who, &options, words);
    first(&mut terminal);
    // The environment of the caller exists only in the host; the helper has none.
    let helper = helper_of(&terminal);
    let variables = |pid: u32| fs::read(format!("/proc/{pid}/environ")).expect("/proc");
    assert!(
        variables(terminal.pid()).len() > 1000,
        "the host has no such environment"
    );
    assert_eq!(variables(helper), b"");
    type_codes(lab, who, &mut terminal);
    terminal.expect(is_in);
    assert!(terminal.wait().success(), "{}", terminal.screen());
    assert!(trap.is_empty(), "{:?}", trap.caught());
    assert_eq!(who.sms(lab), 1);
    assert_eq!(folders.listing(), before);
}

/// Waits for the helper of the host on this terminal.
pub fn helper_of(terminal: &Pty) -> u32 {
    let until = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some((helper, _)) = lab::processes::helper_of(terminal.pid()) {
            return helper;
        }
        assert!(Instant::now() < until, "no helper: {}", terminal.screen());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// sudo opens the terminal itself. su prompts on descriptor 0, and fails as without our module.
fn without_standard_descriptors(lab: &Lab) {
    let alice = TestUser::new(lab, "closed-alice");
    alice.may_sudo("");
    let _sudo = Service::shipped(lab, "sudo");
    let closed = |command: &str| format!("exec {command} <&- >&- 2>&-");
    let sudo = program("sudo").display().to_string();
    let mut terminal = alice.runs(
        "sh",
        &["-c", &closed(&format!("{sudo} sh -c 'id >/dev/tty'"))],
    );
    terminal.expect("[sudo] password for closed-alice: ");
    terminal.type_line(PASSWORD);
    type_codes(lab, &alice, &mut terminal);
    terminal.expect("uid=0(root)");
    assert!(terminal.wait().success());
    assert_logged(lab, "closed-alice", &["sent", "granted"]);

    lab.machine().add(&User::new("closed-goal").password(LOCAL));
    let _su = Service::shipped(lab, "su");
    let su = program("su").display().to_string();
    let into = alice.account.home.join("in");
    let command = format!("{su} closed-goal -c 'echo in >{}'", into.display());
    let mut terminal = alice.runs("sh", &["-c", &closed(&command)]);
    assert!(!terminal.wait().success());
    assert!(!into.exists());
    assert_logged(lab, "closed-goal", &[]);
    assert_eq!(alice.sms(lab), 1);
}

fn signals_ignored_or_blocked(lab: &Lab) {
    let alice = TestUser::new(lab, "signal-alice");
    alice.may_sudo("");
    lab.machine().add(&User::new("signal-goal").password(LOCAL));
    let _sudo = Service::shipped(lab, "sudo");
    let _su = Service::shipped(lab, "su");
    for option in [
        "--ignore-signal=CHLD",
        "--ignore-signal=PIPE,TERM,ALRM,HUP,USR1",
        "--block-signal=CHLD,PIPE,TERM,ALRM",
        "--ignore-signal",
        "--block-signal",
    ] {
        let option = [option.to_owned()];
        let mut terminal = through_env(&alice, &option, &["sudo", "id"]);
        terminal.expect("[sudo] password for signal-alice: ");
        terminal.type_line(PASSWORD);
        signals_are_reset(lab, &alice, &mut terminal, "uid=0(root)");
        let words = ["su", "signal-goal", "-c", "echo I AM in"];
        let mut terminal = through_env(&alice, &option, &words);
        terminal.expect("Password: ");
        terminal.type_line(LOCAL);
        signals_are_reset(lab, &alice, &mut terminal, "I AM in");
    }
}

/// Types the code, and checks that the helper inherited nothing: no signal is blocked, and only SIGPIPE is
/// ignored (by the runtime of Rust).
fn signals_are_reset(lab: &Lab, who: &TestUser, terminal: &mut Pty, is_in: &str) {
    terminal.expect(&who.sent());
    let status = fs::read_to_string(format!("/proc/{}/status", helper_of(terminal)));
    let status = status.expect("a helper");
    for line in ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000001000"] {
        assert!(status.contains(line), "{status}");
    }
    terminal.type_line(&who.code(lab));
    terminal.expect(is_in);
}
