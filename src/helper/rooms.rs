//! The rooms of a real login, opened when the story first needs them.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::{
    config,
    deadline::{Deadline, Moment},
    directory::{self, Entry, Found, Phonebook, Proved, Unproved},
    failure::Failure,
    id::LoginId,
    journal::{Log, LostLines},
    ledger::{self, Account, Admission, Books, Refusal, Rules, Slot, Try},
    login::{Carrier, Clock, Directory, Journal, Ledger},
    phone::Phone,
    policy::Names,
    prefetch::Permit,
    secret::Secret,
    sms::{SendError, Sent, twilio::Twilio},
    sys::Nss,
};

/// NSS, which has been asked for the user already: the log wants to know whether it knows him.
pub struct Host {
    user: Option<String>,
    uid: Result<Option<u32>, String>,
    caller: Option<Caller>,
}

/// Who calls, asked for before the walls: behind them some name services tell less.
struct Caller {
    uid: u32,
    name: Result<Option<String>, String>,
    uid_of_name: Result<Option<u32>, String>,
}

impl Host {
    pub fn look_up(user: &[u8]) -> Self {
        let user = String::from_utf8(user.to_vec()).ok();
        let uid = user.as_deref().map_or(Ok(None), |user| Nss.uid(user));
        Self {
            user,
            uid,
            caller: None,
        }
    }

    pub fn look_up_caller(&mut self, uid: u32) {
        let name = Nss.name(uid);
        let uid_of_name = match &name {
            Ok(Some(name)) => Nss.uid(name),
            Ok(None) | Err(_) => Ok(None),
        };
        self.caller = Some(Caller {
            uid,
            name,
            uid_of_name,
        });
    }

    pub const fn is_known(&self) -> bool {
        matches!(self.uid, Ok(Some(_)))
    }
}

impl Names for Host {
    fn uid(&self, name: &str) -> Result<Option<u32>, String> {
        if self.user.as_deref() == Some(name) {
            return self.uid.clone();
        }
        match &self.caller {
            Some(caller) if matches!(&caller.name, Ok(Some(his)) if his == name) => {
                caller.uid_of_name.clone()
            }
            _ => Nss.uid(name),
        }
    }

    fn name(&self, uid: u32) -> Result<Option<String>, String> {
        match &self.caller {
            Some(caller) if caller.uid == uid => caller.name.clone(),
            _ => Nss.name(uid),
        }
    }
}

impl Directory for Phonebook {
    fn begin(&mut self, name: &str, by: Deadline, permit: Permit) {
        Self::begin(self, name, by, permit);
    }

    fn close(&mut self) {
        Self::close(self);
    }

    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, directory::Error> {
        Self::find(self, name, by)
    }

    fn prove(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<Proved, Unproved> {
        Self::prove(self, entry, password, login, by)
    }
}

/// Twilio.
pub struct Mail<'a> {
    settings: &'a config::Twilio,
    open: Option<Twilio>,
}

impl<'a> Mail<'a> {
    pub const fn new(settings: &'a config::Twilio) -> Self {
        Self {
            settings,
            open: None,
        }
    }
}

impl Mail<'_> {
    fn open(&mut self) -> &mut Twilio {
        self.open.get_or_insert_with(|| Twilio::new(self.settings))
    }
}

impl Carrier for Mail<'_> {
    fn begin(&mut self, permit: Permit) {
        if self.settings.preconnect {
            self.open().begin(permit);
        }
    }

    fn close(&mut self) {
        self.open().close();
    }

    fn send(
        &mut self,
        to: &Phone,
        text: &Secret,
        validity: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError> {
        self.open().send(to, text, validity, by)
    }
}

impl Ledger for Books {
    fn begin(&mut self, permit: Permit) {
        Self::begin(self, permit);
    }

    fn close(&mut self) {
        Self::close(self);
    }

    fn admit(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, ledger::Error> {
        Self::admit(self, who, rules, by)
    }

    fn told(&mut self, who: &Account, new: &[Phone], by: Deadline) -> Result<(), ledger::Error> {
        Self::told(self, who, new, by)
    }

    fn reserve(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Slot, Refusal>, ledger::Error> {
        self.ask(by, |store, _| store.reserve(who, rules, by))
    }

    fn give_back(&mut self, who: &Account, slot: Slot, by: Deadline) -> Result<(), ledger::Error> {
        self.ask(by, |store, _| store.give_back(who, slot.clone(), by))
    }

    fn begin_try(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Try, Refusal>, ledger::Error> {
        self.ask(by, |store, _| store.begin_try(who, rules, by))
    }

    fn succeed(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        tries: u32,
        by: Deadline,
    ) -> Result<u32, ledger::Error> {
        Self::succeed(self, who, rules, tries, by)
    }

    fn clear_guesses(
        &mut self,
        who: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), ledger::Error> {
        Self::clear_guesses(self, who, shown, by)
    }

    fn trouble(&mut self) -> Option<ledger::Error> {
        Self::trouble(self)
    }
}

impl Journal for &Log {
    fn known(&mut self) {
        Log::known(self);
    }

    fn caller(&mut self, name: &str) {
        Log::caller(self, name);
    }

    fn proved(&mut self, first: &'static str) {
        Log::first(self, first);
    }

    fn sent(&mut self, to: &Phone, sent: &Sent) {
        Log::sent(self, to, sent);
    }

    fn phone_changed(&mut self, phone: &Phone) -> bool {
        Log::phone_changed(self, phone)
    }

    fn trouble(&mut self, failed: &Failure) {
        Log::trouble(self, failed);
    }

    fn step(&mut self, what: &str) {
        Log::step(self, what);
    }
}

impl LostLines for ledger::LostLines {
    fn add(&mut self, lines: u32) {
        Self::add(self, lines);
    }

    fn report(&mut self, send: &mut dyn FnMut(u32) -> u32) {
        Self::report(self, send);
    }
}

/// The machine's clock.
pub struct Wall;

impl Clock for Wall {
    fn now(&self) -> Moment {
        Moment::now()
    }
}
