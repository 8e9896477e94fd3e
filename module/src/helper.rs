//! A running helper: the wire to it, and its life. Its parent is the intermediate process, which is this
//! process' child and ends with it.

use std::{
    ffi::{CStr, c_int, c_long},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use crate::{
    birth::{
        self,
        intermediate::{KILL_HELPER, SIGNALLED},
    },
    journal::Trouble,
};

/// How long a helper that has given its verdict, or lost its host, may take to be gone; then for how
/// long its parent may take to kill it, and to be gone itself.
const FAREWELL: Duration = Duration::from_secs(2);

/// How often the helper's end is looked for, beside the end of the wire, which another process might
/// hold open.
const LOOK: Duration = Duration::from_secs(1);

/// The pauses between two looks for the end of the intermediate process, shortest and longest, in
/// nanoseconds. There is no signal and no descriptor for it; mostly it ends within the first ones.
const PAUSES: (c_long, c_long) = (100_000, 5_000_000);

/// One helper process. However this value ends, the process is gone and reaped.
pub struct Helper {
    wire: Option<OwnedFd>,
    child: Child,
}

/// The intermediate process. Its number means no other process before it is reaped here, because the
/// host process' own `wait(2)` does not return it.
pub struct Child {
    pid: libc::pid_t,
    reaped: bool,
}

/// How a helper can be lost.
pub enum Loss {
    /// It did not speak in time.
    Late,
    /// It closed the wire or ended.
    Gone,
    /// It said more than fits a message.
    TooMuch,
    /// The wire could not be read.
    Errno(c_int),
}

impl Helper {
    /// Starts one.
    pub fn start(path: &CStr) -> Result<Self, Trouble> {
        let mut ends: [c_int; 2] = [-1, -1];
        // SAFETY: `ends` has room for the two descriptors.
        let made = unsafe {
            libc::socketpair(
                libc::AF_UNIX,
                libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
                0,
                ends.as_mut_ptr(),
            )
        };
        if made != 0 {
            return Err(no(c"no socket for the helper"));
        }
        // SAFETY: both were just made and belong to nobody else.
        let [ours, theirs] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        let child = birth::give(path, &theirs).map_err(|()| no(c"no process for the helper"))?;
        drop(theirs);
        Ok(Self {
            wire: Some(ours),
            child,
        })
    }

    /// Sends one message. It fits the socket's buffer; a helper that is not reading is not waited
    /// for here.
    pub fn send(&self, message: &[u8]) -> Result<(), Loss> {
        let wire = self.wire.as_ref().ok_or(Loss::Gone)?.as_raw_fd();
        loop {
            // SAFETY: reads the message's bytes. MSG_NOSIGNAL: a dead helper is no SIGPIPE for
            // the host.
            let sent = unsafe {
                libc::send(
                    wire,
                    message.as_ptr().cast(),
                    message.len(),
                    libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
                )
            };
            if sent >= 0 {
                return Ok(());
            }
            let error = errno();
            if error != libc::EINTR {
                return Err(Loss::Errno(error));
            }
        }
    }

    /// Waits for one message, at most so long.
    pub fn receive<'b>(&self, buffer: &'b mut [u8], patience: Duration) -> Result<&'b [u8], Loss> {
        let wire = self.wire.as_ref().ok_or(Loss::Gone)?.as_raw_fd();
        let start = now();
        loop {
            let left = patience.saturating_sub(now().saturating_sub(start));
            if left.is_zero() {
                return Err(Loss::Late);
            }
            let quiet = !poll(wire, left.min(LOOK)).map_err(Loss::Errno)?;
            let dead = quiet && self.child.has_ended();
            // SAFETY: writes at most the buffer's length; MSG_TRUNC tells the message's own.
            let length = unsafe {
                libc::recv(
                    wire,
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                )
            };
            match usize::try_from(length) {
                // An empty message looks like the end, and is never sent.
                Ok(0) => return Err(Loss::Gone),
                Ok(length) => return buffer.get(..length).ok_or(Loss::TooMuch),
                Err(_) => match errno() {
                    // Dead, and its words were all read.
                    libc::EAGAIN if dead => return Err(Loss::Gone),
                    // ECONNRESET: it is gone and has not read all, which is said once and before
                    // the words that it has left; the next look finds those.
                    libc::EAGAIN | libc::EINTR | libc::ECONNRESET => {}
                    error => return Err(Loss::Errno(error)),
                },
            }
        }
    }

    /// After its verdict: it ends by itself.
    pub fn farewell(mut self) {
        self.end(false);
    }

    /// What to say of one that was lost. One that is late or talks nonsense is killed before the
    /// wire is closed: it would take that for a host that hung up, and log so.
    pub fn obituary(mut self, loss: &Loss) -> Trouble {
        let detail = match loss {
            Loss::Late => "the helper is late and was ended".to_owned(),
            Loss::TooMuch => "the helper speaks too much".to_owned(),
            Loss::Errno(error) => numbered("the wire to the helper failed, error ", *error),
            Loss::Gone => match self.end(false) {
                Some(End::Exit(code)) => {
                    numbered("the helper ended without a verdict, exit code ", code)
                }
                Some(End::Signal(signal)) => {
                    numbered("the helper ended without a verdict, signal ", signal)
                }
                Some(End::Unknown) | None => "the helper ended without a verdict".to_owned(),
            },
        };
        Trouble::lost(detail)
    }

    /// Closes the wire, which ends the helper in every state, and reaps its parent; a helper that is
    /// still there then is killed by its parent, and a parent that does not do so by this process, which
    /// kills the helper, too. With `kill` the wire stays open until then: a helper that lost its host
    /// process would log so. All of it within bounds: what hangs in the kernel (a disk that does not
    /// answer) cannot be ended, and the host process does not wait for it.
    fn end(&mut self, kill: bool) -> Option<End> {
        if !kill {
            self.wire = None;
        }
        let closed = [None, Some(KILL_HELPER), Some(libc::SIGKILL)];
        let mut end = None;
        for signal in closed.iter().skip(usize::from(kill)) {
            if self.child.reaped {
                break;
            }
            if let Some(signal) = signal {
                // One that has ended may have been reaped by the host process: then its number is free.
                end = self.child.reap_within(Duration::ZERO);
                if self.child.reaped {
                    break;
                }
                self.child.signal(*signal);
            }
            end = self.child.reap_within(FAREWELL);
        }
        self.wire = None;
        end
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end(true);
    }
}

