//! Secrets, as the value of a key and as the content of a file.
#![forbid(unsafe_code)]

use super::{Invalid, ValueType};
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

    fn parse(self, text: String) -> Result<Secret, Invalid> {
        // Moved in first, so that a text that is refused is wiped too.
        let secret = Secret::new(text);
        check_line(secret.reveal())?;
        if self == Self::Token {
            check_token(secret.reveal())?;
        }
        Ok(secret)
    }
}

/// Refuses a byte order mark, control characters and line breaks. They are not part of a secret, but
/// editors and copying add them.
fn check_line(text: &str) -> Result<(), Invalid> {
    if text.is_empty() {
        return Err(Invalid("the secret is empty"));
    }
    if text.contains('\u{feff}') {
        return Err(Invalid("the secret contains a byte order mark (U+FEFF)"));
    }
    if text.ends_with('\r') {
        return Err(Invalid("the line ends with CR LF, as on Windows"));
    }
    if text.contains(['\n', '\r', '\u{2028}', '\u{2029}']) {
        return Err(Invalid("the secret has more than one line"));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid("the secret contains a control character"));
    }
    Ok(())
}

/// Refuses anything but ASCII letters and digits.
fn check_token(text: &str) -> Result<(), Invalid> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(());
    }
    Err(Invalid(if text.contains(['"', '\'', '`']) {
        "the secret contains quotes"
    } else if text.contains('=') {
        "the secret contains an equals sign (of NAME=SECRET, write only SECRET)"
    } else if text.contains(char::is_whitespace) {
        "the secret contains a space"
    } else {
        "the secret contains a character that is neither an ASCII letter nor a digit"
    }))
}

impl ValueType for Secret {
    type Raw = String;
    type Value = Self;
    const IS_SECRET: bool = true;

    fn allowed() -> String {
        "one line of text in quotes, in a file of mode 0600 (or root's, 0640)".into()
    }

    fn parse(raw: String) -> Result<Self, Invalid> {
        Kind::Line.parse(raw)
    }
}

/// Twilio's token, or the secret of an API key.
pub enum Token {}

impl ValueType for Token {
    type Raw = String;
    type Value = Secret;
    const IS_SECRET: bool = true;

    fn allowed() -> String {
        "ASCII letters and digits in quotes, in a file of mode 0600 (or root's, 0640)".into()
    }

    fn parse(raw: String) -> Result<Secret, Invalid> {
        Kind::Token.parse(raw)
    }
}

/// Parses the file of a secret: one line, whose final line break is not part of the secret.
pub fn parse(mut bytes: Vec<u8>, kind: Kind) -> Result<Secret, Invalid> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        // Wiped like any other secret.
        drop(zeroize::Zeroizing::new(error.into_bytes()));
        Invalid("not UTF-8")
    })?;
    kind.parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invalid(bytes: &[u8], kind: Kind) -> &'static str {
        parse(bytes.to_vec(), kind).map(|_| ()).unwrap_err().0
    }

    #[test]
    fn one_final_line_break_is_not_part_of_a_secret() {
        for (bytes, reveals) in [(&b"abc"[..], "abc"), (b"abc\n", "abc"), (b"a1B2\n", "a1B2")] {
            for kind in [Kind::Line, Kind::Token] {
                let secret = parse(bytes.to_vec(), kind).unwrap();
                assert_eq!(secret.reveal(), reveals);
            }
        }
    }

    #[test]
    fn byte_order_marks_control_characters_and_second_lines_are_refused() {
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
                let invalid = invalid(bytes, kind);
                assert!(invalid.contains(words), "{invalid}");
            }
        }
    }

    #[test]
    fn a_password_may_contain_anything_else() {
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
            assert!(<Secret as ValueType>::parse(text.into()).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_token_is_letters_and_digits() {
        for (text, words) in [
            ("\"abc\"", "quotes"),
            ("'abc'", "quotes"),
            ("TWILIO_TOKEN=abc", "equals sign"),
            ("export TOKEN=abc", "equals sign"),
            ("abc ", "a space"),
            (" abc", "a space"),
            ("a\u{a0}bc", "a space"),
            ("abc-def", "neither"),
            ("\u{ff11}23", "neither"),
            ("abc\u{e9}", "neither"),
            ("abc\u{200b}", "neither"),
        ] {
            assert!(
                invalid(text.as_bytes(), Kind::Token).contains(words),
                "{text}"
            );
            let Invalid(inline) = Token::parse(text.into()).map(|_| ()).unwrap_err();
            assert!(inline.contains(words), "{text}");
        }
        assert!(Token::parse("0123456789abcdefABCDEF".into()).is_ok());
    }
}
