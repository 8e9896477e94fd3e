//! A fake helper that follows a script of wrong or unusual messages.
//!
//! It is the test program itself, which the module starts under the path of the helper. It gets no argument
//! and no environment, so its script is a file beside it.

use protocol::{Code, FromHelper, Style, Verdict};
use std::io;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The descriptor of the socket to the module.
const WIRE: RawFd = 3;

/// Whether this process was started as a helper.
pub fn is_requested() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| name == "sms-otp-helper")
}

/// Installs `program` (a copy of this one that the module may run) as the helper, with its script: one
/// command per line, as in [`main`].
pub fn install(program: &Path, helper: &Path, script: &str) {
    let _ = std::fs::remove_file(helper);
    std::fs::hard_link(program, helper).expect("a second name for this program");
    crate::scratch::write(&script_path(helper), 0o644, script.replace("; ", "\n"));
}

fn script_path(helper: &Path) -> PathBuf {
    helper.with_extension("script")
}

/// Runs the script.
pub fn main() {
    let own = std::env::current_exe().expect("the path of this program");
    let script = std::fs::read_to_string(script_path(&own)).expect("a script");
    for line in script.lines() {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        run(command, rest);
    }
    // At the end of the script it waits until it is killed.
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Runs one command of the script.
fn run(command: &str, rest: &str) {
    match command {
        "receive" => {
            receive();
        }
        "keep-alive" => send(&FromHelper::KeepAlive.encode(number(rest))),
        "prompt" => {
            send(&FromHelper::Prompt(Style::Visible, "Verification code: ").encode(number(rest)));
        }
        "show-error" => send(&FromHelper::ShowError(rest).encode(1000)),
        "version-mismatch" => send(&FromHelper::VersionMismatch.encode(1000)),
        "verdict" => send(&verdict(rest)),
        // Without its last bytes.
        "cut-verdict" => {
            let whole = verdict("success");
            send(&whole[..whole.len() - number(rest) as usize]);
        }
        "long-verdict" => send(&[verdict("success"), vec![0; number(rest) as usize]].concat()),
        "version" => {
            let mut message = verdict("success");
            let version = u16::try_from(number(rest)).expect("a version");
            message[..2].copy_from_slice(&version.to_le_bytes());
            send(&message);
        }
        "bytes" => send(&bytes(rest)),
        "size" => send(&vec![b'A'; number(rest) as usize]),
        "empty" => send(&[]),
        "descriptors" => send_descriptors(number(rest)),
        "keep-alives" => while try_send(&FromHelper::KeepAlive.encode(1000)).is_ok() {},
        "prompts" => loop {
            if try_send(&FromHelper::Prompt(Style::Visible, "? ").encode(1000)).is_err()
                || !receive()
            {
                break;
            }
        },
        "flood" => {
            let much = vec![b'A'; 60_000];
            while try_send(&much).is_ok() {}
        }
        "sleep" => std::thread::sleep(Duration::from_millis(number(rest).into())),
        "exit" => std::process::exit(i32::try_from(number(rest)).expect("an exit code")),
        "close" => {
            // SAFETY: a number only; nothing else here owns it.
            unsafe { libc::close(WIRE) };
        }
        "signal" => {
            // SAFETY: sends itself a signal.
            unsafe { libc::raise(i32::try_from(number(rest)).expect("a signal")) };
        }
        "fork" => exit_after_fork(number(rest)),
        _ => panic!("unknown command {command} {rest}"),
    }
}

fn number(text: &str) -> u32 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// Decodes bytes in hexadecimal.
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
        _ => panic!("unknown code {code}"),
    };
    FromHelper::Verdict(Verdict { code, counts: b"" }).encode(1000)
}

/// Receives a message; `false` if the module has closed the connection.
fn receive() -> bool {
    let mut buffer = vec![0_u8; protocol::MAX_MESSAGE + 1];
    // SAFETY: writes at most the buffer's length.
    unsafe { libc::recv(WIRE, buffer.as_mut_ptr().cast(), buffer.len(), 0) > 0 }
}

fn send(message: &[u8]) {
    // The script continues after the module has closed the connection.
    let _ = try_send(message);
}

fn try_send(message: &[u8]) -> io::Result<()> {
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

/// Sends a keep-alive with this number of descriptors in the same message (`SCM_RIGHTS`).
fn send_descriptors(many: u32) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let null = std::fs::File::open("/dev/null").expect("/dev/null");
    let many = vec![std::os::fd::AsFd::as_fd(&null); many as usize];
    let message = FromHelper::KeepAlive.encode(1000);
    let mut buffer = vec![std::mem::MaybeUninit::uninit(); 4096];
    let mut rights = SendAncillaryBuffer::new(&mut buffer);
    assert!(
        rights.push(SendAncillaryMessage::ScmRights(&many)),
        "too many"
    );
    // SAFETY: the descriptor stays open.
    let wire = unsafe { std::os::fd::BorrowedFd::borrow_raw(WIRE) };
    let message = [io::IoSlice::new(&message)];
    sendmsg(wire, &message, &mut rights, SendFlags::NOSIGNAL).expect("descriptors on the wire");
}

/// Exits; a child keeps the socket open for this time.
fn exit_after_fork(milliseconds: u32) {
    // SAFETY: there is one thread, so the child may call every function.
    if unsafe { libc::fork() } == 0 {
        std::thread::sleep(Duration::from_millis(milliseconds.into()));
    }
    std::process::exit(0);
}
