//! A caller who can stop the helper or one of its threads (in a control group of his own, say) lets its
//! deadlines pass. That is a fault of this machine, never an outage: administrators write
//! `authinfo_unavail=ignore`. Nor does he choose the ledger that knows less of him.

use super::keys::stops;
use crate::Case;
use crate::module::login::known;
use crate::module::{PASSWORD, someone};
use lab::bench::Bench;
use lab::driven::{Driven, request};
use lab::frozen::Frozen;
use lab::listeners::{Listener, Manner};
use lab::settings::Settings;
use protocol::Code;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::standstill::while_the_directory_is_silent",
        while_the_directory_is_silent,
    ),
    (
        "hostile::standstill::while_twilio_is_silent",
        while_twilio_is_silent,
    ),
    (
        "hostile::standstill::one_thread_that_waits",
        one_thread_that_waits,
    ),
    (
        "hostile::standstill::one_thread_that_is_waited_for",
        one_thread_that_is_waited_for,
    ),
];

/// What a directory or Twilio has, and for how long the helper is stopped meanwhile. The second one's time
/// is over before it goes on: it learns of both at once.
const ROWS: [(&str, Duration); 2] = [
    ("5s", Duration::from_secs(2)),
    ("3s", Duration::from_secs(4)),
];

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);

fn while_the_directory_is_silent(bench: &Bench) {
    for (timeout, stopped) in ROWS {
        let silent = Listener::start(Manner::Silent);
        let settings = silent_directory(bench, &silent).text("ldap.timeout", timeout);
        stopped_while(bench, "directory", &settings, &silent, stopped);
    }
}

fn while_twilio_is_silent(bench: &Bench) {
    for (timeout, stopped) in ROWS {
        let silent = Listener::start(Manner::Silent);
        let url = format!("https://127.0.0.1:{}", silent.port());
        let settings = bench.settings().text("twilio.api_url", &url);
        let settings = settings.text("twilio.timeout", timeout);
        stopped_while(bench, "twilio", &settings, &silent, stopped);
    }
}

/// The first thread alone, in the middle of a wait for a server.
fn one_thread_that_waits(bench: &Bench) {
    let silent = Listener::start(Manner::Silent);
    let case = "still-first";
    someone(bench, case);
    let settings = silent_directory(bench, &silent).text("ldap.timeout", "3s");
    let helper = begun(bench, case, &settings);
    helper.answer(PASSWORD);
    taken(&silent, case);
    let first = Frozen::thread(pid(&helper));
    std::thread::sleep(Duration::from_secs(4));
    drop(first);
    is_blamed(bench, case, "directory", helper, None);
}

/// One that works ahead, and does not go on before all is over: whoever waits for it does so in time.
fn one_thread_that_is_waited_for(bench: &Bench) {
    let silent = Listener::start(Manner::Silent);
    let case = "still-directory";
    if known(bench, case).is_none() {
        return;
    }
    let settings = silent_directory(bench, &silent).text("deadline", "5s");
    let helper = begun(bench, case, &settings);
    taken(&silent, case);
    let thread = Frozen::named(pid(&helper), "directory");
    helper.answer(PASSWORD);
    is_blamed(bench, case, "directory", helper, Some(thread));

    let silent = Listener::start(Manner::Silent);
    let case = "still-ledger";
    let bob = known(bench, case).expect("as before");
    let key = bench.folder(case).join("key");
    lab::scratch::write(&key, 0o600, "obviously-fake-key-of-the-lab-0123456789");
    let settings = bench
        .settings()
        .text(
            "ledger.redis",
            &format!("redis://127.0.0.1:{}", silent.port()),
        )
        .text("ledger.key_file", key.to_str().expect("a path"))
        .text("ledger.timeout", "6s");
    let helper = begun(bench, case, &settings);
    taken(&silent, case);
    let thread = Frozen::named(pid(&helper), "ledger");
    helper.answer(PASSWORD);
    is_blamed(bench, case, "ledger", helper, Some(thread));
    assert_eq!(bench.twilio().sms_to(&bob.number).len(), 0);
}

fn silent_directory(bench: &Bench, silent: &Listener) -> Settings {
    let uri = format!("[\"ldaps://127.0.0.1:{}\"]", silent.port());
    bench.settings().set("ldap.uris", &uri)
}

fn stopped_while(
    bench: &Bench,
    stage: &str,
    settings: &Settings,
    silent: &Listener,
    stopped: Duration,
) {
    let case = &*format!("still-{stage}-{}", stopped.as_secs());
    // Whom this machine does not know: nothing is begun before his password is there.
    someone(bench, case);
    let helper = begun(bench, case, settings);
    helper.answer(PASSWORD);
    taken(silent, case);
    let pid = pid(&helper);
    kill_process(pid, Signal::STOP).expect("it is there");
    stops(helper.pid());
    std::thread::sleep(stopped);
    kill_process(pid, Signal::CONT).expect("it is there");
    is_blamed(bench, case, stage, helper, None);
}

/// A helper that has asked for the password.
fn begun(bench: &Bench, case: &str, settings: &Settings) -> Driven {
    let config = bench.folder(case).join("sms_otp.toml");
    let settings = settings.clone().text("password.refuse_after", "0s");
    settings.write(&config);
    let helper = Driven::start(&bench.product().helper());
    helper.say(&request(&config, case, case).encode());
    assert_eq!(helper.question(), "Password: ");
    helper
}

/// Waits until somebody has come.
fn taken(silent: &Listener, case: &str) {
    let until = std::time::Instant::now() + SOON;
    while silent.taken() == 0 {
        assert!(std::time::Instant::now() < until, "{case}: nobody comes");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn pid(helper: &Driven) -> Pid {
    let pid = i32::try_from(helper.pid()).ok().and_then(Pid::from_raw);
    pid.expect("a pid")
}

/// The login ends as this machine's fault, and its one line says so: whoever `still` stands still has not
/// gone on by then.
fn is_blamed(bench: &Bench, case: &str, stage: &str, mut helper: Driven, still: Option<Frozen>) {
    assert_eq!(helper.verdict(), Code::ServiceErr, "{case}");
    drop(still);
    let ended = helper.ended_within(SOON);
    assert!(ended.is_some_and(|status| status.success()), "{case}");
    let (head, log) = (format!("pam_sms_otp({case}:auth): "), bench.world().log());
    log.wait_for(&[&head], SOON);
    let lines = log.lines_that_begin(&head);
    let [line] = &lines[..] else {
        panic!("{case}: {lines:#?}");
    };
    assert_eq!(line.field("stage"), Some(stage), "{case}");
    assert_eq!(line.field("reason"), Some("local"), "{case}");
    let detail = line.field("detail").unwrap_or_default();
    assert!(
        detail.starts_with("this process stood still for "),
        "{detail}"
    );
}
