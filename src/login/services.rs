//! Everything outside of a login that the login uses.
#![forbid(unsafe_code)]

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{
    auth_log::LoginEvents, deadline::Moment, directory::Directory, ledger::Ledger, policy::Names,
    prefetch, sms::Carrier,
};

/// What a login uses.
pub(crate) struct Services<'a> {
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
pub(crate) trait Conversation {
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
pub(crate) enum PromptReply {
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

/// The clock.
pub(crate) trait Clock {
    fn now(&self) -> Moment;
}
