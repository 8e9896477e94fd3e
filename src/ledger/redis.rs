//! One ledger shared by several hosts, in Redis or Valkey.
//!
//! Each request is one Lua script, which the server runs as one atomic step and by its own clock. A script is
//! called by its hash, in one round trip; a server that does not have it yet gets its text in a second one. If
//! the reply to a request is lost, the request is sent once more with the same id.
//!
//! The host seals the record of a remembered login with the key of all hosts. A client of the server without
//! this key can change the stored data, and cannot make such a record.
//!
//! Keys, below `pam_sms_otp:{otp}:`; users and phones are keyed hashes:
//!
//! | key | value | expiry |
//! | --- | --- | --- |
//! | `person:…` | wrong codes and lock of a user, known numbers, remembered logins | 400 days after the last use; never while wrong codes are counted |
//! | `person-sms:…`, `phone-sms:…`, `all` | times of reserved SMS | the longest time span of any rule |
//! | `tally` | sums by the hour | the same, and a day |
//! | `suspects`, `names` | users with wrong codes, and their login names | none; removed with the last wrong code |
#![forbid(unsafe_code)]

mod client;
mod connection;
mod fault;
mod keys;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod resp;
mod script_call;
mod script_reply;
mod script_request;
#[cfg(test)]
mod tests;
mod topology;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Account, AccountStatus, Admission, Attempt, Backend, Decision, FailedAccount, Ledger,
    LimitScope, Rejection, Reservation, Rules, Success, Summary,
};
use crate::{config, deadline::Deadline, failure::Failure, phone::Phone, prefetch::Permit};
use client::Client;
use keys::Hasher;
use script_call::ScriptCall;
use script_reply::{
    AdmitReply, ScriptReply, StatusReply, SuccessReply, SummaryReply, UnexpectedReply,
};
use script_request::{
    AccountRequest, AnnouncedRequest, GuessesRequest, ReleaseRequest, UserRequest,
};
use topology::Topology;

/// Returns the text of a script: the common part, and its own.
macro_rules! script {
    ($name:literal) => {
        concat!(
            include_str!("redis/scripts/common.lua"),
            include_str!(concat!("redis/scripts/", $name, ".lua"))
        )
    };
}

/// The shared ledger, for one login. Only the store that reserved an SMS can release it, because it has the
/// id of the request.
pub struct RedisStore {
    client: Client,
    hasher: Hasher,
    /// Makes the ids of this login's requests unique, together with their number.
    nonce: [u8; 8],
    requests: u32,
    /// When this login was admitted, by the server's clock: its record is sealed for this time.
    admitted: Option<u64>,
    #[cfg(test)]
    clock: Option<std::sync::Arc<std::sync::atomic::AtomicU64>>,
}

impl RedisStore {
    /// Returns a store that begins to connect.
    #[cfg(test)]
    fn begin_for_a_test(settings: &config::Redis) -> Result<Self, Failure> {
        let mut store = Self::new(settings)?;
        store.client.begin(Permit::for_a_test());
        Ok(store)
    }

    /// Returns a store that does not connect yet. The timeout in the settings limits the time for
    /// connecting, and for each reply.
    pub fn new(settings: &config::Redis) -> Result<Self, Failure> {
        let mut nonce = [0; 8];
        SysRng
            .try_fill_bytes(&mut nonce)
            .map_err(|_| fault::no_random_numbers())?;
        Ok(Self {
            client: Client::new(Topology::new(settings)?),
            hasher: Hasher::new(&settings.key),
            nonce,
            requests: 0,
            admitted: None,
            #[cfg(test)]
            clock: None,
        })
    }

    /// Calls a script and decodes its reply.
    fn call<T: DeserializeOwned>(
        &mut self,
        script: &str,
        keys: &[String],
        request: &impl Serialize,
        by: Deadline,
    ) -> Result<T, Failure> {
        #[cfg(test)]
        let script = &tests::with_clock(script, self.clock.as_deref());
        let request = serde_json::to_vec(request).map_err(|_| UnexpectedReply)?;
        let call = ScriptCall {
            script,
            keys,
            argument: &request,
        };
        let text = self.client.run(&call, by)?;
        Ok(serde_json::from_slice(&text).map_err(|_| UnexpectedReply)?)
    }

