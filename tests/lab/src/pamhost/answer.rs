//! Encoding of the answers that a test sends to its host.
//!
//! The format is one JSON value per line. A host that wipes gets the bare bytes after a type byte, so that
//! it can read them without a copy.

use super::Answer;
use serde_json::{Value, json};
use std::ffi::c_char;

/// The longest answer to a host that wipes.
const MAX_ANSWER: usize = 4096;

/// Encodes an answer.
pub(super) fn encode(answer: &Answer, wipes: bool) -> Vec<u8> {
    let mut line = match (answer, wipes) {
        (Answer::Text(text), true) => [b"=", text.as_bytes()].concat(),
        (Answer::Bytes(bytes), true) => [b"=", &bytes[..]].concat(),
        (Answer::Null, true) => b"0".to_vec(),
        (Answer::ConvErr | Answer::KillHost, true) => b"!".to_vec(),
        (Answer::SetUser(..), true) => panic!("a host that wipes cannot set PAM_USER"),
        (Answer::SetUser(name, text), false) => json!({ "renamed": name, "text": text })
            .to_string()
            .into_bytes(),
        (Answer::Text(text), false) => json!({ "text": text }).to_string().into_bytes(),
        (Answer::Bytes(bytes), false) => json!({ "bytes": bytes }).to_string().into_bytes(),
        (Answer::Null, false) => b"\"null\"".to_vec(),
        (Answer::ConvErr | Answer::KillHost, false) => b"\"hang-up\"".to_vec(),
    };
    line.push(b'\n');
    line
}

pub(super) fn decode(line: &str) -> Answer {
    // The parent has exited.
    let Ok(value) = serde_json::from_str::<Value>(line) else {
        return Answer::ConvErr;
    };
    if let (Some(name), Some(text)) = (value["renamed"].as_str(), value["text"].as_str()) {
        return Answer::SetUser(name.to_owned(), text.to_owned());
    }
    if let Some(text) = value["text"].as_str() {
        return Answer::Text(text.to_owned());
    }
    if let Some(bytes) = value["bytes"].as_array() {
        let byte = |value: &Value| u8::try_from(value.as_u64().expect("a byte")).expect("a byte");
        return Answer::Bytes(bytes.iter().map(byte).collect());
    }
    if value == "null" {
        Answer::Null
    } else {
        Answer::ConvErr
    }
}

/// Reads an answer from the pipe into memory from calloc, which libpam or the module frees, and nowhere
/// else. The returned value does not contain the answer.
pub(super) fn read_in_place(place: &mut *mut c_char) -> Answer {
    let mut kind = [0; 1];
    let is_read = read_byte(&mut kind[0]);
    if kind[0] != b'=' {
        let hung_up = !is_read || kind[0] == b'!';
        // The end of the line.
        read_byte(&mut kind[0]);
        return if hung_up {
            Answer::ConvErr
        } else {
            Answer::Null
        };
    }
    // SAFETY: calloc; the null pointer is checked below.
    let copy = unsafe { libc::calloc(MAX_ANSWER, 1) }.cast::<u8>();
    assert!(!copy.is_null(), "no memory for an answer");
    for at in 0..MAX_ANSWER {
        // SAFETY: within what was just allocated.
        let byte = unsafe { &mut *copy.add(at) };
        let is_read = read_byte(byte);
        if !is_read || *byte == b'\n' {
            *byte = 0;
            *place = copy.cast();
            return Answer::Null;
        }
    }
    panic!("an answer of more than {MAX_ANSWER} bytes");
}

fn read_byte(into: &mut u8) -> bool {
    // SAFETY: writes one byte into one byte.
    unsafe { libc::read(0, std::ptr::from_mut(into).cast(), 1) == 1 }
}
