//! Scenarios: a login with fakes, and everything that an outsider observes of it.
#![forbid(unsafe_code)]

use std::time::Duration;

use protocol::Code as Pam;
use zeroize::Zeroizing;

use super::{
    fake_ledger::FakeLedger,
    fakes::{FakeCarrier, FakeClock, FakeConversation, FakeDirectory, FakeLog, FakeNss, World},
};
use crate::{
    config::{self, Content, Files, Role, Unsafe},
    deadline::Moment,
    failure::Failure,
    id::LoginId,
    ledger::model::Model,
    login::{Counts, LoginResult, Request, Services, authenticate},
    prefetch::{self, Permits},
    verdict::Outcome,
};

pub const LOGIN: LoginId = LoginId([0x7f, 0x3a, 0x9c, 0x21]);
pub const PASSWORD: &str = "correct horse";

const SETTINGS: &str = r#"
[twilio]
twilio_sid = "AC00000000000000000000000000000000"
twilio_token = "obviouslyFake"
from_number = "+15005550006"
[ldap]
uris = ["ldap://localhost"]
base = "dc=example,dc=org"
"#;

/// A file system with one file.
struct OneFile(String);

impl Files for OneFile {
    fn read(&self, _: &str, _: Role) -> Result<Content, Unsafe> {
        Ok(Content {
            bytes: Zeroizing::new(self.0.clone().into_bytes()),
            stat: safe_path::Stat {
                mode: 0o100_600,
                uid: 0,
                gid: 0,
                size: 0,
            },
        })
    }
}

/// What the user replies to the next prompt.
#[derive(Clone)]
pub enum Reply {
    Text(&'static str),
    Bytes(Vec<u8>),
    /// The code of the n-th SMS, from 0 on.
    Code(usize),
    /// A code that was not sent.
    WrongCode,
    /// The same after this many seconds.
    After(u64, Box<Reply>),
    /// The same after a long idle time.
    Idle(Box<Reply>),
    /// The same after the ledger has broken.
    BreakLedger(Failure, Box<Reply>),
    Disconnect,
    TooLong,
    Missing,
}

pub fn after(seconds: u64, then: Reply) -> Reply {
    Reply::After(seconds, Box::new(then))
}

/// The circumstances of a login, and the user's replies.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent circumstance"
)]
pub struct Scenario {
    pub user: &'static [u8],
    pub extra_settings: &'static str,
    pub change: fn(&mut config::Settings),
    pub service: &'static str,
    pub ssh: &'static [u8],
    pub caller: u32,
    pub counts: Counts,
    pub sms_before_outage: usize,
    /// The ledger, with earlier logins.
    pub ledger: Model,
    pub ledger_error_after_log: Option<Failure>,
    pub id: LoginId,
    pub rhost: &'static str,
    /// The call that panics.
    pub panics: &'static str,
    /// Whether the limit of logins with early connections is reached.
    pub has_no_permit: bool,
    /// Whether the system log accepts no line.
    pub is_log_full: bool,
    /// Whether the host process shows no texts.
    pub silent: bool,
    /// Whether the host process ends before it receives a text.
    pub is_host_gone: bool,
    pub replies: Vec<Reply>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            user: b"alice",
            extra_settings: "",
            change: |_| {},
            service: "sshd",
            ssh: b"",
            caller: 0,
            counts: Counts::default(),
            sms_before_outage: usize::MAX,
            ledger: Model::default(),
            ledger_error_after_log: None,
            id: LOGIN,
            rhost: "192.0.2.7",
            panics: "",
            has_no_permit: false,
            is_log_full: false,
            silent: false,
            is_host_gone: false,
            replies: Vec::new(),
        }
    }
}

