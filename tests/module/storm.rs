//! Many logins at the same time, and processes that are killed or stopped at any moment.

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
        "module::storm::the_right_password_at_once",
        the_right_password_at_once,
    ),
    (
        "module::storm::wrong_passwords_at_once",
        wrong_passwords_at_once,
    ),
    (
        "module::storm::guesses_at_the_same_time",
        guesses_at_the_same_time,
    ),
    ("module::storm::killed_at_any_moment", killed_at_any_moment),
    (
        "module::storm::stopped_at_any_moment",
        stopped_at_any_moment,
    ),
];

const MANY: usize = 200;
/// Each guess is in a login of its own.
const GUESSES: usize = 500;

/// Helpers that are killed before the first code is typed.
const KILLS: usize = 3;

/// Types the password and nothing else.
fn knock(message: &Message) -> Answer {
    match message.style {
        Style::Hidden => PASSWORD.into(),
        _ => Answer::ConvErr,
    }
}

/// Makes every other caller wait until it is opened.
#[derive(Default)]
pub struct Gate {
    callers: AtomicUsize,
    is_open: AtomicBool,
}

impl Gate {
    pub fn hold_every_other(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        let waits = self.callers.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        while waits && !self.is_open.load(Ordering::Relaxed) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
    }
}

/// Runs at low priority, because other cases run at the same time.
pub fn many(login: Login<'_>) -> Login<'_> {
    login.host(|host| host.through(&["nice", "-n", "19"]))
}

fn count(codes: &[i32], wanted: i32) -> usize {
    codes.iter().filter(|code| **code == wanted).count()
}

/// A figure of `sms-otp status USER --json`, of the file ledger.
fn status(lab: &Lab, login: &Login, user: &str, figure: &str) -> u64 {
    let config = login.config();
    let config = config.to_str().expect("a path");
    let words = ["--config", config, "status", user, "--json"];
    let (code, json, error) = lab.sms_otp(&words);
    assert_eq!(code, 0, "{error}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let figure = &json["ledgers"][0][figure];
    figure
        .as_u64()
        .unwrap_or_else(|| panic!("no number: {json}"))
}

/// Exactly the allowed number of SMS reaches the phone.
fn the_right_password_at_once(lab: &Lab) {
    let alice = someone(lab, "storm-alice");
    let login = many(with_ledger(lab, "storm-right", &alice));
    let login = login.set("limits.sms", "[\"5/1h\"]").text("deadline", "2m");
    let codes = login.storm(MANY, knock);
    assert_eq!(login.arrived().len(), 5);
    assert_eq!(count(&codes, code::CONV_ERR), 5, "{codes:?}");
    assert_eq!(count(&codes, code::MAXTRIES), MANY - 5, "{codes:?}");
}

/// They use up nothing of the user who types the correct password among them.
fn wrong_passwords_at_once(lab: &Lab) {
    let bob = someone(lab, "storm-bob");
    let right = with_ledger(lab, "storm-among", &bob).set("limits.sms", "[\"1/1h\"]");
    let path = super::ledger::folder(&right);
    let wrong = many(with_ledger(lab, "storm-wrong", &bob))
        .set("limits.sms", "[\"1/1h\"]")
        .text("ledger.path", path.to_str().expect("a path"));
    // Half of them type theirs when the correct one has succeeded.
    let through = Gate::default();
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            wrong.storm(MANY, |message| match message.style {
                Style::Hidden => {
                    through.hold_every_other();
                    "wrong".into()
                }
                _ => Answer::ConvErr,
            })
        });
        right.sees("among them", &[Say::Password, Say::Code], &Seen::granted());
        through.open();
        let codes = storm.join().expect("the storm");
        assert_eq!(count(&codes, code::AUTH_ERR), MANY, "{codes:?}");
    });
    assert_eq!(right.requests(), 1);
}

