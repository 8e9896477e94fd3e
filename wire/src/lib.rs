//! What the module and its helper say to each other.
//!
//! One connected `AF_UNIX` `SOCK_SEQPACKET` socket carries whole messages. Each begins with the
//! same eight bytes (version, kind, time limit), which never change, so that two builds that do
//! not share a version still learn that much of each other. After them come the fields of the
//! kind: integers little-endian and of fixed width (the module may be 32-bit in a 64-bit system),
//! texts as a 32-bit length and their bytes. Reading is total: what is too short, too long or
//! unknown is [`Nonsense`], never a panic.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod codec;
pub mod logfmt;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod request;

use std::fmt;

use codec::{Reader, Writer};
pub use request::{Request, Source, most};

/// The version that this build writes. From the first release on, every change of the bytes is a new
/// version.
pub const VERSION: u16 = 1;

/// No message is longer, in bytes. A receive buffer of one byte more tells what was cut off.
pub const MAX_MESSAGE: usize = 80 * 1024;

/// The longest answer that is passed on, in bytes; a longer one is [`Answer::TooLong`].
pub const MAX_ANSWER: usize = 64 * 1024;

/// The longest prompt or text, in bytes.
pub const MAX_TEXT: usize = 4096;

/// No message of the helper is longer, in bytes.
pub const MAX_FROM_HELPER: usize = MAX_TEXT + 64;

/// The most bytes of [`Verdict::counts`].
pub const MAX_COUNTS: usize = 64;

/// How long the module waits for the helper's first message, in milliseconds.
pub const FIRST_WAIT_MS: u32 = 10_000;

const HEADER: usize = 8;

/// A message that is none, or not one that its reader expects here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense;

/// What every message begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The version its writer speaks.
    pub version: u16,
    /// The kind of message, as it stands.
    pub kind: u8,
    /// How long the reader may have to wait for the next message, in milliseconds: from the
    /// moment it has sent its answer, if one is asked for, else from now.
    pub wait_ms: u32,
}

/// Whether this build speaks a version: its own and the one before it, because a long-running
/// sshd may still have the module of the package that has just been replaced.
#[must_use]
pub const fn speaks(version: u16) -> bool {
    version == VERSION || (version != 0 && version == VERSION - 1)
}

/// What the helper says to the module.
#[derive(Debug, PartialEq, Eq)]
pub enum FromHelper<'a> {
    /// "I am at work": sets a new time limit and asks for nothing.
    Working,
    /// Ask the person.
    Ask(Style, &'a str),
    /// Show this to the user as an error; nothing comes back.
    Tell(&'a str),
    /// Show this to the user as information; nothing comes back.
    Inform(&'a str),
    /// The end.
    Verdict(Verdict<'a>),
    /// "I do not speak your version."
    Unspoken,
    /// The new process could not become the helper.
    Stillborn(Stillborn),
}

/// How a question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Style {
    /// The password: what an earlier module has left, else asked without echo and left for the
    /// modules after us (`pam_get_authtok(3)`).
    Password = 1,
    /// Asked without echo.
    Hidden = 2,
    /// Asked with echo.
    Visible = 3,
}

/// How the login ends, in the words of `pam_authenticate(3)`. No value is zero or a [`Style`],
/// so that neither cleared memory nor a question taken for a verdict is a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Code {
    /// `PAM_SUCCESS`
    Success = 0x41,
    /// `PAM_IGNORE`
    Ignore = 0x42,
    /// `PAM_AUTH_ERR`
    AuthErr = 0x43,
    /// `PAM_MAXTRIES`
    MaxTries = 0x44,
    /// `PAM_USER_UNKNOWN`
    UserUnknown = 0x45,
    /// `PAM_AUTHINFO_UNAVAIL`
    AuthinfoUnavail = 0x46,
    /// `PAM_SERVICE_ERR`
    ServiceErr = 0x47,
    /// `PAM_CONV_ERR`
    ConvErr = 0x48,
    /// `PAM_MAXTRIES`, and a further call on the handle is a login of its own.
    MaxTriesForNow = 0x49,
}

/// The last message of a login.
#[derive(Debug, PartialEq, Eq)]
pub struct Verdict<'a> {
    /// What libpam is told.
    pub code: Code,
    /// What counts over all logins on one PAM handle. The module keeps it unread and hands it to
    /// the next helper.
    pub counts: &'a [u8],
}

