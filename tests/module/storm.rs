//! Many logins at the same time, and helpers that are killed or stopped at random moments.

use super::ledger::with_ledger;
use super::login::{Login, PASSWORD, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::{Answer, Message, Style, code};
use rustix::process::{Signal, kill_process};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "module::storm::parallel_right_passwords",
        parallel_right_passwords,
    ),
    (
        "module::storm::parallel_wrong_passwords",
        parallel_wrong_passwords,
    ),
    ("module::storm::parallel_guesses", parallel_guesses),
    ("module::storm::killed_at_any_moment", killed_at_any_moment),
    (
        "module::storm::stopped_helpers_delay_no_other_login",
        stopped_helpers_delay_no_other_login,
    ),
];

const MANY: usize = 200;
/// The number of guesses, each in a login of its own.
const GUESSES: usize = 500;

/// The number of helpers that are killed before the first code is typed.
const KILLS: usize = 3;

/// Answers the password prompt, and ends the conversation at the next prompt.
fn password_only(message: &Message) -> Answer {
    match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => Answer::ConvErr,
    }
}

/// Holds every second caller until the gate is opened.
#[derive(Default)]
pub struct Gate {
    arrived: AtomicUsize,
    is_open: AtomicBool,
}

impl Gate {
    pub fn hold_every_other(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        let waits = self.arrived.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        while waits && !self.is_open.load(Ordering::Relaxed) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }
}

/// Runs the host at low priority, so that many logins do not slow the other cases down.
pub fn many(login: Login<'_>) -> Login<'_> {
    login.host(|host| host.through(&["nice", "-n", "19"]))
}

fn count(codes: &[i32], wanted: i32) -> usize {
    codes.iter().filter(|code| **code == wanted).count()
}

/// Returns a number from `sms-otp status USER --json`, for this host's ledger.
fn status(lab: &Lab, login: &Login, user: &str, figure: &str) -> u64 {
    let config = login.config();
    let config = config.to_str().expect("a path");
    let arguments = ["--config", config, "status", user, "--json"];
    let (code, json, error) = lab.sms_otp(&arguments);
    assert_eq!(code, 0, "{error}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let figure = &json["ledgers"][0][figure];
    figure
        .as_u64()
        .unwrap_or_else(|| panic!("no number: {json}"))
}

/// Exactly the allowed number of SMS is sent.
fn parallel_right_passwords(lab: &Lab) {
    let alice = someone(lab, "storm-alice");
    let login = many(with_ledger(lab, "storm-right", &alice));
    let login = login.set("limits.sms", "[\"5/1h\"]").text("deadline", "2m");
    let codes = login.storm(MANY, password_only);
    assert_eq!(login.arrived().len(), 5);
    assert_eq!(count(&codes, code::CONV_ERR), 5, "{codes:?}");
    assert_eq!(count(&codes, code::MAXTRIES), MANY - 5, "{codes:?}");
}

/// Logins with a wrong password use up no limit of a login with the right one that runs among them.
fn parallel_wrong_passwords(lab: &Lab) {
    let bob = someone(lab, "storm-bob");
    let right = with_ledger(lab, "storm-among", &bob).set("limits.sms", "[\"1/1h\"]");
    let path = super::ledger::folder(&right);
    let wrong = many(with_ledger(lab, "storm-wrong", &bob))
        .set("limits.sms", "[\"1/1h\"]")
        .text("ledger.path", path.to_str().expect("a path"));
    // Half of them enter the wrong password after the other login was granted.
    let granted = Gate::default();
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            wrong.storm(MANY, |message| match message.style {
                Style::Hidden => {
                    granted.hold_every_other();
                    "wrong".into()
                }
                _ => Answer::ConvErr,
            })
        });
        right.sees("among them", &[Say::Password, Say::Code], &Seen::granted());
        granted.open();
        let codes = storm.join().expect("the storm");
        assert_eq!(count(&codes, code::AUTH_ERR), MANY, "{codes:?}");
    });
    assert_eq!(right.requests(), 1);
}