    fn call_for_account<T: DeserializeOwned>(
        &mut self,
        script: &str,
        request: &AccountRequest,
        by: Deadline,
    ) -> Result<T, Failure> {
        let keys = keys::of_account(&request.user, &request.phone);
        self.call(script, &keys, request, by)
    }

    fn call_for_user(
        &mut self,
        script: &str,
        dn: &str,
        forget: bool,
        by: Deadline,
    ) -> Result<AccountStatus, Failure> {
        let user = &self.hasher.user(dn);
        let request = UserRequest { user, forget };
        let status: StatusReply = self.call(script, &keys::of_user(user), &request, by)?;
        Ok(status.into_status()?)
    }

    /// Returns a request with a new id.
    fn request(&mut self, account: &Account, rules: Rules<'_>) -> AccountRequest {
        AccountRequest::new(self.next_id(), account, rules, &self.hasher)
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
        self.client.begin(permit);
    }

    fn close(&mut self) {
        self.client.close();
    }

    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Failure> {
        let mut request = self.request(account, rules);
        let mut reply: AdmitReply = self.call_for_account(script!("admit"), &request, by)?;
        if !reply.is_genuine(&request, &self.hasher) {
            // The record was written without our key, or with another password or phone: a code is needed.
            request = self.request(account, rules).without_origin();
            reply = self.call_for_account(script!("admit"), &request, by)?;
        }
        if !reply.is_genuine(&request, &self.hasher) {
            return Err(UnexpectedReply.into());
        }
        self.admitted = reply.reserved_at().or(self.admitted);
        Ok(reply.into_admission(self.requests, account, rules)?)
    }

    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), Failure> {
        let keys = keys::of_user(&self.hasher.user(&account.dn));
        let request = AnnouncedRequest {
            new: new.iter().map(|n| self.hasher.phone(n)).collect(),
        };
        let _: ScriptReply = self.call(script!("mark_announced"), &keys, &request, by)?;
        Ok(())
    }

    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        let request = self.request(account, rules);
        let reply: ScriptReply = self.call_for_account(script!("reserve"), &request, by)?;
        Ok(match reply.reservation(self.requests) {
            Some(reservation) => Ok(reservation),
            None => Err(reply.rejection(rules)?),
        })
    }

    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        by: Deadline,
    ) -> Result<(), Failure> {
        let user = self.hasher.user(&account.dn);
        let keys = keys::of_account(&user, &self.hasher.phone(&account.phone));
        let request = ReleaseRequest {
            id: self.id(reservation.number),
            at: reservation.at,
            parts: account.segments,
        };
        let _: ScriptReply = self.call(script!("release"), &keys, &request, by)?;
        Ok(())
    }

    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure> {
        let request = self.request(account, rules).with_name(&account.name);
        let reply: ScriptReply = self.call_for_account(script!("record_attempt"), &request, by)?;
        Ok(match reply.attempt() {
            Some(attempt) => Ok(attempt),
            None => Err(reply.rejection(rules)?),
        })
    }

    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        by: Deadline,
    ) -> Result<Success, Failure> {
        let request = self.request(account, rules);
        let mut request = request.with_record(self.admitted, &self.hasher);
        request.attempts = Some(attempts);
        let reply: SuccessReply = self.call_for_account(script!("record_success"), &request, by)?;
        Ok(reply.into_success(account)?)
    }

    fn clear_guesses(
        &mut self,
        account: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), Failure> {
        let keys = keys::of_user(&self.hasher.user(&account.dn));
        let request = GuessesRequest {
            id: self.next_id(),
            guesses: shown,
        };
        let _: ScriptReply = self.call(script!("clear_guesses"), &keys, &request, by)?;
        Ok(())
    }

    fn status(&mut self, dn: &str, by: Deadline) -> Result<AccountStatus, Failure> {
        self.call_for_user(script!("status"), dn, false, by)
    }

    fn summary(&mut self, by: Deadline) -> Result<Summary, Failure> {
        let reply: SummaryReply = self.call(script!("summary"), &keys::shared(), &(), by)?;
        Ok(reply.into_summary())
    }

    fn unlock(&mut self, dn: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure> {
        self.call_for_user(script!("unlock"), dn, forget, by)
    }
}
