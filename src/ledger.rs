//! What was sent and tried: limits, locks, remembered logins, known phones.
//!
//! A [`Store`] keeps it, on this host ([`file`]) or for a fleet ([`redis`]); both answer the same
//! questions by the same arithmetic ([`window`]), and one set of tests asks both. Each question is
//! one step that nothing can come in between: what is asked for parallel logins at once is answered
//! one by one. Nothing is counted against anybody before his first factor is proved: the story sees
//! to that.
#![forbid(unsafe_code)]

mod books;
#[cfg(test)]
pub mod conform;
pub mod file;
#[cfg(test)]
pub mod model;
pub mod redis;
pub mod window;

use std::{fmt, os::fd::OwnedFd, time::Duration};

use crate::{
    config::{self, Limits, Rule},
    deadline::Deadline,
    id::LoginId,
    phone::Phone,
    prefetch::Permit,
};
pub use books::{Books, Keeper};
pub use file::LostLines;

/// Whose login it is, and where he stands.
#[derive(Debug, Clone)]
pub struct Account {
    pub login: LoginId,
    /// The directory entry, by a name that is the same however it was typed.
    pub person: String,
    /// What he is called here. Kept only while wrong codes are counted against him.
    pub name: String,
    /// Where the code goes.
    pub phone: Phone,
    /// Whether the settings let SMS go there.
    pub allowed: bool,
    /// All his verified numbers, `phone` among them.
    pub numbers: Vec<Phone>,
    /// When his password was changed, as the directory writes it. Empty: it does not say.
    pub password_changed: String,
    /// Target, service and origin, as one text: what a remembered login is remembered for.
    /// `None`: from here none is remembered.
    pub place: Option<String>,
    /// Parts that one SMS of this login is paid as.
    pub segments: u16,
}

/// What governs it.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub limits: &'a Limits,
    /// A login is remembered for so long. `None`: not at all.
    pub remember: Option<Duration>,
    /// A new number waits for so long. Nothing: it does not wait.
    pub new_phone: Duration,
    /// This ledger stands in for one that knows more: where new numbers wait, those of somebody
    /// whom it has never seen are new.
    pub stands_in: bool,
}

impl Rules<'_> {
    /// Whether the first numbers of a person count as his since ever.
    const fn trust_first_numbers(&self) -> bool {
        !self.stands_in || self.new_phone.is_zero()
    }
}

/// What becomes of a person whose first factor is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    pub answer: Answer,
    /// Numbers that are neither in the set of this person's last granted login nor announced. The
    /// first numbers of a person are not new: they replace nothing. A new number stays new until
    /// [`Store::told`].
    pub new_numbers: Vec<Phone>,
}

/// Whether he needs a code, and may have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An SMS is his.
    Reserved(Slot),
    /// That login was granted from the same place not long ago.
    Remembered { earned_by: LoginId },
    /// Not now.
    Refused(Refusal),
}

/// A reserved SMS: to be sent, or given back.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Slot {
    /// Whoever reserved it: another cannot take it back.
    pub(crate) kept_by: Keeper,
    /// When, by the ledger's own clock, in milliseconds.
    pub(crate) at: u64,
    /// Which of this login's, from 1 on.
    pub(crate) number: u32,
}

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Too many wrong codes. `None`: until an administrator unlocks.
    Locked { wait: Option<Duration> },
    /// Too many SMS.
    Limited {
        wait: Duration,
        whose: Whose,
        rule: Rule,
    },
    /// Nothing goes to such numbers.
    Prefix,
    /// The number is too new.
    NewPhone { wait: Duration },
}

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Person,
    Phone,
    /// The whole ledger's.
    All,
}

/// A try is counted as failed. The lock that it has brought, unless it was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Try {
    Counted,
    /// As [`Refusal::Locked`].
    Last {
        wait: Option<Duration>,
    },
}

/// What a granted login leaves behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Success {
    /// The person's reference set from now on.
    pub reference: Vec<Phone>,
    /// Wrong codes in other logins that were not granted, and that the user was not shown yet.
    pub guesses: u32,
}

/// One person, as an administrator sees him.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the ledger knows him.
    pub known: bool,
    /// Wrong codes since the last success.
    pub failures: u32,
    /// What is left of a lock.
    pub locked: Option<Duration>,
    /// How long ago SMS went out, oldest first, and how many of them.
    pub sms: Vec<(Duration, u32)>,
    /// Logins that are remembered: which, and how long ago.
    pub remembered: Vec<(LoginId, Duration)>,
    /// How many numbers are known as his.
    pub numbers: usize,
}

impl Standing {
    /// How many SMS count for a rule.
    #[must_use]
    pub fn used(&self, rule: Rule) -> u32 {
        self.counting(rule)
            .fold(0, |sum, (_, number)| sum.saturating_add(*number))
    }

    /// How long until a rule allows another.
    #[must_use]
    pub fn wait(&self, rule: Rule) -> Duration {
        let mut used = self.used(rule);
        for (ago, number) in self.counting(rule) {
            if used < rule.most {
                break;
            }
            used = used.saturating_sub(*number);
            if used < rule.most {
                return rule.within.saturating_sub(*ago);
            }
        }
        Duration::ZERO
    }

    fn counting(&self, rule: Rule) -> impl Iterator<Item = &(Duration, u32)> {
        self.sms.iter().filter(move |(ago, _)| *ago < rule.within)
    }
}

