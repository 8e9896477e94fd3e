//! How a host handles SIGCHLD and its children.

use super::pipe::send;
use serde_json::{Value, json};
use std::ffi::c_int;
use std::io::Error;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How many SIGCHLD were received.
static SIGNALS: AtomicU32 = AtomicU32::new(0);

/// Whether this host waits for its children at each message and at its end, and how many it has waited for.
static WAITS: AtomicBool = AtomicBool::new(false);
static REAPED: AtomicU32 = AtomicU32::new(0);

/// Longer than any test of such a host: a wait without end is ended by SIGALRM.
const MAX_RUN: u32 = 30;

/// Applies `sigchld` and `subreaper` of the request.
pub fn prepare(request: &Value) {
    let how = request["sigchld"].as_str().unwrap_or_default();
    let (handler, flags) = match how {
        "ignore" => (libc::SIG_IGN, 0),
        "no-wait" => (libc::SIG_DFL, libc::SA_NOCLDWAIT),
        "reap" => (address(reap), libc::SA_RESTART),
        "count" | "wait" => (address(count), libc::SA_RESTART),
        _ => return,
    };
    // SAFETY: the handlers are async-signal-safe; alarm and prctl take numbers.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigaction(libc::SIGCHLD, &raw const action, ptr::null_mut());
        if how == "wait" {
            libc::alarm(MAX_RUN);
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

/// Reaps all children that have exited, as a host with children of its own may.
extern "C" fn reap(_signal: c_int) {
    // SAFETY: waitpid is async-signal-safe and takes a null status.
    unsafe { while libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) > 0 {} }
}

extern "C" fn count(_signal: c_int) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

/// Waits for all children, as vsftpd does during a login.
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

/// Reports what this host has observed of children, all of which a module has started: the signals, the
/// children that were waited for, and whether there is none left.
pub fn report() {
    wait();
    // SAFETY: waitpid takes a null status.
    let child = unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG) };
    let error = Error::last_os_error().raw_os_error();
    send(&json!({
        "note": "children",
        "signals": SIGNALS.load(Ordering::Relaxed),
        "reaped": REAPED.load(Ordering::Relaxed),
        "none": child == -1 && error == Some(libc::ECHILD),
    }));
}
