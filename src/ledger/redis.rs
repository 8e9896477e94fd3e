//! One ledger for a fleet, in Redis or Valkey.
//!
//! Each question is one Lua script: the server runs it as one step, by its own clock. It is called by
//! its hash, which is one round trip; a server that does not have it yet gets the whole script in a
//! second one. A request whose answer was lost is sent once more, and says by its id that it is the
//! same.
//!
//! A remembered login is sealed with the key by the host: whoever may write the keys below, but does not
//! have the key, makes none.
//!
//! What is kept under `pam_sms_otp:{otp}:`, people and phones as keyed hashes:
//!
//! | key | what | until |
//! | --- | --- | --- |
//! | `person:…` | wrong codes and lock, known numbers, remembered logins | 400 days after the last use; while wrong codes are counted, for ever |
//! | `person-sms:…`, `phone-sms:…`, `all` | when SMS were reserved | the longest span of any rule has passed |
//! | `tally` | sums by hours | the same |
//! | `suspects`, `names` | who has wrong codes, and is called what | the last of them is cleared |
#![forbid(unsafe_code)]

mod call;
mod fault;
mod keys;
mod line;
mod link;
mod message;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod question;
mod resp;
mod site;
#[cfg(test)]
mod tests;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Account, AccountStatus, Admission, Attempt, Backend, Decision, FailedAccount, Ledger,
    LimitScope, Rejection, Reservation, Rules, Success, Summary, failure,
};
use crate::{
    config,
    deadline::Deadline,
    failure::{Failure, FailureKind},
    phone::Phone,
    prefetch::Permit,
};
use call::Call;
use keys::Hasher;
use line::Line;
use message::{Admitted, Granted, Logged, Named, Odd, Returned, Said, Seen, Shown, Stands};
use question::Question;
use site::Site;

/// A script: what all questions share, and this one.
macro_rules! script {
    ($name:literal) => {
        concat!(
            include_str!("redis/script/ledger.lua"),
            include_str!(concat!("redis/script/", $name, ".lua"))
        )
    };
}

/// The fleet's ledger. An SMS is given back through the one that has reserved it: the id is its.
pub struct RedisStore {
    line: Line,
    hasher: Hasher,
    /// With the number of a request it makes an id that nobody else has.
    nonce: [u8; 8],
    requests: u32,
    /// When, by the server's clock, this login was admitted: its record is sealed for that time.
    admitted: Option<u64>,
    #[cfg(test)]
    clock: Option<std::sync::Arc<std::sync::atomic::AtomicU64>>,
}

impl RedisStore {
    /// As [`Self::new`], and begins to connect.
    #[cfg(test)]
    pub fn begin(settled: &config::Redis) -> Result<Self, Failure> {
        let mut remote = Self::new(settled)?;
        remote.line.begin(Permit::for_a_test());
        Ok(remote)
    }

    /// Connects to nobody yet. Connecting takes no longer than the settled timeout, nor does an
    /// answer.
    pub fn new(settled: &config::Redis) -> Result<Self, Failure> {
        let mut nonce = [0; 8];
        SysRng.try_fill_bytes(&mut nonce).map_err(|_| {
            failure(
                FailureKind::Local,
                "the operating system gives no random numbers (getrandom)",
                "check this host's kernel",
            )
        })?;
        Ok(Self {
            line: Line::new(Site::new(settled)?),
            hasher: Hasher::new(&settled.key),
            nonce,
            requests: 0,
            admitted: None,
            #[cfg(test)]
            clock: None,
        })
    }

    /// One question, one answer.
    fn ask<T: DeserializeOwned>(
        &mut self,
        script: &str,
        keys: &[String],
        question: &impl Serialize,
        by: Deadline,
    ) -> Result<T, Failure> {
        #[cfg(test)]
        let script = &tests::at(script, self.clock.as_deref());
        let question = serde_json::to_vec(question).map_err(|_| Odd)?;
        let call = Call {
            script,
            keys,
            argument: &question,
        };
        let text = self.line.run(&call, by)?;
        Ok(serde_json::from_slice(&text).map_err(|_| Odd)?)
    }

    fn ask_about<T: DeserializeOwned>(
        &mut self,
        script: &str,
        question: &Question,
        by: Deadline,
    ) -> Result<T, Failure> {
        let keys = keys::of_account(&question.person, &question.phone);
        self.ask(script, &keys, question, by)
    }

