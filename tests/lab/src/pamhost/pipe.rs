//! The host's connection to its parent: one JSON value per line, on stdin and stdout or their copies.

use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::{Mutex, MutexGuard, OnceLock};

/// The copies of stdin and stdout after descriptors 0 to 2 were closed.
static MOVED: OnceLock<(File, File)> = OnceLock::new();

/// Held while a prompt is sent and its answer is read, since two logins may run at the same time.
static TURN: Mutex<()> = Mutex::new(());

/// The same between a host and its fork: both lock this file.
static SHARED: Mutex<Option<File>> = Mutex::new(None);

/// Closes descriptors 0 to 2, as some daemons do, without opening `/dev/null` in their place.
pub fn move_away() {
    let moved = [0, 1].map(|standard| {
        // SAFETY: numbers only; the copies have no other owner.
        unsafe {
            let copy = libc::fcntl(standard, libc::F_DUPFD_CLOEXEC, 100);
            assert!(copy >= 0, "a place for {standard}");
            File::from_raw_fd(copy)
        }
    });
    for standard in 0..=2 {
        // SAFETY: no Rust value owns these three.
        unsafe { libc::close(standard) };
    }
    let [from, to] = moved;
    MOVED.set((from, to)).expect("moved once");
}

/// Lets a fork use the pipe too, until the returned value is dropped.
pub fn share() -> Sharing {
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let file = rustix::fs::memfd_create("turn", flags).expect("a file in memory");
    *SHARED.lock().expect("a turn") = Some(File::from(file));
    Sharing
}

pub struct Sharing;

impl Drop for Sharing {
    fn drop(&mut self) {
        *SHARED.lock().expect("a turn") = None;
    }
}

/// The exclusive use of the pipe.
pub struct Turn(
    Option<File>,
    #[allow(dead_code, reason = "held")] MutexGuard<'static, ()>,
);

pub fn turn() -> Turn {
    let within = TURN.lock().expect("a turn");
    let shared = SHARED.lock().expect("a turn").as_ref().map(|file| {
        // Opened again: a lock belongs to the open file description, which forks share.
        let file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let file = file.expect("the file in memory");
        let lock = rustix::fs::FlockOperation::LockExclusive;
        rustix::fs::flock(&file, lock).expect("a lock on it");
        file
    });
    Turn(shared, within)
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(file) = &self.0 {
            let _ = rustix::fs::flock(file, rustix::fs::FlockOperation::Unlock);
        }
    }
}

/// Reads the next line from the parent; empty if the parent has exited.
pub fn read_line() -> String {
    let mut line = String::new();
    let Some((from, _)) = MOVED.get() else {
        let read = std::io::stdin().lock().read_line(&mut line);
        read.expect("a line from the parent");
        return line;
    };
    // Byte by byte: the bytes after the line may belong to the fork.
    let (mut bytes, mut byte) = (Vec::new(), [0]);
    let mut from = from;
    while !bytes.ends_with(b"\n") && from.read(&mut byte).expect("a line from the parent") > 0 {
        bytes.extend(byte);
    }
    String::from_utf8(bytes).expect("a line of text")
}

/// Sends a line to the parent.
pub fn send(event: &Value) {
    let line = format!("{event}\n");
    let sent = if let Some((_, to)) = MOVED.get() {
        (&mut &*to).write_all(line.as_bytes())
    } else {
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush())
    };
    sent.expect("a line for the parent");
}
