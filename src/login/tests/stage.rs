//! The stage: scripted people, directories and carriers, and all that an outsider sees of a login.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use protocol::Code as Pam;
use zeroize::Zeroizing;

use crate::login::*;
use crate::{
    auth_log::LoginEvents,
    config::{self, Content, Files, Role, Unsafe},
    deadline::Deadline,
    directory::{Directory, PasswordProof, Proved, Unproved, Value},
    failure::{Failure, FailureKind, Stage},
    ledger::{
        self, Account, AccountStatus, Admission, Attempt, Ledger, Rejection, Reservation, Rules,
        Success, Summary, model::Model,
    },
    policy::Names,
    prefetch::{self, Permit, Permits},
    secret::Secret,
    sms::{Carrier, SendError, Sent},
};

pub const LOGIN: LoginId = LoginId([0x7f, 0x3a, 0x9c, 0x21]);
pub const PASSWORD: &str = "correct horse";
const NUMBER: &str = "+12025550142";
/// The same person's, later.
const MOVED: &str = "+12025550177";
/// Of a user who has sent STOP.
const STOPPED: &str = "+12025550111";

const SETTINGS: &str = r#"
[twilio]
twilio_sid = "AC00000000000000000000000000000000"
twilio_token = "obviouslyFake"
from_number = "+15005550006"
[ldap]
uris = ["ldap://localhost"]
base = "dc=example,dc=org"
"#;

/// The only file there is.
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

/// What the person does at the next prompt.
#[derive(Clone)]
pub enum Do {
    Say(&'static str),
    Bytes(Vec<u8>),
    /// The code of the n-th SMS, counted from 0.
    Code(usize),
    /// Another code than that.
    WrongCode,
    /// First lets time pass.
    After(u64, Box<Do>),
    /// First the prompt is left alone for long.
    Idle(Box<Do>),
    /// First the ledger breaks.
    Breaks(ledger::Error, Box<Do>),
    HangUp,
    TooLong,
    Missing,
}

pub fn after(seconds: u64, then: Do) -> Do {
    Do::After(seconds, Box::new(then))
}

#[derive(Default)]
struct World {
    clock: Cell<u64>,
    sms: RefCell<Vec<String>>,
    seen: RefCell<Vec<String>>,
    /// What came after what.
    order: RefCell<Vec<String>>,
    binds: Cell<u32>,
    asked: Cell<u32>,
    changed: RefCell<Vec<String>>,
    trouble: RefCell<Vec<&'static str>>,
    /// Who panics when his turn has come.
    panics: Cell<&'static str>,
    log_is_full: Cell<bool>,
    host_is_gone: Cell<bool>,
}

impl World {
    /// A turn of somebody's.
    fn turn(&self, who: &'static str) {
        assert!(self.panics.get() != who, "{who} panics");
    }

    fn note(&self, what: impl Into<String>) {
        self.order.borrow_mut().push(what.into());
    }
}

struct Scripted<'a>(&'a World, std::vec::IntoIter<Do>, Model);

impl Scripted<'_> {
    fn answer(&self, what: Do) -> PromptReply {
        let words = |text: &str| PromptReply::Answer {
            text: Zeroizing::new(text.as_bytes().to_vec()),
            prompted: true,
        };
        match what {
            Do::Say(text) => words(text),
            Do::Bytes(words) => PromptReply::Answer {
                text: Zeroizing::new(words),
                prompted: true,
            },
            Do::Code(sms) => words(&self.0.sms.borrow()[sms][..6]),
            Do::WrongCode => {
                let sms = self.0.sms.borrow();
                let wrong = ["111111", "222222", "333333"]
                    .into_iter()
                    .find(|wrong| sms.iter().all(|sms| !sms.starts_with(wrong)));
                words(wrong.unwrap())
            }
            Do::After(seconds, then) => {
                self.0.clock.set(self.0.clock.get() + seconds);
                self.2.pass(Duration::from_secs(seconds));
                self.answer(*then)
            }
            Do::Idle(then) => self.answer(*then),
            Do::Breaks(error, then) => {
                self.2.fail(Some(error));
                self.answer(*then)
            }
            Do::HangUp => PromptReply::Disconnected,
            Do::TooLong => PromptReply::TooLong,
            Do::Missing => PromptReply::Missing,
        }
    }
}

