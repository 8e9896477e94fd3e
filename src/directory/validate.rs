//! Which bytes of a server may reach the LDAP library.
//!
//! The library's parser recurses as deep as a server asks for, accepts messages of any size, and panics
//! on shapes that it does not expect. So each message is checked first against the grammar of RFC 4511,
//! for the two kinds of response that are ever expected.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::ber::{
    BOOLEAN, ENUMERATED, Elements, INTEGER, Malformed, OCTETS, SEQUENCE, SET, length,
};

/// Longest message that is let through. A response holds a few phone numbers.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// `[APPLICATION n]`, constructed (RFC 4511 appendix B).
const BIND_RESPONSE: u8 = 0x61;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const EXTENDED_RESPONSE: u8 = 0x78;

/// The request that was sent last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Bind,
    Search,
}

/// Why nothing more is let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// Not LDAP as in RFC 4511.
    Malformed,
    TooLong,
    /// Not a response to the request.
    Unexpected,
    /// A notice of disconnection (RFC 4511 §4.4.1), with its result code.
    Disconnected(u32),
}

impl From<Malformed> for Violation {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// Returns the length of the first message in these bytes, or `None` if too few of them are there.
pub fn message_length(bytes: &[u8]) -> Result<Option<usize>, Violation> {
    if bytes.first().is_some_and(|&tag| tag != SEQUENCE) {
        return Err(Violation::Malformed);
    }
    match length(bytes)? {
        Some(length) if length > MAX_MESSAGE => Err(Violation::TooLong),
        length => Ok(length),
    }
}

/// Checks one whole message.
pub fn check(message: &[u8], request: Request) -> Result<(), Violation> {
    let mut outer = Elements::of(message);
    let mut parts = Elements::of(outer.take(SEQUENCE)?);
    outer.done()?;
    let id = parts.number(INTEGER)?;
    let operation = parts.any()?;
    if id == 0 {
        // An unsolicited notification, of which there is one: the notice of disconnection. Active
        // Directory puts its name in the wrong place, so what follows is not checked.
        return match operation.tag {
            EXTENDED_RESPONSE => Err(Violation::Disconnected(result(operation.body)?)),
            _ => Err(Violation::Malformed),
        };
    }
    if parts.is_next(0xa0) {
        controls(parts.any()?.body)?;
    }
    parts.done()?;
    match (request, operation.tag) {
        (Request::Bind, BIND_RESPONSE) | (Request::Search, SEARCH_DONE) => {
            result(operation.body)?;
        }
        (Request::Search, SEARCH_ENTRY) => entry(operation.body)?,
        (Request::Search, SEARCH_REFERENCE) => uris(operation.body)?,
        _ => return Err(Violation::Unexpected),
    }
    Ok(())
}

/// Returns the result code of a response to the `StartTLS` request with this id (RFC 4511 §4.14).
pub fn start_tls_result(message: &[u8], request_id: u32) -> Result<u32, Violation> {
    let mut outer = Elements::of(message);
    let mut parts = Elements::of(outer.take(SEQUENCE)?);
    outer.done()?;
    let id = parts.number(INTEGER)?;
    let response = parts.take(EXTENDED_RESPONSE);
    let code = result(response.map_err(|_| Violation::Unexpected)?)?;
    match id {
        0 => Err(Violation::Disconnected(code)),
        id if id == request_id => Ok(code),
        _ => Err(Violation::Unexpected),
    }
}

/// Checks an `LDAPResult` (RFC 4511 §4.1.9) and what may follow it. Returns its code.
fn result(body: &[u8]) -> Result<u32, Malformed> {
    let mut parts = Elements::of(body);
    let code = parts.number(ENUMERATED)?;
    parts.text(OCTETS)?; // matchedDN
    parts.text(OCTETS)?; // diagnosticMessage
    while !parts.is_done() {
        let part = parts.any()?;
        match part.tag {
            0xa3 => uris(part.body)?, // referral
            0x8a => utf8(part.body)?, // responseName
            // Further ones are to be ignored (§4), if they are primitive.
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

/// URIs of a referral or a search reference.
fn uris(body: &[u8]) -> Result<(), Malformed> {
    let mut uris = Elements::of(body);
    while !uris.is_done() {
        uris.text(OCTETS)?;
    }
    Ok(())
}

fn utf8(body: &[u8]) -> Result<(), Malformed> {
    std::str::from_utf8(body).map(|_| ()).map_err(|_| Malformed)
}
