//! A PAM application that runs one login: everything above its own cost is the contender's.
//!
//! `bench-host FOLDER SERVICE USER` writes each prompt to stdout as a line `ask TEXT`, reads the answer
//! from stdin, and writes the result as a line `end CODE`. It then waits for one more line, so that the
//! process can be inspected while the module is loaded.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a bench that cannot continue panics"
)]

use lab::pamhost::ffi::{self, Conversation, Handle, Message, Response};
use std::ffi::{CStr, CString, c_int, c_void};
use std::io::{Read, Write};

/// The variable in which sshd passes the authentication methods of a login by key. Only modules with
/// such an option read it.
const AUTH_INFO: &CStr = c"SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA";

fn main() {
    let args: Vec<CString> = std::env::args()
        .skip(1)
        .map(|arg| CString::new(arg).expect("an argument without NUL"))
        .collect();
    let [folder, service, user] = args.as_slice() else {
        panic!("usage: bench-host FOLDER SERVICE USER");
    };
    let conversation = Conversation {
        converse,
        data: std::ptr::null_mut(),
    };
    let mut handle: *mut Handle = std::ptr::null_mut();
    // SAFETY: strings and conversation are valid until pam_end; libpam fills the handle, which is ended
    // once and not used afterwards.
    let code = unsafe {
        ffi::pam_start_confdir(
            service.as_ptr(),
            user.as_ptr(),
            &raw const conversation,
            folder.as_ptr(),
            &raw mut handle,
        );
        ffi::pam_putenv(handle, AUTH_INFO.as_ptr());
        ffi::pam_authenticate(handle, 0)
    };
    print(format!("end {code}\n").as_bytes());
    let _ = read_line();
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
    // SAFETY: an array of zeroes is a valid array of responses without answers.
    let answers = unsafe { libc::calloc(count, size_of::<Response>()) }.cast::<Response>();
    for index in 0..count {
        // SAFETY: libpam passes `count` messages, each with a C string.
        let (style, text) = unsafe {
            let message = *messages.add(index);
            ((*message).style, CStr::from_ptr((*message).text))
        };
        // Texts without a prompt are ignored.
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
        print(&line);
        let Some(answer) = read_line() else {
            return ffi::CONV_ERR;
        };
        let answer = CString::new(answer).expect("an answer without NUL");
        // SAFETY: libpam frees the copy; `index` is within the array.
        unsafe { (*answers.add(index)).answer = libc::strdup(answer.as_ptr()) };
    }
    // SAFETY: libpam passes a valid pointer for the array, and frees the array.
    unsafe { *responses = answers };
    ffi::SUCCESS
}

fn print(line: &[u8]) {
    let mut out = std::io::stdout().lock();
    out.write_all(line)
        .and_then(|()| out.flush())
        .expect("stdout");
}

/// Reads a line of stdin without its end. `None`: stdin is closed.
fn read_line() -> Option<Vec<u8>> {
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
