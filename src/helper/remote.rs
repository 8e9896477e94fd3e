//! The person, as far away as the module: questions out and answers in, over the wire.
#![forbid(unsafe_code)]

use std::{
    os::fd::OwnedFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
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

use super::work::Work;
use crate::{
    deadline::{Deadline, Duty, OnDuty, Rest},
    failure::{Failure, FailureKind},
    login::{Conversation, PromptReply},
};

/// Nobody sits at one prompt for longer. The host mostly gives up before (`LoginGraceTime`,
/// sudo's `passwd_timeout`), and a code dies sooner.
const LONGEST_PROMPT: Duration = Duration::from_secs(3600);

/// How often the wire's end is looked at, beside being told: it is told at once.
const TICK: Duration = Duration::from_millis(100);

/// How often in a row the wire may fail without its end being there, and the pause between.
const FAILURES: u32 = 100;
const BREATH: Duration = Duration::from_millis(10);

/// What is done once when no answer has come after so long.
type Idle<'a> = (Duration, &'a mut dyn FnMut());

/// Why nobody watches any more.
pub enum End {
    /// The module is gone.
    Gone,
    /// It was asked for.
    Rest,
}

/// The module's end of the wire.
pub struct Remote {
    wire: Arc<OwnedFd>,
    /// What the module may have to wait after an answer, in milliseconds.
    wait: AtomicU64,
    work: Mutex<Work>,
}

impl Remote {
    pub fn new(wire: OwnedFd) -> Self {
        Self {
            wire: Arc::new(wire),
            wait: AtomicU64::new(protocol::FIRST_WAIT_MS.into()),
            work: Mutex::new(Work::begin()),
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

    /// The login's work begins: from now on this thread is waited for.
    pub fn begin(&self) -> OnDuty {
        *self.work() = Work::begin();
        Duty::begin().take_up()
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the module is gone, or `rest` is to be taken.
    pub fn wait_for_end(&self, rest: &OwnedFd) -> End {
        loop {
            let mut ends = [
                PollFd::new(&self.wire, PollFlags::RDHUP),
                PollFd::new(rest, PollFlags::IN),
            ];
            if wait(&mut ends, Deadline::within(TICK)).is_some() {
                let [wire, _] = ends;
                return if wire.revents().is_empty() {
                    End::Rest
                } else {
                    End::Gone
                };
            }
        }
    }

    /// An outage is what others are to blame for. A caller who can stop this process or one of its
    /// threads (in a control group of his own, say) can let every deadline pass without any of them
    /// being slow, and administrators write `authinfo_unavail=ignore`: so that counts as a fault of
    /// this machine. No time-out is shorter than `shortest`.
    pub fn blame_this_machine(&self, failed: &mut Failure, shortest: Duration) {
        let stood_still = self.work().brought_about(shortest);
        if let (FailureKind::Outage, Some(stood_still)) = (failed.kind, stood_still) {
            failed.kind = FailureKind::Local;
            failed.what = format!(
                "this process stood still for {} ms (stopped, or the machine overloaded or asleep), then: {}",
                stood_still.as_millis(),
                failed.what
            );
        }
    }

    /// How long this process stood still while the person waited for it.
    pub fn stood_still_at_work(&self) -> Duration {
        self.work().late()
    }

    /// Whether an answer has come, or the module has gone.
    fn is_answered_within(&self, time: Duration) -> bool {
        let mut ends = [PollFd::new(&self.wire, PollFlags::IN)];
        wait(&mut ends, Deadline::within(time)).is_some()
    }

    fn ask(&self, style: Style, prompt: &str, idle: Option<Idle<'_>>) -> PromptReply {
        let wait = Duration::from_millis(self.wait.load(Ordering::Relaxed));
        self.send(&FromHelper::Prompt(style, prompt), wait);
        self.work().rest();
        let rest = Rest::begin();
        if let Some((after, act)) = idle {
            if !self.is_answered_within(after) {
                act();
            }
        }
        let message = self.receive(LONGEST_PROMPT);
        drop(rest);
        self.work().resume();
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
