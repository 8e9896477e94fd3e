//! Why a text is not a phone number with one meaning. The reasons are logged, and contain no digit or letter
//! of the text.
#![forbid(unsafe_code)]

use std::fmt;

/// The first error in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    Empty,
    /// Longer than a number with punctuation.
    TooLong,
    NotUtf8,
    /// A character that screens do not show.
    Invisible(char),
    Control(char),
    /// Digits that are not ASCII.
    OtherDigits,
    Extension,
    Letters,
    /// Any other character that numbers do not have.
    OddCharacter,
    /// A `+` after the beginning.
    InnerPlus,
    Parentheses,
    /// Punctuation before or after all digits.
    Edges,
    /// A slash that may separate two numbers.
    Slash,
    NoCountryCode,
    UnknownCountryCode,
    /// More digits than E.164 allows.
    TooManyDigits,
    /// Too short, too long, or with digits that no number of its country begins with.
    Impossible,
    /// The number may begin with a carrier selection code.
    CarrierCode,
    /// An international prefix, but not the one of this region.
    OtherPrefix,
    NoAreaCode,
    /// More than one meaning.
    Ambiguous,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::TooLong => "too long for a phone number",
            Self::NotUtf8 => "not UTF-8",
            Self::Invisible(c) => {
                return write!(
                    f,
                    "contains an invisible character (U+{:04X})",
                    u32::from(*c)
                );
            }
            Self::Control(c) => {
                return write!(f, "contains a control character (U+{:04X})", u32::from(*c));
            }
            Self::OtherDigits => "contains digits that are not ASCII",
            Self::Extension => "contains an extension",
            Self::Letters => "contains letters",
            Self::OddCharacter => "contains a character that phone numbers do not have",
            Self::InnerPlus => "contains a + behind its beginning",
            Self::Parentheses => "parentheses do not match",
            Self::Edges => "begins or ends with punctuation",
            Self::Slash => "contains a slash that may separate two numbers",
            Self::NoCountryCode => "no country code",
            Self::UnknownCountryCode => "unknown country code",
            Self::TooManyDigits => "more than 15 digits",
            Self::Impossible => "not a possible number of its country",
            Self::CarrierCode => "may begin with a carrier selection code",
            Self::OtherPrefix => "begins with 00, which is not the international prefix there",
            Self::NoAreaCode => "may lack its area code",
            Self::Ambiguous => "can be read as more than one number",
        })
    }
}

impl std::error::Error for Unreadable {}

/// Reports the first character that numbers do not have. Invisible ones take precedence, because
/// administrators do not find them otherwise.
pub(super) fn check_characters(text: &str, fits: impl Fn(char) -> bool) -> Result<(), Unreadable> {
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(Unreadable::Control(control));
    }
    let mut unfit = text.char_indices().filter(|(_, c)| !fits(*c));
    if let Some((_, invisible)) = unfit.clone().find(|(_, c)| is_invisible(*c)) {
        return Err(Unreadable::Invisible(invisible));
    }
    let Some((at, first)) = unfit.next() else {
        return Ok(());
    };
    let (before, rest) = text.split_at_checked(at).unwrap_or((text, ""));
    Err(
        if before.contains(|c: char| c.is_ascii_digit()) && is_extension(rest) {
            Unreadable::Extension
        } else if first.is_alphabetic() {
            Unreadable::Letters
        } else if first.is_numeric() {
            Unreadable::OtherDigits
        } else {
            Unreadable::OddCharacter
        },
    )
}

/// `ext. 5`, `;ext=5` (RFC 3966), `x5`, `#5`
fn is_extension(rest: &str) -> bool {
    let rest = rest
        .trim_start_matches([';', ',', ' '])
        .to_ascii_lowercase();
    let after_x = rest.strip_prefix('x').unwrap_or_default();
    let after_x = after_x.trim_start_matches(['.', ' ']);
    rest.starts_with("ext")
        || rest.starts_with('#')
        || after_x.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether this is a space of another width, or what Unicode calls default ignorable or a format character:
/// soft hyphens, joiners, directions, fillers, variation selectors, tags.
fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}
