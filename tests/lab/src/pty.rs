//! A pseudoterminal with a program on it: what a user sees and types.

use crate::machine::Account;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long [`Pty::expect`] waits: enough for a login on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// A program on a terminal of its own. Dropping it kills the program.
#[derive(Debug)]
pub struct Pty {
    child: Child,
    master: Arc<OwnedFd>,
    seen: Arc<Seen>,
    /// The end of the text that [`Pty::expect`] has returned.
    cursor: usize,
}

#[derive(Debug, Default)]
struct Seen {
    bytes: Mutex<Vec<u8>>,
    more: Condvar,
    /// The program and all its children have closed the terminal.
    closed: AtomicBool,
    stop: AtomicBool,
}

impl Seen {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bytes.lock().expect("the screen")
    }
}

impl Pty {
    /// Starts a command on a new terminal, as the current user.
    pub fn spawn(command: &mut Command) -> Self {
        Self::start(command, None)
    }

    /// Starts a command on a new terminal, as this user in their home directory. Its environment is that of
    /// the command and the variables that a login sets.
    pub fn spawn_as(command: &mut Command, account: &Account) -> Self {
        command
            .uid(account.uid)
            .gid(account.gid)
            .current_dir(&account.home)
            .env("HOME", &account.home)
            .env("USER", &account.name)
            .env("LOGNAME", &account.name)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin");
        Self::start(command, Some((account.uid, account.gid)))
    }

    fn start(command: &mut Command, owner: Option<(u32, u32)>) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a new terminal");
        grantpt(&master).expect("a new terminal");
        unlockpt(&master).expect("a new terminal");
        let name = ptsname(&master, Vec::new()).expect("the terminal's name");
        let open = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&name, open, Mode::empty()).expect("the new terminal");
        let size = Winsize {
            ws_row: 24,
            ws_col: 200,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).expect("the terminal's size");
        if let Some((uid, _)) = owner {
            let owner = (Uid::from_raw(uid), Gid::from_raw(5));
            rustix::fs::fchown(&slave, Some(owner.0), Some(owner.1)).expect("the user's terminal");
        }
        let copy = || Stdio::from(slave.try_clone().expect("a second handle on the terminal"));
        command.stdin(copy()).stdout(copy()).stderr(copy());
        command.env("TERM", "dumb").env("LC_ALL", "C");
        // SAFETY: between fork and exec only async-signal-safe system calls are made.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                // A shell that started this process in the background has set SIGINT to be ignored.
                for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGHUP] {
                    // SAFETY: setting a disposition touches no memory of this program.
                    libc::signal(signal, libc::SIG_DFL);
                }
                // SAFETY: the ioctl takes an integer; descriptor 0 is the terminal.
                if libc::ioctl(0, libc::TIOCSCTTY, 0) == 0 {
                    Ok(())
                } else {
                    Err(io::Error::last_os_error())
                }
            });
        }
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        // Otherwise the command would own copies of the terminal's descriptors.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        drop(slave);
        let (master, seen) = (Arc::new(master), Arc::new(Seen::default()));
        let (reading, into) = (Arc::clone(&master), Arc::clone(&seen));
        thread::spawn(move || read_all(&reading, &into));
        Self {
            child,
            master,
            seen,
            cursor: 0,
        }
    }

    /// Waits until the screen shows this text after the last expected one, and returns the output up to its
    /// end. The `\r\n` of a terminal is returned as `\n`.
    pub fn expect(&mut self, text: &str) -> String {
        self.expect_one_of(&[text], TIMEOUT).1
    }

    /// Waits for the first of these texts; returns its index and the output up to its end.
    pub fn expect_one_of(&mut self, texts: &[&str], timeout: Duration) -> (usize, String) {
        self.look_for(texts, timeout).unwrap_or_else(|| {
            panic!(
                "no {texts:?} within {timeout:?}; the screen shows\n{}",
                self.screen()
            )
        })
    }

    /// As [`Self::expect_one_of`], `None` if none of them appears in this time.
    pub fn look_for(&mut self, texts: &[&str], timeout: Duration) -> Option<(usize, String)> {
        let until = Instant::now() + timeout;
        let mut bytes = self.seen.lock();
        loop {
            let closed = self.seen.closed.load(Ordering::SeqCst);
            let shown = &bytes[self.cursor..];
            let found = texts
                .iter()
                .enumerate()
                .filter_map(|(index, text)| Some((find(shown, text.as_bytes())?, index)))
                .min();
            if let Some((end, index)) = found {
                let text = readable(&shown[..end]);
                self.cursor += end;
                return Some((index, text));
            }
            if closed {
                return None;
            }
            let left = until.checked_duration_since(Instant::now())?;
            bytes = self
                .seen
                .more
                .wait_timeout(bytes, left)
                .expect("the screen")
                .0;
        }
    }

    /// Types a line, and Enter.
    pub fn type_line(&self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    pub fn type_bytes(&self, bytes: &[u8]) {
        let mut left = bytes;
        while !left.is_empty() {
            let written = rustix::io::write(&self.master, left).expect("typing on the terminal");
            left = &left[written..];
        }
    }

    /// Types Ctrl-C, with the delay of a user: sudo writes its prompt before it reads, and a signal between
    /// the two has no effect on it.
    pub fn interrupt(&self) {
        thread::sleep(Duration::from_millis(500));
        self.type_bytes(b"\x03");
    }

    /// Returns everything the screen has shown.
    pub fn screen(&self) -> String {
        readable(&self.seen.lock())
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the program's exit and its remaining output.
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_within(TIMEOUT).unwrap_or_else(|| {
            panic!(
                "the program does not exit; the screen shows\n{}",
                self.screen()
            )
        })
    }

    /// As [`Self::wait`], `None` if it does not exit in this time.
    pub fn wait_within(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + timeout;
        loop {
            if let Some(status) = self.child.try_wait().expect("the program's status") {
                // Children may keep the terminal open for longer: a second is enough for the remaining output.
                let last = Instant::now() + Duration::from_secs(1);
                while !self.seen.closed.load(Ordering::SeqCst) && Instant::now() < last {
                    thread::sleep(Duration::from_millis(2));
                }
                return Some(status);
            }
            if Instant::now() > until {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        self.seen.stop.store(true, Ordering::SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the terminal until all its users have closed it.
///
/// `login` closes the terminal and opens it again (vhangup(2)), so only a state that lasts counts as the end.
fn read_all(master: &OwnedFd, seen: &Seen) {
    let mut silent = 0;
    let mut buffer = [0; 4096];
    while !seen.stop.load(Ordering::SeqCst) && silent < 40 {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let mut polled = [PollFd::new(master, PollFlags::IN)];
        let ready = poll(&mut polled, Some(&wait)).unwrap_or(0);
        if ready == 0 {
            continue;
        }
        match rustix::io::read(master.as_fd(), &mut buffer) {
            Ok(length) if length > 0 => {
                silent = 0;
                seen.lock().extend_from_slice(&buffer[..length]);
                seen.more.notify_all();
            }
            _ => {
                silent += 1;
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
    let _order = seen.lock();
    seen.closed.store(true, Ordering::SeqCst);
    seen.more.notify_all();
}

/// Returns the end of the first `needle` in `hay`.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let at = hay
        .windows(needle.len().max(1))
        .position(|part| part == needle)?;
    Some(at + needle.len())
}

fn readable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n")
}
