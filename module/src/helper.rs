//! A running helper: its socket and its end.

use std::{
    ffi::{CStr, c_int},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use crate::{
    child::{Child, Exit},
    error::Error,
    spawn::{self, intermediate::KILL_HELPER},
    system::{errno, now},
};

/// The maximum wait for the exit of the helper after its verdict or the end of its host process; then
/// for its parent to kill it; then for the parent to exit.
const EXIT_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval of the checks whether the helper has ended. The end of the socket is not enough:
/// another process could hold a copy of the helper's end.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// One helper process. Dropping it kills and reaps the process.
pub(crate) struct Helper {
    socket: Option<OwnedFd>,
    child: Child,
}

/// Why no message of the helper was received.
pub(crate) enum Loss {
    TimedOut,
    /// It closed the socket or exited.
    Ended,
    MessageTooLong,
    Errno(c_int),
}

impl Helper {
    /// Starts a helper.
    pub(crate) fn start(path: &CStr) -> Result<Self, Error> {
        let mut ends: [c_int; 2] = [-1, -1];
        // SAFETY: `ends` has the size of two descriptors.
        let result = unsafe {
            libc::socketpair(
                libc::AF_UNIX,
                libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
                0,
                ends.as_mut_ptr(),
            )
        };
        if result != 0 {
            let text = "could not create a socket for the helper: error ";
            return Err(Error::local(numbered(text, errno())));
        }
        // SAFETY: both were just created and have no other owner.
        let [ours, theirs] = ends.map(|end| unsafe { OwnedFd::from_raw_fd(end) });
        let pid = spawn::spawn_helper(path, &theirs).map_err(|errno| {
            Error::local(numbered(
                "could not create a process for the helper: error ",
                errno,
            ))
        })?;
        Ok(Self {
            socket: Some(ours),
            child: Child::new(pid),
        })
    }

    /// Sends one message. It fits into the socket buffer, so this does not block.
    pub(crate) fn send(&self, message: &[u8]) -> Result<(), Loss> {
        let socket = self.socket.as_ref().ok_or(Loss::Ended)?.as_raw_fd();
        loop {
            // SAFETY: reads the bytes of the message. MSG_NOSIGNAL: no SIGPIPE for the host process
            // if the helper has ended.
            let sent = unsafe {
                libc::send(
                    socket,
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

    /// Waits at most `timeout` for one message.
    pub(crate) fn receive<'b>(
        &self,
        buffer: &'b mut [u8],
        timeout: Duration,
    ) -> Result<&'b [u8], Loss> {
        let socket = self.socket.as_ref().ok_or(Loss::Ended)?.as_raw_fd();
        let start = now();
        loop {
            let remaining = timeout.saturating_sub(now().saturating_sub(start));
            if remaining.is_zero() {
                return Err(Loss::TimedOut);
            }
            let is_readable = poll(socket, remaining.min(CHECK_INTERVAL)).map_err(Loss::Errno)?;
            let has_ended = !is_readable && self.child.has_ended();
            // SAFETY: writes at most the length of the buffer. With MSG_TRUNC the result is the length
            // of the whole message.
            let length = unsafe {
                libc::recv(
                    socket,
                    buffer.as_mut_ptr().cast(),
                    buffer.len(),
                    libc::MSG_DONTWAIT | libc::MSG_TRUNC,
                )
            };
            match usize::try_from(length) {
                // The end of the socket; an empty message is never sent.
                Ok(0) => return Err(Loss::Ended),
                Ok(length) => return buffer.get(..length).ok_or(Loss::MessageTooLong),
                Err(_) => match errno() {
                    // It has ended, and all its messages were received.
                    libc::EAGAIN if has_ended => return Err(Loss::Ended),
                    // ECONNRESET: it has ended without reading all messages. This is reported once,
                    // before the messages that it sent, which the next call returns.
                    libc::EAGAIN | libc::EINTR | libc::ECONNRESET => {}
                    error => return Err(Loss::Errno(error)),
                },
            }
        }
    }

    /// Lets the helper exit by itself after its verdict.
    pub(crate) fn shutdown(mut self) {
        self.end(false);
    }

    /// Ends a helper that was lost, and describes why. After a time-out or a protocol error it is killed
    /// before its socket is closed: it would log the closed socket as the end of its host process.
    pub(crate) fn exit_report(mut self, loss: &Loss) -> Error {
        let detail = match loss {
            Loss::TimedOut => "the helper timed out and was killed".to_owned(),
            Loss::MessageTooLong => "message from the helper is too long".to_owned(),
            Loss::Errno(error) => numbered("communication with the helper failed: error ", *error),
            Loss::Ended => match self.end(false) {
                Some(Exit::Status(status)) => {
                    numbered("the helper ended without a verdict, exit code ", status)
                }
                Some(Exit::Signal(signal)) => {
                    numbered("the helper ended without a verdict, signal ", signal)
                }
                Some(Exit::Unknown) | None => "the helper ended without a verdict".to_owned(),
            },
        };
        Error::helper_lost(detail)
    }

    /// Ends the helper and reaps its parent. Closing the socket ends the helper in each of its states;
    /// if it does not exit, its parent kills it; if the parent does not exit either, this process kills
    /// the parent, and with it the helper. With `kill`, the socket stays open until the helper has ended.
    /// Each step has a time limit: a process that hangs in the kernel (a disk that does not respond)
    /// cannot be killed, and the host process does not wait for it.
    fn end(&mut self, kill: bool) -> Option<Exit> {
        if !kill {
            self.socket = None;
        }
        let steps = [None, Some(KILL_HELPER), Some(libc::SIGKILL)];
        let mut exit = None;
        for signal in steps.iter().skip(usize::from(kill)) {
            if self.child.is_reaped() {
                break;
            }
            if let Some(signal) = signal {
                // The host process may have reaped it already, and its pid may be in use again.
                exit = self.child.reap_within(Duration::ZERO);
                if self.child.is_reaped() {
                    break;
                }
                self.child.kill(*signal);
            }
            exit = self.child.reap_within(EXIT_TIMEOUT);
        }
        self.socket = None;
        exit
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.end(true);
    }
}

/// Waits until the socket is readable, at most `timeout`. A signal of the host process ends the wait
/// early.
fn poll(socket: c_int, timeout: Duration) -> Result<bool, c_int> {
    let mut poll = libc::pollfd {
        fd: socket,
        events: libc::POLLIN,
        revents: 0,
    };
    // Rounded up: a remainder below one millisecond must not make a busy loop.
    let millis = c_int::try_from(timeout.as_millis())
        .unwrap_or(c_int::MAX)
        .saturating_add(1);
    // SAFETY: one valid pollfd.
    let result = unsafe { libc::poll(&raw mut poll, 1, millis) };
    match errno() {
        error if result < 0 && error != libc::EINTR => Err(error),
        _ => Ok(result > 0),
    }
}

fn numbered(text: &str, number: c_int) -> String {
    let mut text = text.to_owned();
    text.push_str(&number.to_string());
    text
}