/// No more than `failures` codes are compared, however many logins guess at the same time.
fn parallel_guesses(lab: &Lab) {
    let carol = someone(lab, "storm-carol");
    let login = many(with_ledger(lab, "storm-guess", &carol))
        .set("limits.failures", "10")
        .set("limits.sms", "[\"1000/1h\"]")
        .text("deadline", "2m");
    let (shown_wrong, typed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // Every SMS has been sent before the first guess is typed.
    let waiting = AtomicUsize::new(0);
    let codes = login.storm(GUESSES, |message| match message.style {
        Style::Hidden => PASSWORD.into(),
        Style::Shown => {
            if message.text.starts_with("Wrong code") {
                shown_wrong.fetch_add(1, Ordering::Relaxed);
            } else {
                waiting.fetch_add(1, Ordering::Relaxed);
                let until = Instant::now() + Duration::from_secs(60);
                while waiting.load(Ordering::Relaxed) < GUESSES && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            typed.fetch_add(1, Ordering::Relaxed);
            let sms = login.arrived();
            code_not_in(&sms.iter().map(lab::twilio::Sms::code).collect()).into()
        }
        _ => Answer::ConvErr,
    });
    assert!(typed.load(Ordering::Relaxed) >= GUESSES, "too few guesses");
    assert_eq!(count(&codes, code::MAXTRIES), GUESSES, "{codes:?}");
    assert!(shown_wrong.load(Ordering::Relaxed) <= 10);
    assert_eq!(status(lab, &login, "storm-carol", "failures"), 10);
}

/// Returns a code that is not in this set.
fn code_not_in(codes: &BTreeSet<String>) -> String {
    let all = (0..1_000_000).map(|number| format!("{number:06}"));
    all.into_iter()
        .find(|code| !codes.contains(code))
        .expect("one more")
}

/// Helpers are killed at random moments: each wrong code that was answered stays counted, the ledger stays
/// readable, and no more SMS are sent than allowed.
fn killed_at_any_moment(lab: &Lab) {
    let dave = someone(lab, "storm-dave");
    let login = with_ledger(lab, "storm-killed", &dave)
        .own_helper()
        .set("limits.sms", "[\"20/1h\"]")
        .set("limits.failures", "100")
        .set("code.tries", "10");
    // Called here because a thread cannot skip a case: `helpers` skips it where it cannot list processes.
    assert_eq!(login.helpers(), []);
    let shown_wrong = AtomicUsize::new(0);
    let (over, killed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| signal_helpers(&login, Signal::KILL, &over, &killed));
        let guard = SetOnDrop(&over);
        let codes = login.storm(60, |message| match message.style {
            Style::Hidden => PASSWORD.into(),
            Style::Shown => {
                if message.text.starts_with("Wrong code") {
                    shown_wrong.fetch_add(1, Ordering::Relaxed);
                }
                // On a busy machine the logins could end before the first kill.
                let until = Instant::now() + Duration::from_secs(30);
                while killed.load(Ordering::Relaxed) < KILLS && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(5));
                }
                "000000".into()
            }
            _ => Answer::ConvErr,
        });
        drop(guard);
        assert!(
            count(&codes, code::SERVICE_ERR) > 0,
            "none was killed: {codes:?}"
        );
    });
    assert!(login.arrived().len() <= 20);
    let failures = status(lab, &login, "storm-dave", "failures");
    let shown = shown_wrong.load(Ordering::Relaxed) as u64;
    assert!(
        failures >= shown,
        "{shown} wrong codes were answered, {failures} are counted"
    );
    let erin = someone(lab, "storm-erin");
    let login = with_ledger(lab, "storm-killed", &erin);
    login.sees(
        "another user, afterwards",
        &[Say::Password, Say::Code],
        &Seen::granted(),
    );
}

/// A helper that is stopped at any moment, with or without a lock, does not delay other logins.
fn stopped_helpers_delay_no_other_login(lab: &Lab) {
    let frank = someone(lab, "storm-frank");
    let frozen = with_ledger(lab, "storm-frozen", &frank)
        .own_helper()
        .set("limits.sms", "[\"100/1h\"]");
    let grace = someone(lab, "storm-grace");
    let moving = with_ledger(lab, "storm-moving", &grace);
    let shared = super::ledger::folder(&frozen);
    let moving = moving
        .text("ledger.path", shared.to_str().expect("a path"))
        .set("limits.sms", "[\"100/1h\"]")
        .text("limits.sms_total", "1000/1d");
    let (over, stopped) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let signals = scope.spawn(|| signal_helpers(&frozen, Signal::STOP, &over, &stopped));
        let guard = SetOnDrop(&over);
        let logins = scope.spawn(|| frozen.storm(20, password_only));
        for _ in 0..5 {
            // A login that waits for a lock of another process is refused after 1.5 s.
            moving.sees(
                "beside stopped helpers",
                &[Say::Password, Say::Code],
                &Seen::granted(),
            );
        }
        drop(guard);
        for pid in frozen.helpers() {
            let _ = kill_process(pid, Signal::KILL);
        }
        logins.join().expect("the frozen logins");
        signals.join().expect("no panic");
        assert!(stopped.load(Ordering::Relaxed) > 0, "none was stopped");
    });
}

/// Sets the flag on drop, also when an assertion fails before.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends a signal to one of this login's helpers repeatedly, at pseudo-random moments: some helpers have
/// just started, some hold a lock, some wait for the user. Counts the signals in `sent`.
fn signal_helpers(login: &Login, signal: Signal, over: &AtomicBool, sent: &AtomicUsize) {
    let mut seed = 42_u64;
    while !over.load(Ordering::Relaxed) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(seed >> 60));
        let running = login.helpers();
        let chosen = usize::try_from(seed >> 33).expect("64 bits") % running.len().max(1);
        let is_sent = |pid| kill_process(pid, signal).is_ok();
        let count = usize::from(running.get(chosen).copied().is_some_and(is_sent));
        sent.fetch_add(count, Ordering::Relaxed);
    }
}