/// How a helper has ended, by what its parent returned.
enum End {
    Exit(c_int),
    Signal(c_int),
    /// A host process that reaps every kind of child (`__WALL`) was quicker.
    Unknown,
}

/// Waits until there is something to read, at most so long; says whether there is. Signals that
/// interrupt are the host's business: the caller looks at the clock.
fn poll(wire: c_int, most: Duration) -> Result<bool, c_int> {
    let mut end = libc::pollfd {
        fd: wire,
        events: libc::POLLIN,
        revents: 0,
    };
    // One more, so that a rest of less than a millisecond is not polled for in a circle.
    let millis = c_int::try_from(most.as_millis())
        .unwrap_or(c_int::MAX)
        .saturating_add(1);
    // SAFETY: one valid pollfd.
    let result = unsafe { libc::poll(&raw mut end, 1, millis) };
    match errno() {
        error if result < 0 && error != libc::EINTR => Err(error),
        _ => Ok(result > 0),
    }
}

impl Child {
    /// A child of this process. Numbers below 1 mean many processes, or none.
    pub fn new(pid: libc::pid_t) -> Result<Self, ()> {
        let reaped = false;
        if pid > 0 {
            Ok(Self { pid, reaped })
        } else {
            Err(())
        }
    }

    fn signal(&self, signal: c_int) {
        // SAFETY: numbers only; the process is this one's child until it is reaped.
        unsafe { libc::kill(self.pid, signal) };
    }

    fn has_ended(&self) -> bool {
        self.wait(libc::WNOWAIT).is_some()
    }

    /// Takes the process off the table when it has ended, at most so long from now.
    fn reap_within(&mut self, grace: Duration) -> Option<End> {
        let (mut pause, longest) = PAUSES;
        let start = now();
        loop {
            if let Some(end) = self.wait(0) {
                self.reaped = true;
                return Some(end);
            }
            if now().saturating_sub(start) >= grace {
                return None;
            }
            let time = libc::timespec {
                tv_sec: 0,
                tv_nsec: pause,
            };
            // SAFETY: reads one timespec; a signal of the host's ends it early, which is harmless.
            unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) };
            pause = pause.saturating_mul(2).min(longest);
        }
    }

    /// How the process has ended, if it has.
    fn wait(&self, option: c_int) -> Option<End> {
        loop {
            // SAFETY: all-zero is a valid siginfo_t; waitid(2) only writes to it.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let id = libc::id_t::try_from(self.pid).unwrap_or_default();
            let options = libc::WEXITED | libc::__WALL | libc::WNOHANG | option;
            // SAFETY: `info` is valid.
            let result = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, options) };
            if result != 0 {
                match errno() {
                    libc::EINTR => continue,
                    _ => return Some(End::Unknown),
                }
            }
            // SAFETY: after waitid these fields are set, or zero as above.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            let end = match info.si_code {
                libc::CLD_EXITED if status <= SIGNALLED => End::Exit(status),
                libc::CLD_EXITED => End::Signal(status.saturating_sub(SIGNALLED)),
                _ => End::Signal(status),
            };
            return (pid != 0).then_some(end);
        }
    }
}

/// A time that nobody sets back.
fn now() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

pub fn errno() -> c_int {
    // SAFETY: libc hands out this thread's own errno.
    unsafe { *libc::__errno_location() }
}

fn no(what: &CStr) -> Trouble {
    let mut detail = String::from_utf8_lossy(what.to_bytes()).into_owned();
    detail.push_str(": error ");
    Trouble::local(numbered(&detail, errno()))
}

fn numbered(text: &str, number: c_int) -> String {
    let mut text = text.to_owned();
    text.push_str(&number.to_string());
    text
}
