//! Every text a person sees: templates, what may stand in them, and how they are filled in.
#![forbid(unsafe_code)]

mod field;
#[cfg(test)]
mod tests;

pub use field::Field;

use std::{borrow::Cow, time::Duration};

use super::{
    draft::{Layers, Overlay, Slot},
    values::{Leaf, Why},
};

/// Where a text is shown, which says what it may be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On the phone: any script, and the only one with the code.
    Sms,
    /// In a prompt: one line of ASCII. A code prompt is made of two.
    Prompt,
    /// At the end of a login, as a message of its own.
    Last,
}

impl Place {
    /// The most characters of a template, and of what it becomes. Twilio takes 1,600 characters;
    /// `PAM_MAX_MSG_SIZE` is 512 with the NUL, which two prompts and a space must not exceed.
    const fn most(self) -> (usize, usize) {
        match self {
            Self::Sms => (600, 1600),
            Self::Prompt => (200, 255),
            Self::Last => (500, 511),
        }
    }
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    template: Cow<'static, str>,
    place: Place,
}

/// A piece of a template.
enum Piece<'a> {
    Words(&'a str),
    Field(Field),
    /// A brace that belongs to no field.
    Brace,
}

/// Takes a template apart.
fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        let words = rest.find(['{', '}']).unwrap_or(rest.len());
        let (before, from) = rest.split_at(words);
        if !before.is_empty() {
            rest = from;
            return Some(Piece::Words(before));
        }
        let mut after = from.chars();
        let brace = after.next()?;
        rest = after.as_str();
        if brace == '}' {
            return Some(Piece::Brace);
        }
        let Some((name, behind)) = rest.split_once('}') else {
            return Some(Piece::Brace);
        };
        rest = behind;
        Some(Field::named(name).map_or(Piece::Brace, Piece::Field))
    })
}

/// Whether a character is one that a person sees: neither a control character nor one that turns
/// the direction of writing, joins or is invisible (Unicode's Cf), which terminals and phones
/// obey and nobody sees.
fn is_visible(letter: char) -> bool {
    !letter.is_control()
        && !matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

impl Text {
    /// One of our own texts.
    const fn ours(place: Place, template: &'static str) -> Self {
        Self {
            template: Cow::Borrowed(template),
            place,
        }
    }

    /// Checks a template.
    fn check(place: Place, template: String) -> Result<Self, Why> {
        let (longest, longest_filled) = place.most();
        if template.trim().is_empty() {
            return Err(Why("it is empty"));
        }
        if !template.chars().all(is_visible) {
            return Err(Why("it holds a line break or another invisible character"));
        }
        if place == Place::Prompt && !template.is_ascii() {
            return Err(Why("it holds a character that is not ASCII"));
        }
        if template.chars().count() > longest {
            return Err(Why("it is too long"));
        }
        let mut filled = 0_usize;
        let mut has_code = false;
        for piece in pieces(&template) {
            filled = filled.saturating_add(match piece {
                Piece::Words(words) => words.chars().count(),
                Piece::Field(field) => {
                    has_code |= field == Field::Code;
                    field.longest()
                }
                Piece::Brace => return Err(Why("it holds an unknown {name} or a single brace")),
            });
        }
        match (place, has_code) {
            (Place::Sms, false) => return Err(Why("it has no {code}")),
            (Place::Prompt | Place::Last, true) => {
                return Err(Why(
                    "{code} would show the code to whoever sits at the prompt; it belongs in \
                     messages.sms only",
                ));
            }
            (Place::Sms, true) | (Place::Prompt | Place::Last, false) => {}
        }
        if filled > longest_filled {
            return Err(Why("it becomes too long once it is filled in"));
        }
        Ok(Self {
            template: Cow::Owned(template),
            place,
        })
    }

    /// The template with these values in their places. A field without a value becomes nothing.
    ///
    /// Values are foreign (a user name, a host name): they are cut to a length, invisible
    /// characters are dropped, in a prompt whatever is not ASCII becomes `?`, and braces in them
    /// mean nothing.
    #[must_use]
    pub fn fill(&self, values: &[(Field, &str)]) -> String {
        // As long as it can become: growing would leave copies of a code behind.
        let (_, longest) = self.place.most();
        let mut text = String::with_capacity(longest.saturating_mul(4));
        for piece in pieces(&self.template) {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Field(field) => {
                    let value = values.iter().find(|(of, _)| *of == field);
                    let value = value.map_or("", |(_, value)| value);
                    let value = value.chars().filter(|letter| is_visible(*letter));
                    text.extend(value.take(field.longest()).map(|letter| {
                        if self.place == Place::Prompt && !letter.is_ascii() {
                            '?'
                        } else {
                            letter
                        }
                    }));
                }
                Piece::Brace => {}
            }
        }
        text
    }

    /// The template as it stands in the settings.
    #[cfg(test)]
    fn template(&self) -> &str {
        &self.template
    }
}