/// Why the new process could not become the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stillborn {
    /// The step that failed, as the module numbers them.
    pub step: u8,
    /// The error number, or zero.
    pub errno: i32,
    /// How many bytes of the helper's path had been walked.
    pub walked: u16,
}

/// What the module says after its [`Request`]: an answer to each [`FromHelper::Ask`].
#[derive(PartialEq, Eq)]
pub enum Answer<'a> {
    /// The person (or, for a password, an earlier module) said this.
    Said {
        /// Whether the person was asked just now.
        asked: bool,
        /// The words, as they came.
        words: &'a [u8],
    },
    /// The conversation failed, or its client has gone.
    HungUp,
    /// There is no password, and nobody may be asked for one.
    Missing,
    /// The person was asked and said more than [`MAX_ANSWER`].
    TooLong,
}

mod kind {
    pub const REQUEST: u8 = 1;
    pub const ANSWER: u8 = 2;
    pub const WORKING: u8 = 16;
    pub const ASK: u8 = 17;
    pub const TELL: u8 = 18;
    pub const VERDICT: u8 = 19;
    pub const UNSPOKEN: u8 = 20;
    pub const STILLBORN: u8 = 21;
    pub const INFORM: u8 = 22;
}

impl Header {
    /// Reads the part that all versions share.
    ///
    /// # Errors
    /// [`Nonsense`] when the message is shorter.
    pub fn read(message: &[u8]) -> Result<Self, Nonsense> {
        Reader::new(message).header()
    }
}

impl FromHelper<'_> {
    /// Writes a message; `wait_ms` says how long the module may wait for the next one.
    #[must_use]
    pub fn write(&self, wait_ms: u32) -> Vec<u8> {
        match self {
            Self::Working => Writer::new(kind::WORKING, wait_ms, 0).0,
            Self::Ask(style, text) => {
                let mut out = Writer::new(kind::ASK, wait_ms, text.len().saturating_add(5));
                out.byte(*style as u8);
                out.text(text.as_bytes());
                out.0
            }
            Self::Tell(text) => Self::shown(kind::TELL, text, wait_ms),
            Self::Inform(text) => Self::shown(kind::INFORM, text, wait_ms),
            Self::Verdict(verdict) => {
                let mut out = Writer::new(
                    kind::VERDICT,
                    wait_ms,
                    verdict.counts.len().saturating_add(5),
                );
                out.byte(verdict.code as u8);
                out.text(verdict.counts);
                out.0
            }
            Self::Unspoken => Writer::new(kind::UNSPOKEN, wait_ms, 0).0,
            Self::Stillborn(why) => why.write().to_vec(),
        }
    }

    fn shown(kind: u8, text: &str, wait_ms: u32) -> Vec<u8> {
        let mut out = Writer::new(kind, wait_ms, text.len().saturating_add(4));
        out.text(text.as_bytes());
        out.0
    }
}

impl<'a> FromHelper<'a> {
    /// Reads a message of the helper.
    ///
    /// # Errors
    /// [`Nonsense`] when it is none, or of a version that is not spoken here.
    pub fn read(message: &'a [u8]) -> Result<(u32, Self), Nonsense> {
        let mut from = Reader::new(message);
        let header = from.header()?;
        // "I do not speak yours" is the one thing that is understood in every version.
        if header.kind == kind::UNSPOKEN {
            return Ok((header.wait_ms, Self::Unspoken));
        }
        if !speaks(header.version) {
            return Err(Nonsense);
        }
        let read = match header.kind {
            kind::WORKING => Self::Working,
            kind::ASK => Self::Ask(Style::read(from.byte()?)?, from.words(MAX_TEXT)?),
            kind::TELL => Self::Tell(from.words(MAX_TEXT)?),
            kind::INFORM => Self::Inform(from.words(MAX_TEXT)?),
            kind::VERDICT => Self::Verdict(Verdict {
                code: Code::read(from.byte()?)?,
                counts: from.text(MAX_COUNTS)?,
            }),
            kind::STILLBORN => Self::Stillborn(Stillborn {
                step: from.byte()?,
                errno: i32::from_le_bytes(from.array()?),
                walked: u16::from_le_bytes(from.array()?),
            }),
            _ => return Err(Nonsense),
        };
        from.end()?;
        Ok((header.wait_ms, read))
    }
}

