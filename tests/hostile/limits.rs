//! Resource limits of the caller, each at the lowest value at which su without our module succeeds.

use super::torture;
use crate::Case;
use crate::logins::steps::{LOCAL, Service, TestUser};
use lab::Lab;
use lab::machine::User;
use lab::process::program;
use lab::pty::Pty;
use std::process::Command;
use std::time::Duration;

pub const CASES: &[Case] = &[("hostile::limits::each_at_its_lowest", each_at_its_lowest)];

/// The names of prlimit(1), and a value at which everything works.
const LIMITS: [(&str, u64); 15] = [
    ("as", 16 << 20),
    ("core", 1),
    ("cpu", 2),
    ("data", 4 << 20),
    ("fsize", 1 << 20),
    ("locks", 16),
    ("memlock", 1 << 20),
    ("msgqueue", 1 << 16),
    ("nofile", 16),
    ("nproc", 16),
    ("rss", 1 << 20),
    ("rtprio", 0),
    ("rttime", 1_000_000),
    ("sigpending", 16),
    ("stack", 256 << 10),
];

const UNIX: &str = "auth required pam_unix.so nodelay\naccount required pam_permit.so\n\
                    session required pam_permit.so\n";

const SOON: Duration = Duration::from_secs(20);

/// Whether the hard limit is lowered too: then raising it again requires CAP_SYS_RESOURCE, which root in a
/// container lacks.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Soft,
    Hard,
}

fn su(alice: &TestUser, (name, value): (&str, u64), kind: Kind) -> Pty {
    let mut prlimit = Command::new(program("prlimit"));
    let limit = match kind {
        Kind::Soft => format!("--{name}={value}:"),
        Kind::Hard => format!("--{name}={value}:{value}"),
    };
    prlimit.arg(limit).arg(program("su"));
    let mut terminal = Pty::spawn_as(
        prlimit.args(["limit-goal", "-c", "echo I AM in"]),
        &alice.account,
    );
    if terminal.look_for(&["Password: "], SOON).is_some() {
        terminal.type_line(LOCAL);
    }
    terminal
}

/// Whether su succeeds with pam_unix alone.
fn succeeds(alice: &TestUser, limit: (&str, u64), kind: Kind) -> bool {
    su(alice, limit, kind)
        .look_for(&["I AM in"], SOON)
        .is_some()
}

/// The lowest value at which su succeeds, within a sixteenth.
fn lowest(alice: &TestUser, (name, works): (&'static str, u64), kind: Kind) -> (&'static str, u64) {
    if name == "cpu" {
        // Whole seconds. Zero kills any program at its first tick.
        return (name, 1);
    }
    if succeeds(alice, (name, 0), kind) {
        return (name, 0);
    }
    let step = (works / 16).max(1);
    let (mut fails, mut works) = (0, works);
    while works - fails > step {
        let between = u64::midpoint(fails, works);
        if succeeds(alice, (name, between), kind) {
            works = between;
        } else {
            fails = between;
        }
    }
    (name, works)
}

/// The result with our module.
#[derive(Debug, PartialEq)]
enum End {
    Granted,
    /// `PAM_SERVICE_ERR`, as su reports it.
    Service,
    /// libpam could not load the module: the memory limit of su was reached.
    Unloaded,
}

fn with_us(lab: &Lab, alice: &TestUser, limit: (&str, u64), kind: Kind) -> End {
    let sent = alice.sms(lab);
    let mut terminal = su(alice, limit, kind);
    let words = [
        &*alice.sent(),
        "Error in service module",
        "Module is unknown",
    ];
    let found = terminal.look_for(&words, SOON).map(|(word, _)| word);
    match found {
        Some(0) => {}
        Some(1) => return End::Service,
        Some(2) => return End::Unloaded,
        _ => panic!("{limit:?}: {}", terminal.screen()),
    }
    terminal.type_line(&alice.code(lab));
    // According to the log; the limit may be too low for the shell.
    terminal.look_for(&["I AM in"], SOON);
    assert_eq!(alice.sms(lab), sent + 1, "{limit:?}");
    End::Granted
}

fn each_at_its_lowest(lab: &Lab) {
    let alice = TestUser::new(lab, "limit-alice");
    lab.machine().add(&User::new("limit-goal").password(LOCAL));
    let kinds = [Kind::Soft, Kind::Hard];
    // A limit that su does not need is the same hard and soft: tested once in CI.
    let tried = |kind, name| kind == Kind::Soft || torture() || ["data", "nofile"].contains(&name);
    let lowest = {
        let _stack = Service::hold(lab, "su", UNIX);
        kinds.map(|kind| {
            let limits = LIMITS.iter().filter(|limit| tried(kind, limit.0));
            limits
                .map(|limit| lowest(&alice, *limit, kind))
                .collect::<Vec<_>>()
        })
    };
    assert!(lowest[0].iter().any(|limit| limit.1 > 0), "{lowest:?}");
    let _stack = Service::shipped(lab, "su");
    let mut granted = 0;
    for (kind, limits) in kinds.into_iter().zip(lowest) {
        for mut limit in limits {
            let mut end = with_us(lab, &alice, limit, kind);
            while end == End::Unloaded && limit.0 == "as" {
                limit.1 += 256 << 10;
                end = with_us(lab, &alice, limit, kind);
            }
            let only_denies_the_caller = kind == Kind::Hard && end == End::Service;
            assert!(
                end == End::Granted || only_denies_the_caller,
                "{limit:?} {end:?}"
            );
            granted += usize::from(end == End::Granted);
        }
    }
    let log = lab.machine().log();
    let lines = log.lines_with(&["pam_sms_otp(su:auth): granted", "limit-goal"]);
    assert_eq!(lines.len(), granted);
    assert!(granted >= LIMITS.len());
}
