//! A helper that is stopped until after the end of a wait: the login fails as a problem of this machine,
//! never as an outage, because administrators write `authinfo_unavail=ignore`. A caller who stops the helper
//! at this moment does not choose the local ledger either.

use super::keys::stops;
use crate::Case;
use crate::module::{PASSWORD, someone};
use lab::Lab;
use lab::helper_process::{HelperProcess, request};
use lab::listeners::{Behavior, Listener};
use lab::settings::Settings;
use protocol::Code;
use rustix::process::{Pid, Signal, kill_process};
use std::time::Duration;

pub const CASES: &[Case] = &[
    (
        "hostile::stopped::while_the_directory_is_silent",
        while_the_directory_is_silent,
    ),
    (
        "hostile::stopped::while_twilio_is_silent",
        while_twilio_is_silent,
    ),
    (
        "hostile::stopped::while_the_shared_ledger_is_silent",
        while_the_shared_ledger_is_silent,
    ),
];

/// The timeout of the silent server, and how long the helper is stopped meanwhile.
const TIMEOUT: &str = "3s";
const STOPPED: Duration = Duration::from_secs(5);

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(60);

fn while_the_directory_is_silent(lab: &Lab) {
    let silent = Listener::start(Behavior::Silent);
    let uri = format!("[\"ldaps://127.0.0.1:{}\"]", silent.port());
    let settings = lab.settings().set("ldap.uris", &uri);
    let settings = settings.text("ldap.timeout", TIMEOUT);
    fails_locally(lab, "directory", &settings, &silent);
}

fn while_twilio_is_silent(lab: &Lab) {
    let silent = Listener::start(Behavior::Silent);
    let url = format!("https://127.0.0.1:{}", silent.port());
    let settings = lab.settings().text("twilio.api_url", &url);
    let settings = settings.text("twilio.timeout", TIMEOUT);
    fails_locally(lab, "twilio", &settings, &silent);
}

/// With `unreachable = "local"`, the default.
fn while_the_shared_ledger_is_silent(lab: &Lab) {
    let silent = Listener::start(Behavior::Silent);
    let key = lab.folder("stopped-key").join("key");
    lab::scratch::write(&key, 0o600, "obviously-fake-key-of-the-lab-0123456789");
    let redis = format!("redis://127.0.0.1:{}", silent.port());
    let settings = lab
        .settings()
        .text("ledger.redis", &redis)
        .text("ledger.key_file", key.to_str().expect("a path"))
        .text("ledger.timeout", TIMEOUT);
    fails_locally(lab, "ledger", &settings, &silent);
}

/// Stops the helper of a login whose server at this stage is silent, until after that server's timeout.
fn fails_locally(lab: &Lab, stage: &str, settings: &Settings, silent: &Listener) {
    let case = &*format!("stopped-{stage}");
    // This machine does not know the user: no connection is opened before the password is there.
    let user = someone(lab, case);
    let config = lab.folder(case).join("sms_otp.toml");
    let settings = settings.clone().text("password.refuse_after", "0s");
    settings.write(&config);
    let mut helper = HelperProcess::start(&lab.product().helper());
    helper.send(&request(&config, case, case).encode());
    assert_eq!(helper.prompt(), "Password: ");
    helper.answer(PASSWORD);
    is_connected(silent, case);
    let pid = i32::try_from(helper.pid()).ok().and_then(Pid::from_raw);
    let pid = pid.expect("a pid");
    kill_process(pid, Signal::STOP).expect("the helper runs");
    stops(helper.pid());
    std::thread::sleep(STOPPED);
    kill_process(pid, Signal::CONT).expect("the helper is there");

    assert_eq!(helper.verdict(), Code::ServiceErr, "{case}");
    let ended = helper.exit_within(SOON);
    assert!(ended.is_some_and(|status| status.success()), "{case}");
    let (head, log) = (format!("pam_sms_otp({case}:auth): "), lab.machine().log());
    log.wait_for(&[&head], SOON);
    let lines = log.lines_that_begin(&head);
    let [line] = &lines[..] else {
        panic!("{case}: {lines:#?}");
    };
    assert_eq!(line.field("stage"), Some(stage), "{case}");
    assert_eq!(line.field("reason"), Some("local"), "{case}");
    let detail = line.field("detail").unwrap_or_default();
    for text in ["the wait of ", " late: this process was stopped, or "] {
        assert!(detail.contains(text), "{detail}");
    }
    assert_eq!(lab.twilio().sms_to(&user.number).len(), 0, "{case}");
}

/// Waits until the helper has connected.
fn is_connected(silent: &Listener, case: &str) {
    let until = std::time::Instant::now() + SOON;
    while silent.accepted() == 0 {
        assert!(std::time::Instant::now() < until, "{case}: no connection");
        std::thread::sleep(Duration::from_millis(5));
    }
}
