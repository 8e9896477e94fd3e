//! The end of the socket ends the helper in each state; if the socket stays open, the end of its host does.

use crate::Case;
use crate::module::{PASSWORD, someone};
use lab::Lab;
use lab::helper_process::{HelperProcess, request};
use lab::listeners::{Behavior, Listener};
use lab::settings::Settings;
use protocol::FromHelper;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::ending::in_the_middle_of_ldap",
        in_the_middle_of_ldap,
    ),
    (
        "hostile::ending::in_the_middle_of_http",
        in_the_middle_of_http,
    ),
    (
        "hostile::ending::of_the_host_while_the_socket_is_open",
        of_the_host_while_the_socket_is_open,
    ),
    (
        "hostile::ending::of_another_version_is_reported",
        of_another_version_is_reported,
    ),
];

/// Far below the time-outs in the settings, which would end the helper too.
const SOON: Duration = Duration::from_secs(15);

/// Settings with long time-outs.
fn long_timeouts(lab: &Lab) -> Settings {
    lab.settings()
        .text("deadline", "2m")
        .text("ldap.timeout", "60s")
        .text("twilio.timeout", "60s")
}

fn written(lab: &Lab, case: &str, settings: &Settings) -> PathBuf {
    let config = lab.folder(case).join("sms_otp.toml");
    settings.write(&config);
    config
}

fn in_the_middle_of_ldap(lab: &Lab) {
    let silent = Listener::start(Behavior::Silent);
    let uri = format!("[\"ldaps://127.0.0.1:{}\"]", silent.port());
    let settings = long_timeouts(lab).set("ldap.uris", &uri);
    closes_socket_while(lab, "end-ldap", &settings, &silent, None);
}

fn in_the_middle_of_http(lab: &Lab) {
    let silent = Listener::start(Behavior::Silent);
    let url = format!("https://127.0.0.1:{}", silent.port());
    let settings = long_timeouts(lab).text("twilio.api_url", &url);
    closes_socket_while(lab, "end-http", &settings, &silent, Some("password"));
}

/// The test is the parent of the helper and continues to run, so only the end of the socket can end the helper.
fn closes_socket_while(
    lab: &Lab,
    case: &str,
    settings: &Settings,
    silent: &Listener,
    first: Option<&str>,
) {
    someone(lab, case);
    let config = written(lab, case, settings);
    let mut helper = HelperProcess::start(&lab.product().helper());
    helper.send(&request(&config, case, case).encode());
    assert_eq!(helper.prompt(), "Password: ");
    helper.answer(PASSWORD);
    helper.wait_until_read();
    let until = Instant::now() + Duration::from_secs(60);
    while silent.accepted() == 0 {
        assert!(Instant::now() < until, "{case}: no connection");
        std::thread::sleep(Duration::from_millis(5));
    }
    helper.disconnect();
    let ended = helper.exit_within(SOON);
    assert!(
        ended.is_some_and(|status| status.success()),
        "{case}: {ended:?}"
    );
    let (head, log) = (format!("pam_sms_otp({case}:auth): "), lab.machine().log());
    log.wait_for(&[&head], SOON);
    let lines = log.lines_that_begin(&head);
    let [line] = &lines[..] else {
        panic!("{case}: {lines:#?}");
    };
    let denied = format!("{head}denied ");
    assert!(line.message.starts_with(&denied), "{}", line.raw);
    assert_eq!(line.field("reason"), Some("cancelled"), "{case}");
    assert_eq!(line.field("first"), first, "{case}");
    assert_eq!(silent.accepted(), 1, "{case}: no further connection");
}

/// A process that inherited the end of the module (by fork) does not keep the helper running.
fn of_the_host_while_the_socket_is_open(lab: &Lab) {
    let case = "end-host";
    someone(lab, case);
    let config = written(lab, case, &long_timeouts(lab));
    let mut host = HelperProcess::start_with(Path::new("/bin/sh"), Vec::new(), |host| {
        host.args(["-c", "\"$0\" & read line"])
            .arg(lab.product().helper())
            .stdin(Stdio::piped());
    });
    host.send(&request(&config, case, case).encode());
    // In the sandbox: a change of ids clears the parent death signal, which must be set again.
    assert_eq!(host.prompt(), "Password: ");
    let children = format!("/proc/{0}/task/{0}/children", host.pid());
    let children = std::fs::read_to_string(children).expect("/proc");
    let helper: u32 = children.trim().parse().expect("one child");
    host.kill();
    let until = Instant::now() + SOON;
    while is_alive(helper) {
        assert!(Instant::now() < until, "it outlives its host");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether it runs. A zombie counts as ended.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}

/// The only message that all versions can decode; the helper does nothing else.
fn of_another_version_is_reported(lab: &Lab) {
    let case = "end-version";
    let config = written(lab, case, &long_timeouts(lab));
    for version in [0, protocol::VERSION + 1, u16::MAX] {
        let mut message = request(&config, case, case).encode();
        message[..2].copy_from_slice(&version.to_le_bytes());
        // The other fields have no meaning in this version.
        for message in [&message[..], &message[..8]] {
            let mut helper = HelperProcess::start(&lab.product().helper());
            helper.send(message);
            let answer = helper.receive().expect("an answer");
            let answer = FromHelper::decode(&answer).map(|(_, answer)| answer);
            assert_eq!(answer, Ok(FromHelper::VersionMismatch), "version {version}");
            assert_eq!(helper.receive(), None, "version {version}");
            let ended = helper.exit_within(SOON);
            let code = ended.and_then(|status| status.code());
            assert_eq!(code, Some(1), "version {version}");
        }
    }
    // This version, but not a request: there is no answer.
    let mut helper = HelperProcess::start(&lab.product().helper());
    helper.send(&protocol::Answer::Disconnected.encode());
    assert_eq!(helper.receive(), None);
    assert_eq!(
        helper.exit_within(SOON).and_then(|status| status.code()),
        Some(1)
    );
    let lines = lab
        .machine()
        .log()
        .lines_that_begin("pam_sms_otp(end-version:auth)");
    assert_eq!(lines, []);
}
