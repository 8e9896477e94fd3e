//! A one-time code: drawn, compared, wiped.
#![forbid(unsafe_code)]

mod input;
#[cfg(any(test, fuzzing))]
pub mod properties;

pub use input::{Answer, Typed, read};

use std::{fmt::Write, time::Duration};

use rand::{TryRng, rngs::SysRng};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{deadline::Moment, id::LoginId};

/// A code that is on its way to a phone. It has no copy and no `Debug`, and is gone with the
/// conversation it belongs to.
pub struct Code {
    digits: Zeroizing<String>,
    login: LoginId,
    dies: Moment,
}

/// The operating system has no random numbers to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRandomness;

impl std::fmt::Display for NoRandomness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the operating system gives no random numbers (getrandom)")
    }
}

/// The right code was typed in time. Only [`Code::check`] makes one, and it uses the code up.
#[derive(Debug)]
#[must_use]
pub struct CodeProof {
    login: LoginId,
}

impl CodeProof {
    /// The login it belongs to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login
    }
}

/// Why a typed code proves nothing. A wrong one leaves the code as it was.
pub enum Unproved {
    Wrong(Code),
    /// Its life was over; what was typed is not compared.
    Expired,
}

impl Code {
    /// Draws a code of `digits` digits (at most 10), uniform over all of them, leading zeros
    /// included, from the operating system's generator: at least 20 bits with 6 digits
    /// (NIST SP 800-63B §5.1.3.2). A generator inside the process could repeat itself after a
    /// fork.
    pub fn draw(
        digits: u8,
        lifetime: Duration,
        login: LoginId,
        now: Moment,
    ) -> Result<Self, NoRandomness> {
        Self::draw_from(&mut SysRng, digits, lifetime, login, now)
    }

    fn draw_from<R: TryRng>(
        source: &mut R,
        digits: u8,
        lifetime: Duration,
        login: LoginId,
        now: Moment,
    ) -> Result<Self, NoRandomness> {
        let codes = 10_u64.checked_pow(u32::from(digits)).ok_or(NoRandomness)?;
        // The numbers below `even` are a whole multiple of `codes`: those above would make low
        // codes more likely, and are drawn again.
        let even = u64::MAX
            .checked_rem(codes)
            .map_or(0, |rest| u64::MAX.saturating_sub(rest));
        loop {
            let number = source.try_next_u64().map_err(|_| NoRandomness)?;
            if number < even {
                let code = number.checked_rem(codes).ok_or(NoRandomness)?;
                let width = usize::from(digits);
                // As much room as is needed: growing would leave a copy behind.
                let mut text = Zeroizing::new(String::with_capacity(width));
                write!(text, "{code:0width$}").map_err(|_| NoRandomness)?;
                return Ok(Self {
                    digits: text,
                    login,
                    dies: now.after(lifetime),
                });
            }
        }
    }

    /// The digits, for the SMS.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// What is left of its life.
    #[must_use]
    pub const fn left(&self, now: Moment) -> Duration {
        self.dies.since(now)
    }

    /// Compares what was typed, in constant time, and uses the code up if it is right.
    pub fn check(self, typed: &Typed, now: Moment) -> Result<CodeProof, Unproved> {
        if self.left(now).is_zero() {
            return Err(Unproved::Expired);
        }
        if bool::from(self.digits.as_bytes().ct_eq(typed.digits().as_bytes())) {
            Ok(CodeProof { login: self.login })
        } else {
            Err(Unproved::Wrong(self))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LOGIN: LoginId = LoginId([1, 2, 3, 4]);
    const START: Moment = Moment::at(Duration::from_secs(100));
    const LIFE: Duration = Duration::from_secs(300);

    fn drawn(digits: u8) -> Code {
        Code::draw(digits, LIFE, LOGIN, START).unwrap()
    }

    fn typed(words: &str) -> Typed {
        match read(words.as_bytes(), 6) {
            Answer::Code(typed) => typed,
            _ => panic!("{words} is a code"),
        }
    }

    /// A generator that says what it is told to.
    struct Says(Vec<u64>);

    impl TryRng for Says {
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

    fn says(numbers: &[u64], digits: u8) -> Result<String, NoRandomness> {
        let mut source = Says(numbers.iter().rev().copied().collect());
        Code::draw_from(&mut source, digits, LIFE, LOGIN, START)
            .map(|code| code.digits().to_owned())
    }

    #[test]
    fn leading_zeros_are_part_of_a_code() {
        assert_eq!(says(&[0], 6).unwrap(), "000000");
        assert_eq!(says(&[42], 6).unwrap(), "000042");
        assert_eq!(says(&[99_999], 6).unwrap(), "099999");
        assert_eq!(says(&[9_999_999_999], 10).unwrap(), "9999999999");
    }

    #[test]
    fn what_would_favour_low_codes_is_drawn_again() {
        let even = u64::MAX - u64::MAX % 1_000_000;
        assert_eq!(says(&[even, u64::MAX, 7], 6).unwrap(), "000007");
        assert_eq!(says(&[even - 1], 6).unwrap(), "999999");
    }

    #[test]
    fn without_randomness_there_is_no_code() {
        assert_eq!(says(&[], 6), Err(NoRandomness));
        assert!(NoRandomness.to_string().contains("getrandom"));
    }

    #[test]
    fn codes_of_every_length_have_that_length_and_differ() {
        for digits in 6..=10 {
            let codes: BTreeSet<String> =
                (0..50).map(|_| drawn(digits).digits().to_owned()).collect();
            assert!(codes.iter().all(|code| code.len() == usize::from(digits)));
            assert!(codes.len() > 40);
        }
    }

    /// Chi-squared over the first digit: nine degrees of freedom, far beyond chance.
    #[test]
    fn every_first_digit_is_as_likely() {
        let mut counts = [0_i64; 10];
        for _ in 0..20_000 {
            let first = drawn(6).digits().as_bytes()[0];
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
    fn the_right_code_in_time_is_a_proof_of_its_login() {
        let code = drawn(6);
        let right = typed(code.digits());
        let proof = code.check(&right, START.after(Duration::from_millis(299_999)));
        assert_eq!(proof.map(|proof| proof.login()).ok(), Some(LOGIN));
    }

    #[test]
    fn a_wrong_code_leaves_the_right_one_alive() {
        let code = drawn(6);
        let right = typed(code.digits());
        let wrong = typed(if code.digits() == "123456" {
            "123457"
        } else {
            "123456"
        });
        let Err(Unproved::Wrong(code)) = code.check(&wrong, START) else {
            panic!("a wrong code is wrong");
        };
        assert!(code.check(&right, START).is_ok());
    }

    #[test]
    fn a_code_dies_with_its_life() {
        let code = drawn(6);
        let right = typed(code.digits());
        assert!(matches!(
            code.check(&right, START.after(LIFE)),
            Err(Unproved::Expired)
        ));
    }
}
