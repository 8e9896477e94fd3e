//! One-time codes: generated, compared in constant time, wiped.
#![forbid(unsafe_code)]

mod input;
#[cfg(any(test, fuzzing))]
pub mod properties;

pub use input::{Input, TypedCode, parse};

use std::{fmt::Write, time::Duration};

use rand::{TryRng, rngs::SysRng};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    deadline::Moment,
    failure::{Failure, FailureKind, Stage},
    id::LoginId,
};

/// A code that was sent to a phone. It cannot be copied or printed, and exists only as long as the
/// conversation it belongs to.
pub struct Code {
    digits: Zeroizing<String>,
    login: LoginId,
    expires: Moment,
}

/// Proof that the correct code was typed before it expired. Only [`Code::check`] creates one, and it
/// consumes the code.
#[derive(Debug)]
#[must_use]
pub struct CodeProof {
    login: LoginId,
}

impl CodeProof {
    /// The login that the code was generated for.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }
}

/// Why a typed code is not accepted.
pub enum Rejected {
    /// The typed code is wrong. The code that was sent remains valid.
    Wrong(Code),
    /// The code has expired. Nothing was compared.
    Expired,
}

impl Code {
    /// Generates a code of `digits` digits (at most 10), uniformly distributed and including leading
    /// zeros, from the operating system's random numbers: about 20 bits with 6 digits
    /// (NIST SP 800-63B §5.1.3.2). A generator inside the process could repeat itself after a fork.
    ///
    /// # Errors
    /// The operating system provides no random numbers.
    pub fn generate(
        digits: u8,
        lifetime: Duration,
        login: LoginId,
        now: Moment,
    ) -> Result<Self, Failure> {
        let code = Self::generate_from(&mut SysRng, digits, lifetime, login, now);
        code.ok_or_else(|| {
            let what = "the operating system provides no random numbers (getrandom)";
            Failure::new(Stage::Code, FailureKind::Local, what, "")
        })
    }

    fn generate_from<R: TryRng>(
        source: &mut R,
        digits: u8,
        lifetime: Duration,
        login: LoginId,
        now: Moment,
    ) -> Option<Self> {
        let codes = 10_u64.checked_pow(u32::from(digits))?;
        // The count of numbers below `limit` is a multiple of `codes`. The numbers from there on would
        // make low codes more likely, and are discarded.
        let limit = u64::MAX.saturating_sub(u64::MAX.checked_rem(codes)?);
        loop {
            let number = source.try_next_u64().ok()?;
            if number < limit {
                let code = number.checked_rem(codes)?;
                let width = usize::from(digits);
                // The exact capacity: a string that grows leaves a copy in memory.
                let mut text = Zeroizing::new(String::with_capacity(width));
                write!(text, "{code:0width$}").ok()?;
                return Some(Self {
                    digits: text,
                    login,
                    expires: now.after(lifetime),
                });
            }
        }
    }

    /// Returns the digits, for the SMS.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Returns the time until the code expires.
    #[must_use]
    pub const fn remaining(&self, now: Moment) -> Duration {
        self.expires.since(now)
    }

    /// Compares a typed code in constant time, and consumes this code if they are equal.
    ///
    /// # Errors
    /// The codes differ, or this code has expired.
    pub fn check(self, typed: &TypedCode, now: Moment) -> Result<CodeProof, Rejected> {
        if self.remaining(now).is_zero() {
            return Err(Rejected::Expired);
        }
        if bool::from(self.digits.as_bytes().ct_eq(typed.digits().as_bytes())) {
            Ok(CodeProof { login: self.login })
        } else {
            Err(Rejected::Wrong(self))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LOGIN: LoginId = LoginId([1, 2, 3, 4]);
    const START: Moment = Moment::at(Duration::from_secs(100));
    const LIFETIME: Duration = Duration::from_secs(300);

    fn generated(digits: u8) -> Code {
        Code::generate(digits, LIFETIME, LOGIN, START).unwrap()
    }

    fn typed(text: &str) -> TypedCode {
        match parse(text.as_bytes(), 6) {
            Input::Code(typed) => typed,
            _ => panic!("{text} is a code"),
        }
    }

    /// Random numbers that the test chooses.
    struct Chosen(Vec<u64>);

    impl TryRng for Chosen {
        type Error = std::fmt::Error;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(std::fmt::Error)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            self.0.pop().ok_or(std::fmt::Error)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(std::fmt::Error)
        }
    }

    fn code_from(numbers: &[u64], digits: u8) -> Option<String> {
        let mut source = Chosen(numbers.iter().rev().copied().collect());
        Code::generate_from(&mut source, digits, LIFETIME, LOGIN, START)
            .map(|code| code.digits().to_owned())
    }

    #[test]
    fn leading_zeros_are_part_of_a_code() {
        assert_eq!(code_from(&[0], 6).unwrap(), "000000");
        assert_eq!(code_from(&[42], 6).unwrap(), "000042");
        assert_eq!(code_from(&[99_999], 6).unwrap(), "099999");
        assert_eq!(code_from(&[9_999_999_999], 10).unwrap(), "9999999999");
    }

    #[test]
    fn numbers_that_would_favour_low_codes_are_discarded() {
        let limit = u64::MAX - u64::MAX % 1_000_000;
        assert_eq!(code_from(&[limit, u64::MAX, 7], 6).unwrap(), "000007");
        assert_eq!(code_from(&[limit - 1], 6).unwrap(), "999999");
    }

    #[test]
    fn without_random_numbers_there_is_no_code() {
        assert_eq!(code_from(&[], 6), None);
    }

    #[test]
    fn codes_have_the_requested_length_and_differ() {
        for digits in 6..=10 {
            let codes: BTreeSet<String> = (0..50)
                .map(|_| generated(digits).digits().to_owned())
                .collect();
            assert!(codes.iter().all(|code| code.len() == usize::from(digits)));
            assert!(codes.len() > 40);
        }
    }

    /// A chi-squared test of the first digit (nine degrees of freedom), with a limit far beyond chance.
    #[test]
    fn every_first_digit_is_equally_likely() {
        let mut counts = [0_i64; 10];
        for _ in 0..20_000 {
            let first = generated(6).digits().as_bytes()[0];
            counts[usize::from(first - b'0')] += 1;
        }
        let chi: i64 = counts
            .iter()
            .map(|count| (count - 2000).pow(2))
            .sum::<i64>()
            / 2000;
        assert!(chi < 50, "{counts:?}");
    }

    #[test]
    fn the_correct_code_before_expiry_proves_its_own_login() {
        let code = generated(6);
        let correct = typed(code.digits());
        let proof = code.check(&correct, START.after(Duration::from_millis(299_999)));
        assert_eq!(proof.map(|proof| proof.login()).ok(), Some(LOGIN));
    }

    #[test]
    fn after_a_wrong_code_the_correct_one_is_still_accepted() {
        let code = generated(6);
        let correct = typed(code.digits());
        let wrong = typed(if code.digits() == "123456" {
            "123457"
        } else {
            "123456"
        });
        let Err(Rejected::Wrong(code)) = code.check(&wrong, START) else {
            panic!("a wrong code was accepted");
        };
        assert!(code.check(&correct, START).is_ok());
    }

    #[test]
    fn an_expired_code_is_not_accepted() {
        let code = generated(6);
        let correct = typed(code.digits());
        assert!(matches!(
            code.check(&correct, START.after(LIFETIME)),
            Err(Rejected::Expired)
        ));
    }
}
