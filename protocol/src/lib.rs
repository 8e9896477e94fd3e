//! The protocol between the module and its helper.
//!
//! Messages are sent over one connected `AF_UNIX` `SOCK_SEQPACKET` socket. Each begins with the same
//! eight bytes (version, kind, time limit), which never change, so that two builds without a common
//! version can still decode that much. The fields of the kind follow: integers little-endian and of
//! fixed width (a 32-bit module may run on a 64-bit system), byte strings after their 32-bit length.
//! Decoding is total: a message that is too short, too long or unknown is a [`DecodeError`], never a
//! panic.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod codec;
pub mod logfmt;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod request;

use std::fmt;

use codec::{Decoder, Encoder};
pub use request::{Request, Source, limits};

/// The version that this build sends. From the first release on, each change of the bytes is a new
/// version.
pub const VERSION: u16 = 1;

/// The maximum length of a message, in bytes. A receive buffer of one byte more shows truncation.
pub const MAX_MESSAGE: usize = 80 * 1024;

/// The maximum length of an answer, in bytes; a longer one is [`Answer::TooLong`].
pub const MAX_ANSWER: usize = 64 * 1024;

/// The maximum length of a prompt or text, in bytes.
pub const MAX_TEXT: usize = 4096;

/// The maximum length of a message of the helper, in bytes.
pub const MAX_FROM_HELPER: usize = MAX_TEXT + 64;

/// The maximum length of [`Verdict::counts`], in bytes.
pub const MAX_COUNTS: usize = 64;

/// How long the module waits for the helper's first message, in milliseconds.
pub const FIRST_WAIT_MS: u32 = 10_000;

const HEADER: usize = 8;

/// The bytes are not a message that is expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeError;

/// The first eight bytes of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The version of the sender.
    pub version: u16,
    /// The kind of message.
    pub kind: u8,
    /// How long the receiver may have to wait for the next message, in milliseconds: from the time it
    /// sends its answer, if this message asks for one, otherwise from now.
    pub wait_ms: u32,
}

/// Whether this build supports a version: its own and the previous one, because a running sshd may
/// still have the module of the package that was just replaced.
#[must_use]
pub const fn is_supported(version: u16) -> bool {
    version == VERSION || (version != 0 && version == VERSION - 1)
}

/// A message from the helper to the module.
#[derive(Debug, PartialEq, Eq)]
pub enum FromHelper<'a> {
    /// Sets a new time limit.
    KeepAlive,
    /// Show a prompt to the user, and send an [`Answer`].
    Prompt(Style, &'a str),
    /// Show an error text to the user; there is no answer.
    ShowError(&'a str),
    /// Show an information text to the user; there is no answer.
    ShowInfo(&'a str),
    /// The result of the login, the last message.
    Verdict(Verdict<'a>),
    /// The version of the request is not supported.
    VersionMismatch,
    /// The helper could not be started.
    SpawnError(SpawnError),
}

/// How a prompt is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Style {
    /// For the password: what an earlier module left, otherwise a prompt without echo whose answer is
    /// left for later modules (`pam_get_authtok(3)`).
    Password = 1,
    /// Without echo.
    Hidden = 2,
    /// With echo.
    Visible = 3,
}

/// The return code of `pam_authenticate(3)`. No value is zero or a [`Style`], so that neither cleared
/// memory nor a prompt that is taken for a verdict is a success.
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
    /// The code that the module returns to libpam.
    pub code: Code,
    /// Counts over all logins on one PAM handle. The module stores them and passes them unread to the next
    /// helper.
    pub counts: &'a [u8],
}

/// Why the helper could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpawnError {
    /// The step that failed, by the numbers of the module.
    pub step: u8,
    /// The error number, or zero.
    pub errno: i32,
    /// The length of the prefix of the helper's path that was resolved, in bytes.
    pub resolved: u16,
}

/// The answer of the module to one [`FromHelper::Prompt`].
#[derive(PartialEq, Eq)]
pub enum Answer<'a> {
    /// The input of the user or, for a password, of an earlier module.
    Text {
        /// Whether the user was prompted.
        prompted: bool,
        /// The input, unchanged.
        text: &'a [u8],
    },
    /// The conversation failed, or its client disconnected.
    Disconnected,
    /// There is no password, and prompting is not allowed.
    Missing,
    /// The user was prompted, and the input is longer than [`MAX_ANSWER`].
    TooLong,
}

mod kind {
    pub const REQUEST: u8 = 1;
    pub const ANSWER: u8 = 2;
    pub const KEEP_ALIVE: u8 = 16;
    pub const PROMPT: u8 = 17;
    pub const SHOW_ERROR: u8 = 18;
    pub const VERDICT: u8 = 19;
    pub const VERSION_MISMATCH: u8 = 20;
    pub const SPAWN_ERROR: u8 = 21;
    pub const SHOW_INFO: u8 = 22;
}

impl Header {
    /// Decodes the part that all versions have in common.
    ///
    /// # Errors
    /// [`DecodeError`] if the message is shorter.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Decoder::new(message).header()
    }
}

