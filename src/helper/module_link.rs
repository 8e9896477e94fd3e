//! The connection to the module: sends prompts and texts, receives the request and the answers.
#![forbid(unsafe_code)]

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use protocol::{Answer, FromHelper, Style};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendFlags},
};
use zeroize::Zeroizing;

use crate::{
    deadline::Deadline,
    login::{Conversation, PromptReply},
};

/// How much longer than all deadlines the module waits, for an overloaded machine.
pub const SLACK: Duration = Duration::from_secs(5);

/// How long one prompt waits for an answer. Host processes usually end it earlier (`LoginGraceTime`, sudo's
/// `passwd_timeout`), and a code expires earlier.
const MAX_PROMPT: Duration = Duration::from_secs(3600);

/// How often in a row the socket may fail while it is connected, and the pause after each failure.
const MAX_FAILURES: u32 = 100;
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// What to do once, if no answer has come after this time.
type OnIdle<'a> = (Duration, &'a mut dyn FnMut());

/// Why a wait for the module's end ended.
pub enum End {
    Disconnected,
    Stopped,
}

/// The helper's end of the socket.
pub struct ModuleLink {
    socket: Arc<OwnedFd>,
    /// How long the module may have to wait after an answer, in milliseconds.
    max_wait: AtomicU64,
}

impl ModuleLink {
    pub fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Arc::new(socket),
            max_wait: AtomicU64::new(protocol::FIRST_WAIT_MS.into()),
        }
    }

    /// The socket, for waits that end when the module disconnects.
    pub fn socket(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.socket)
    }

    /// Sets how long the module may have to wait after each answer.
    pub fn set_max_wait(&self, wait: Duration) {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.max_wait.store(wait, Ordering::Relaxed);
    }

    fn max_wait(&self) -> Duration {
        Duration::from_millis(self.max_wait.load(Ordering::Relaxed))
    }

    /// Sends a message, after which the module may have to wait this long for the next. Returns whether it was
    /// sent. A disconnected module is handled by the host watcher.
    pub fn send(&self, message: &FromHelper, max_wait: Duration) -> bool {
        let max_wait = u32::try_from(max_wait.as_millis()).unwrap_or(u32::MAX);
        let message = message.encode(max_wait);
        let mut retries = RetryLimit::default();
        while let Err(errno) = rustix::net::send(&self.socket, &message, SendFlags::NOSIGNAL) {
            if is_disconnected(errno) || !retries.retry() {
                return false;
            }
        }
        true
    }

    /// Receives one message. `None`: none came in this time, it was too long, or the module has disconnected.
    pub fn receive(&self, within: Duration) -> Option<Zeroizing<Vec<u8>>> {
        let by = Deadline::within(within);
        let mut retries = RetryLimit::default();
        let mut buffer = Zeroizing::new(vec![0; protocol::MAX_MESSAGE]);
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let length = loop {
            if !self.wait_for(PollFlags::IN, by) {
                return None;
            }
            match rustix::net::recv(&self.socket, buffer.as_mut_slice(), flags) {
                Ok((_, length)) => break length,
                Err(errno) if is_disconnected(errno) || !retries.retry() => return None,
                Err(_) => {}
            }
        };
        // Length 0 is the end of the connection: no message is empty.
        if length == 0 || length > buffer.len() {
            return None;
        }
        buffer.truncate(length);
        Some(buffer)
    }

    /// Waits until the module has disconnected, or until `stop` is readable.
    pub fn wait_for_end(&self, stop: &OwnedFd) -> End {
        let mut retries = RetryLimit::default();
        loop {
            let mut ends = [
                PollFd::new(&self.socket, PollFlags::RDHUP),
                PollFd::new(stop, PollFlags::IN),
            ];
            match poll(&mut ends, None) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => {
                    let [socket, _] = ends;
                    let is_connected = socket.revents().is_empty();
                    return if is_connected {
                        End::Stopped
                    } else {
                        End::Disconnected
                    };
                }
                Err(_) if retries.retry() => {}
                Err(_) => return End::Disconnected,
            }
        }
    }

    /// Waits for an event on the socket, or for its end. Returns `false` if there was none in time.
    fn wait_for(&self, events: PollFlags, by: Deadline) -> bool {
        let mut retries = RetryLimit::default();
        loop {
            // No wait here is too long for a timespec.
            let left = Timespec::try_from(by.left()).unwrap_or_default();
            match poll(&mut [PollFd::new(&self.socket, events)], Some(&left)) {
                Ok(0) if by.is_over() => return false,
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return true,
                Err(_) if by.is_over() || !retries.retry() => return false,
                Err(_) => {}
            }
        }
    }

    fn prompt(&self, style: Style, prompt: &str, on_idle: Option<OnIdle<'_>>) -> PromptReply {
        self.send(&FromHelper::Prompt(style, prompt), self.max_wait());
        if let Some((after, act)) = on_idle {
            if !self.wait_for(PollFlags::IN, Deadline::within(after)) {
                act();
            }
        }
        let Some(message) = self.receive(MAX_PROMPT) else {
            return PromptReply::Disconnected;
        };
        match Answer::decode(&message) {
            Ok(Answer::Text { prompted, text }) => PromptReply::Answer {
                text: Zeroizing::new(text.to_vec()),
                prompted,
            },
            Ok(Answer::TooLong) => PromptReply::TooLong,
            Ok(Answer::Missing) => PromptReply::Missing,
            Ok(Answer::Disconnected) | Err(protocol::DecodeError) => PromptReply::Disconnected,
        }
    }
}

impl Conversation for &ModuleLink {
    fn prompt_password(
        &mut self,
        prompt: &str,
        after: Duration,
        idle: &mut dyn FnMut(),
    ) -> PromptReply {
        self.prompt(Style::Password, prompt, Some((after, idle)))
    }

    fn prompt_code(&mut self, prompt: &str, echo: bool) -> PromptReply {
        let style = if echo { Style::Visible } else { Style::Hidden };
        self.prompt(style, prompt, None)
    }

    fn show_info(&mut self, text: &str) -> bool {
        self.send(&FromHelper::ShowInfo(text), self.max_wait())
    }
}

/// Whether the module has disconnected, so that no retry can help.
const fn is_disconnected(errno: Errno) -> bool {
    matches!(errno, Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN)
}

/// A limit for retries of a system call that failed for the moment, mostly for lack of memory.
#[derive(Default)]
struct RetryLimit(u32);

impl RetryLimit {
    /// Counts a failure and pauses. Returns whether to retry.
    fn retry(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        std::thread::sleep(RETRY_PAUSE);
        self.0 <= MAX_FAILURES
    }
}

#[cfg(test)]
mod tests;
