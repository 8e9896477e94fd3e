//! A caller who can stop the helper (in a control group of his own, say) lets its deadlines pass. That is
//! a fault of this machine, never an outage: administrators write `authinfo_unavail=ignore`.

use super::keys::stops;
use crate::Case;
use crate::module::{PASSWORD, someone};
use lab::bench::Bench;
use lab::driven::{Driven, request};
use lab::listeners::{Listener, Manner};
use lab::settings::Settings;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;
use wire::Code;

pub const CASES: &[Case] = &[
    (
        "hostile::standstill::while_the_directory_is_silent",
        while_the_directory_is_silent,
    ),
    (
        "hostile::standstill::while_twilio_is_silent",
        while_twilio_is_silent,
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
        let uri = format!("[\"ldaps://127.0.0.1:{}\"]", silent.port());
        let settings = bench.settings().set("ldap.uris", &uri);
        let settings = settings.text("ldap.timeout", timeout);
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
    let config = bench.folder(case).join("sms_otp.toml");
    let settings = settings.clone().text("password.refuse_after", "0s");
    settings.write(&config);
    let mut helper = Driven::start(&bench.product().helper());
    helper.say(&request(&config, case, case).write());
    assert_eq!(helper.question(), "Password: ");
    helper.answer(PASSWORD);
    let until = std::time::Instant::now() + SOON;
    while silent.taken() == 0 {
        assert!(std::time::Instant::now() < until, "{case}: nobody comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = i32::try_from(helper.pid()).ok().and_then(Pid::from_raw);
    let pid = pid.expect("a pid");
    kill_process(pid, Signal::STOP).expect("it is there");
    stops(helper.pid());
    std::thread::sleep(stopped);
    kill_process(pid, Signal::CONT).expect("it is there");
    assert_eq!(helper.verdict(), Code::ServiceErr, "{case}");
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
