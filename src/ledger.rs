//! What was sent and attempted: limits, locks, remembered logins, known phone numbers.
//!
//! A [`Ledger`] is a file on this host ([`file`]) or a database that several hosts share ([`redis`]).
//! Both answer the same questions by the same arithmetic ([`window`]), and the same tests run against
//! both. Each question is one atomic step: of logins that ask at the same time, each sees the result of
//! those before it. Nothing is counted against a user before the first factor is verified; the caller
//! has to see to that.
#![forbid(unsafe_code)]

#[cfg(test)]
#[path = "../tests/support/ledger/conformance.rs"]
mod conformance;
mod failures;
mod fallback;
pub mod file;
#[cfg(test)]
#[path = "../tests/support/ledger/model.rs"]
pub(crate) mod model;
pub mod redis;
pub mod window;

use std::{fmt, os::fd::OwnedFd, time::Duration};

use crate::{
    config::{self, Limits, Rule},
    deadline::Deadline,
    failure::Failure,
    id::LoginId,
    phone::Phone,
    prefetch::Permit,
};
pub use fallback::FallbackStore;
pub use file::LostLines;

/// One login of one account, as far as the ledger is concerned.
#[derive(Debug, Clone)]
pub struct Account {
    pub login: LoginId,
    /// The DN of the directory entry, normalized: the same for every name that finds the entry.
    pub dn: String,
    /// The login name. Stored only while wrong codes are counted.
    pub name: String,
    /// The number that codes are sent to.
    pub phone: Phone,
    /// Whether the settings allow SMS to that number.
    pub allowed: bool,
    /// All verified numbers of the entry, `phone` among them.
    pub numbers: Vec<Phone>,
    /// When the password was changed, as the directory writes it. Empty: the directory does not show it.
    pub password_changed: String,
    /// Target user, service and origin in one text: a remembered login is valid for the same text only.
    /// `None`: this login is neither remembered nor exempted by a remembered one.
    pub origin_key: Option<String>,
    /// Segments that the carrier bills for one SMS of this login.
    pub segments: u16,
}

/// The rules that a login is decided by.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    pub limits: &'a Limits,
    /// How long a login is remembered. `None`: not at all.
    pub remember: Option<Duration>,
    /// How long a new number has to wait. Zero: it need not wait.
    pub new_phone: Duration,
    /// This ledger is used in place of another one that has records of more users. If new numbers wait,
    /// the numbers of a user without a record here are new.
    pub is_fallback: bool,
}

impl Rules<'_> {
    /// Whether the first numbers of a user need not wait.
    const fn trust_first_numbers(&self) -> bool {
        !self.is_fallback || self.new_phone.is_zero()
    }
}

/// The ledger's answer to a login whose first factor is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    pub decision: Decision,
    /// Numbers that were neither in the set of this user's last granted login nor announced since. The
    /// first numbers of a user are not new, because they replace none. A new number stays new until
    /// [`Ledger::mark_announced`].
    pub new_numbers: Vec<Phone>,
}

/// Whether the login needs a code, and may have one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// One SMS is reserved.
    Reserved(Reservation),
    /// No code is needed: a login with the same origin was granted recently.
    Remembered {
        earned_by: LoginId,
    },
    Rejected(Rejection),
}

/// A reserved SMS, to be sent or released.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct Reservation {
    /// The ledger that holds it. No other can release it.
    pub(crate) backend: Backend,
    /// When, by that ledger's clock, in milliseconds.
    pub(crate) at: u64,
    /// The number of the request within this login, from 1.
    pub(crate) number: u32,
}

/// Where a ledger is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Redis,
    Local,
}

impl Backend {
    /// As programs read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Local => "local",
        }
    }
}

/// As administrators read it.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "the shared ledger",
            Self::Local => "this host's ledger",
        })
    }
}

/// Why a login may have no SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Too many wrong codes. `None`: until an administrator unlocks the account.
    Locked { wait: Option<Duration> },
    /// Too many SMS.
    Limited {
        wait: Duration,
        scope: LimitScope,
        rule: Rule,
    },
    /// The settings do not allow SMS to this number.
    Prefix,
    /// The number is too new.
    NewPhone { wait: Duration },
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// SMS of one user.
    User,
    /// SMS to one number.
    Phone,
    /// All SMS.
    Total,
}

/// An attempt, recorded as failed before the code is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    Counted,
    /// If the code is wrong, the account is locked now, as [`Rejection::Locked`] describes.
    Locks {
        wait: Option<Duration>,
    },
}

/// What a granted login leaves in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Success {
    /// The user's reference set from now on.
    pub reference: Vec<Phone>,
    /// Wrong codes in other logins that were not granted, and that were not shown to the user yet.
    pub guesses: u32,
}

