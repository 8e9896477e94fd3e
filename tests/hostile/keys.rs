//! Ctrl-C, Ctrl-Z and kill(2) by the caller: the caller cannot signal the helper, and none of these gives them
//! another attempt.

use super::caller::helper_of;
use super::torture;
use crate::Case;
use crate::logins::steps::{self, LOCAL, PASSWORD, Service, TestUser, assert_logged};
use lab::Lab;
use lab::machine::User;
use lab::processes;
use lab::pty::{Pty, TIMEOUT};
use lab::twilio::wrong_code;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::keys::ctrl_z_stops_only_sudo",
        ctrl_z_stops_only_sudo,
    ),
    ("hostile::keys::ctrl_z_stops_only_su", ctrl_z_stops_only_su),
    (
        "hostile::keys::the_caller_cannot_signal_the_helper",
        the_caller_cannot_signal_the_helper,
    ),
    (
        "hostile::keys::a_stopped_su_continues",
        a_stopped_su_continues,
    ),
    (
        "hostile::keys::killing_su_gives_no_attempt",
        killing_su_gives_no_attempt,
    ),
    ("hostile::keys::killed_at_enter", killed_at_enter),
];

/// Sends a signal as the caller, and returns the error.
fn kill(caller: &TestUser, signal: &str, pid: u32) -> Result<(), String> {
    let mut sh = Command::new("/bin/sh");
    sh.args(["-c", "kill -s $0 -- $1", signal, &pid.to_string()]);
    let output = sh
        .uid(caller.account.uid)
        .gid(caller.account.gid)
        .env("LC_ALL", "C")
        .output();
    let output = output.expect("sh");
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The letter of proc_pid_stat(5): `T` is stopped.
fn state(pid: u32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, rest) = stat.rsplit_once(") ").expect("a state");
    rest.chars().next().expect("a state")
}

