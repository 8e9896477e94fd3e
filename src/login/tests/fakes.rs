//! Fakes of everything that a login uses, and what they record.
#![forbid(unsafe_code)]

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use zeroize::Zeroizing;

use super::scenario::{PASSWORD, Reply};
use crate::{
    auth_log::LoginEvents,
    deadline::{Deadline, Moment},
    directory::{Directory, Entry, Found, PasswordError, PasswordProof, Value, VerifiedPassword},
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
    ledger::model::Model,
    login::{Clock, Conversation, PromptReply},
    phone::Phone,
    policy::Names,
    prefetch::Permit,
    secret::Secret,
    sms::{Carrier, SendError, Sent},
};

const NUMBER: &str = "+12025550142";
/// A later number of the same user.
const MOVED: &str = "+12025550177";
/// The number of a user who has replied STOP.
const STOPPED: &str = "+12025550111";

/// What the fakes share: the clock, what they record, and how they misbehave.
#[derive(Default)]
pub struct World {
    pub clock: Cell<u64>,
    pub sms: RefCell<Vec<String>>,
    pub prompts: RefCell<Vec<String>>,
    /// Prompts and calls, in order.
    pub order: RefCell<Vec<String>>,
    pub binds: Cell<u32>,
    pub admissions: Cell<u32>,
    pub announced: RefCell<Vec<String>>,
    pub warnings: RefCell<Vec<&'static str>>,
    /// The call that panics.
    pub panics: Cell<&'static str>,
    pub is_log_full: Cell<bool>,
    pub is_host_gone: Cell<bool>,
}

impl World {
    /// Panics if this is the call that is to panic.
    pub fn call(&self, name: &'static str) {
        assert!(self.panics.get() != name, "{name} panics");
    }

    pub fn note(&self, what: impl Into<String>) {
        self.order.borrow_mut().push(what.into());
    }
}

/// The user, who gives these replies. The model is the ledger that some replies break.
pub struct FakeConversation<'a>(pub &'a World, pub std::vec::IntoIter<Reply>, pub Model);

impl FakeConversation<'_> {
    fn reply(&self, reply: Reply) -> PromptReply {
        let answer = |text: &str| PromptReply::Answer {
            text: Zeroizing::new(text.as_bytes().to_vec()),
            prompted: true,
        };
        match reply {
            Reply::Text(text) => answer(text),
            Reply::Bytes(text) => PromptReply::Answer {
                text: Zeroizing::new(text),
                prompted: true,
            },
            Reply::Code(sms) => answer(&self.0.sms.borrow()[sms][..6]),
            Reply::WrongCode => {
                let sms = self.0.sms.borrow();
                let wrong = ["111111", "222222", "333333"]
                    .into_iter()
                    .find(|wrong| sms.iter().all(|sms| !sms.starts_with(wrong)));
                answer(wrong.unwrap())
            }
            Reply::After(seconds, then) => {
                self.0.clock.set(self.0.clock.get() + seconds);
                self.2.pass(Duration::from_secs(seconds));
                self.reply(*then)
            }
            Reply::Idle(then) => self.reply(*then),
            Reply::BreakLedger(error, then) => {
                self.2.fail(Some(error));
                self.reply(*then)
            }
            Reply::Disconnect => PromptReply::Disconnected,
            Reply::TooLong => PromptReply::TooLong,
            Reply::Missing => PromptReply::Missing,
        }
    }
}

impl Conversation for FakeConversation<'_> {
    fn prompt_password(
        &mut self,
        prompt: &str,
        _: Duration,
        idle: &mut dyn FnMut(),
    ) -> PromptReply {
        self.0.call("password");
        if let Some(Reply::Idle(_)) = self.1.as_slice().first() {
            idle();
        }
        self.prompt(prompt)
    }

    fn prompt_code(&mut self, prompt: &str, _: bool) -> PromptReply {
        self.0.call("code");
        self.prompt(prompt)
    }

    fn show_info(&mut self, text: &str) -> bool {
        self.0.call("inform");
        self.0.note(text);
        !self.0.is_host_gone.get()
    }
}

impl FakeConversation<'_> {
    fn prompt(&mut self, prompt: &str) -> PromptReply {
        self.0.prompts.borrow_mut().push(prompt.to_owned());
        self.0.note(prompt);
        let next = self.1.next().expect("an unexpected prompt");
        self.reply(next)
    }
}

pub struct FakeNss;

impl Names for FakeNss {
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

pub struct FakeDirectory<'a>(pub &'a World);

