//! Panics: one is logged with its place, and ends this login without a success.
#![forbid(unsafe_code)]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, OnceLock, PoisonError},
};

use super::failures;
use crate::auth_log::AuthLog;

/// Where the last panic was. Its message is not kept, because it may contain secrets.
static LAST_PANIC: Mutex<Option<(String, u32)>> = Mutex::new(None);

/// Replaces the default hook, which prints the message.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) =
            info.location().map(|at| (at.file().to_owned(), at.line()));
    }));
}

/// Runs a function that may panic. `None`: it panicked, which is logged if there is a log already.
pub fn catch_panic<T>(log: &OnceLock<AuthLog>, act: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(result) => Some(result),
        Err(payload) => {
            // Dropping the payload may panic again.
            std::mem::forget(payload);
            if let Some(log) = log.get() {
                let mut last = LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner);
                let (file, line) = last.take().unwrap_or_default();
                drop(last);
                log.failed(&failures::panicked(&file, line));
            }
            None
        }
    }
}
