//! The thread that ends this process when its host has gone, whatever the login waits for.
//!
//! It starts inside the sandbox, which can be entered only while the process has one thread. Until then the
//! intermediate process ends the helper of a host that has ended, and the module ends one that it does not
//! need any more. Ending the process from a thread is safe: no other thread holds anything that outlives the
//! process.
#![forbid(unsafe_code)]

use std::{
    sync::{Arc, OnceLock},
    thread::Builder,
};

use super::remote::Remote;
use crate::{auth_log::AuthLog, sys};

/// The thread's stack. Explicit, because `RUST_MIN_STACK` would otherwise change it.
const STACK: usize = 256 * 1024;

/// Starts the thread.
pub fn start(remote: &Arc<Remote>, log: &Arc<OnceLock<AuthLog>>) -> Result<(), String> {
    let (remote, log) = (Arc::clone(remote), Arc::clone(log));
    let thread = Builder::new()
        .name("host".into())
        .stack_size(STACK)
        .spawn(move || {
            watch(&log, || remote.wait_for_end());
            // Also after a panic: a login without this thread does not go on.
            sys::exit_now();
        });
    thread
        .map(drop)
        .map_err(|error| format!("no thread: {error}"))
}

/// Waits until the host has gone, and writes how the login ended.
pub(super) fn watch(log: &OnceLock<AuthLog>, wait: impl FnOnce()) {
    super::caught(log, || {
        wait();
        if let Some(log) = log.get() {
            log.disconnected();
        }
    });
}
