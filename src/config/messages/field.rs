//! The placeholders of a template.
#![forbid(unsafe_code)]

/// What stands in braces in a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The one-time code: only in the SMS.
    Code,
    /// This machine's name.
    Host,
    /// The PAM service.
    Service,
    /// Where the login comes from.
    Rhost,
    User,
    /// The masked number.
    Phone,
    /// The code's lifetime, a number.
    Minutes,
    /// What [`tries_left`](super::tries_left), [`logins_left`](super::logins_left) or
    /// [`guesses_made`](super::guesses_made) says.
    Left,
    /// What [`a_while`](super::a_while) says.
    Wait,
    /// The login's number, for the help desk.
    Login,
}

impl Field {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Code,
        Self::Host,
        Self::Service,
        Self::Rhost,
        Self::User,
        Self::Phone,
        Self::Minutes,
        Self::Left,
        Self::Wait,
        Self::Login,
    ];

    /// The name in the braces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Host => "host",
            Self::Service => "service",
            Self::Rhost => "rhost",
            Self::User => "user",
            Self::Phone => "phone",
            Self::Minutes => "minutes",
            Self::Left => "left",
            Self::Wait => "wait",
            Self::Login => "login",
        }
    }

    /// The most characters that are filled in; what is longer is cut off.
    pub(super) const fn longest(self) -> usize {
        match self {
            Self::Host | Self::Service | Self::Rhost | Self::User => 64,
            Self::Phone | Self::Wait | Self::Left => 24,
            Self::Code | Self::Minutes | Self::Login => 10,
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }
}