impl FromHelper<'_> {
    /// Encodes a message; `wait_ms` is how long the module may wait for the next one.
    #[must_use]
    pub fn encode(&self, wait_ms: u32) -> Vec<u8> {
        match self {
            Self::KeepAlive => Encoder::new(kind::KEEP_ALIVE, wait_ms, 0).0,
            Self::Prompt(style, text) => {
                let mut out = Encoder::new(kind::PROMPT, wait_ms, text.len().saturating_add(5));
                out.byte(*style as u8);
                out.bytes(text.as_bytes());
                out.0
            }
            Self::ShowError(text) => Self::encode_text(kind::SHOW_ERROR, text, wait_ms),
            Self::ShowInfo(text) => Self::encode_text(kind::SHOW_INFO, text, wait_ms),
            Self::Verdict(verdict) => {
                let mut out = Encoder::new(
                    kind::VERDICT,
                    wait_ms,
                    verdict.counts.len().saturating_add(5),
                );
                out.byte(verdict.code as u8);
                out.bytes(verdict.counts);
                out.0
            }
            Self::VersionMismatch => Encoder::new(kind::VERSION_MISMATCH, wait_ms, 0).0,
            Self::SpawnError(error) => error.encode().to_vec(),
        }
    }

    fn encode_text(kind: u8, text: &str, wait_ms: u32) -> Vec<u8> {
        let mut out = Encoder::new(kind, wait_ms, text.len().saturating_add(4));
        out.bytes(text.as_bytes());
        out.0
    }
}

impl<'a> FromHelper<'a> {
    /// Decodes a message of the helper.
    ///
    /// # Errors
    /// [`DecodeError`], also for a version that is not supported.
    pub fn decode(message: &'a [u8]) -> Result<(u32, Self), DecodeError> {
        let mut from = Decoder::new(message);
        let header = from.header()?;
        // This kind is the same in every version.
        if header.kind == kind::VERSION_MISMATCH {
            return Ok((header.wait_ms, Self::VersionMismatch));
        }
        if !is_supported(header.version) {
            return Err(DecodeError);
        }
        let decoded = match header.kind {
            kind::KEEP_ALIVE => Self::KeepAlive,
            kind::PROMPT => Self::Prompt(Style::decode(from.byte()?)?, from.text(MAX_TEXT)?),
            kind::SHOW_ERROR => Self::ShowError(from.text(MAX_TEXT)?),
            kind::SHOW_INFO => Self::ShowInfo(from.text(MAX_TEXT)?),
            kind::VERDICT => Self::Verdict(Verdict {
                code: Code::decode(from.byte()?)?,
                counts: from.bytes(MAX_COUNTS)?,
            }),
            kind::SPAWN_ERROR => Self::SpawnError(SpawnError {
                step: from.byte()?,
                errno: i32::from_le_bytes(from.array()?),
                resolved: u16::from_le_bytes(from.array()?),
            }),
            _ => return Err(DecodeError),
        };
        from.finish()?;
        Ok((header.wait_ms, decoded))
    }
}

impl SpawnError {
    /// Encodes the message without an allocation: it is sent between `fork` and `exec`.
    #[must_use]
    pub fn encode(self) -> [u8; HEADER + 7] {
        let [v0, v1] = VERSION.to_le_bytes();
        let [e0, e1, e2, e3] = self.errno.to_le_bytes();
        let [w0, w1] = self.resolved.to_le_bytes();
        #[rustfmt::skip]
        let message = [v0, v1, kind::SPAWN_ERROR, 0, 0, 0, 0, 0, self.step, e0, e1, e2, e3, w0, w1];
        message
    }
}

/// The text may be a password.
impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text { prompted: true, .. } => "Text, prompted",
            Self::Text { .. } => "Text, not prompted",
            Self::Disconnected => "Disconnected",
            Self::Missing => "Missing",
            Self::TooLong => "TooLong",
        })
    }
}

impl Answer<'_> {
    /// Encodes an answer. The caller wipes the result: it may contain a password.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new(kind::ANSWER, 0, self.length());
        let (variant, prompted, text): (u8, bool, &[u8]) = match self {
            Self::Text { prompted, text } => (1, *prompted, text),
            Self::Disconnected => (2, true, b""),
            Self::Missing => (3, false, b""),
            Self::TooLong => (4, true, b""),
        };
        out.byte(variant);
        out.byte(u8::from(prompted));
        out.bytes(text);
        out.0
    }

    const fn length(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.len().saturating_add(6),
            Self::Disconnected | Self::Missing | Self::TooLong => 6,
        }
    }
}

impl<'a> Answer<'a> {
    /// Decodes an answer.
    ///
    /// # Errors
    /// [`DecodeError`], also for a version that is not supported.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut from = Decoder::new(message);
        let header = from.header()?;
        if !is_supported(header.version) || header.kind != kind::ANSWER {
            return Err(DecodeError);
        }
        let (variant, prompted, text) = (from.byte()?, from.flag()?, from.bytes(MAX_ANSWER)?);
        from.finish()?;
        match variant {
            1 => Ok(Self::Text { prompted, text }),
            2 => Ok(Self::Disconnected),
            3 => Ok(Self::Missing),
            4 => Ok(Self::TooLong),
            _ => Err(DecodeError),
        }
    }
}

impl Style {
    fn decode(byte: u8) -> Result<Self, DecodeError> {
        match byte {
            1 => Ok(Self::Password),
            2 => Ok(Self::Hidden),
            3 => Ok(Self::Visible),
            _ => Err(DecodeError),
        }
    }
}

impl Code {
    fn decode(byte: u8) -> Result<Self, DecodeError> {
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
            _ => Err(DecodeError),
        }
    }
}

#[cfg(test)]
#[path = "../../fuzz/mutation.rs"]
mod mutation;
#[cfg(test)]
mod tests;