fn entry(verified: &str, phone: &str) -> Entry {
    let value = |text: &str| vec![Value::Text(text.into())];
    Entry::new(
        "uid=alice,dc=example,dc=org".into(),
        value(verified),
        vec![value(phone), vec![]],
    )
}

impl Directory for FakeDirectory<'_> {
    fn begin(&mut self, name: &str, _: Deadline, _: Permit) {
        self.0.call("begin");
        self.0.note(format!("begin {name}"));
    }

    fn close(&mut self) {
        self.0.note("close directory");
    }

    fn find(&mut self, name: &str, _: Deadline) -> Result<Found, Failure> {
        self.0.call("find");
        self.0.note(format!("find {name}"));
        match name {
            "alice" | "known" | "r" => Ok(Found::One(entry("TRUE", NUMBER))),
            "moved" => Ok(Found::One(entry("TRUE", MOVED))),
            "refused" => Ok(Found::One(entry("TRUE", "+12025550110"))),
            "stopped" => Ok(Found::One(entry("TRUE", STOPPED))),
            "unverified" => Ok(Found::One(entry("FALSE", NUMBER))),
            "unreadable" => Ok(Found::One(entry("TRUE", "see the printed list"))),
            "ROOT" => Ok(Found::One(entry("TRUE", NUMBER).with_names(&["root"]))),
            "Backup" => Ok(Found::One(
                entry("TRUE", NUMBER).with_names(&["Backup", "known"]),
            )),
            "alias" => Ok(Found::One(entry("TRUE", NUMBER).with_names(&["broken"]))),
            "pointer" => Ok(Found::One(entry("FALSE", NUMBER).with_alias_class())),
            "elsewhere" => Ok(Found::Elsewhere),
            "twins" => Ok(Found::Several),
            "down" => Err(failure(FailureKind::Outage, "down", "")),
            "misconfigured" => Err(failure(FailureKind::Refused, "no", "do")),
            _ => Ok(Found::None),
        }
    }

    fn verify_password(
        &mut self,
        _: &Entry,
        password: &Secret,
        login: LoginId,
        _: Deadline,
    ) -> Result<VerifiedPassword, PasswordError> {
        self.0.call("verify_password");
        self.0.binds.set(self.0.binds.get() + 1);
        self.0.note("bind");
        match password.reveal() {
            PASSWORD => Ok(verified(login, None)),
            "one grace" => Ok(verified(login, Some(1))),
            "two graces" => Ok(verified(login, Some(2))),
            "last grace" => Ok(verified(login, Some(0))),
            "expired" => Err(PasswordError::Expired("it has expired".into())),
            "locked" => Err(PasswordError::Locked("it is locked".into())),
            "cut" => Err(PasswordError::Failed(failure(
                FailureKind::Outage,
                "cut",
                "",
            ))),
            _ => Err(PasswordError::Wrong),
        }
    }
}

fn failure(kind: FailureKind, what: &'static str, remedy: &'static str) -> Failure {
    Failure::new(Stage::Directory, kind, what, remedy)
}

const fn verified(login: LoginId, grace: Option<u32>) -> VerifiedPassword {
    let proof = PasswordProof::for_a_test(login);
    VerifiedPassword { proof, grace }
}

/// Refuses some numbers, and has an outage after this many SMS.
pub struct FakeCarrier<'a>(pub &'a World, pub usize);

impl Carrier for FakeCarrier<'_> {
    fn begin(&mut self, _: Permit) {
        self.0.call("begin carrier");
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
        self.0.call("send");
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

pub struct FakeLog<'a>(pub &'a World);

impl LoginEvents for FakeLog<'_> {
    fn mark_known(&self) {
        self.0.call("mark known");
    }
    fn set_caller(&self, _: &str) {}
    fn record_first_factor(&self, _: &'static str) {
        self.0.call("record first factor");
    }
    fn sent(&self, _: &Phone, _: &Sent) {
        self.0.call("sent");
    }
    fn phone_changed(&self, phone: &Phone) -> bool {
        self.0.call("phone changed");
        self.0.note("phone changed");
        self.0.announced.borrow_mut().push(phone.masked());
        !self.0.is_log_full.get()
    }
    fn warning(&self, failed: &Failure) {
        self.0.warnings.borrow_mut().push(failed.stage.name());
    }
    fn step(&self, _: &str) {
        self.0.call("step");
    }
}

pub struct FakeClock<'a>(pub &'a World);

impl Clock for FakeClock<'_> {
    fn now(&self) -> Moment {
        Moment::at(Duration::from_secs(1000 + self.0.clock.get()))
    }
}
