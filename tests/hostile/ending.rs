//! The end of the wire ends the helper in every state; and without it, the end of its host does.

use crate::Case;
use crate::module::{PASSWORD, someone};
use lab::bench::Bench;
use lab::driven::{Driven, request};
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
        "hostile::ending::of_the_host_while_the_wire_is_held",
        of_the_host_while_the_wire_is_held,
    ),
    (
        "hostile::ending::of_another_version_is_said",
        of_another_version_is_said,
    ),
];

/// What holds the helper would do so for much longer: see the settings.
const SOON: Duration = Duration::from_secs(15);

/// The settings of a case in which nothing ends by itself.
fn patient(bench: &Bench) -> Settings {
    bench
        .settings()
        .text("deadline", "2m")
        .text("ldap.timeout", "60s")
        .text("twilio.timeout", "60s")
}

fn written(bench: &Bench, case: &str, settings: &Settings) -> PathBuf {
    let config = bench.folder(case).join("sms_otp.toml");
    settings.write(&config);
    config
}

fn in_the_middle_of_ldap(bench: &Bench) {
    let silent = Listener::start(Behavior::Silent);
    let uri = format!("[\"ldaps://127.0.0.1:{}\"]", silent.port());
    let settings = patient(bench).set("ldap.uris", &uri);
    hangs_up_while(bench, "end-ldap", &settings, &silent, None);
}

fn in_the_middle_of_http(bench: &Bench) {
    let silent = Listener::start(Behavior::Silent);
    let url = format!("https://127.0.0.1:{}", silent.port());
    let settings = patient(bench).text("twilio.api_url", &url);
    hangs_up_while(bench, "end-http", &settings, &silent, Some("password"));
}

/// The test is the helper's parent and lives on, so that nothing but the wire's end can end it.
fn hangs_up_while(
    bench: &Bench,
    case: &str,
    settings: &Settings,
    silent: &Listener,
    first: Option<&str>,
) {
    someone(bench, case);
    let config = written(bench, case, settings);
    let mut helper = Driven::start(&bench.product().helper());
    helper.send(&request(&config, case, case).encode());
    assert_eq!(helper.prompt(), "Password: ");
    helper.answer(PASSWORD);
    helper.wait_until_read();
    let until = Instant::now() + Duration::from_secs(60);
    while silent.accepted() == 0 {
        assert!(Instant::now() < until, "{case}: nobody comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    helper.disconnect();
    let ended = helper.exit_within(SOON);
    assert!(
        ended.is_some_and(|status| status.success()),
        "{case}: {ended:?}"
    );
    let (head, log) = (format!("pam_sms_otp({case}:auth): "), bench.world().log());
    log.wait_for(&[&head], SOON);
    let lines = log.lines_that_begin(&head);
    let [line] = &lines[..] else {
        panic!("{case}: {lines:#?}");
    };
    let denied = format!("{head}denied ");
    assert!(line.message.starts_with(&denied), "{}", line.raw);
    assert_eq!(line.field("reason"), Some("cancelled"), "{case}");
    assert_eq!(line.field("first"), first, "{case}");
    assert_eq!(silent.accepted(), 1, "{case}: nobody is asked any more");
}

/// A process that has got the host's end of the wire (by fork, say) keeps no helper alive.
fn of_the_host_while_the_wire_is_held(bench: &Bench) {
    let case = "end-host";
    someone(bench, case);
    let config = written(bench, case, &patient(bench));
    let mut host = Driven::start_with(Path::new("/bin/sh"), Vec::new(), |host| {
        host.args(["-c", "\"$0\" & read line"])
            .arg(bench.product().helper())
            .stdin(Stdio::piped());
    });
    host.send(&request(&config, case, case).encode());
    // Behind the walls: a change of ids would have made its host's end nothing to it.
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

/// Whether it runs. Whoever inherits it need not reap it.
fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}

/// The one thing that builds of all versions understand; and nothing is done but that.
fn of_another_version_is_said(bench: &Bench) {
    let case = "end-version";
    let config = written(bench, case, &patient(bench));
    for version in [0, protocol::VERSION + 1, u16::MAX] {
        let mut message = request(&config, case, case).encode();
        message[..2].copy_from_slice(&version.to_le_bytes());
        // What it holds besides may mean anything there.
        for message in [&message[..], &message[..8]] {
            let mut helper = Driven::start(&bench.product().helper());
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
    // Of this version, and no request: nothing is to be said to that.
    let mut helper = Driven::start(&bench.product().helper());
    helper.send(&protocol::Answer::Disconnected.encode());
    assert_eq!(helper.receive(), None);
    assert_eq!(
        helper.exit_within(SOON).and_then(|status| status.code()),
        Some(1)
    );
    let lines = bench
        .world()
        .log()
        .lines_that_begin("pam_sms_otp(end-version:auth)");
    assert_eq!(lines, []);
}
