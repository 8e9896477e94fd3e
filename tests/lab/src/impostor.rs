//! A helper that is none: it does on the wire what a row of data says.
//!
//! It is this very program, found by the module under the helper's path: there is no argument and no
//! environment, so that what it is to do lies in a file beside it.

use protocol::{Code, FromHelper, Style, Verdict};
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the module puts the wire.
const WIRE: RawFd = 3;

/// Whether this process was started as a helper.
pub fn is_asked() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| name == "sms-otp-helper")
}

/// Puts `program` (this one, where the module may run it) in the helper's place, with its part: an act
/// a line, as [`main`] knows them.
pub fn place(program: &Path, helper: &Path, part: &str) {
    let _ = std::fs::remove_file(helper);
    std::fs::hard_link(program, helper).expect("a second name for this program");
    crate::scratch::write(&script(helper), 0o644, part.replace("; ", "\n"));
}

fn script(helper: &Path) -> PathBuf {
    helper.with_extension("part")
}

/// Plays the part.
pub fn main() {
    let own = std::env::current_exe().expect("the path of this program");
    let part = std::fs::read_to_string(script(&own)).expect("a part");
    for act in part.lines() {
        let (verb, rest) = act.split_once(' ').unwrap_or((act, ""));
        match verb {
            "hear" => {
                hear();
            }
            "working" => say(&FromHelper::KeepAlive.encode(number(rest))),
            "ask" => {
                say(&FromHelper::Prompt(Style::Visible, "Verification code: ").encode(number(rest)));
            }
            "tell" => say(&FromHelper::ShowError(rest).encode(1000)),
            "unspoken" => say(&FromHelper::VersionMismatch.encode(1000)),
            "verdict" => say(&verdict(rest)),
            // All but the last bytes of one.
            "cut-verdict" => {
                let whole = verdict("success");
                say(&whole[..whole.len() - number(rest) as usize]);
            }
            "long-verdict" => say(&[verdict("success"), vec![0; number(rest) as usize]].concat()),
            "version" => {
                let mut message = verdict("success");
                let version = u16::try_from(number(rest)).expect("a version");
                message[..2].copy_from_slice(&version.to_le_bytes());
                say(&message);
            }
            "bytes" => say(&bytes(rest)),
            "size" => say(&vec![b'A'; number(rest) as usize]),
            "empty" => say(&[]),
            "pass" => pass(number(rest)),
            "chatter" => while try_say(&FromHelper::KeepAlive.encode(1000)).is_ok() {},
            "nag" => loop {
                if try_say(&FromHelper::Prompt(Style::Visible, "? ").encode(1000)).is_err()
                    || !hear()
                {
                    break;
                }
            },
            "flood" => {
                let much = vec![b'A'; 60_000];
                while try_say(&much).is_ok() {}
            }
            "sleep" => std::thread::sleep(Duration::from_millis(number(rest).into())),
            "leave" => std::process::exit(i32::try_from(number(rest)).expect("an exit code")),
            "close" => {
                // SAFETY: a number only; nothing else here owns it.
                unsafe { libc::close(WIRE) };
            }
            "signal" => {
                // SAFETY: sends itself a signal.
                unsafe { libc::raise(i32::try_from(number(rest)).expect("a signal")) };
            }
            "heir" => heir(number(rest)),
            _ => panic!("an impostor does not {act}"),
        }
    }
    // Whoever comes to the end of his part stays, until he is ended.
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn number(text: &str) -> u32 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is no number"))
}

/// Bytes in hexadecimal.
fn bytes(text: &str) -> Vec<u8> {
    let pairs = text.split(' ');
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("a byte"))
        .collect()
}

fn verdict(code: &str) -> Vec<u8> {
    let code = match code {
        "success" => Code::Success,
        "auth-err" => Code::AuthErr,
        _ => panic!("{code} is no code of an impostor's"),
    };
    FromHelper::Verdict(Verdict { code, counts: b"" }).encode(1000)
}

/// Takes a message; `false` when nobody is there any more.
fn hear() -> bool {
    let mut buffer = vec![0_u8; protocol::MAX_MESSAGE + 1];
    // SAFETY: writes at most the buffer's length.
    unsafe { libc::recv(WIRE, buffer.as_mut_ptr().cast(), buffer.len(), 0) > 0 }
}

fn say(message: &[u8]) {
    // Who is not listened to any more goes on with his part.
    let _ = try_say(message);
}

fn try_say(message: &[u8]) -> io::Result<()> {
    // SAFETY: reads the message's bytes.
    let sent = unsafe {
        libc::send(
            WIRE,
            message.as_ptr().cast(),
            message.len(),
            libc::MSG_NOSIGNAL,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// "I am at work", with so many descriptors in the same message (`SCM_RIGHTS`).
fn pass(many: u32) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let null = std::fs::File::open("/dev/null").expect("/dev/null");
    let many = vec![std::os::fd::AsFd::as_fd(&null); many as usize];
    let message = FromHelper::KeepAlive.encode(1000);
    let mut room = vec![std::mem::MaybeUninit::uninit(); 4096];
    let mut rights = SendAncillaryBuffer::new(&mut room);
    assert!(
        rights.push(SendAncillaryMessage::ScmRights(&many)),
        "too many"
    );
    // SAFETY: the wire stays open.
    let wire = unsafe { std::os::fd::BorrowedFd::borrow_raw(WIRE) };
    let message = [io::IoSlice::new(&message)];
    sendmsg(wire, &message, &mut rights, SendFlags::NOSIGNAL).expect("descriptors on the wire");
}

/// Leaves at once, and a child that holds the wire for so long.
fn heir(milliseconds: u32) {
    // SAFETY: there is one thread, and the child calls what it may.
    if unsafe { libc::fork() } == 0 {
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
    }
    std::process::exit(0);
}