/// A [`Text`] for one place, as the settings give it.
macro_rules! texts {
    ($($name:ident)*) => {$(
        #[derive(Clone)]
        pub(super) struct $name(pub Text);

        impl Leaf for $name {
            type Raw = String;

            fn check(raw: String) -> Result<Self, Why> {
                Text::check(Place::$name, raw).map(Self)
            }
        }
    )*};
}
texts! { Sms Prompt Last }

/// What `{left}` becomes.
#[must_use]
pub fn tries_left(tries: u32) -> String {
    match tries {
        1 => "1 try".into(),
        more => format!("{more} tries"),
    }
}

/// What `{left}` becomes in the text about an expired password.
#[must_use]
pub fn logins_left(logins: u32) -> String {
    match logins {
        1 => "1 more login".into(),
        more => format!("{more} more logins"),
    }
}

/// What `{left}` becomes in the text about the wrong codes of others.
#[must_use]
pub fn guesses_made(guesses: u32) -> String {
    match guesses {
        1 => "1 wrong code was".into(),
        more => format!("{more} wrong codes were"),
    }
}

/// What `{wait}` becomes: seconds up to a minute, then minutes, from two hours on hours; rounded
/// up, so that who waits as long is never too early.
#[must_use]
pub fn a_while(wait: Duration) -> String {
    let seconds = wait
        .as_secs()
        .saturating_add(u64::from(wait.subsec_nanos() > 0));
    match seconds {
        0..=60 => format!("{seconds} s"),
        61..=7200 => format!("{} minutes", seconds.div_ceil(60)),
        _ => format!("{} hours", seconds.div_ceil(3600)),
    }
}

/// `[messages]`: every text a person sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    pub sms: Text,
    /// Asks for the password.
    pub password: Text,
    /// The end of every code prompt, after one of the next seven and a space.
    pub code: Text,
    pub sent: Text,
    pub resent: Text,
    pub wrong: Text,
    pub expired: Text,
    pub not_a_code: Text,
    pub no_resend: Text,
    pub wait: Text,
    pub too_many: Text,
    pub too_late: Text,
    pub not_verified: Text,
    pub no_code: Text,
    pub password_expired: Text,
    pub stopped: Text,
    pub bad_number: Text,
    pub new_phone: Text,
    pub not_sent: Text,
    pub later: Text,
    /// Accompanies a granted login whose password has expired.
    pub grace: Text,
    /// The same for the last such login: a text of its own, unless the settings have another one.
    pub last_grace: Text,
    /// Accompanies a granted login after wrong codes in others.
    pub guesses: Text,
}

