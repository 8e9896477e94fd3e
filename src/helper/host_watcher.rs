//! The thread that ends this process when the host process is gone, whatever the login waits for.
//!
//! It starts inside the sandbox, which can be entered only while the process has one thread. Before that, the
//! intermediate process kills the helper of a host process that has ended, and the module kills a helper that
//! it no longer needs. Ending the process from a thread is safe: no other thread holds anything that outlives
//! the process.
#![forbid(unsafe_code)]

use std::{
    sync::{Arc, OnceLock},
    thread::Builder,
};

use super::{module_link::ModuleLink, panics::catch_panic};
use crate::{auth_log::AuthLog, sys};

/// The thread's stack. It is set here because `RUST_MIN_STACK` would otherwise decide.
const STACK: usize = 256 * 1024;

/// Starts the thread.
pub fn start(link: &Arc<ModuleLink>, log: &Arc<OnceLock<AuthLog>>) -> Result<(), String> {
    let (link, log) = (Arc::clone(link), Arc::clone(log));
    let thread = Builder::new()
        .name("host".into())
        .stack_size(STACK)
        .spawn(move || {
            watch(&log, || link.wait_for_disconnect());
            // Also after a panic: no login continues without this thread.
            sys::exit_now();
        });
    thread
        .map(drop)
        .map_err(|error| format!("cannot start a thread: {error}"))
}

/// Waits until the host process is gone, and logs that it disconnected.
pub(super) fn watch(log: &OnceLock<AuthLog>, wait: impl FnOnce()) {
    catch_panic(log, || {
        wait();
        if let Some(log) = log.get() {
            log.disconnected();
        }
    });
}
