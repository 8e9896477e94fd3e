//! Who takes part in a login: the traits that its story is told through.
#![forbid(unsafe_code)]

use std::time::Duration;

use zeroize::Zeroizing;

use crate::{
    deadline::{Deadline, Moment},
    directory::{self, Entry, Found, PasswordProof, Unproved},
    id::LoginId,
    phone::Phone,
    policy::Names,
    secret::Secret,
    sms::{self, Sent},
    verdict::Failed,
};

/// Who takes part.
pub struct Cast<'a> {
    pub person: &'a mut dyn Person,
    pub names: &'a dyn Names,
    pub directory: &'a mut dyn Directory,
    pub carrier: &'a mut dyn Carrier,
    pub journal: &'a mut dyn Journal,
    pub clock: &'a dyn Clock,
}

/// The person at the prompt.
pub trait Person {
    /// Asks for the password.
    fn password(&mut self, prompt: &str) -> Heard;
    /// Asks for the code, seen while it is typed or not.
    fn code(&mut self, prompt: &str, echo: bool) -> Heard;
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
    /// Finds the entry of a name.
    fn find(&mut self, name: &str, by: Deadline) -> Result<Found, directory::Error>;
    /// Proves a password, by binding once.
    fn prove(
        &mut self,
        entry: &Entry,
        password: &Secret,
        login: LoginId,
        by: Deadline,
    ) -> Result<PasswordProof, Unproved>;
}

/// Whoever carries the SMS.
pub trait Carrier {
    /// Hands a text over; nobody needs it any more after `validity`.
    fn send(
        &mut self,
        to: &Phone,
        text: &Secret,
        validity: Duration,
        by: Deadline,
    ) -> Result<Sent, sms::Error>;
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
    /// An SMS was refused, and the login goes on with the code that is out already.
    fn unsent(&mut self, failed: &Failed);
    /// A step, for `debug`.
    fn step(&mut self, what: &str);
}

/// The time.
pub trait Clock {
    fn now(&self) -> Moment;
}