/// Waits until a process is stopped.
pub fn stops(pid: u32) {
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while state(pid) != 'T' {
        assert!(std::time::Instant::now() < until, "{pid} does not stop");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn target(lab: &Lab, name: &str) {
    lab.machine().add(&User::new(name).password(LOCAL));
}

/// Starts su and continues up to the code prompt.
fn su(alice: &TestUser, goal: &str) -> Pty {
    let mut terminal = alice.runs("su", &[goal, "-c", "echo I AM in"]);
    terminal.expect("Password: ");
    terminal.type_line(LOCAL);
    terminal.expect(&alice.sent());
    terminal
}

/// Starts a command from a shell that reports when it is stopped, and continues it after Enter.
fn under_job_control(alice: &TestUser, command: &str) -> Pty {
    let script = format!("set -m; {command}; echo IT STOPPED; read line; fg");
    alice.runs("sh", &["-c", &script])
}

fn ctrl_z(terminal: &Pty) {
    // As with Ctrl-C: the prompt is shown before the terminal is read.
    std::thread::sleep(Duration::from_millis(500));
    terminal.type_bytes(b"\x1a");
}

/// The only child of a process.
fn child(of: u32) -> u32 {
    let [child] = processes::children(of)[..] else {
        panic!("one child of {of}");
    };
    child
}

/// The states of the host, of the intermediate process and of the helper.
fn states(host: u32) -> [char; 3] {
    [host, child(host), child(child(host))].map(state)
}

/// sudo stops at its prompt. When it continues, some versions end and some prompt again, with pam_unix too:
/// either way it is the same login.
fn ctrl_z_stops_only_sudo(lab: &Lab) {
    let alice = TestUser::new(lab, "ctrl-z-sudo");
    alice.may_sudo("");
    let _stack = Service::shipped(lab, "sudo");
    let mut terminal = under_job_control(&alice, "sudo id");
    terminal.expect("[sudo] password for ctrl-z-sudo: ");
    terminal.type_line(PASSWORD);
    terminal.expect(&alice.sent());
    ctrl_z(&terminal);
    terminal.expect("IT STOPPED");
    let sudo = child(terminal.pid());
    assert_eq!(states(sudo), ['T', 'S', 'S']);
    terminal.type_line("");
    let ways = ["a password is required", &*alice.sent()];
    if terminal.expect_one_of(&ways, TIMEOUT).0 == 0 {
        assert_logged(lab, "ctrl-z-sudo", &["sent", "denied abandoned password"]);
        assert!(!terminal.screen().contains("uid=0"));
    } else {
        terminal.type_line(&alice.code(lab));
        terminal.expect("uid=0(root)");
        assert_logged(lab, "ctrl-z-sudo", &["sent", "granted"]);
    }
    assert_eq!(alice.sms(lab), 1);
}

/// su delays the signal until the answer is complete, stops, and continues with that answer.
fn ctrl_z_stops_only_su(lab: &Lab) {
    let alice = TestUser::new(lab, "ctrl-z-su");
    target(lab, "ctrl-z-goal");
    let _stack = Service::shipped(lab, "su");
    let mut terminal = under_job_control(&alice, "su ctrl-z-goal -c 'echo I AM in'");
    terminal.expect("Password: ");
    terminal.type_line(LOCAL);
    terminal.expect(&alice.sent());
    ctrl_z(&terminal);
    terminal.type_line(&alice.code(lab));
    terminal.expect("IT STOPPED");
    let su = child(terminal.pid());
    assert_eq!(states(su), ['T', 'S', 'S']);
    terminal.type_line("");
    terminal.expect("I AM in");
    assert_logged(lab, "ctrl-z-goal", &["sent", "granted"]);
    assert_eq!(alice.sms(lab), 1);
}

fn the_caller_cannot_signal_the_helper(lab: &Lab) {
    let alice = TestUser::new(lab, "kill-alice");
    target(lab, "kill-goal");
    let _stack = Service::shipped(lab, "su");
    let mut terminal = su(&alice, "kill-goal");
    let helper = helper_of(&terminal);
    let intermediate = processes::parent(helper).expect("its parent");
    for process in [helper, intermediate] {
        for signal in [
            "KILL", "STOP", "TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "CONT", "0",
        ] {
            let answer = kill(&alice, signal, process);
            let refused = answer
                .as_ref()
                .err()
                .is_some_and(|error| error.contains("not permitted"));
            assert!(refused, "{signal}: {answer:?}");
        }
        // It is in none of the process groups or sessions of the caller.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("a process");
        let (_, rest) = stat.rsplit_once(") ").expect("a state");
        let ids: Vec<&str> = rest.split(' ').skip(2).take(3).collect();
        let own = intermediate.to_string();
        assert_eq!(
            ids,
            [own.as_str(), own.as_str(), "0"],
            "group, session, terminal"
        );
    }
    terminal.type_line(&alice.code(lab));
    terminal.expect("I AM in");
    assert_logged(lab, "kill-goal", &["sent", "granted"]);
}

/// The real uid of su is the caller, who may stop it; it only waits.
fn a_stopped_su_continues(lab: &Lab) {
    let alice = TestUser::new(lab, "stop-alice");
    target(lab, "stop-goal");
    let _stack = Service::shipped(lab, "su");
    let mut terminal = su(&alice, "stop-goal");
    let helper = helper_of(&terminal);
    let code = alice.code(lab);
    kill(&alice, "STOP", terminal.pid()).expect("permission");
    stops(terminal.pid());
    terminal.type_line(&wrong_code(&code));
    assert_eq!(state(helper), 'S');
    kill(&alice, "CONT", terminal.pid()).expect("permission");
    terminal.expect("Wrong code, 2 tries left. Verification code: ");
    terminal.type_line(&code);
    terminal.expect("I AM in");
    assert_logged(lab, "stop-goal", &["sent", "granted"]);
}

/// A wrong code is counted even if su is killed right after it.
fn killing_su_gives_no_attempt(lab: &Lab) {
    let alice = TestUser::new(lab, "gain-alice");
    target(lab, "gain-goal");
    let settings = steps::settings(lab).set("limits.failures", "3");
    let settings = steps::written(lab, "gain", &settings);
    let _stack = Service::hold(lab, "su", &steps::shipped(lab, "su", &settings));
    for _ in 0..2 {
        let mut terminal = su(&alice, "gain-goal");
        terminal.type_line(&wrong_code(&alice.code(lab)));
        terminal.expect("Wrong code, 2 tries left. Verification code: ");
        kill(&alice, "KILL", terminal.pid()).expect("permission");
        assert!(!terminal.wait().success());
    }
    // The third wrong code in total locks the user, also in the current login.
    let mut terminal = su(&alice, "gain-goal");
    terminal.type_line(&wrong_code(&alice.code(lab)));
    terminal.expect("Too many codes. Try again in ");
    assert!(!terminal.wait().success());
    let mut terminal = alice.runs("su", &["gain-goal", "-c", "echo I AM in"]);
    terminal.expect("Password: ");
    terminal.type_line(LOCAL);
    terminal.expect("Too many codes. Try again in ");
    assert!(!terminal.wait().success());
    let killed = ["sent", "denied abandoned stack"];
    let locked = ["sent", "denied locked stack", "denied locked stack"];
    assert_logged(lab, "gain-goal", &[&killed[..], &killed, &locked].concat());
    assert_eq!(alice.sms(lab), 3);
}

/// su is killed at Enter, a little later each time: an attempt whose result was shown is counted.
fn killed_at_enter(lab: &Lab) {
    let alice = TestUser::new(lab, "enter-alice");
    target(lab, "enter-goal");
    let settings = steps::settings(lab).set("limits.failures", "100");
    let settings = settings.set("limits.sms", "[\"1000/1h\"]");
    let settings = steps::written(lab, "enter", &settings);
    let _stack = Service::hold(lab, "su", &steps::shipped(lab, "su", &settings));
    let (mut shown, mut rounds) = (0, 0);
    let many = if torture() { 40 } else { 6 };
    // With TORTURE longer than the answer takes, so that some kills come after it.
    let longest = if torture() { 40_000 } else { 12_000 };
    for late in (0..many).map(|n| Duration::from_micros(n * longest / many)) {
        let mut terminal = su(&alice, "enter-goal");
        terminal.type_line(&wrong_code(&alice.code(lab)));
        std::thread::sleep(late);
        kill(&alice, "KILL", terminal.pid()).expect("permission");
        terminal.wait();
        shown += terminal.screen().matches("Wrong code").count();
        rounds += 1;
        assert_logged(
            lab,
            "enter-goal",
            &["sent", "denied abandoned stack"].repeat(rounds),
        );
    }
    let config = settings.display().to_string();
    let (code, out, errors) =
        lab.sms_otp(&["--config", &config, "status", "enter-alice", "--json"]);
    assert_eq!(code, 0, "{errors}");
    let counted = out.split("\"failures\": ").nth(1).expect("a count");
    let counted = counted
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .expect("a number");
    let counted: usize = counted.parse().expect("a number");
    assert!(counted >= shown, "{counted} counted, {shown} shown");
    assert!((1..=rounds).contains(&counted), "{counted} of {rounds}");
    // With many rounds some kills come before the answer, and some after it.
    assert!(
        !torture() || (1..rounds).contains(&shown),
        "{shown} of {rounds}"
    );
}
