//! Secrets, as the value of a key and as the content of a file.
#![forbid(unsafe_code)]

use super::{Leaf, Why};
use crate::secret::Secret;

/// What a secret may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A password or key: one line of text.
    Line,
    /// What Twilio generates, tokens and the secrets of API keys: ASCII letters and digits.
    Token,
}

impl Kind {
    /// What a file with such a secret may contain.
    pub const fn allowed(self) -> &'static str {
        match self {
            Self::Line => "one line of UTF-8 text, the secret",
            Self::Token => "one line of ASCII letters and digits, the secret",
        }
    }

    fn check(self, text: String) -> Result<Secret, Why> {
        // Taken over first, so that it is wiped if it is refused.
        let secret = Secret::new(text);
        line(secret.reveal())?;
        if self == Self::Token {
            token(secret.reveal())?;
        }
        Ok(secret)
    }
}

/// Checks for a byte order mark, control characters and line breaks. They are no part of a secret,
/// but are left behind by editors and by copying.
fn line(text: &str) -> Result<(), Why> {
    if text.is_empty() {
        return Err(Why("it is empty"));
    }
    if text.contains('\u{feff}') {
        return Err(Why("it has a byte order mark (U+FEFF)"));
    }
    if text.ends_with('\r') {
        return Err(Why("its line ends as on Windows (CR LF)"));
    }
    if text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err(Why("it has more than one line"));
    }
    if text.chars().any(char::is_control) {
        return Err(Why("it has a control character"));
    }
    Ok(())
}

/// Checks for anything but ASCII letters and digits.
fn token(text: &str) -> Result<(), Why> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Why(if text.contains(['"', '\'', '`']) {
        "it has quotes"
    } else if text.contains('=') {
        "it has an equals sign (of NAME=SECRET only SECRET belongs there)"
    } else if text.contains(char::is_whitespace) {
        "it has a blank"
    } else {
        "it has a character that is neither an ASCII letter nor a digit"
    }))
}

impl Leaf for Secret {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        Kind::Line.check(raw)
    }
}

/// Twilio's token, or an API key's secret.
pub struct Token(pub Secret);

impl Leaf for Token {
    type Raw = String;

    fn check(raw: String) -> Result<Self, Why> {
        Kind::Token.check(raw).map(Self)
    }
}

/// Parses the file of a secret: one line, whose final line break is not part of the secret.
pub fn parse(mut bytes: Vec<u8>, kind: Kind) -> Result<Secret, Why> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        // Wiped like any other secret.
        drop(zeroize::Zeroizing::new(error.into_bytes()));
        Why("it is not UTF-8")
    })?;
    kind.check(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(bytes: &[u8], kind: Kind) -> &'static str {
        parse(bytes.to_vec(), kind).map(|_| ()).unwrap_err().0
    }

    #[test]
    fn one_final_newline_is_not_part_of_a_secret() {
        for (bytes, reveals) in [(&b"abc"[..], "abc"), (b"abc\n", "abc"), (b"a1B2\n", "a1B2")] {
            for kind in [Kind::Line, Kind::Token] {
                let secret = parse(bytes.to_vec(), kind).unwrap();
                assert_eq!(secret.reveal(), reveals);
            }
        }
    }

    #[test]
    fn no_secret_has_a_mark_a_control_character_or_a_second_line() {
        for (bytes, words) in [
            (&b""[..], "empty"),
            (b"\n", "empty"),
            (b"\xef\xbb\xbfabc\n", "byte order mark"),
            (b"\xff\xfea\0b\0", "UTF-8"),
            (b"abc\r\n", "Windows"),
            (b"abc\n\n", "more than one line"),
            (b"abc\ndef\n", "more than one line"),
            (b"abc\rdef\n", "more than one line"),
            ("abc\u{2028}def".as_bytes(), "more than one line"),
            (b"a\tb", "control character"),
            (b"a\0", "control character"),
            (b"a\x1b[31m", "control character"),
            ("a\u{9b}31m".as_bytes(), "control character"),
            (b"\xff", "UTF-8"),
        ] {
            for kind in [Kind::Line, Kind::Token] {
                let why = why(bytes, kind);
                assert!(why.contains(words), "{why}");
            }
        }
    }

    #[test]
    fn a_password_may_have_anything_else() {
        for text in [
            " a b ",
            "\"a\"",
            "KEY=a",
            "p\u{e4}\u{df}",
            "\u{202f}",
            "-",
            "$(x)",
        ] {
            let secret = parse(text.into(), Kind::Line).unwrap();
            assert_eq!(secret.reveal(), text);
            assert!(Secret::check(text.into()).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_twilio_generates_is_letters_and_digits() {
        for (text, words) in [
            ("\"abc\"", "quotes"),
            ("'abc'", "quotes"),
            ("TWILIO_TOKEN=abc", "equals sign"),
            ("export TOKEN=abc", "equals sign"),
            ("abc ", "a blank"),
            (" abc", "a blank"),
            ("a\u{a0}bc", "a blank"),
            ("abc-def", "neither"),
            ("\u{ff11}23", "neither"),
            ("abc\u{e9}", "neither"),
            ("abc\u{200b}", "neither"),
        ] {
            assert!(why(text.as_bytes(), Kind::Token).contains(words), "{text}");
            let Why(inline) = Token::check(text.into()).map(|_| ()).unwrap_err();
            assert!(inline.contains(words), "{text}");
        }
        assert!(Token::check("0123456789abcdefABCDEF".into()).is_ok());
    }
}