impl Messages {
    /// Our own words, where codes have so many digits.
    #[must_use]
    pub fn standard(digits: u8) -> Self {
        let prompt = |template| Text::ours(Place::Prompt, template);
        let last = |template| Text::ours(Place::Last, template);
        Self {
            sms: Text::ours(
                Place::Sms,
                "{code} is your login code for {host}. It expires in {minutes} minutes. \
                 Not you? Change your password.",
            ),
            password: prompt("Password: "),
            code: prompt("Verification code: "),
            sent: prompt("Code sent to {phone}."),
            resent: prompt("Code sent again."),
            wrong: prompt("Wrong code, {left} left."),
            expired: prompt("The code has expired; a new one was sent."),
            not_a_code: Text {
                template: Cow::Owned(format!(
                    "That is not {} {digits}-digit code.",
                    if digits == 8 { "an" } else { "a" }
                )),
                place: Place::Prompt,
            },
            no_resend: prompt("No more SMS in this login."),
            wait: prompt("Another SMS in {wait}."),
            too_many: last("Too many wrong codes. (login {login})"),
            too_late: last("The code has expired. (login {login})"),
            not_verified: last(
                "No verified phone number on file. Ask your administrator. (login {login})",
            ),
            no_code: last("No code was entered. (login {login})"),
            password_expired: last(
                "Your password has expired. Change it, then log in again. (login {login})",
            ),
            stopped: last(
                "This phone has blocked our messages. Send START to the sender, then log in \
                 again. (login {login})",
            ),
            bad_number: last(
                "This phone cannot receive codes. Ask your administrator. (login {login})",
            ),
            new_phone: last(
                "Your new phone number cannot be used yet. Ask your administrator. \
                 (login {login})",
            ),
            not_sent: last("The code could not be sent. Try again later. (login {login})"),
            later: last("Too many codes. Try again in {wait}. (login {login})"),
            grace: last("Your password has expired; {left} until you must change it."),
            last_grace: last("This was the last login with your expired password. Change it now."),
            guesses: last("{left} entered since your last login."),
        }
    }

    /// The words that count for one service: the settings', else ours.
    pub(super) fn of(layers: Layers<'_>, digits: u8) -> Self {
        let ours = Self::standard(digits);
        let prompt = |slot: fn(&Overlay) -> &Slot<Prompt>, ours: Text| {
            layers.value(slot).map_or(ours, |theirs| theirs.0)
        };
        let last = |slot: fn(&Overlay) -> &Slot<Last>, ours: Text| {
            layers.value(slot).map_or(ours, |theirs| theirs.0)
        };
        Self {
            sms: layers
                .value(|own| &own.messages.sms)
                .map_or(ours.sms, |theirs| theirs.0),
            password: prompt(|own| &own.messages.password, ours.password),
            code: prompt(|own| &own.messages.code, ours.code),
            sent: prompt(|own| &own.messages.sent, ours.sent),
            resent: prompt(|own| &own.messages.resent, ours.resent),
            wrong: prompt(|own| &own.messages.wrong, ours.wrong),
            expired: prompt(|own| &own.messages.expired, ours.expired),
            not_a_code: prompt(|own| &own.messages.not_a_code, ours.not_a_code),
            no_resend: prompt(|own| &own.messages.no_resend, ours.no_resend),
            wait: prompt(|own| &own.messages.wait, ours.wait),
            too_many: last(|own| &own.messages.too_many, ours.too_many),
            too_late: last(|own| &own.messages.too_late, ours.too_late),
            not_verified: last(|own| &own.messages.not_verified, ours.not_verified),
            no_code: last(|own| &own.messages.no_code, ours.no_code),
            password_expired: last(|own| &own.messages.password_expired, ours.password_expired),
            stopped: last(|own| &own.messages.stopped, ours.stopped),
            bad_number: last(|own| &own.messages.bad_number, ours.bad_number),
            new_phone: last(|own| &own.messages.new_phone, ours.new_phone),
            not_sent: last(|own| &own.messages.not_sent, ours.not_sent),
            later: last(|own| &own.messages.later, ours.later),
            last_grace: layers
                .value(|own| &own.messages.grace)
                .filter(|theirs| theirs.0 != ours.grace)
                .map_or(ours.last_grace, |theirs| theirs.0),
            grace: last(|own| &own.messages.grace, ours.grace),
            guesses: last(|own| &own.messages.guesses, ours.guesses),
        }
    }
}