/// Somebody against whom wrong codes are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    pub name: String,
    pub failures: u32,
    /// What is left of a lock.
    pub locked: Option<Duration>,
}

/// The whole ledger, as an administrator sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overview {
    /// Sent in the last 24 hours, by hours.
    pub sms: u64,
    pub segments: u64,
    /// People and phones that are known. `None`: too many to count.
    pub people: Option<u64>,
    pub phones: Option<u64>,
    /// Remembered logins that are not older than 30 days. `None`: as above.
    pub remembered: Option<u64>,
    /// Those with the most wrong codes, if there are very many.
    pub suspects: Vec<Suspect>,
    /// How much room it takes on this machine's disk, in bytes. `None`: on another's.
    pub size: Option<u64>,
}

/// The file of the permits for connections that are opened ahead, beside this host's own ledger.
///
/// # Errors
/// It cannot be opened, or others may write it.
pub fn permits(settings: &config::Ledger) -> Result<OwnedFd, Error> {
    file::permits(&settings.path)
}

/// Whoever keeps it.
pub trait Store {
    /// Begins to connect, where there is somebody to connect to.
    fn begin(&mut self, _permit: Permit) {}
    /// Closes a connection that was begun and is not used yet.
    fn close(&mut self) {}
    /// Whether he needs a code, and may have one: then an SMS is reserved, before it goes out.
    fn admit(&mut self, who: &Account, rules: Rules<'_>, by: Deadline) -> Result<Admission, Error>;
    /// The system log has taken the lines that announce these numbers: from now on they wait. A
    /// login that ends earlier hides nothing: the next one finds the numbers new again.
    fn told(&mut self, who: &Account, new: &[Phone], by: Deadline) -> Result<(), Error>;
    /// Another ledger decides about this login: forgets the waiting numbers that the directory no
    /// longer has.
    fn forget_unseen(&mut self, _who: &Account, _by: Deadline) -> Result<(), Error> {
        Ok(())
    }
    /// Another ledger has granted this login by these rules, and this is its reference set now: it
    /// becomes the one of this ledger. Returns the wrong codes that this ledger has counted, as
    /// [`Success::guesses`].
    fn learn(
        &mut self,
        _who: &Account,
        _reference: &[Phone],
        _rules: Rules<'_>,
        _by: Deadline,
    ) -> Result<u32, Error> {
        Ok(0)
    }
    /// Reserves a further SMS of the same login.
    fn reserve(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Slot, Refusal>, Error>;
    /// Gives an SMS back that was surely not sent.
    fn give_back(&mut self, who: &Account, slot: Slot, by: Deadline) -> Result<(), Error>;
    /// Counts a try as failed, before it is compared.
    fn begin_try(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Try, Refusal>, Error>;
    /// The try was right and the login is granted: takes it back, clears the count, and remembers
    /// the login where there is a place to remember it for and the rules say so. The numbers of
    /// this login, without those that still wait, become the person's reference set; every other
    /// number is forgotten. `tries` of this login were counted, the right one among them: no
    /// stranger has guessed those.
    fn succeed(
        &mut self,
        who: &Account,
        rules: Rules<'_>,
        tries: u32,
        by: Deadline,
    ) -> Result<Success, Error>;
    /// The user was shown so many guesses: they are counted no more. Those that were counted
    /// meanwhile stay.
    fn clear_guesses(&mut self, who: &Account, shown: u32, by: Deadline) -> Result<(), Error>;
    /// One person.
    fn standing(&mut self, person: &str, by: Deadline) -> Result<Standing, Error>;
    /// Everything.
    fn overview(&mut self, by: Deadline) -> Result<Overview, Error>;
    /// Ends lock and count, and with `forget` the remembered logins too. Says how it was before.
    fn unlock(&mut self, person: &str, forget: bool, by: Deadline) -> Result<Standing, Error>;
}

/// Why it does not answer. One printable line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The fleet's is out of reach.
    Outage(String),
    /// The fleet's refuses us, or its certificate does not verify.
    Refused { what: String, remedy: String },
    /// Something is wrong on this machine.
    Local { what: String, remedy: String },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match self {
            Self::Outage(_) => {
                "check that the servers in [ledger] redis run, and that this host reaches them"
            }
            Self::Refused { remedy, .. } | Self::Local { remedy, .. } => remedy,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outage(what) | Self::Refused { what, .. } | Self::Local { what, .. } => {
                f.write_str(what)
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an administrator is told of a rule goes by the SMS that still count for it.
    #[test]
    fn standing_of_a_rule() {
        let seconds = Duration::from_secs;
        let sms = [(900, 1), (600, 2), (60, 1)].map(|(ago, number)| (seconds(ago), number));
        let standing = Standing {
            sms: sms.to_vec(),
            ..Standing::default()
        };
        let rule = |most, within| Rule {
            most,
            within: seconds(within),
        };
        // How many are used, and when the next one fits.
        for (most, within, used, wait) in [
            (5, 900, 3, 0),
            (4, 901, 4, 1),
            (3, 900, 3, 300),
            (2, 900, 3, 300),
            (1, 900, 3, 840),
            (1, 600, 1, 540),
            (1, 60, 0, 0),
            (4, 86_400, 4, 85_500),
        ] {
            let rule = rule(most, within);
            assert_eq!(standing.used(rule), used, "{rule:?}");
            assert_eq!(standing.wait(rule), seconds(wait), "{rule:?}");
        }
    }
}
