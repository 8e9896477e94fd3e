//! The same through a real sshd: the screen of the user, and the times.

use crate::logins::steps::{self, Service};
use crate::module::PASSWORD;
use lab::Lab;
use lab::machine::User;
use lab::pty::Pty;
use lab::slapd::LdapUser;
use lab::sshd::{Key, Options, Sshd};
use std::time::{Duration, Instant};

/// The names and the passwords. [`measure`] checks the results.
const KINDS: &[(&str, &str, &str)] = &[
    ("wrong password", "timed-wrong", "battery horse"),
    ("locked in the directory", "timed-locked", PASSWORD),
    ("not in the directory", "timed-absent", PASSWORD),
    ("not on this machine (junk)", "timed-other", PASSWORD),
    ("barred by sshd (junk)", "timed-barred", PASSWORD),
    ("system user", "root", PASSWORD),
];

pub const REFUSE_AFTER: Duration = Duration::from_millis(700);

/// Measures the time from Enter to the refusal, `rounds` times for each kind, and compares the screens.
pub fn measure(lab: &Lab, rounds: usize) -> Vec<(String, Vec<Duration>)> {
    for name in [
        "timed-wrong",
        "timed-locked",
        "timed-absent",
        "timed-barred",
    ] {
        lab.machine().add(&User::new(name));
    }
    for name in ["timed-wrong", "timed-locked", "timed-other", "timed-barred"] {
        let user = LdapUser::new(name).password(PASSWORD).phone(&lab.number());
        let locked = name == "timed-locked";
        lab.slapd().add(&if locked { user.locked() } else { user });
    }
    let refuse_after = format!("{}ms", REFUSE_AFTER.as_millis());
    let settings = steps::settings(lab).text("password.refuse_after", &refuse_after);
    let settings = steps::written(lab, "timed", &settings);
    let text = steps::shipped(lab, "sshd-ldap", &settings);
    let _stack = Service::hold(lab, "sshd-timed", &text);
    let lines = ["DenyUsers timed-barred", "PermitRootLogin yes"];
    let sshd = Sshd::start(&Options {
        service: "sshd-timed".to_owned(),
        lines: lines.map(str::to_owned).to_vec(),
        ..Options::default()
    });
    let mut kinds: Vec<_> = KINDS
        .iter()
        .map(|(what, ..)| ((*what).to_owned(), Vec::new()))
        .collect();
    for _ in 0..rounds {
        let round: Vec<(Duration, String)> = std::thread::scope(|scope| {
            let runs: Vec<_> = KINDS
                .iter()
                .map(|(_, name, password)| scope.spawn(|| once(&sshd, name, password)))
                .collect();
            runs.into_iter()
                .map(|run| run.join().expect("a login"))
                .collect()
        });
        for ((what, times), (time, screen)) in kinds.iter_mut().zip(round.iter().cloned()) {
            assert_eq!(screen, round[0].1, "{what}: the screens differ");
            assert!(time >= REFUSE_AFTER * 3 / 4, "{what}: {time:?}");
            times.push(time);
        }
    }
    bench_is_right(lab);
    kinds
}

/// The time, and the screen.
fn once(sshd: &Sshd, name: &str, password: &str) -> (Duration, String) {
    let mut terminal: Pty = sshd.login(name, Key::None);
    terminal.expect("Password: ");
    let enter = Instant::now();
    terminal.type_line(password);
    terminal.expect("Permission denied");
    let took = enter.elapsed();
    assert!(!terminal.wait().success());
    (took, terminal.screen().replace(name, "NAME"))
}

/// Checks that each login was refused for the intended reason.
fn bench_is_right(lab: &Lab) {
    let head = "pam_sms_otp(sshd-timed:auth): denied";
    let reasons = |user: &str| {
        let mut lines = lab.machine().log().lines_with(&[head]);
        lines.retain(|line| line.field("user") == Some(user));
        lines
            .iter()
            .find_map(|line| line.field("reason").map(str::to_owned))
    };
    for (user, reason) in [
        ("timed-wrong", "wrong-password"),
        ("timed-locked", "directory-locked"),
        ("timed-absent", "no-such-user"),
        ("timed-barred", "wrong-password"),
        ("root", "system-user"),
        ("?", "wrong-password"),
    ] {
        assert_eq!(reasons(user).as_deref(), Some(reason), "{user}");
    }
}
