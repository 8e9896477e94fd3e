//! Properties of every code and of all input at the code prompt, for `make fuzz` and for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    clippy::unreachable,
    reason = "a property that does not hold panics"
)]

use std::time::Duration;

use rand::TryRng;

use super::{Code, Input, Rejected, parse};
use crate::{deadline::Moment, id::LoginId};

const LOGIN: LoginId = LoginId([1, 2, 3, 4]);
const START: Moment = Moment::at(Duration::from_secs(100));
const LIFETIME: Duration = Duration::from_secs(300);

/// Checks parser and comparison. The first byte selects the number of digits, the next eight are the random
/// number, the rest is the input. The input is a code, a request for another SMS, or malformed, by its
/// characters alone. Only the generated code is accepted, before it expires and once.
pub fn code(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let digits = (first % 5).saturating_add(6);
    let (random, input) = rest.split_first_chunk().unwrap_or((&[0; 8], rest));
    let width = usize::from(digits);
    let mut source = Sequence(u64::from_le_bytes(*random), 0);
    let code = Code::generate_from(&mut source, digits, LIFETIME, LOGIN, START);
    let Some(code) = code else {
        unreachable!("there is a random number")
    };
    let correct = code.digits().to_owned();
    assert!(correct.len() == width && correct.bytes().all(|byte| byte.is_ascii_digit()));
    let letters: Vec<u8> = input
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-')
        .collect();
    // For input with full stops, escape sequences or characters beyond ASCII, only part of the result is
    // checked.
    let is_plain = letters
        .iter()
        .all(|byte| byte.is_ascii() && !matches!(byte, b'.' | b'\x0b' | 0x1b));
    let is_code = letters.len() == width && letters.iter().all(u8::is_ascii_digit);
    let is_resend = letters.is_empty() || letters == b"r" || letters == b"R";
    match parse(input, digits) {
        Input::Code(typed) => {
            assert!(typed.digits().len() == width);
            assert!(typed.digits().bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!is_plain || is_code);
            assert!(!is_code || typed.digits().as_bytes() == letters);
            let letters = typed.digits().as_bytes();
            match code.check(&typed, START) {
                Ok(proof) => assert!(correct.as_bytes() == letters && proof.login() == LOGIN),
                Err(Rejected::Wrong(code)) => {
                    assert!(correct.as_bytes() != letters && code.digits() == correct);
                    check_expired(code, &correct, digits);
                }
                Err(Rejected::Expired) => unreachable!("it was generated at this moment"),
            }
        }
        Input::Resend => assert!((is_resend || !is_plain) && !is_code),
        Input::Malformed => assert!(!is_code && !is_resend),
    }
}

/// Checks that the correct code is not accepted after it has expired.
fn check_expired(code: Code, correct: &str, digits: u8) {
    let Input::Code(typed) = parse(correct.as_bytes(), digits) else {
        unreachable!("a code is parsed as a code")
    };
    assert!(matches!(
        code.check(&typed, START.after(LIFETIME)),
        Err(Rejected::Expired)
    ));
}

/// A generator whose numbers differ by a constant.
struct Sequence(u64, u64);

impl TryRng for Sequence {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let number = self.0.wrapping_add(self.1);
        self.1 = self.1.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(number)
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn code() {
        crate::mutation::check("code", super::code);
    }
}
