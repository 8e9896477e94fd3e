//! The person, as far away as the module: questions out and answers in, over the wire.
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

/// Nobody sits at one prompt for longer. The host mostly gives up before (`LoginGraceTime`,
/// sudo's `passwd_timeout`), and a code dies sooner.
const LONGEST_PROMPT: Duration = Duration::from_secs(3600);

/// How often in a row the wire may fail without its end being there, and the pause between.
const FAILURES: u32 = 100;
const BREATH: Duration = Duration::from_millis(10);

/// What is done once when no answer has come after so long.
type Idle<'a> = (Duration, &'a mut dyn FnMut());

/// The module's end of the wire.
pub struct Remote {
    wire: Arc<OwnedFd>,
    /// What the module may have to wait after an answer, in milliseconds.
    wait: AtomicU64,
}

impl Remote {
    pub fn new(wire: OwnedFd) -> Self {
        Self {
            wire: Arc::new(wire),
            wait: AtomicU64::new(protocol::FIRST_WAIT_MS.into()),
        }
    }

    /// The wire, to see when the module has gone.
    pub fn wire(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.wire)
    }

    /// Sets what the module may have to wait after each answer.
    pub fn set_wait(&self, wait: Duration) {
        let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.wait.store(wait, Ordering::Relaxed);
    }

    /// Says something, and whether that has worked. A module that is gone is noticed elsewhere.
    pub fn send(&self, message: &FromHelper, wait: Duration) -> bool {
        let wait = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let message = message.encode(wait);
        let mut patience = Patience::default();
        while let Err(errno) = rustix::net::send(&self.wire, &message, SendFlags::NOSIGNAL) {
            if is_gone(errno) || patience.is_over() {
                return false;
            }
        }
        true
    }

    /// Waits for one message. `None`: it did not come, was too long, or the module is gone.
    pub fn receive(&self, patience: Duration) -> Option<Zeroizing<Vec<u8>>> {
        let by = Deadline::within(patience);
        let mut patience = Patience::default();
        let mut buffer = Zeroizing::new(vec![0; protocol::MAX_MESSAGE]);
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let length = loop {
            wait(&mut [PollFd::new(&self.wire, PollFlags::IN)], by)?;
            match rustix::net::recv(&self.wire, buffer.as_mut_slice(), flags) {
                Ok((_, length)) => break length,
                Err(errno) if is_gone(errno) || patience.is_over() => return None,
                Err(_) => {}
            }
        };
        // An empty message looks like the end, and is never sent.
        if length == 0 || length > buffer.len() {
            return None;
        }
        buffer.truncate(length);
        Some(buffer)
    }

    /// Waits until the module is gone.
    pub fn wait_for_end(&self) {
        let mut ends = [PollFd::new(&self.wire, PollFlags::RDHUP)];
        while wait(&mut ends, Deadline::within(LONGEST_PROMPT)).is_none() {}
    }

    /// Whether an answer has come, or the module has gone.
    fn is_answered_within(&self, time: Duration) -> bool {
        let mut ends = [PollFd::new(&self.wire, PollFlags::IN)];
        wait(&mut ends, Deadline::within(time)).is_some()
    }

    fn ask(&self, style: Style, prompt: &str, idle: Option<Idle<'_>>) -> PromptReply {
        let wait = Duration::from_millis(self.wait.load(Ordering::Relaxed));
        self.send(&FromHelper::Prompt(style, prompt), wait);
        if let Some((after, act)) = idle {
            if !self.is_answered_within(after) {
                act();
            }
        }
        let message = self.receive(LONGEST_PROMPT);
        let Some(message) = message else {
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

impl Conversation for &Remote {
    fn prompt_password(
        &mut self,
        prompt: &str,
        after: Duration,
        idle: &mut dyn FnMut(),
    ) -> PromptReply {
        self.ask(Style::Password, prompt, Some((after, idle)))
    }

    fn prompt_code(&mut self, prompt: &str, echo: bool) -> PromptReply {
        let style = if echo { Style::Visible } else { Style::Hidden };
        self.ask(style, prompt, None)
    }

    fn show_info(&mut self, text: &str) -> bool {
        let wait = Duration::from_millis(self.wait.load(Ordering::Relaxed));
        self.send(&FromHelper::ShowInfo(text), wait)
    }
}

/// Whether the module is gone, and every further try in vain.
const fn is_gone(errno: Errno) -> bool {
    matches!(errno, Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN)
}

/// With a system that could not just now (no memory, mostly): it is asked again, and not for ever.
#[derive(Default)]
struct Patience(u32);

impl Patience {
    /// After each failure; waits a little.
    fn is_over(&mut self) -> bool {
        self.0 = self.0.saturating_add(1);
        std::thread::sleep(BREATH);
        self.0 > FAILURES
    }
}

/// Waits for something on one of these, or its end. `None`: not in time.
fn wait(ends: &mut [PollFd], by: Deadline) -> Option<()> {
    let mut patience = Patience::default();
    loop {
        // Longer than any of our waits, should it not fit.
        let left = Timespec::try_from(by.left()).unwrap_or(Timespec {
            tv_sec: 3600,
            tv_nsec: 0,
        });
        match poll(ends, Some(&left)) {
            Ok(0) if by.is_over() => return None,
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Some(()),
            Err(_) if by.is_over() || patience.is_over() => return None,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
