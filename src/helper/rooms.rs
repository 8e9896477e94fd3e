//! The rooms of a real login, opened when the story first needs them.
#![forbid(unsafe_code)]

use crate::{
    deadline::{Deadline, Moment},
    ledger::{self, Account, Admission, Books, Refusal, Rules, Slot, Try},
    login::{Clock, Ledger},
    phone::Phone,
    policy::Names,
    prefetch::Permit,
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

/// The machine's clock.
pub struct Wall;

impl Clock for Wall {
    fn now(&self) -> Moment {
        Moment::now()
    }
}
