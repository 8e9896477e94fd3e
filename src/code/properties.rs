//! What is true of every code and of whatever is typed: for `make fuzz`, and in small for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    clippy::unreachable,
    reason = "a property panics where it does not hold"
)]

use std::time::Duration;

use rand::TryRng;

use super::{Answer, Code, Unproved, read};
use crate::{deadline::Moment, id::LoginId};

const LOGIN: LoginId = LoginId([1, 2, 3, 4]);
const START: Moment = Moment::at(Duration::from_secs(100));
const LIFE: Duration = Duration::from_secs(300);

/// The first byte says how many digits a code has, the next eight are what the generator says, the rest is
/// typed. What is typed is a code, a wish for another one, or neither, by its letters alone; and only the
/// drawn code proves anything, in time and once.
pub fn code(bytes: &[u8]) {
    let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let digits = (first % 5).saturating_add(6);
    let (drawn, typed) = rest.split_first_chunk().unwrap_or((&[0; 8], rest));
    let width = usize::from(digits);
    let mut source = Says(u64::from_le_bytes(*drawn), 0);
    let code = Code::draw_from(&mut source, digits, LIFE, LOGIN, START);
    let Ok(code) = code else {
        unreachable!("the generator has said something")
    };
    let right = code.digits().to_owned();
    assert!(right.len() == width && right.bytes().all(|byte| byte.is_ascii_digit()));
    let letters: Vec<u8> = typed
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-')
        .collect();
    // Of what holds full stops, escape sequences or letters beyond ASCII, only what it must not be is
    // said here.
    let is_plain = letters
        .iter()
        .all(|byte| byte.is_ascii() && !matches!(byte, b'.' | b'\x0b' | 0x1b));
    let is_code = letters.len() == width && letters.iter().all(u8::is_ascii_digit);
    let is_wish = letters.is_empty() || letters == b"r" || letters == b"R";
    match read(typed, digits) {
        Answer::Code(typed) => {
            assert!(typed.digits().len() == width);
            assert!(typed.digits().bytes().all(|byte| byte.is_ascii_digit()));
            assert!(!is_plain || is_code);
            assert!(!is_code || typed.digits().as_bytes() == letters);
            let letters = typed.digits().as_bytes();
            match code.check(&typed, START) {
                Ok(proof) => assert!(right.as_bytes() == letters && proof.login() == LOGIN),
                Err(Unproved::Wrong(code)) => {
                    assert!(right.as_bytes() != letters && code.digits() == right);
                    dies(code, &right, digits);
                }
                Err(Unproved::Expired) => unreachable!("it has just been drawn"),
            }
        }
        Answer::Another => assert!((is_wish || !is_plain) && !is_code),
        Answer::NoCode => assert!(!is_code && !is_wish),
    }
}

/// The right code, too late.
fn dies(code: Code, right: &str, digits: u8) {
    let Answer::Code(typed) = read(right.as_bytes(), digits) else {
        unreachable!("a code is read as one")
    };
    assert!(matches!(
        code.check(&typed, START.after(LIFE)),
        Err(Unproved::Expired)
    ));
}

/// A generator that says this, and something else each time that it is asked again.
struct Says(u64, u64);

impl TryRng for Says {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let said = self.0.wrapping_add(self.1);
        self.1 = self.1.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(said)
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