impl Conversation for Scripted<'_> {
    fn prompt_password(
        &mut self,
        prompt: &str,
        _: Duration,
        idle: &mut dyn FnMut(),
    ) -> PromptReply {
        self.0.turn("password");
        if let Some(Do::Idle(_)) = self.1.as_slice().first() {
            idle();
        }
        self.asked(prompt)
    }

    fn prompt_code(&mut self, prompt: &str, _: bool) -> PromptReply {
        self.0.turn("code");
        self.asked(prompt)
    }

    fn show_info(&mut self, text: &str) -> bool {
        self.0.turn("inform");
        self.0.note(text);
        !self.0.host_is_gone.get()
    }
}

impl Scripted<'_> {
    fn asked(&mut self, prompt: &str) -> PromptReply {
        self.0.seen.borrow_mut().push(prompt.to_owned());
        self.0.note(prompt);
        let next = self.1.next().expect("nobody expected a further prompt");
        self.answer(next)
    }
}

struct Nss;

impl Names for Nss {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        match name {
            "root" => Ok(Some(0)),
            "known" => Ok(Some(1000)),
            "broken" => Err("NSS is broken".into()),
            _ => Ok(None),
        }
    }

    fn name(&self, uid: u32) -> Result<Option<String>, String> {
        Ok((uid == 1000).then(|| "alice".into()))
    }
}

struct People<'a>(&'a World);

fn entry(verified: &str, phone: &str) -> Entry {
    let value = |text: &str| vec![Value::Text(text.into())];
    Entry::new(
        "uid=alice,dc=example,dc=org".into(),
        value(verified),
        vec![value(phone), vec![]],
    )
}

impl Directory for People<'_> {
    fn begin(&mut self, name: &str, _: Deadline, _: Permit) {
        self.0.turn("begin");
        self.0.note(format!("begin {name}"));
    }

    fn close(&mut self) {
        self.0.note("close directory");
    }

    fn find(&mut self, name: &str, _: Deadline) -> Result<Found, Failure> {
        self.0.turn("find");
        self.0.note(format!("find {name}"));
        match name {
            "alice" | "known" | "r" => Ok(Found::One(entry("TRUE", NUMBER))),
            "moved" => Ok(Found::One(entry("TRUE", MOVED))),
            "refused" => Ok(Found::One(entry("TRUE", "+12025550110"))),
            "stopped" => Ok(Found::One(entry("TRUE", STOPPED))),
            "unverified" => Ok(Found::One(entry("FALSE", NUMBER))),
            "unreadable" => Ok(Found::One(entry("TRUE", "ask my mother"))),
            "ROOT" => Ok(Found::One(entry("TRUE", NUMBER).with_names(&["root"]))),
            "Backup" => Ok(Found::One(
                entry("TRUE", NUMBER).with_names(&["Backup", "known"]),
            )),
            "alias" => Ok(Found::One(entry("TRUE", NUMBER).with_names(&["broken"]))),
            "pointer" => Ok(Found::One(entry("FALSE", NUMBER).as_alias())),
            "elsewhere" => Ok(Found::Elsewhere),
            "twins" => Ok(Found::Several),
            "down" => Err(failure(FailureKind::Outage, "down", "")),
            "misconfigured" => Err(failure(FailureKind::Refused, "no", "do")),
            _ => Ok(Found::None),
        }
    }

    fn prove(
        &mut self,
        _: &Entry,
        password: &Secret,
        login: LoginId,
        _: Deadline,
    ) -> Result<Proved, Unproved> {
        self.0.turn("prove");
        self.0.binds.set(self.0.binds.get() + 1);
        self.0.note("bind");
        match password.reveal() {
            PASSWORD => Ok(proved(login, None)),
            "one grace" => Ok(proved(login, Some(1))),
            "two graces" => Ok(proved(login, Some(2))),
            "last grace" => Ok(proved(login, Some(0))),
            "expired" => Err(Unproved::Expired("it has expired".into())),
            "locked" => Err(Unproved::Locked("it is locked".into())),
            "cut" => Err(Unproved::Failed(failure(FailureKind::Outage, "cut", ""))),
            _ => Err(Unproved::Wrong),
        }
    }
}

fn failure(kind: FailureKind, what: &'static str, remedy: &'static str) -> Failure {
    Failure::new(Stage::Directory, kind, what, remedy)
}

const fn proved(login: LoginId, grace: Option<u32>) -> Proved {
    let proof = PasswordProof::for_a_test(login);
    Proved { proof, grace }
}

/// Refuses some numbers; from the n-th SMS on is down.
struct Post<'a>(&'a World, usize);

