//! Cleanup at SIGINT, SIGTERM and SIGHUP: servers are stopped and directories removed before the process exits.

use crate::{process, scratch};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

const SIGNALS: [libc::c_int; 3] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP];

/// The end of a pipe to which the handler writes; a thread that cleans up reads the other end.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Installs the handlers.
///
/// Handlers and not blocked signals: child processes would inherit the latter.
pub fn end_tidily() -> io::Result<()> {
    let (wake, mut woken) = UnixStream::pair()?;
    WAKE.store(wake.as_raw_fd(), Ordering::SeqCst);
    thread::spawn(move || {
        let mut signal = [0];
        // Owned by the thread, so that the handler's descriptor stays open.
        let _wake = wake;
        if woken.read_exact(&mut signal).is_ok() {
            process::stop_all();
            scratch::remove_all();
            std::process::exit(128 + i32::from(signal[0]));
        }
    });
    for signal in SIGNALS {
        let handler = wake_up as extern "C" fn(libc::c_int);
        // SAFETY: the handler makes one async-signal-safe call.
        unsafe { libc::signal(signal, handler as libc::sighandler_t) };
    }
    Ok(())
}

extern "C" fn wake_up(signal: libc::c_int) {
    let byte = signal.to_ne_bytes();
    // A signal number fits in one byte, the first one on a little-endian machine.
    let byte = if cfg!(target_endian = "little") {
        byte[0]
    } else {
        byte[3]
    };
    // SAFETY: write(2) is async-signal-safe, and the byte lives through the call.
    unsafe { libc::write(WAKE.load(Ordering::SeqCst), (&raw const byte).cast(), 1) };
}
