//! What is typed at the code prompt.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use crate::secret;

/// As many digits as a code has.
pub struct Typed(Zeroizing<String>);

impl Typed {
    pub(super) fn digits(&self) -> &str {
        &self.0
    }
}

/// What an answer at the code prompt means.
pub enum Answer {
    /// Digits, to be compared.
    Code(Typed),
    /// Nothing, or `r`: another SMS, please.
    Another,
    /// Neither. No try: a slip of the keys or the password fed back is not a guess.
    NoCode,
}

/// Reads an answer as people type, paste and dictate it: spaces and dashes of any script do not
/// count, nor do the escape sequences around what is pasted and a final full stop; full-width
/// digits are digits.
#[must_use]
pub fn read(words: &[u8], digits: u8) -> Answer {
    let words = secret::without_paste_brackets(words);
    let Ok(words) = std::str::from_utf8(&words) else {
        return Answer::NoCode;
    };
    let mut typed = Zeroizing::new(String::with_capacity(usize::from(digits)));
    let mut is_ended = false;
    for letter in words.chars().filter(|letter| !is_blank(*letter)) {
        // Nothing follows a final full stop, and there is none without a word before it.
        if is_ended || (is_full_stop(letter) && typed.is_empty()) {
            return Answer::NoCode;
        }
        if is_full_stop(letter) {
            is_ended = true;
            continue;
        }
        let letter = narrow(letter);
        if typed.len() >= usize::from(digits) || !letter.is_ascii() {
            return Answer::NoCode;
        }
        typed.push(letter);
    }
    match typed.as_str() {
        "" | "r" | "R" => Answer::Another,
        code if code.len() == usize::from(digits)
            && code.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Answer::Code(Typed(typed))
        }
        _ => Answer::NoCode,
    }
}

/// Spaces, also those without width, and dashes (Unicode's `White_Space` and `Dash`, the soft hyphen,
/// and what Japanese keyboards have where others have a dash).
fn is_blank(letter: char) -> bool {
    letter.is_whitespace()
        || matches!(
            letter,
            '\u{200b}'
                | '\u{2060}'
                | '\u{feff}'
                | '-'
                | '\u{ad}'
                | '\u{58a}'
                | '\u{5be}'
                | '\u{1400}'
                | '\u{1806}'
                | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2043}'
                    | '\u{2053}'
                    | '\u{207b}'
                    | '\u{208b}'
                    | '\u{2212}'
                    | '\u{2e17}'
                    | '\u{2e1a}'
                    | '\u{2e3a}'
                    | '\u{2e3b}'
                    | '\u{2e40}'
                    | '\u{2e5d}'
                    | '\u{301c}'
                    | '\u{3030}'
                    | '\u{30a0}'
                    | '\u{30fc}'
                    | '\u{fe31}'
                    | '\u{fe32}'
                    | '\u{fe58}'
                    | '\u{fe63}'
                    | '\u{ff0d}'
                    | '\u{ff70}'
                    | '\u{10d6e}'
                    | '\u{10ead}'
        )
}

/// Full stops, the ideographic and the full-width one too.
fn is_full_stop(letter: char) -> bool {
    matches!(letter, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// A full-width digit as an ASCII one; every other letter as it is.
const fn narrow(letter: char) -> char {
    match letter {
        '\u{ff10}' => '0',
        '\u{ff11}' => '1',
        '\u{ff12}' => '2',
        '\u{ff13}' => '3',
        '\u{ff14}' => '4',
        '\u{ff15}' => '5',
        '\u{ff16}' => '6',
        '\u{ff17}' => '7',
        '\u{ff18}' => '8',
        '\u{ff19}' => '9',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_people_type_them() {
        for code in [
            "123456",
            " 123 456 ",
            "123-456",
            "1 2 3 4 5 6\r\n",
            "000000",
            "123\u{a0}456",
            "123\u{2009}456\u{202f}",
            "123\u{200b}456",
            "123\u{2013}456",
            "123\u{2212}456",
            "1\u{30fc}2\u{ff0d}3\u{5be}4\u{1806}5\u{301c}6",
            "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{ff15}\u{ff16}",
            "\u{ff10}1\u{ff17}2\u{ff18}\u{ff19}",
            "\u{1b}[200~123456\u{1b}[201~",
            "\u{1b}[200~123 456.\u{1b}[201~",
            "12\u{1b}[200~3456\u{1b}[201~",
            "123456.",
            "123 456. ",
            "\u{ff11}23456\u{3002}",
        ] {
            assert!(
                matches!(read(code.as_bytes(), 6), Answer::Code(_)),
                "{code:?}"
            );
        }
        let pasted = "\u{1b}[200~\u{1b}[201~";
        for another in ["", "  ", "r", "R", " r \n", "r.", "\u{a0}", pasted] {
            assert!(
                matches!(read(another.as_bytes(), 6), Answer::Another),
                "{another:?}"
            );
        }
        let long = "1".repeat(10_000);
        for none in [
            "12345",
            "1234567",
            "12345a",
            "rr",
            "letters",
            "hunter2 is my password",
            "+12345",
            ".",
            "123.456",
            "123456..",
            ".123456",
            "12345.6",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}",
            "\u{1b}[A123456",
            "123456\u{202e}",
            &long,
        ] {
            assert!(
                matches!(read(none.as_bytes(), 6), Answer::NoCode),
                "{none:?}"
            );
        }
        assert!(matches!(read(b"\xff\x00\x1b", 6), Answer::NoCode));
    }
}