/// Of any number of guesses at the same time, no more than `failures` are compared.
fn guesses_at_the_same_time(lab: &Lab) {
    let carol = someone(lab, "storm-carol");
    let login = many(with_ledger(lab, "storm-guess", &carol))
        .set("limits.failures", "10")
        .set("limits.sms", "[\"1000/1h\"]")
        .text("deadline", "2m");
    let (wrong_prompts, typed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    // All have their SMS before the first guess is typed.
    let waiting = AtomicUsize::new(0);
    let codes = login.storm(GUESSES, |message| match message.style {
        Style::Hidden => PASSWORD.into(),
        Style::Shown => {
            if message.text.starts_with("Wrong code") {
                wrong_prompts.fetch_add(1, Ordering::Relaxed);
            } else {
                waiting.fetch_add(1, Ordering::Relaxed);
                let until = Instant::now() + Duration::from_secs(60);
                while waiting.load(Ordering::Relaxed) < GUESSES && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            typed.fetch_add(1, Ordering::Relaxed);
            let sms = login.arrived();
            none_of(&sms.iter().map(lab::twilio::Sms::code).collect()).into()
        }
        _ => Answer::ConvErr,
    });
    assert!(typed.load(Ordering::Relaxed) >= GUESSES, "too few guesses");
    assert_eq!(count(&codes, code::MAXTRIES), GUESSES, "{codes:?}");
    assert!(wrong_prompts.load(Ordering::Relaxed) <= 10);
    assert_eq!(status(lab, &login, "storm-carol", "failures"), 10);
}

/// A code other than these.
fn none_of(codes: &BTreeSet<String>) -> String {
    let all = (0..1_000_000).map(|number| format!("{number:06}"));
    all.into_iter()
        .find(|code| !codes.contains(code))
        .expect("one more")
}

/// Helpers are killed at random moments: what was answered stays counted, the file stays readable, and no
/// more SMS are sent than allowed.
fn killed_at_any_moment(lab: &Lab) {
    let dave = someone(lab, "storm-dave");
    let login = with_ledger(lab, "storm-killed", &dave)
        .own_helper()
        .set("limits.sms", "[\"20/1h\"]")
        .set("limits.failures", "100")
        .set("code.tries", "10");
    // Here, because a thread cannot skip a case: if helpers are not visible, none is killed.
    assert_eq!(login.helpers(), []);
    let wrong_prompts = AtomicUsize::new(0);
    let (over, killed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| send_signals(&login, Signal::KILL, &over, &killed));
        let ends = Over(&over);
        let codes = login.storm(60, |message| match message.style {
            Style::Hidden => PASSWORD.into(),
            Style::Shown => {
                if message.text.starts_with("Wrong code") {
                    wrong_prompts.fetch_add(1, Ordering::Relaxed);
                }
                // On a busy machine the logins would be over before the first kill.
                let until = Instant::now() + Duration::from_secs(30);
                while killed.load(Ordering::Relaxed) < KILLS && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(5));
                }
                "000000".into()
            }
            _ => Answer::ConvErr,
        });
        drop(ends);
        assert!(
            count(&codes, code::SERVICE_ERR) > 0,
            "none was killed: {codes:?}"
        );
    });
    assert!(login.arrived().len() <= 20);
    let failures = status(lab, &login, "storm-dave", "failures");
    let shown = wrong_prompts.load(Ordering::Relaxed) as u64;
    assert!(
        failures >= shown,
        "{shown} were shown as wrong, and {failures} are counted"
    );
    let erin = someone(lab, "storm-erin");
    let login = with_ledger(lab, "storm-killed", &erin);
    login.sees(
        "another, afterwards",
        &[Say::Password, Say::Code],
        &Seen::granted(),
    );
}

/// A process that is stopped at any moment, with a lock or without, blocks no other user.
fn stopped_at_any_moment(lab: &Lab) {
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
        let signals = scope.spawn(|| send_signals(&frozen, Signal::STOP, &over, &stopped));
        let ends = Over(&over);
        let stopped_logins = scope.spawn(|| frozen.storm(20, knock));
        for _ in 0..5 {
            // A login that waits for a lock is refused after a second and a half.
            moving.sees("beside it", &[Say::Password, Say::Code], &Seen::granted());
        }
        drop(ends);
        for pid in frozen.helpers() {
            let _ = kill_process(pid, Signal::KILL);
        }
        stopped_logins.join().expect("the stopped logins");
        signals.join().expect("no panic");
        assert!(stopped.load(Ordering::Relaxed) > 0, "none was stopped");
    });
}

/// Sets the flag when it is dropped, also if a case fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends a signal to a random helper of this login, again and again, at random moments: some have just
/// started, some hold a lock, some wait for the user. Counts the signals.
fn send_signals(login: &Login, signal: Signal, over: &AtomicBool, sent: &AtomicUsize) {
    let mut seed = 42_u64;
    while !over.load(Ordering::Relaxed) {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis(seed >> 60));
        let running = login.helpers();
        let chosen = usize::try_from(seed >> 33).expect("64 bits") % running.len().max(1);
        let hit = |pid| kill_process(pid, signal).is_ok();
        let hits = usize::from(running.get(chosen).copied().is_some_and(hit));
        sent.fetch_add(hits, Ordering::Relaxed);
    }
}
