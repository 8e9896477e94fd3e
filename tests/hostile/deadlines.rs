//! One deadline limits the whole login, even if several servers are slow one after another.

use crate::Case;
use crate::module::{ASKS, Login, NOT_SENT, Say, Seen, someone};
use lab::Lab;
use lab::fake_ldap::{FakeLdap, Script};
use lab::fault_proxy::{Fault, FaultProxy};
use lab::listeners::{Behavior, Listener};
use lab::pamhost::code;
use std::thread;
use std::time::Duration;

pub const CASES: &[Case] = &[(
    "hostile::deadlines::slow_servers_in_turn_share_one",
    slow_servers_in_turn_share_one,
)];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// The deadline of the login, and the time after which a run fails even on a slow machine.
const DEADLINE: Duration = Duration::from_secs(6);
const MAX_TIME: Duration = Duration::from_millis(9500);

/// Each server alone stays within its own timeout.
fn slow_servers_in_turn_share_one(lab: &Lab) {
    thread::scope(|scope| {
        for run in [
            a_slow_directory_and_a_silent_twilio,
            many_silent_directories,
            bytes_by_the_second,
        ] {
            scope.spawn(move || run(lab));
        }
    });
}

fn check(login: &Login, what: &str, want: &Seen) {
    let seen = login.sees(what, &IN, want);
    let (_, took) = seen.results[0];
    // The login may end slightly before its deadline.
    let min = DEADLINE
        .checked_sub(Duration::from_millis(500))
        .expect("seconds");
    assert!((min..MAX_TIME).contains(&took), "{what}: {took:?}");
}

fn login<'b>(lab: &'b Lab, case: &'static str) -> Login<'b> {
    let who = someone(lab, case);
    Login::new(lab, case)
        .of(&who)
        .text("deadline", &format!("{}s", DEADLINE.as_secs()))
        .text("ldap.timeout", "60s")
        .text("twilio.timeout", "60s")
}

fn a_slow_directory_and_a_silent_twilio(lab: &Lab) {
    let directory = FakeLdap::start();
    let number = lab.number();
    directory.set_script(Script {
        takes: Duration::from_millis(1300),
        dn: b"uid=slow,ou=people,dc=example,dc=org".to_vec(),
        attributes: vec![
            (b"phoneNumberVerified".to_vec(), vec![b"TRUE".to_vec()]),
            (b"mobile".to_vec(), vec![number.clone().into_bytes()]),
        ],
        ..Script::default()
    });
    let silent = Listener::start(Behavior::Silent);
    let url = format!("https://127.0.0.1:{}", silent.port());
    let login = login(lab, "slow-both")
        .number(&number)
        .set("ldap.uris", &format!("[{:?}]", directory.url()))
        .text("twilio.api_url", &url);
    let line = "failed stage=twilio reason=outage";
    let want = Seen::new(&[code::AUTHINFO_UNAVAIL], &[ASKS, NOT_SENT], &[line], 0);
    check(&login, "slow, then silent", &want);
    assert!(silent.accepted() > 0, "Twilio was not reached");
}

fn many_silent_directories(lab: &Lab) {
    let silent: Vec<Listener> = (0..8).map(|_| Listener::start(Behavior::Silent)).collect();
    let uri = |server: &Listener| format!("ldaps://127.0.0.1:{}", server.port());
    let uris: Vec<String> = silent.iter().map(uri).collect();
    let login = login(lab, "slow-many").set("ldap.uris", &format!("{uris:?}"));
    let line = "failed user=? stage=directory reason=outage";
    let want = Seen::new(&[code::AUTHINFO_UNAVAIL], &[ASKS], &[line], 0);
    check(&login, "many silent directories", &want);
    for server in &silent {
        assert!(
            server.accepted() > 0,
            "each server gets a share of the time"
        );
    }
}

fn bytes_by_the_second(lab: &Lab) {
    let port = crate::hostile::failover::port(&lab.slapd().ldaps());
    let drip = FaultProxy::start(port, 1, Fault::Drip(Duration::from_secs(1)));
    let uri = format!("ldaps://127.0.0.1:{}", drip.port());
    let login = login(lab, "slow-bytes").set("ldap.uris", &format!("[{uri:?}]"));
    let line = "failed user=? stage=directory reason=outage";
    let want = Seen::new(&[code::AUTHINFO_UNAVAIL], &[ASKS], &[line], 0);
    check(&login, "a byte a second", &want);
}
