//! The thread that ends this process with its host, in every state: in the middle of LDAP or HTTP,
//! too. A thread is enough for that, because no other thread lets go of anything that outlives a
//! process.
#![forbid(unsafe_code)]

use std::{
    os::fd::OwnedFd,
    sync::{Arc, OnceLock},
    thread::{Builder, JoinHandle},
};

use rustix::event::{EventfdFlags, eventfd};

use super::remote::{End, Remote};
use crate::{auth_log::AuthLog, sys};

/// Watches until it is told to rest; else it ends this process. A login that nobody watches does not
/// go on either.
fn watch(remote: &Remote, rest: &OwnedFd, log: &OnceLock<AuthLog>) {
    if !rests(log, || remote.wait_for_end(rest)) {
        sys::exit_now();
    }
}

/// Whether the watch is only at rest. What else has ended it is on the log.
pub(super) fn rests(log: &OnceLock<AuthLog>, wait: impl FnOnce() -> End) -> bool {
    let watched = super::caught(log, || match wait() {
        End::Rest => true,
        End::Gone => {
            if let Some(log) = log.get() {
                log.disconnected();
            }
            false
        }
    });
    watched.unwrap_or(false)
}

pub struct Watch {
    thread: JoinHandle<()>,
    rest: Arc<OwnedFd>,
}

impl Watch {
    /// Begins to watch.
    pub fn begin(remote: &Arc<Remote>, log: &Arc<OnceLock<AuthLog>>) -> Result<Self, String> {
        let rest = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        let rest = Arc::new(rest.map_err(|errno| format!("no descriptor for an event: {errno}"))?);
        let (remote, log) = (Arc::clone(remote), Arc::clone(log));
        let told = Arc::clone(&rest);
        let thread = Builder::new()
            .name("host".into())
            .stack_size(256 * 1024)
            .spawn(move || watch(&remote, &told, &log));
        let thread = thread.map_err(|error| format!("no thread: {error}"))?;
        Ok(Self { thread, rest })
    }

    /// Lets the thread end, for as long as no other may run.
    pub fn rest(self) -> Result<(), String> {
        let one = 1_u64.to_ne_bytes();
        rustix::io::write(&*self.rest, &one).map_err(|errno| format!("an event: {errno}"))?;
        self.thread
            .join()
            .map_err(|_| "the thread that watches the host panicked".into())
    }
}
