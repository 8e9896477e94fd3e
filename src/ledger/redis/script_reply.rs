//! Replies of the scripts, decoded from JSON. Times are in milliseconds. The JSON names are those that the
//! scripts use.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde::Deserialize;

use super::{
    Account, AccountStatus, Admission, Attempt, Backend, Decision, FailedAccount, LimitScope,
    Rejection, Reservation, Rules, Success, Summary,
    fault::unexpected_script_reply,
    keys::Hasher,
    script_request::{AccountRequest, counted_numbers},
};
use crate::{failure::Failure, id::LoginId, phone::Phone};

/// A script has returned a value that it cannot return for the request.
#[derive(Debug)]
pub(super) struct UnexpectedReply;

impl From<UnexpectedReply> for Failure {
    fn from(_: UnexpectedReply) -> Self {
        unexpected_script_reply()
    }
}

/// What a script has decided.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub(super) enum ScriptReply {
    Reserved {
        at: u64,
    },
    Remembered {
        #[serde(rename = "by")]
        earned_by: String,
        #[serde(default)]
        at: u64,
        #[serde(default)]
        seal: String,
    },
    Locked {
        wait: Option<u64>,
    },
    Limited {
        wait: u64,
        #[serde(rename = "whose")]
        scope: Scope,
        rule: usize,
    },
    Prefix,
    NewPhone {
        wait: u64,
    },
    Counted,
    #[serde(rename = "last")]
    Locks {
        wait: Option<u64>,
    },
    Done,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scope {
    #[serde(rename = "person")]
    User,
    Phone,
    #[serde(rename = "all")]
    Total,
}

impl ScriptReply {
    pub(super) fn rejection(&self, rules: Rules<'_>) -> Result<Rejection, UnexpectedReply> {
        match *self {
            Self::Locked { wait } => Ok(Rejection::Locked {
                wait: wait.map(Duration::from_millis),
            }),
            Self::Prefix => Ok(Rejection::Prefix),
            Self::NewPhone { wait } => Ok(Rejection::NewPhone {
                wait: Duration::from_millis(wait),
            }),
            Self::Limited { wait, scope, rule } => {
                let limits = rules.limits;
                let (scope, rule) = match scope {
                    Scope::User => (LimitScope::User, limits.sms.get(rule)),
                    Scope::Phone => (LimitScope::Phone, limits.sms.get(rule)),
                    Scope::Total => (LimitScope::Total, limits.sms_total.as_ref()),
                };
                Ok(Rejection::Limited {
                    wait: Duration::from_millis(wait),
                    scope,
                    rule: *rule.ok_or(UnexpectedReply)?,
                })
            }
            _ => Err(UnexpectedReply),
        }
    }

    pub(super) fn reservation(&self, number: u32) -> Option<Reservation> {
        match *self {
            Self::Reserved { at } => Some(Reservation {
                backend: Backend::Redis,
                at,
                number,
            }),
            _ => None,
        }
    }

    pub(super) fn attempt(&self) -> Option<Attempt> {
        match *self {
            Self::Counted => Some(Attempt::Counted),
            Self::Locks { wait } => Some(Attempt::Locks {
                wait: wait.map(Duration::from_millis),
            }),
            _ => None,
        }
    }
}

/// The reply of `admit`.
#[derive(Debug, Deserialize)]
pub(super) struct AdmitReply {
    answer: ScriptReply,
    /// The indexes of the new numbers.
    #[serde(default)]
    new: Vec<usize>,
}

impl AdmitReply {
    /// Returns false for a remembered login whose record was not sealed by a host with our key for this
    /// account.
    pub(super) fn is_genuine(&self, request: &AccountRequest, hasher: &Hasher) -> bool {
        let ScriptReply::Remembered {
            earned_by,
            at,
            seal,
        } = &self.answer
        else {
            return true;
        };
        let expected = request.seal(earned_by, *at, hasher);
        expected.is_some_and(|expected| is_equal(expected.as_bytes(), seal.as_bytes()))
    }

    /// Returns when an SMS was reserved.
    pub(super) const fn reserved_at(&self) -> Option<u64> {
        match self.answer {
            ScriptReply::Reserved { at } => Some(at),
            _ => None,
        }
    }

