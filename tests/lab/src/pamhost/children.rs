//! How a host treats children, which it may have of its own: it ignores, reaps, counts or waits for them.

use super::pipe::say;
use serde_json::{Value, json};
use std::ffi::c_int;
use std::io::Error;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many times SIGCHLD has come.
static SIGNALS: AtomicU32 = AtomicU32::new(0);

/// Whether this host waits for its children at each message and at its end, and how many came.
static WAITS: AtomicBool = AtomicBool::new(false);
static REAPED: AtomicU32 = AtomicU32::new(0);

/// Longer than any test of such a host takes: one that waits for ever is ended by SIGALRM.
const LONGEST: u32 = 30;

/// Sets what the request says of `sigchld`, and whether orphans of the host's children are its own.
pub fn prepare(request: &Value) {
    let how = request["sigchld"].as_str().unwrap_or_default();
    let (handler, flags) = match how {
        "ignore" => (libc::SIG_IGN, 0),
        "no-wait" => (libc::SIG_DFL, libc::SA_NOCLDWAIT),
        "reap" => (address(reap), libc::SA_RESTART),
        "count" | "wait" => (address(count), libc::SA_RESTART),
        _ => return,
    };
    // SAFETY: the handlers do what handlers may; alarm and prctl take numbers.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut());
        if how == "wait" {
            libc::alarm(LONGEST);
        }
        if request["subreaper"] == true {
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
        }
    }
    WAITS.store(how == "wait", Ordering::Relaxed);
    SIGNALS.store(0, Ordering::Relaxed);
}

fn address(handler: extern "C" fn(c_int)) -> libc::sighandler_t {
    handler as libc::sighandler_t
}

/// Takes whatever child has ended, as a host with children of its own might.
extern "C" fn reap(_signal: c_int) {
    // SAFETY: waitpid is async-signal-safe and takes a null status.
    unsafe { while libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) > 0 {} }
}

extern "C" fn count(_signal: c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Waits for all children, as vsftpd does while a login is going on.
pub fn wait() {
    if !WAITS.load(Ordering::Relaxed) {
        return;
    }
    loop {
        // SAFETY: waitpid takes a null status.
        let child = unsafe { libc::waitpid(-1, ptr::null_mut(), 0) };
        if child > 0 {
            REAPED.fetch_add(1, Ordering::Relaxed);
        } else if Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return;
        }
    }
}

/// Notes what this host has seen of children, all of which are a module's: how many signals came, how
/// many children it has waited for, and how `wait(-1)` ends now.
pub fn report() {
    wait();
    // SAFETY: waitpid takes a null status.
    let child = unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) };
    let error = Error::last_os_error().raw_os_error();
    say(&json!({
        "note": "children",
        "signals": SIGNALS.load(Ordering::Relaxed),
        "reaped": REAPED.load(Ordering::Relaxed),
        "none": child == -1 && error == Some(libc::ECHILD),
    }));
}