impl Carrier for Post<'_> {
    fn begin(&mut self, _: Permit) {
        self.0.turn("begin carrier");
        self.0.note("begin carrier");
    }

    fn close(&mut self) {
        self.0.note("close carrier");
    }

    fn send(
        &mut self,
        to: &Phone,
        text: &Secret,
        _: Duration,
        _: Deadline,
    ) -> Result<Sent, SendError> {
        self.0.turn("send");
        let failure = |kind| Failure::new(Stage::Twilio, kind, "refused", "do something");
        let refused = |code| {
            Err(SendError::not_sent(Failure {
                code,
                ..failure(FailureKind::NumberRefused)
            }))
        };
        match to.e164() {
            NUMBER | MOVED => {}
            STOPPED => return refused(Some(21610)),
            _ => return refused(Some(21614)),
        }
        if self.0.sms.borrow().len() >= self.1 {
            return Err(SendError::unknown(failure(FailureKind::Outage)));
        }
        self.0.sms.borrow_mut().push(text.reveal().to_owned());
        self.0.note("send");
        Ok(Sent {
            sid: None,
            took: Duration::ZERO,
        })
    }
}

struct Silent<'a>(&'a World);

/// The plain ledger, which may break once something is logged. Everything that it is asked comes after a
/// first factor.
struct Book<'a>(&'a World, Model, Option<ledger::Error>);

impl Ledger for Book<'_> {
    fn close(&mut self) {
        self.0.note("close ledger");
    }

    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, ledger::Error> {
        self.0.turn("admit");
        self.0.asked.set(self.0.asked.get() + 1);
        self.1.admit(account, rules, by)
    }

    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), ledger::Error> {
        self.0.turn("mark announced");
        self.0.note("mark announced");
        if let Some(error) = self.2.take() {
            self.1.fail(Some(error));
        }
        self.1.mark_announced(account, new, by)
    }

    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, ledger::Error> {
        self.0.turn("reserve");
        self.1.reserve(account, rules, by)
    }

    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        by: Deadline,
    ) -> Result<(), ledger::Error> {
        self.0.turn("release");
        self.1.release(account, reservation, by)
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, ledger::Error> {
        self.0.turn("record attempt");
        self.1.record_attempt(account, rules, by)
    }

    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        by: Deadline,
    ) -> Result<Success, ledger::Error> {
        self.0.turn("record success");
        self.1.record_success(account, rules, attempts, by)
    }

    fn clear_guesses(
        &mut self,
        account: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), ledger::Error> {
        self.0.turn("clear guesses");
        self.0.note("clear guesses");
        self.1.clear_guesses(account, shown, by)
    }

    fn take_warning(&mut self) -> Option<ledger::Error> {
        self.0.turn("take warning");
        None
    }

    fn status(&mut self, dn: &str, by: Deadline) -> Result<AccountStatus, ledger::Error> {
        self.1.status(dn, by)
    }

    fn summary(&mut self, by: Deadline) -> Result<Summary, ledger::Error> {
        self.1.summary(by)
    }

    fn unlock(
        &mut self,
        dn: &str,
        forget: bool,
        by: Deadline,
    ) -> Result<AccountStatus, ledger::Error> {
        self.1.unlock(dn, forget, by)
    }
}

impl LoginEvents for Silent<'_> {
    fn mark_known(&self) {
        self.0.turn("known");
    }
    fn set_caller(&self, _: &str) {}
    fn record_first_factor(&self, _: &'static str) {
        self.0.turn("proved");
    }
    fn sent(&self, _: &Phone, _: &Sent) {
        self.0.turn("sent");
    }
    fn phone_changed(&self, phone: &Phone) -> bool {
        self.0.turn("phone changed");
        self.0.note("phone changed");
        self.0.changed.borrow_mut().push(phone.masked());
        !self.0.log_is_full.get()
    }
    fn warning(&self, failed: &Failure) {
        self.0.trouble.borrow_mut().push(failed.stage.name());
    }
    fn step(&self, _: &str) {
        self.0.turn("step");
    }
}

struct Ticking<'a>(&'a World);

impl Clock for Ticking<'_> {
    fn now(&self) -> Moment {
        Moment::at(Duration::from_secs(1000 + self.0.clock.get()))
    }
}