    pub(super) fn into_admission(
        self,
        number: u32,
        account: &Account,
        rules: Rules<'_>,
    ) -> Result<Admission, UnexpectedReply> {
        Ok(Admission {
            new_numbers: numbers_at(&self.new, account)?,
            decision: match (self.answer.reservation(number), &self.answer) {
                (Some(reservation), _) => Decision::Reserved(reservation),
                (None, ScriptReply::Remembered { earned_by, .. }) => Decision::Remembered {
                    earned_by: parse_login(earned_by).ok_or(UnexpectedReply)?,
                },
                (None, reply) => Decision::Rejected(reply.rejection(rules)?),
            },
        })
    }
}

/// Returns the numbers with these indexes.
fn numbers_at(indexes: &[usize], account: &Account) -> Result<Vec<Phone>, UnexpectedReply> {
    let numbers: Vec<&Phone> = counted_numbers(account).collect();
    let number = |index: &usize| numbers.get(*index).map(|number| (*number).clone());
    indexes
        .iter()
        .map(|index| number(index).ok_or(UnexpectedReply))
        .collect()
}

/// Compares two seals in constant time.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

/// The reply of `record_success`.
#[derive(Debug, Deserialize)]
pub(super) struct SuccessReply {
    /// The indexes of the numbers in the reference set.
    #[serde(default)]
    reference: Vec<usize>,
    guesses: u32,
}

impl SuccessReply {
    pub(super) fn into_success(self, account: &Account) -> Result<Success, UnexpectedReply> {
        Ok(Success {
            reference: numbers_at(&self.reference, account)?,
            guesses: self.guesses,
        })
    }
}

/// The reply of `status` and `unlock`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatusReply {
    known: bool,
    failures: u32,
    locked: Option<u64>,
    sms: Vec<u64>,
    remembered: Vec<RememberedLogin>,
    numbers: usize,
}

#[derive(Debug, Deserialize)]
struct RememberedLogin {
    login: String,
    ago: u64,
}

impl StatusReply {
    pub(super) fn into_status(self) -> Result<AccountStatus, UnexpectedReply> {
        let remembered = self.remembered.iter();
        Ok(AccountStatus {
            known: self.known,
            failures: self.failures,
            locked: self.locked.map(Duration::from_millis),
            sms: self
                .sms
                .iter()
                .map(|ago| (Duration::from_millis(*ago), 1))
                .collect(),
            remembered: remembered
                .map(|one| Some((parse_login(&one.login)?, Duration::from_millis(one.ago))))
                .collect::<Option<_>>()
                .ok_or(UnexpectedReply)?,
            numbers: self.numbers,
        })
    }
}

/// The reply of `summary`.
#[derive(Debug, Deserialize)]
pub(super) struct SummaryReply {
    sms: u64,
    parts: u64,
    #[serde(default, rename = "suspects")]
    failed: Vec<FailedUser>,
}

#[derive(Debug, Deserialize)]
struct FailedUser {
    name: String,
    failures: u32,
    locked: Option<u64>,
}

impl SummaryReply {
    /// Users, phones and remembered logins are not counted, because that would need a scan of all keys.
    pub(super) fn into_summary(self) -> Summary {
        let failed = self.failed.into_iter();
        Summary {
            sms: self.sms,
            segments: self.parts,
            failed: failed
                .map(|one| FailedAccount {
                    name: one.name,
                    failures: one.failures,
                    locked: one.locked.map(Duration::from_millis),
                })
                .collect(),
            ..Summary::default()
        }
    }
}

fn parse_login(text: &str) -> Option<LoginId> {
    let is_hex = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| is_hex)?;
    Some(LoginId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_id_is_eight_hexadecimal_digits() {
        assert_eq!(
            parse_login("00c0ffee"),
            Some(LoginId([0, 0xc0, 0xff, 0xee]))
        );
        for text in ["", "0", "c0ffee", "+0c0ffee", "00c0ffeg", "000c0ffee"] {
            assert_eq!(parse_login(text), None, "{text}");
        }
    }
}
