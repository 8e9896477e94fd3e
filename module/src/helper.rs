//! A running helper: the wire to it, and its life.

use std::{
    ffi::{CStr, c_int},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use crate::{birth, journal::Trouble};

/// How long a helper that has given its verdict, or lost its host, may take to be gone.
const FAREWELL: Duration = Duration::from_secs(2);

/// One helper process. However this value ends, the process is gone and reaped.
pub struct Helper {
    wire: Option<OwnedFd>,
    child: Child,
}

/// The process, and the handle that cannot mean another one. There is none when the host was out
/// of descriptors; then nothing is signalled, and the end of the wire ends the helper.
pub struct Child {
    pub pid: libc::pid_t,
    pub pidfd: Option<OwnedFd>,
    pub reaped: bool,
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
            let dead = self.child.poll(Some(wire), left).map_err(Loss::Errno)?;
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
        self.end(FAREWELL);
    }

    /// What to say of one that was lost. One that is late or talks nonsense is killed before the
    /// wire is closed: it would take that for a host that hung up, and log so.
    pub fn obituary(mut self, loss: &Loss) -> Trouble {
        let detail = match loss {
            Loss::Late => "the helper is late and was ended".to_owned(),
            Loss::TooMuch => "the helper speaks too much".to_owned(),
            Loss::Errno(error) => numbered("the wire to the helper failed, error ", *error),
            Loss::Gone => match self.end(FAREWELL) {
                Some((libc::CLD_EXITED, code)) => {
                    numbered("the helper ended without a verdict, exit code ", code)
                }
                Some((_, signal)) => {
                    numbered("the helper ended without a verdict, signal ", signal)
                }
                None => "the helper ended without a verdict".to_owned(),
            },
        };
        Trouble::lost(detail)
    }

    /// Closes the wire, which ends the helper in every state, and reaps it; one that is still
    /// there after `grace` is killed.
    fn end(&mut self, grace: Duration) -> Option<(c_int, c_int)> {
        if grace.is_zero() {
            self.child.kill();
        }
        self.wire = None;
        self.child.reap(grace)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

impl Child {
    /// Waits until the wire speaks or the process is dead, at most so long; says whether it is
    /// dead. Signals that interrupt are the host's business: the caller looks at the clock.
    fn poll(&self, wire: Option<c_int>, patience: Duration) -> Result<bool, c_int> {
        let end = |fd: Option<c_int>| libc::pollfd {
            fd: fd.unwrap_or(-1),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut ends = [end(wire), end(self.pidfd.as_ref().map(AsRawFd::as_raw_fd))];
        // One more, so that a rest of less than a millisecond is not polled for in a circle.
        let millis = c_int::try_from(patience.as_millis())
            .unwrap_or(c_int::MAX)
            .saturating_add(1);
        // SAFETY: two valid pollfd; a negative descriptor is skipped (poll(2)).
        let result = unsafe { libc::poll(ends.as_mut_ptr(), 2, millis) };
        match errno() {
            error if result < 0 && error != libc::EINTR => Err(error),
            _ => Ok(result > 0 && ends[1].revents != 0),
        }
    }

    /// Takes the process off the table, within bounds: one that hangs in the kernel (a disk that
    /// does not answer) cannot be ended by anybody, and its host does not wait for it.
    fn reap(&mut self, grace: Duration) -> Option<(c_int, c_int)> {
        if self.reaped {
            return None;
        }
        if self.pidfd.is_some() {
            if !self.dead_within(grace) {
                self.kill();
                self.dead_within(FAREWELL);
            }
            let status = self.wait();
            self.reaped = true;
            return status;
        }
        // Without a pidfd nobody can be killed safely. Its end of the wire is closed, which ends
        // it: look whether it has.
        let start = now();
        while now().saturating_sub(start) < FAREWELL {
            let status = self.wait();
            if self.reaped {
                return status;
            }
            let _ = self.poll(None, Duration::from_millis(5));
        }
        self.reaped = true;
        None
    }

    fn dead_within(&self, grace: Duration) -> bool {
        let start = now();
        loop {
            let left = grace.saturating_sub(now().saturating_sub(start));
            if left.is_zero() {
                return false;
            }
            match self.poll(None, left) {
                Ok(true) => return true,
                Ok(false) => {}
                Err(_) => return false,
            }
        }
    }

    fn kill(&self) {
        if let Some(pidfd) = &self.pidfd {
            // SAFETY: pidfd_send_signal(2) with a descriptor that means this child alone.
            unsafe {
                libc::syscall(
                    libc::SYS_pidfd_send_signal,
                    pidfd.as_raw_fd(),
                    libc::SIGKILL,
                    std::ptr::null::<libc::siginfo_t>(),
                    0,
                )
            };
        }
    }

    /// Takes the process off the table. A host that ignores SIGCHLD, or reaps whatever ends, was
    /// quicker (ECHILD): then it is just as gone.
    fn wait(&mut self) -> Option<(c_int, c_int)> {
        loop {
            // SAFETY: all-zero is a valid siginfo_t; waitid(2) only writes to it.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let id = libc::id_t::try_from(self.pid).unwrap_or_default();
            // SAFETY: `info` is valid.
            let result = unsafe {
                libc::waitid(
                    libc::P_PID,
                    id,
                    &raw mut info,
                    libc::WEXITED | libc::__WALL | libc::WNOHANG,
                )
            };
            if result != 0 && errno() == libc::EINTR {
                continue;
            }
            // SAFETY: after waitid these fields are set, or zero as above.
            let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
            self.reaped = result != 0 || pid != 0;
            return (result == 0 && pid != 0).then_some((info.si_code, status));
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
