//! Who takes part in a login: the traits that its story is told through.
#![forbid(unsafe_code)]

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{
    deadline::{Deadline, Moment},
    directory::{self, Entry, Found, Proved, Unproved},
    failure::Failure,
    id::LoginId,
    ledger::{self, Account, Admission, Refusal, Rules, Slot, Try},
    phone::Phone,
    policy::Names,
    prefetch::{self, Permit},
    secret::Secret,
    sms::{SendError, Sent},
};

/// Who takes part.
pub struct Cast<'a> {
    pub person: &'a mut dyn Person,
    pub names: &'a dyn Names,
    pub directory: &'a mut dyn Directory,
    pub ledger: &'a mut dyn Ledger,
    pub carrier: &'a mut dyn Carrier,
    pub journal: &'a mut dyn Journal,
    pub permits: &'a mut prefetch::Permits,
    pub clock: &'a dyn Clock,
}

/// The person at the prompt.
pub trait Person {
    /// Asks for the password. Calls `idle` if no answer has come after that time.
    fn password(&mut self, prompt: &str, after: Duration, idle: &mut dyn FnMut()) -> Heard;
    /// Asks for the code, seen while it is typed or not.
    fn code(&mut self, prompt: &str, echo: bool) -> Heard;
    /// Shows a text. Whether the host has got it.
    fn inform(&mut self, text: &str) -> bool;
}

/// What a person said.
pub enum Heard {
    Words {
        words: Zeroizing<Vec<u8>>,
        /// Just now, and not left by an earlier module.
        asked: bool,
    },
    /// More than any password or code is long.
    TooLong,
    /// Nothing, and nobody may be asked.
    Missing,
    /// The conversation failed or its client has gone.
    HungUp,
}

/// The directory.
pub trait Directory {
    /// Begins to look for a name, if that can be done beside the prompt, and does not wait. What
    /// runs there ends at `by`.
    fn begin(&mut self, _name: &str, _by: Deadline, _permit: Permit) {}
    /// Closes what was begun and is not used yet.
    fn close(&mut self) {}
    /// Finds the entry of a name.
    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, directory::Error>;
    /// Proves a password, by binding once.
    fn prove(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<Proved, Unproved>;
}

/// What was sent and tried. Asked only about whoever has proved a first factor.
pub trait Ledger {
    /// Begins to connect, where there is somebody to connect to.
    fn begin(&mut self, _permit: Permit) {}
    /// Closes what was begun and is not used yet.
    fn close(&mut self) {}
    /// Whether he needs a code, and may have one: then an SMS is reserved.
    fn admit(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, ledger::Error>;
    /// It is logged that these numbers are new: from now on they are known as his.
    fn told(&mut self, who: &Account, new: &[Phone], by: Deadline) -> Result<(), ledger::Error>;
    /// Reserves a further SMS.
    fn reserve(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Slot, Refusal>, ledger::Error>;
    /// Takes one back that was surely not sent.
    fn give_back(&mut self, who: &Account, slot: Slot, by: Deadline) -> Result<(), ledger::Error>;
    /// Counts a try as failed, before it is compared.
    fn begin_try(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Try, Refusal>, ledger::Error>;
    /// It was right; so many tries of this handle were counted, this one among them. Returns the
    /// guesses of others that the user is to be shown.
    fn succeed(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        tries: u32,
        by: Deadline,
    ) -> Result<u32, ledger::Error>;
    /// The user was shown so many guesses.
    fn clear_guesses(
        &mut self,
        who: &Account,
        shown: u32,
        by: Deadline,
    ) -> Result<(), ledger::Error>;
    /// What has gone wrong since the last question, without keeping it from being answered.
    fn trouble(&mut self) -> Option<ledger::Error>;
}

/// Whoever carries the SMS.
pub trait Carrier {
    /// Gets ready to send, if that can be done beside the prompt, and does not wait. Asks for
    /// nothing: no first factor is proved yet.
    fn begin(&mut self, _permit: Permit) {}
    /// Closes what was begun and is not used yet.
    fn close(&mut self) {}
    /// Hands a text over; nobody needs it any more after `validity`.
    fn send(
        &mut self,
        to: &Phone,
        text: &Secret,
        validity: Duration,
        by: Deadline,
    ) -> Result<Sent, SendError>;
}

/// Whoever writes down what happens on the way.
pub trait Journal {
    /// The directory knows the name, so it may be written.
    fn known(&mut self);
    /// It is this person, who is not the user, whose phone is asked.
    fn caller(&mut self, name: &str);
    /// A first factor is proved.
    fn proved(&mut self, first: &'static str);
    /// An SMS was handed over.
    fn sent(&mut self, to: &Phone, sent: &Sent);
    /// Announces a number that is new for this person. Whether the system log has taken the line.
    fn phone_changed(&mut self, phone: &Phone) -> bool;
    /// Something failed, and the login goes on without it.
    fn trouble(&mut self, failed: &Failure);
    /// A step, for `debug`.
    fn step(&mut self, what: &str);
}

/// The time.
pub trait Clock {
    fn now(&self) -> Moment;
}
