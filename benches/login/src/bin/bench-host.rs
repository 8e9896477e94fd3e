//! A PAM application that does one login and nothing else: what a contender adds to it is the
//! contender's own.
//!
//! `bench-host FOLDER SERVICE USER`. Each prompt goes to stdout as a line `ask TEXT`, what is typed
//! is read from stdin, the end is a line `end CODE`. It waits for one more line before it goes, so
//! that it can be looked at while the module is in it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot go on says why and stops"
)]

use lab::pamhost::ffi::{self, Conversation, Handle, Message, Response};
use std::ffi::{CStr, CString, c_int, c_void};
use std::io::{Read, Write};

/// What sshd tells of a login by key. Who does not ask for it does not see it.
const PROVED: &CStr = c"SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA";

fn main() {
    let words: Vec<CString> = std::env::args()
        .skip(1)
        .map(|word| CString::new(word).expect("a word without NUL"))
        .collect();
    let [folder, service, user] = words.as_slice() else {
        panic!("usage: bench-host FOLDER SERVICE USER");
    };
    let conversation = Conversation {
        converse,
        data: std::ptr::null_mut(),
    };
    let mut handle: *mut Handle = std::ptr::null_mut();
    // SAFETY: strings and conversation live through the login; libpam fills the handle, which is
    // ended once and not used after.
    let code = unsafe {
        ffi::pam_start_confdir(
            service.as_ptr(),
            user.as_ptr(),
            &raw const conversation,
            folder.as_ptr(),
            &raw mut handle,
        );
        ffi::pam_putenv(handle, PROVED.as_ptr());
        ffi::pam_authenticate(handle, 0)
    };
    say(format!("end {code}\n").as_bytes());
    let _ = hear();
    // SAFETY: as above.
    unsafe { ffi::pam_end(handle, code) };
}

extern "C" fn converse(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    _data: *mut c_void,
) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: an array of zeroes is an array of responses without answers.
    let answers = unsafe { libc::calloc(count, size_of::<Response>()) }.cast::<Response>();
    for place in 0..count {
        // SAFETY: libpam gives `count` messages, each with a C string.
        let (style, text) = unsafe {
            let message = *messages.add(place);
            ((*message).style, CStr::from_ptr((*message).text))
        };
        // The prompts; texts are for nobody here.
        if style != 1 && style != 2 {
            continue;
        }
        let mut line = b"ask ".to_vec();
        // A prompt may have several lines.
        line.extend(
            text.to_bytes()
                .iter()
                .map(|&byte| if byte == b'\n' { b' ' } else { byte }),
        );
        line.push(b'\n');
        say(&line);
        let Some(answer) = hear() else {
            return ffi::CONV_ERR;
        };
        let answer = CString::new(answer).expect("an answer without NUL");
        // SAFETY: the copy is libpam's to free; `place` is within the array.
        unsafe { (*answers.add(place)).answer = libc::strdup(answer.as_ptr()) };
    }
    // SAFETY: libpam's place for the array, which it frees.
    unsafe { *responses = answers };
    ffi::SUCCESS
}

fn say(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    out.write_all(line)
        .and_then(|()| out.flush())
        .expect("stdout");
}

/// A line of stdin without its end; nothing when it is closed.
fn hear() -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match std::io::stdin().lock().read(&mut byte) {
            Ok(1) if byte[0] == b'\n' => return Some(line),
            Ok(1) => line.push(byte[0]),
            _ => return None,
        }
    }
}
