//! Templates of the texts that are shown to the user: their placeholders, and how they are filled.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::value_types::{Invalid, ValueType};

/// Declares the placeholders: what each is replaced by, its name in braces, and the length in characters
/// that a value is cut to.
macro_rules! placeholders {
    ($($(#[doc = $help:literal])+ $variant:ident: $name:literal, $max_length:literal;)+) => {
        /// A name in braces that is replaced by a value.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Placeholder {
            $($(#[doc = $help])+ $variant,)+
        }

        impl Placeholder {
            pub(super) const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in the braces.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            const fn max_length(self) -> usize {
                match self {
                    $(Self::$variant => $max_length,)+
                }
            }

            #[cfg(test)]
            pub(super) const fn help(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!($($help, "\n"),+),)+
                }
            }
        }
    };
}

placeholders! {
    /// The one-time code, in `messages.sms` only.
    Code: "code", 10;
    /// The name of this host.
    Host: "host", 64;
    /// The PAM service.
    Service: "service", 64;
    /// The remote host (PAM_RHOST).
    Rhost: "rhost", 64;
    /// The login name.
    User: "user", 64;
    /// The masked phone number.
    Phone: "phone", 24;
    /// The lifetime of the code in minutes, a number.
    Minutes: "minutes", 10;
    /// What is left, such as "2 tries"; in `messages.grace` and `messages.guesses` as described there.
    Left: "left", 24;
    /// How long to wait, such as "25 s" or "12 minutes".
    Wait: "wait", 24;
    /// The login ID, by which the login is found in the log.
    Login: "login", 10;
}

impl Placeholder {
    fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|placeholder| placeholder.name() == name)
    }
}

/// Where a text is shown, and so what it may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageKind {
    /// On the phone: in any script, and the only one with the code.
    Sms,
    /// In a prompt: one line of ASCII. A code prompt consists of two templates.
    Prompt,
    /// At the end of a login, as an error or info message.
    Final,
}

impl MessageKind {
    /// The maximum lengths of a template and of the filled text, in characters. Twilio accepts
    /// 1,600 characters; `PAM_MAX_MSG_SIZE` is 512 with the NUL, which two prompts and a space must
    /// not exceed.
    const fn max_lengths(self) -> (usize, usize) {
        match self {
            Self::Sms => (600, 1600),
            Self::Prompt => (200, 255),
            Self::Final => (500, 511),
        }
    }
}

/// A text with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: String,
    kind: MessageKind,
}

/// A piece of a template.
enum Piece<'a> {
    Literal(&'a str),
    Placeholder(Placeholder),
    /// A brace that belongs to no placeholder.
    Brace,
}

/// Splits a template.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let length = rest.find(['{', '}']).unwrap_or(rest.len());
        let (before, from) = rest.split_at(length);
        if !before.is_empty() {
            rest = from;
            return Some(Piece::Literal(before));
        }
        let mut after = from.chars();
        let brace = after.next()?;
        rest = after.as_str();
        if brace == '}' {
            return Some(Piece::Brace);
        }
        let Some((name, remaining)) = rest.split_once('}') else {
            return Some(Piece::Brace);
        };
        rest = remaining;
        Some(Placeholder::parse(name).map_or(Piece::Brace, Piece::Placeholder))
    })
}

