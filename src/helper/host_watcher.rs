//! The thread that ends this process when the host process is gone, whatever the login waits for.
//!
//! It is stopped while the sandbox is entered, which restricts the calling thread only, and started again inside.
//! Ending the process from a thread is safe: no other thread holds anything that outlives the process.
#![forbid(unsafe_code)]

use std::{
    os::fd::OwnedFd,
    sync::{Arc, OnceLock},
    thread::{Builder, JoinHandle},
};

use rustix::event::{EventfdFlags, eventfd};

use super::{
    module_link::{End, ModuleLink},
    panics::catch_panic,
};
use crate::{auth_log::AuthLog, sys};

/// The thread's stack. It is set here because std would otherwise read the environment.
const STACK: usize = 256 * 1024;

/// The running thread.
pub struct HostWatcher {
    thread: JoinHandle<()>,
    stop: Arc<OwnedFd>,
}

impl HostWatcher {
    /// Starts the thread.
    pub fn start(link: &Arc<ModuleLink>, log: &Arc<OnceLock<AuthLog>>) -> Result<Self, String> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Arc::new)
            .map_err(|errno| format!("cannot create an event: {errno}"))?;
        let (link, log, stopped) = (Arc::clone(link), Arc::clone(log), Arc::clone(&stop));
        let thread = Builder::new()
            .name("host".into())
            .stack_size(STACK)
            .spawn(move || {
                // Also after a panic: no login continues without this thread.
                if !is_stopped(&log, || link.wait_for_end(&stopped)) {
                    sys::exit_now();
                }
            });
        let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { thread, stop })
    }

    /// Stops the thread and waits for its end.
    pub fn stop(self) -> Result<(), String> {
        rustix::io::write(&*self.stop, &1_u64.to_ne_bytes())
            .map_err(|errno| format!("cannot write an event: {errno}"))?;
        self.thread
            .join()
            .map_err(|_| "the thread that watches the host panicked".into())
    }
}

/// Waits until the host process is gone, and logs that it disconnected. Returns whether the thread was
/// stopped instead.
pub(super) fn is_stopped(log: &OnceLock<AuthLog>, wait: impl FnOnce() -> End) -> bool {
    let stopped = catch_panic(log, || match wait() {
        End::Stopped => true,
        End::Disconnected => {
            if let Some(log) = log.get() {
                log.disconnected();
            }
            false
        }
    });
    stopped.unwrap_or(false)
}
