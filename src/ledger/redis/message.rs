//! What the scripts are told, and what they answer. Times are in milliseconds.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Account, AccountStatus, Admission, Attempt, Backend, Decision, FailedAccount, LimitScope,
    Rejection, Reservation, Rules, Success, Summary,
    fault::{WRITTEN, refused},
    keys::Hasher,
    question::{Question, judged},
};
use crate::{failure::Failure, id::LoginId, phone::Phone};

/// An SMS that is given back.
#[derive(Debug, Serialize)]
pub struct Returned {
    pub id: String,
    pub at: u64,
    pub parts: u16,
}

/// Numbers that the system log has announced.
#[derive(Debug, Serialize)]
pub struct Logged {
    pub new: Vec<String>,
}

/// Guesses that the user was shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub id: String,
    pub guesses: u32,
}

/// The numbers that a script has named by their places.
fn named(places: &[usize], who: &Account) -> Result<Vec<Phone>, Odd> {
    let numbers: Vec<&Phone> = judged(who).collect();
    let number = |place: &usize| numbers.get(*place).map(|number| (*number).clone());
    places
        .iter()
        .map(|place| number(place).ok_or(Odd))
        .collect()
}

/// The question about a person.
#[derive(Debug, Serialize)]
pub struct Named<'a> {
    pub person: &'a str,
    pub forget: bool,
}

/// What a script says.
#[derive(Debug, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Said {
    Reserved {
        at: u64,
    },
    Remembered {
        by: String,
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
        whose: Side,
        rule: usize,
    },
    Prefix,
    NewPhone {
        wait: u64,
    },
    Counted,
    Last {
        wait: Option<u64>,
    },
    Done,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Person,
    Phone,
    All,
}

/// A script has said what is no answer to its question.
#[derive(Debug)]
pub struct Odd;

impl From<Odd> for Failure {
    fn from(_: Odd) -> Self {
        refused("the ledger's script answers what it cannot answer", WRITTEN)
    }
}

impl Said {
    /// Why not.
    pub fn refusal(&self, rules: Rules<'_>) -> Result<Rejection, Odd> {
        match *self {
            Self::Locked { wait } => Ok(Rejection::Locked {
                wait: wait.map(Duration::from_millis),
            }),
            Self::Prefix => Ok(Rejection::Prefix),
            Self::NewPhone { wait } => Ok(Rejection::NewPhone {
                wait: Duration::from_millis(wait),
            }),
            Self::Limited { wait, whose, rule } => {
                let limits = rules.limits;
                let (scope, rule) = match whose {
                    Side::Person => (LimitScope::User, limits.sms.get(rule)),
                    Side::Phone => (LimitScope::Phone, limits.sms.get(rule)),
                    Side::All => (LimitScope::Total, limits.sms_total.as_ref()),
                };
                Ok(Rejection::Limited {
                    wait: Duration::from_millis(wait),
                    scope,
                    rule: *rule.ok_or(Odd)?,
                })
            }
            _ => Err(Odd),
        }
    }

    pub fn slot(&self, number: u32) -> Option<Reservation> {
        match *self {
            Self::Reserved { at } => Some(Reservation {
                backend: Backend::Redis,
                at,
                number,
            }),
            _ => None,
        }
    }

    pub fn tried(&self) -> Option<Attempt> {
        match *self {
            Self::Counted => Some(Attempt::Counted),
            Self::Last { wait } => Some(Attempt::Locks {
                wait: wait.map(Duration::from_millis),
            }),
            _ => None,
        }
    }
}

#[derive(Debug, Deserialize)]
pub struct Admitted {
    answer: Said,
    /// Which of the numbers.
    #[serde(default)]
    new: Vec<usize>,
}

impl Admitted {
    /// Whether no login is remembered but one that a host with our key has recorded for this question.
    pub fn is_genuine(&self, question: &Question, hasher: &Hasher) -> bool {
        let Said::Remembered { by, at, seal } = &self.answer else {
            return true;
        };
        let expected = question.seal(by, *at, hasher);
        expected.is_some_and(|expected| is_same(expected.as_bytes(), seal.as_bytes()))
    }

    /// When an SMS was reserved.
    pub const fn reserved_at(&self) -> Option<u64> {
        match self.answer {
            Said::Reserved { at } => Some(at),
            _ => None,
        }
    }

    pub fn read(self, number: u32, who: &Account, rules: Rules<'_>) -> Result<Admission, Odd> {
        Ok(Admission {
            new_numbers: named(&self.new, who)?,
            decision: match (self.answer.slot(number), &self.answer) {
                (Some(slot), _) => Decision::Reserved(slot),
                (None, Said::Remembered { by, .. }) => Decision::Remembered {
                    earned_by: login(by).ok_or(Odd)?,
                },
                (None, said) => Decision::Rejected(said.refusal(rules)?),
            },
        })
    }
}

/// Compares two seals in a time that does not depend on where they differ.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}

/// What a granted login leaves behind.
#[derive(Debug, Deserialize)]
pub struct Granted {
    /// Which of the numbers are the reference set.
    #[serde(default)]
    reference: Vec<usize>,
    guesses: u32,
}

impl Granted {
    pub fn read(self, who: &Account) -> Result<Success, Odd> {
        Ok(Success {
            reference: named(&self.reference, who)?,
            guesses: self.guesses,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stands {
    known: bool,
    failures: u32,
    locked: Option<u64>,
    sms: Vec<u64>,
    remembered: Vec<Earned>,
    numbers: usize,
}

#[derive(Debug, Deserialize)]
struct Earned {
    login: String,
    ago: u64,
}

impl Stands {
    pub fn read(self) -> Result<AccountStatus, Odd> {
        let earned = self.remembered.iter();
        Ok(AccountStatus {
            known: self.known,
            failures: self.failures,
            locked: self.locked.map(Duration::from_millis),
            sms: self
                .sms
                .iter()
                .map(|ago| (Duration::from_millis(*ago), 1))
                .collect(),
            remembered: earned
                .map(|one| Some((login(&one.login)?, Duration::from_millis(one.ago))))
                .collect::<Option<_>>()
                .ok_or(Odd)?,
            numbers: self.numbers,
        })
    }
}

#[derive(Debug, Deserialize)]
pub struct Seen {
    sms: u64,
    parts: u64,
    #[serde(default)]
    suspects: Vec<Suspected>,
}

#[derive(Debug, Deserialize)]
struct Suspected {
    name: String,
    failures: u32,
    locked: Option<u64>,
}

impl Seen {
    /// People, phones and remembered logins are not counted: that would be a walk over all keys.
    pub fn read(self) -> Summary {
        let suspects = self.suspects.into_iter();
        Summary {
            sms: self.sms,
            segments: self.parts,
            failed: suspects
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

fn login(text: &str) -> Option<LoginId> {
    let sound = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| sound)?;
    Some(LoginId(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logins_number_is_eight_hexadecimal_digits() {
        assert_eq!(login("00c0ffee"), Some(LoginId([0, 0xc0, 0xff, 0xee])));
        for text in ["", "0", "c0ffee", "+0c0ffee", "00c0ffeg", "000c0ffee"] {
            assert_eq!(login(text), None, "{text}");
        }
    }
}
