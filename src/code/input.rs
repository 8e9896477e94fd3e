//! Input at the code prompt.
#![forbid(unsafe_code)]

use zeroize::Zeroizing;

use crate::secret;

/// Typed digits, as many as a code has.
pub struct TypedCode(Zeroizing<String>);

impl TypedCode {
    pub(super) fn digits(&self) -> &str {
        &self.0
    }
}

/// What the user's input at the code prompt means.
pub enum Input {
    /// Digits to compare.
    Code(TypedCode),
    /// Empty or `r`: a request for another SMS.
    Resend,
    /// Anything else. It does not count as an attempt: a typing error or a password is not a guess.
    Malformed,
}

/// Parses input as users type, paste and dictate it: ignores spaces and dashes of any script, the escape
/// sequences around pasted text, and a final full stop; full-width digits are digits.
#[must_use]
pub fn parse(input: &[u8], digits: u8) -> Input {
    let input = secret::without_paste_brackets(input);
    let Ok(input) = std::str::from_utf8(&input) else {
        return Input::Malformed;
    };
    let mut typed = Zeroizing::new(String::with_capacity(usize::from(digits)));
    let mut is_ended = false;
    for letter in input.chars().filter(|letter| !is_blank(*letter)) {
        // A full stop is accepted only at the end, and not alone.
        if is_ended || (is_full_stop(letter) && typed.is_empty()) {
            return Input::Malformed;
        }
        if is_full_stop(letter) {
            is_ended = true;
            continue;
        }
        let letter = narrow(letter);
        if typed.len() >= usize::from(digits) || !letter.is_ascii() {
            return Input::Malformed;
        }
        typed.push(letter);
    }
    match typed.as_str() {
        "" | "r" | "R" => Input::Resend,
        code if code.len() == usize::from(digits)
            && code.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Input::Code(TypedCode(typed))
        }
        _ => Input::Malformed,
    }
}

/// Whether this is a space (including those of zero width) or a dash: Unicode's `White_Space` and `Dash`,
/// the soft hyphen, and the character that Japanese keyboards have in place of a dash.
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

/// Whether this is a full stop, including the ideographic and the full-width one.
fn is_full_stop(letter: char) -> bool {
    matches!(letter, '.' | '\u{3002}' | '\u{ff0e}' | '\u{ff61}')
}

/// Converts a full-width digit to ASCII. Returns every other character unchanged.
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
    fn input_is_parsed_as_users_type_it() {
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
                matches!(parse(code.as_bytes(), 6), Input::Code(_)),
                "{code:?}"
            );
        }
        let pasted = "\u{1b}[200~\u{1b}[201~";
        for resend in ["", "  ", "r", "R", " r \n", "r.", "\u{a0}", pasted] {
            assert!(
                matches!(parse(resend.as_bytes(), 6), Input::Resend),
                "{resend:?}"
            );
        }
        let long = "1".repeat(10_000);
        for malformed in [
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
                matches!(parse(malformed.as_bytes(), 6), Input::Malformed),
                "{malformed:?}"
            );
        }
        assert!(matches!(parse(b"\xff\x00\x1b", 6), Input::Malformed));
    }
}