    fn ask_of_person(
        &mut self,
        script: &str,
        person: &str,
        forget: bool,
        by: Deadline,
    ) -> Result<AccountStatus, Failure> {
        let person = &self.hasher.person(person);
        let question = Named { person, forget };
        let stands: Stands = self.ask(script, &keys::of_person(person), &question, by)?;
        Ok(stands.read()?)
    }

    /// A question that was not asked before.
    fn question(&mut self, who: &Account, rules: Rules<'_>) -> Question {
        Question::new(self.next_id(), who, rules, &self.hasher)
    }

    fn next_id(&mut self) -> String {
        self.requests = self.requests.wrapping_add(1);
        self.id(self.requests)
    }

    fn id(&self, request: u32) -> String {
        let request = request.to_be_bytes();
        URL_SAFE_NO_PAD.encode([self.nonce.as_slice(), request.as_slice()].concat())
    }
}

impl Ledger for RedisStore {
    fn begin(&mut self, permit: Permit) {
        self.line.begin(permit);
    }

    fn close(&mut self) {
        self.line.close();
    }

    fn admit(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Failure> {
        let mut question = self.question(who, rules);
        let mut said: Admitted = self.ask_about(script!("admit"), &question, by)?;
        if !said.is_genuine(&question, &self.hasher) {
            // Written without our key, or of another password or phone: a code is needed.
            question = self.question(who, rules).without_place();
            said = self.ask_about(script!("admit"), &question, by)?;
        }
        if !said.is_genuine(&question, &self.hasher) {
            return Err(Odd.into());
        }
        self.admitted = said.reserved_at().or(self.admitted);
        Ok(said.read(self.requests, who, rules)?)
    }

    fn mark_announced(
        &mut self,
        who: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), Failure> {
        let person = self.hasher.person(&who.dn);
        let logged = Logged {
            new: new.iter().map(|n| self.hasher.phone(n)).collect(),
        };
        let _: Said = self.ask(script!("told"), &keys::of_person(&person), &logged, by)?;
        Ok(())
    }

    fn reserve(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        let question = self.question(who, rules);
        let said: Said = self.ask_about(script!("reserve"), &question, by)?;
        Ok(match said.slot(self.requests) {
            Some(slot) => Ok(slot),
            None => Err(said.refusal(rules)?),
        })
    }

    fn release(&mut self, who: &Account, slot: Reservation, by: Deadline) -> Result<(), Failure> {
        let person = self.hasher.person(&who.dn);
        let keys = keys::of_account(&person, &self.hasher.phone(&who.phone));
        let returned = Returned {
            id: self.id(slot.number),
            at: slot.at,
            parts: who.segments,
        };
        let _: Said = self.ask(script!("give_back"), &keys, &returned, by)?;
        Ok(())
    }

    fn record_attempt(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        let question = self.question(who, rules).named(&who.name);
        let said: Said = self.ask_about(script!("begin_try"), &question, by)?;
        Ok(match said.tried() {
            Some(tried) => Ok(tried),
            None => Err(said.refusal(rules)?),
        })
    }

    fn record_success(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        tries: u32,
        by: Deadline,
    ) -> Result<Success, Failure> {
        let question = self.question(who, rules);
        let mut question = question.sealed(self.admitted, &self.hasher);
        question.tries = Some(tries);
        let granted: Granted = self.ask_about(script!("succeed"), &question, by)?;
        Ok(granted.read(who)?)
    }

    fn clear_guesses(&mut self, who: &Account, shown: u32, by: Deadline) -> Result<(), Failure> {
        let keys = keys::of_person(&self.hasher.person(&who.dn));
        let shown = Shown {
            id: self.next_id(),
            guesses: shown,
        };
        let _: Said = self.ask(script!("clear_guesses"), &keys, &shown, by)?;
        Ok(())
    }

    fn status(&mut self, person: &str, by: Deadline) -> Result<AccountStatus, Failure> {
        self.ask_of_person(script!("standing"), person, false, by)
    }

    fn summary(&mut self, by: Deadline) -> Result<Summary, Failure> {
        let seen: Seen = self.ask(script!("overview"), &keys::shared(), &(), by)?;
        Ok(seen.read())
    }

    fn unlock(
        &mut self,
        person: &str,
        forget: bool,
        by: Deadline,
    ) -> Result<AccountStatus, Failure> {
        self.ask_of_person(script!("unlock"), person, forget, by)
    }
}