impl Stillborn {
    /// The message, made without allocating: it is written between `fork` and `exec`.
    #[must_use]
    pub fn write(self) -> [u8; HEADER + 7] {
        let [v0, v1] = VERSION.to_le_bytes();
        let [e0, e1, e2, e3] = self.errno.to_le_bytes();
        let [w0, w1] = self.walked.to_le_bytes();
        #[rustfmt::skip]
        let message = [v0, v1, kind::STILLBORN, 0, 0, 0, 0, 0, self.step, e0, e1, e2, e3, w0, w1];
        message
    }
}

/// The words may be a password.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Said { asked: true, .. } => "Said, asked",
            Self::Said { .. } => "Said, unasked",
            Self::HungUp => "HungUp",
            Self::Missing => "Missing",
            Self::TooLong => "TooLong",
        })
    }
}

impl Answer<'_> {
    /// Writes an answer. The caller wipes what is returned: it may hold a password.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        self.fill(Writer::new(kind::ANSWER, 0, self.body()))
    }

    /// The same. `None`: there is no memory for it.
    #[must_use]
    pub fn try_write(&self) -> Option<Vec<u8>> {
        let out = Writer::try_new(kind::ANSWER, 0, self.body())?;
        Some(self.fill(out))
    }

    const fn body(&self) -> usize {
        match self {
            Self::Said { words, .. } => words.len().saturating_add(6),
            Self::HungUp | Self::Missing | Self::TooLong => 6,
        }
    }

    fn fill(&self, mut out: Writer) -> Vec<u8> {
        let (what, asked, words): (u8, bool, &[u8]) = match self {
            Self::Said { asked, words } => (1, *asked, words),
            Self::HungUp => (2, true, b""),
            Self::Missing => (3, false, b""),
            Self::TooLong => (4, true, b""),
        };
        out.byte(what);
        out.byte(u8::from(asked));
        out.text(words);
        out.0
    }
}

impl<'a> Answer<'a> {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`Nonsense`] when it is none.
    pub fn read(message: &'a [u8]) -> Result<Self, Nonsense> {
        let mut from = Reader::new(message);
        let header = from.header()?;
        if !speaks(header.version) || header.kind != kind::ANSWER {
            return Err(Nonsense);
        }
        let (what, asked, words) = (from.byte()?, from.flag()?, from.text(MAX_ANSWER)?);
        from.end()?;
        match what {
            1 => Ok(Self::Said { asked, words }),
            2 => Ok(Self::HungUp),
            3 => Ok(Self::Missing),
            4 => Ok(Self::TooLong),
            _ => Err(Nonsense),
        }
    }
}

impl Style {
    fn read(byte: u8) -> Result<Self, Nonsense> {
        match byte {
            1 => Ok(Self::Password),
            2 => Ok(Self::Hidden),
            3 => Ok(Self::Visible),
            _ => Err(Nonsense),
        }
    }
}

impl Code {
    fn read(byte: u8) -> Result<Self, Nonsense> {
        match byte {
            0x41 => Ok(Self::Success),
            0x42 => Ok(Self::Ignore),
            0x43 => Ok(Self::AuthErr),
            0x44 => Ok(Self::MaxTries),
            0x45 => Ok(Self::UserUnknown),
            0x46 => Ok(Self::AuthinfoUnavail),
            0x47 => Ok(Self::ServiceErr),
            0x48 => Ok(Self::ConvErr),
            0x49 => Ok(Self::MaxTriesForNow),
            _ => Err(Nonsense),
        }
    }
}

#[cfg(test)]
#[path = "../../fuzz/mutation.rs"]
mod mutation;
#[cfg(test)]
mod tests;