/// Whether a character is visible: neither a control character nor a format character (Unicode
/// category Cf), which terminals and phones interpret without showing it.
fn is_visible(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

impl Template {
    /// Parses a template.
    fn parse(kind: MessageKind, text: String) -> Result<Self, Invalid> {
        let (max, max_filled) = kind.max_lengths();
        if text.trim().is_empty() {
            return Err(Invalid("the text is empty"));
        }
        if !text.chars().all(is_visible) {
            return Err(Invalid(
                "the text contains a line break or another invisible character",
            ));
        }
        if kind == MessageKind::Prompt && !text.is_ascii() {
            return Err(Invalid("the text contains a character that is not ASCII"));
        }
        if text.chars().count() > max {
            return Err(Invalid("the text is too long"));
        }
        let mut filled = 0_usize;
        let mut has_code = false;
        for piece in pieces(&text) {
            filled = filled.saturating_add(match piece {
                Piece::Literal(literal) => literal.chars().count(),
                Piece::Placeholder(placeholder) => {
                    has_code |= placeholder == Placeholder::Code;
                    placeholder.max_length()
                }
                Piece::Brace => {
                    return Err(Invalid(
                        "the text contains an unknown {name} or a single brace",
                    ));
                }
            });
        }
        match (kind, has_code) {
            (MessageKind::Sms, false) => return Err(Invalid("the text does not contain {code}")),
            (MessageKind::Prompt | MessageKind::Final, true) => {
                return Err(Invalid(
                    "{code} would show the code at the prompt; it is accepted in messages.sms only",
                ));
            }
            (MessageKind::Sms, true) | (MessageKind::Prompt | MessageKind::Final, false) => {}
        }
        if filled > max_filled {
            return Err(Invalid(
                "the text can become too long once its placeholders are filled",
            ));
        }
        Ok(Self { text, kind })
    }

    /// Returns the default of `messages.not_a_code` for codes with this number of digits.
    pub(super) fn not_a_code(digits: u8) -> Self {
        let article = if digits == 8 { "an" } else { "a" };
        Self {
            text: format!("That is not {article} {digits}-digit code."),
            kind: MessageKind::Prompt,
        }
    }

    /// Returns the text for the last login with an expired password, while `messages.grace` has its
    /// default.
    pub(super) fn last_grace() -> Self {
        Self {
            text: "This was the last login with your expired password. Change it now.".to_owned(),
            kind: MessageKind::Final,
        }
    }

    /// Fills the placeholders. A placeholder without a value becomes nothing.
    ///
    /// Values are untrusted (a user name, a host name): they are cut to a maximum length, invisible
    /// characters are dropped, characters that are not ASCII become `?` in a prompt, and braces in
    /// them have no meaning.
    #[must_use]
    pub(crate) fn fill(&self, values: &[(Placeholder, &str)]) -> String {
        // The maximum length: a buffer that grows would leave copies of a code in memory.
        let (_, max) = self.kind.max_lengths();
        let mut text = String::with_capacity(max.saturating_mul(4));
        for piece in pieces(&self.text) {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Placeholder(placeholder) => {
                    let value = values.iter().find(|(of, _)| *of == placeholder);
                    let value = value.map_or("", |(_, value)| value);
                    let value = value.chars().filter(|character| is_visible(*character));
                    text.extend(value.take(placeholder.max_length()).map(|character| {
                        if self.kind == MessageKind::Prompt && !character.is_ascii() {
                            '?'
                        } else {
                            character
                        }
                    }));
                }
                Piece::Brace => {}
            }
        }
        text
    }
}

/// Returns the placeholders that every text accepts.
pub(super) fn placeholders() -> String {
    let all = Placeholder::ALL.iter().copied();
    let common = all.filter(|placeholder| *placeholder != Placeholder::Code);
    let names: Vec<_> = common
        .map(|placeholder| format!("{{{}}}", placeholder.name()))
        .collect();
    names.join(" ")
}

/// The value type of each kind of text.
macro_rules! kinds {
    ($($name:ident: $kind:ident, $allowed:literal;)*) => {$(
        pub enum $name {}

        impl ValueType for $name {
            type Raw = String;
            type Value = Template;

            fn allowed() -> String {
                format!($allowed, placeholders())
            }

            fn parse(raw: String) -> Result<Template, Invalid> {
                Template::parse(MessageKind::$kind, raw)
            }
        }
    )*};
}

kinds! {
    SmsText: Sms, "one line in quotes, up to 600 characters, with {{code}} and any of {}";
    Prompt: Prompt, "one line of printable ASCII in quotes, up to 200 characters, with any of {}";
    FinalText: Final, "one line in quotes, up to 500 characters, with any of {}";
}

/// Formats the value of `{left}`.
#[must_use]
pub(crate) fn tries_left(tries: u32) -> String {
    match tries {
        1 => "1 try".into(),
        more => format!("{more} tries"),
    }
}

/// Formats the value of `{left}` in `messages.grace`.
#[must_use]
pub(crate) fn logins_left(logins: u32) -> String {
    match logins {
        1 => "1 more login".into(),
        more => format!("{more} more logins"),
    }
}

/// Formats the value of `{left}` in `messages.guesses`.
#[must_use]
pub(crate) fn guesses_made(guesses: u32) -> String {
    match guesses {
        1 => "1 wrong code was".into(),
        more => format!("{more} wrong codes were"),
    }
}

/// Formats the value of `{wait}`: in seconds up to one minute, then in minutes, and from two hours in hours;
/// rounded up, so that a user who waits as long is not too early.
#[must_use]
pub(crate) fn human_duration(wait: Duration) -> String {
    let seconds = wait
        .as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0));
    match seconds {
        0..=60 => format!("{seconds} s"),
        61..=7200 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3600)),
    }
}
