//! Everything outside of a login that the login uses.
#![forbid(unsafe_code)]

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{
    auth_log::LoginEvents,
    deadline::{Deadline, Moment},
    directory::Directory,
    ledger::{self, Account, Admission, Refusal, Rules, Slot, Try},
    phone::Phone,
    policy::Names,
    prefetch::{self, Permit},
    sms::Carrier,
};

/// What a login uses.
pub struct Services<'a> {
    pub conversation: &'a mut dyn Conversation,
    pub names: &'a dyn Names,
    pub directory: &'a mut dyn Directory,
    pub ledger: &'a mut dyn Ledger,
    pub carrier: &'a mut dyn Carrier,
    pub log: &'a dyn LoginEvents,
    pub permits: &'a mut prefetch::Permits,
    pub clock: &'a dyn Clock,
}

/// The PAM conversation with the user.
pub trait Conversation {
    /// Prompts for the password. Calls `idle` once if no reply has come after that time.
    fn prompt_password(
        &mut self,
        prompt: &str,
        after: Duration,
        idle: &mut dyn FnMut(),
    ) -> PromptReply;

    /// Prompts for the code, with or without echo.
    fn prompt_code(&mut self, prompt: &str, echo: bool) -> PromptReply;

    /// Shows a text. Returns whether the host process received it.
    fn show_info(&mut self, text: &str) -> bool;
}

/// The reply to a prompt.
pub enum PromptReply {
    Answer {
        text: Zeroizing<Vec<u8>>,
        /// Whether the user typed it now. Otherwise an earlier module left it.
        prompted: bool,
    },
    /// Longer than any password or code.
    TooLong,
    /// No module left a password, and prompting is not allowed.
    Missing,
    /// The conversation failed, or its client has disconnected.
    Disconnected,
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

/// The clock.
pub trait Clock {
    fn now(&self) -> Moment;
}