/// Everything that an outsider observes.
pub struct Observed {
    pub pam: Pam,
    pub reason: &'static str,
    pub first: Option<&'static str>,
    pub text: String,
    /// The text that accompanies a granted login.
    pub info: String,
    pub prompts: Vec<String>,
    /// Prompts and calls, in order.
    pub order: Vec<String>,
    pub sms: Vec<String>,
    pub binds: u32,
    /// How often the ledger was asked for an admission.
    pub admissions: u32,
    /// New numbers that were logged.
    pub announced: Vec<String>,
    /// Stages of failures that did not end the login.
    pub warnings: Vec<&'static str>,
    pub detail: String,
    pub counts: Counts,
}

pub fn run(scenario: Scenario) -> Observed {
    let world = World::default();
    world.panics.set(scenario.panics);
    world.is_log_full.set(scenario.is_log_full);
    world.is_host_gone.set(scenario.is_host_gone);
    let files = OneFile(format!("{SETTINGS}{}", scenario.extra_settings));
    let mut settings =
        config::load(&files, "/settings", scenario.service, None).expect("valid settings");
    // Only scenarios about the pause have one.
    settings.limits.pause = Duration::ZERO;
    (scenario.change)(&mut settings);
    let clock = FakeClock(&world);
    let request = Request {
        id: scenario.id,
        user: scenario.user,
        rhost: scenario.rhost,
        ruser: b"",
        session: None,
        service: scenario.service,
        host: "web1",
        caller: scenario.caller,
        ssh_auth_info: scenario.ssh,
        silent: scenario.silent,
        // The time before this does not count.
        started: Moment::at(Duration::ZERO),
    };
    let mut conversation = FakeConversation(
        &world,
        scenario.replies.into_iter(),
        scenario.ledger.clone(),
    );
    let services = Services {
        conversation: &mut conversation,
        names: &FakeNss,
        directory: &mut FakeDirectory(&world),
        ledger: &mut FakeLedger(&world, scenario.ledger, scenario.ledger_error_after_log),
        carrier: &mut FakeCarrier(&world, scenario.sms_before_outage),
        log: &FakeLog(&world),
        permits: &mut Permits::new((!scenario.has_no_permit).then(prefetch::file_for_a_test)),
        clock: &clock,
    };
    let result = authenticate(&request, &settings, scenario.counts, services);
    let mut unused = conversation.1;
    assert!(unused.next().is_none(), "a further prompt was expected");
    if let Outcome::Granted(granted) = &result.outcome {
        assert_eq!(granted.login(), scenario.id);
    }
    observe(result, &world)
}

fn observe(result: LoginResult, world: &World) -> Observed {
    Observed {
        pam: result.outcome.pam(),
        reason: reason(&result.outcome),
        first: result.first,
        text: result.error_text.unwrap_or_default(),
        info: result.info_text.unwrap_or_default(),
        prompts: world.prompts.take(),
        order: world.order.take(),
        sms: world.sms.take(),
        binds: world.binds.get(),
        admissions: world.admissions.get(),
        announced: world.announced.take(),
        warnings: world.warnings.take(),
        detail: detail(&result.outcome),
        counts: result.counts,
    }
}

fn reason(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Granted(granted) => granted.exemption().map_or("granted", |why| why.reason()),
        Outcome::LeftToStack(exemption) => exemption.reason(),
        Outcome::Denied(refusal) => refusal.reason.reason(),
        Outcome::Failed(failure) => failure.kind.reason(),
    }
}

fn detail(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Denied(refusal) => refusal.detail.clone().unwrap_or_default(),
        Outcome::Granted(_) | Outcome::LeftToStack(_) | Outcome::Failed(_) => String::new(),
    }
}

/// Runs a scenario in which only the replies matter.
pub fn run_replies(replies: &[Reply]) -> Observed {
    run(Scenario {
        replies: replies.to_vec(),
        ..Scenario::default()
    })
}

/// Runs a scenario with these replies after the correct password.
pub fn run_codes(replies: &[Reply]) -> Observed {
    let mut all = vec![Reply::Text(PASSWORD)];
    all.extend_from_slice(replies);
    run_replies(&all)
}
