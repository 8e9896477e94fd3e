//! What of a server's bytes may reach the LDAP library.
//!
//! Its parser recurses as deep as a server asks, holds messages of any size, and panics on shapes
//! that it does not expect. So each message is looked at first, against the grammar of RFC 4511
//! for the two answers that we ever wait for, and only what fits is let through.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::ber::{
    BOOLEAN, ENUMERATED, Elements, INTEGER, Malformed, OCTETS, SEQUENCE, SET, length,
};

/// Longest message that is let through. An answer holds a few phone numbers.
pub const LONGEST: usize = 256 * 1024;

/// `[APPLICATION n]`, constructed (RFC 4511 appendix B).
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_RESPONSE: u8 = 0x78;

/// What we have asked, and so what may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    Bind,
    Search,
}

/// Why nothing more is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// Not LDAP as RFC 4511 has it.
    Malformed,
    /// More than anybody needs to say.
    TooLong,
    /// An answer to something that was not asked.
    Unasked,
    /// The server ends the connection (RFC 4511 §4.4.1), with this result code.
    Goodbye(u32),
}

impl From<Malformed> for Breach {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => f.write_str("what it sends is not LDAP"),
            Self::TooLong => f.write_str("its answer is too long"),
            Self::Unasked => f.write_str("it answers what was not asked"),
            Self::Goodbye(code) => write!(f, "it ended the connection (code {code})"),
        }
    }
}

/// How long the first message in these bytes is, once that can be told.
pub fn frame(bytes: &[u8]) -> Result<Option<usize>, Breach> {
    if bytes.first().is_some_and(|&tag| tag != SEQUENCE) {
        return Err(Breach::Malformed);
    }
    match length(bytes)? {
        Some(length) if length > LONGEST => Err(Breach::TooLong),
        length => Ok(length),
    }
}

/// Looks at one whole message.
pub fn admit(message: &[u8], awaited: Awaited) -> Result<(), Breach> {
    let mut outer = Elements::of(message);
    let mut parts = Elements::of(outer.take(SEQUENCE)?);
    outer.done()?;
    let id = parts.number(INTEGER)?;
    let operation = parts.any()?;
    if id == 0 {
        // Only an unsolicited notification has this id, and there is one: goodbye. Active
        // Directory puts its name where it does not belong, so nothing after it is looked at.
        return match operation.tag {
            EXTENDED_RESPONSE => Err(Breach::Goodbye(result(operation.body)?)),
            _ => Err(Breach::Malformed),
        };
    }
    if parts.is_next(0xa0) {
        controls(parts.any()?.body)?;
    }
    parts.done()?;
    match (awaited, operation.tag) {
        (Awaited::Bind, BIND_RESPONSE) | (Awaited::Search, SEARCH_DONE) => {
            result(operation.body)?;
        }
        (Awaited::Search, SEARCH_ENTRY) => entry(operation.body)?,
        (Awaited::Search, SEARCH_REFERENCE) => texts(operation.body)?,
        _ => return Err(Breach::Unasked),
    }
    Ok(())
}

/// The result code of the answer to `StartTLS` (RFC 4511 §4.14), which was sent with this id.
pub fn start_tls_answer(message: &[u8], sent: u32) -> Result<u32, Breach> {
    let mut outer = Elements::of(message);
    let mut parts = Elements::of(outer.take(SEQUENCE)?);
    outer.done()?;
    let id = parts.number(INTEGER)?;
    let code = result(parts.take(EXTENDED_RESPONSE).map_err(|_| Breach::Unasked)?)?;
    match id {
        0 => Err(Breach::Goodbye(code)),
        id if id == sent => Ok(code),
        _ => Err(Breach::Unasked),
    }
}

/// `LDAPResult` (RFC 4511 §4.1.9) and what may stand behind it. Gives the code.
fn result(body: &[u8]) -> Result<u32, Malformed> {
    let mut parts = Elements::of(body);
    let code = parts.number(ENUMERATED)?;
    parts.text(OCTETS)?; // matchedDN
    parts.text(OCTETS)?; // diagnosticMessage
    while !parts.is_done() {
        let part = parts.any()?;
        match part.tag {
            0xa3 => texts(part.body)?, // referral
            0x8a => utf8(part.body)?,  // responseName
            // Further ones are to be ignored (§4), so long as they hold no others.
            tag if tag & 0xe0 == 0x80 && tag != 0x83 => (),
            _ => return Err(Malformed),
        }
    }
    Ok(code)
}

/// `SearchResultEntry` (RFC 4511 §4.5.2).
fn entry(body: &[u8]) -> Result<(), Malformed> {
    let mut parts = Elements::of(body);
    parts.text(OCTETS)?; // objectName
    let mut attributes = Elements::of(parts.take(SEQUENCE)?);
    parts.done()?;
    while !attributes.is_done() {
        let mut attribute = Elements::of(attributes.take(SEQUENCE)?);
        attribute.text(OCTETS)?; // type
        let mut values = Elements::of(attribute.take(SET)?);
        attribute.done()?;
        while !values.is_done() {
            values.take(OCTETS)?;
        }
    }
    Ok(())
}

/// `Controls` (RFC 4511 §4.1.11).
fn controls(body: &[u8]) -> Result<(), Malformed> {
    let mut controls = Elements::of(body);
    while !controls.is_done() {
        let mut control = Elements::of(controls.take(SEQUENCE)?);
        control.text(OCTETS)?; // controlType
        if control.is_next(BOOLEAN) && control.take(BOOLEAN)?.len() != 1 {
            return Err(Malformed);
        }
        if control.is_next(OCTETS) {
            control.take(OCTETS)?;
        }
        control.done()?;
    }
    Ok(())
}

/// URIs, at a referral and at a search reference.
fn texts(body: &[u8]) -> Result<(), Malformed> {
    let mut texts = Elements::of(body);
    while !texts.is_done() {
        texts.text(OCTETS)?;
    }
    Ok(())
}

fn utf8(body: &[u8]) -> Result<(), Malformed> {
    std::str::from_utf8(body).map(|_| ()).map_err(|_| Malformed)
}