/// One account, as an administrator sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountStatus {
    /// Whether the ledger has a record of it.
    pub known: bool,
    /// Wrong codes since the last success.
    pub failures: u32,
    /// The rest of a lock.
    pub locked: Option<Duration>,
    /// How long ago SMS were reserved, oldest first, and how many at that time.
    pub sms: Vec<(Duration, u32)>,
    /// Remembered logins, and how long ago they were granted.
    pub remembered: Vec<(LoginId, Duration)>,
    /// How many numbers are known.
    pub numbers: usize,
}

impl AccountStatus {
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

/// An account with wrong codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAccount {
    pub name: String,
    pub failures: u32,
    /// The rest of a lock.
    pub locked: Option<Duration>,
}

/// The whole ledger, as an administrator sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// SMS of the last 24 hours, counted by hours.
    pub sms: u64,
    pub segments: u64,
    /// How many users and phones are known. `None`: too many to count.
    pub users: Option<u64>,
    pub phones: Option<u64>,
    /// Remembered logins of the last 30 days. `None`: too many to count.
    pub remembered: Option<u64>,
    /// Accounts with wrong codes; of very many, those with the most.
    pub failed: Vec<FailedAccount>,
    /// The space that the file takes on this host's disk, in bytes. `None`: the ledger is elsewhere.
    pub size: Option<u64>,
}

/// Opens the lock file of the permits for early connections ([`crate::prefetch`]), which is kept
/// beside this host's ledger.
///
/// # Errors
/// The file cannot be opened, or other users may write it.
pub fn permits(settings: &config::Ledger) -> Result<OwnedFd, Failure> {
    file::permits(&settings.path)
}

/// A ledger. Every method is one atomic step, and returns when its result is stored.
pub trait Ledger {
    /// Begins to connect in the background.
    fn begin(&mut self, _permit: Permit) {}
    /// Closes a connection from [`Self::begin`] that is not used yet.
    fn close(&mut self) {}
    /// Decides whether the login needs a code and may have one. If so, one SMS is reserved.
    fn admit(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Admission, Failure>;
    /// Records that the system log has taken the lines which announce these numbers: they begin to
    /// wait. If a login ends before this, the next one finds the numbers new again.
    fn mark_announced(
        &mut self,
        account: &Account,
        new: &[Phone],
        by: Deadline,
    ) -> Result<(), Failure>;
    /// Forgets waiting numbers that the directory no longer has, for a login that another ledger
    /// decides.
    fn forget_unseen(&mut self, _account: &Account, _by: Deadline) -> Result<(), Failure> {
        Ok(())
    }
    /// Takes over the reference set of a login that another ledger has granted by these rules. Returns
    /// the wrong codes that this ledger has counted, as [`Success::guesses`].
    fn import_numbers(
        &mut self,
        _account: &Account,
        _reference: &[Phone],
        _rules: Rules<'_>,
        _by: Deadline,
    ) -> Result<u32, Failure> {
        Ok(0)
    }
    /// Reserves a further SMS of the same login.
    fn reserve(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure>;
    /// Releases an SMS that was certainly not sent.
    fn release(
        &mut self,
        account: &Account,
        reservation: Reservation,
        by: Deadline,
    ) -> Result<(), Failure>;
    /// Records an attempt as failed, before the code is compared.
    fn record_attempt(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        by: Deadline,
    ) -> Result<Result<Attempt, Rejection>, Failure>;
    /// Records that the code was correct and the login is granted: reverts the attempt, clears the
    /// count of wrong codes, and remembers the login if it has an origin and the rules allow it. The
    /// numbers of this login, without those that still wait, become the user's reference set; every
    /// other number is forgotten. `attempts` of this login were recorded, the correct one among them:
    /// they are no guesses of others.
    fn record_success(
        &mut self,
        account: &Account,
        rules: Rules<'_>,
        attempts: u32,
        by: Deadline,
    ) -> Result<Success, Failure>;
    /// Subtracts guesses that were shown to the user. Those that were counted meanwhile stay.
    fn clear_guesses(&mut self, account: &Account, shown: u32, by: Deadline)
    -> Result<(), Failure>;
    /// Returns a fault that did not keep the last question from being answered.
    fn take_warning(&mut self) -> Option<Failure> {
        None
    }
    /// Returns the status of the account with this DN.
    fn status(&mut self, dn: &str, by: Deadline) -> Result<AccountStatus, Failure>;
    /// Returns a summary of all accounts.
    fn summary(&mut self, by: Deadline) -> Result<Summary, Failure>;
    /// Ends lock and count of an account, and with `forget` its remembered logins too. Returns its
    /// status before that.
    fn unlock(&mut self, dn: &str, forget: bool, by: Deadline) -> Result<AccountStatus, Failure>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_of_a_rule_counts_the_sms_that_still_count() {
        let seconds = Duration::from_secs;
        let sms = [(900, 1), (600, 2), (60, 1)].map(|(ago, number)| (seconds(ago), number));
        let status = AccountStatus {
            sms: sms.to_vec(),
            ..AccountStatus::default()
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
            assert_eq!(status.used(rule), used, "{rule:?}");
            assert_eq!(status.wait(rule), seconds(wait), "{rule:?}");
        }
    }
}