/// A login to be told.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a circumstance by itself"
)]
pub struct Told {
    pub user: &'static [u8],
    pub more_settings: &'static str,
    pub change: fn(&mut config::Settings),
    pub service: &'static str,
    pub ssh: &'static [u8],
    pub caller: u32,
    pub counts: Counts,
    pub carrier_lasts: usize,
    /// What is known from earlier logins.
    pub ledger: Model,
    pub breaks_after_log: Option<ledger::Error>,
    pub id: LoginId,
    pub rhost: &'static str,
    /// Who panics when his turn has come.
    pub panics: &'static str,
    /// Whether as many logins connect ahead as may.
    pub no_permit: bool,
    /// The system log takes no line.
    pub log_is_full: bool,
    /// The host wants no texts.
    pub silent: bool,
    /// It is gone before it has got a text.
    pub host_is_gone: bool,
    pub script: Vec<Do>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            user: b"alice",
            more_settings: "",
            change: |_| {},
            service: "sshd",
            ssh: b"",
            caller: 0,
            counts: Counts::default(),
            carrier_lasts: usize::MAX,
            ledger: Model::default(),
            breaks_after_log: None,
            id: LOGIN,
            rhost: "192.0.2.7",
            panics: "",
            no_permit: false,
            log_is_full: false,
            silent: false,
            host_is_gone: false,
            script: Vec::new(),
        }
    }
}

/// All that an outsider can see of it.
pub struct Seen {
    pub pam: Pam,
    pub reason: &'static str,
    pub first: Option<&'static str>,
    pub text: String,
    /// What accompanies a granted login.
    pub notice: String,
    pub prompts: Vec<String>,
    /// Prompts, and what directory and carrier were asked, in order.
    pub order: Vec<String>,
    pub sms: Vec<String>,
    pub binds: u32,
    /// How often the ledger was asked whether he may have an SMS.
    pub asked: u32,
    /// Numbers that were new.
    pub changed: Vec<String>,
    /// Stages that failed without ending the login.
    pub trouble: Vec<&'static str>,
    pub detail: String,
    pub counts: Counts,
}

pub fn tell(told: Told) -> Seen {
    let world = World::default();
    world.panics.set(told.panics);
    world.log_is_full.set(told.log_is_full);
    world.host_is_gone.set(told.host_is_gone);
    let files = OneFile(format!("{SETTINGS}{}", told.more_settings));
    let mut settings = config::load(&files, "/settings", told.service, None).expect("settings");
    // No case waits between two SMS but those that are about it.
    settings.limits.pause = Duration::ZERO;
    (told.change)(&mut settings);
    let clock = Ticking(&world);
    let request = Request {
        id: told.id,
        user: told.user,
        rhost: told.rhost,
        ruser: b"",
        session: None,
        service: told.service,
        host: "web1",
        caller: told.caller,
        ssh_auth_info: told.ssh,
        silent: told.silent,
        // What passes before the story begins uses up none of its time.
        started: Moment::at(Duration::ZERO),
    };
    let mut person = Scripted(&world, told.script.into_iter(), told.ledger.clone());
    let services = Services {
        conversation: &mut person,
        names: &Nss,
        directory: &mut People(&world),
        ledger: &mut Book(&world, told.ledger, told.breaks_after_log),
        carrier: &mut Post(&world, told.carrier_lasts),
        log: &Silent(&world),
        permits: &mut Permits::new((!told.no_permit).then(prefetch::file_for_a_test)),
        clock: &clock,
    };
    let ended = run(&request, &settings, told.counts, services);
    assert!(person.1.next().is_none(), "a further prompt was expected");
    let reason = match &ended.outcome {
        Outcome::Granted(granted) => {
            assert_eq!(granted.login(), told.id);
            granted.exemption().map_or("granted", |why| why.reason())
        }
        Outcome::LeftToStack(exemption) => exemption.reason(),
        Outcome::Denied(denied) => denied.reason(),
        Outcome::Failed(failed) => failed.kind.reason(),
    };
    Seen {
        pam: ended.outcome.pam(),
        reason,
        first: ended.first,
        text: ended.text.unwrap_or_default(),
        notice: ended.notice.unwrap_or_default(),
        prompts: world.seen.take(),
        order: world.order.take(),
        sms: world.sms.take(),
        binds: world.binds.get(),
        asked: world.asked.get(),
        changed: world.changed.take(),
        trouble: world.trouble.take(),
        detail: ended.detail.unwrap_or_default(),
        counts: ended.counts,
    }
}

pub fn script(script: &[Do]) -> Seen {
    tell(Told {
        script: script.to_vec(),
        ..Told::default()
    })
}

/// With the right password first.
pub fn codes(answers: &[Do]) -> Seen {
    let mut all = vec![Do::Say(PASSWORD)];
    all.extend_from_slice(answers);
    script(&all)
}
