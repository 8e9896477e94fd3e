//! One thread of a process, stopped: as whoever owns its control group may stop it.

use rustix::process::Pid;
use std::fs::{read_dir, read_to_string};
use std::io::Error;
use std::time::{Duration, Instant};

/// Longer than a thread takes to begin, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A thread that stands still. It goes on when this is dropped, which must be where it was stopped.
#[derive(Debug)]
pub struct Frozen(libc::pid_t);

impl Frozen {
    /// Stops the one that has this name, once there is one. A process's first is named as its program.
    pub fn named(process: Pid, name: &str) -> Self {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(thread) = find(process, name) {
                return Self::thread(thread);
            }
            assert!(Instant::now() < until, "no thread {name}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Stops this one.
    pub fn thread(thread: Pid) -> Self {
        let thread = thread.as_raw_nonzero().get();
        let ask = |what: libc::c_uint| {
            // SAFETY: numbers only; a thread that is attached to goes on when this process ends.
            unsafe { libc::ptrace(what, thread, 0, 0) }
        };
        let seized = ask(libc::PTRACE_SEIZE);
        assert_eq!(seized, 0, "seize {thread}: {}", Error::last_os_error());
        let halted = ask(libc::PTRACE_INTERRUPT);
        assert_eq!(halted, 0, "halt {thread}: {}", Error::last_os_error());
        let mut status = 0;
        // SAFETY: `status` is a valid place.
        let waited = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
        assert_eq!(waited, thread, "{}", Error::last_os_error());
        assert!(libc::WIFSTOPPED(status), "{thread} has ended: {status}");
        Self(thread)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let mut status = 0;
        // SAFETY: numbers, and a valid place. One that has ended with its process meanwhile is waited for:
        // else the process could not be reaped.
        unsafe {
            if libc::ptrace(libc::PTRACE_DETACH, self.0, 0, 0) < 0 {
                libc::waitpid(self.0, &raw mut status, libc::__WALL);
            }
        }
    }
}

fn find(process: Pid, name: &str) -> Option<Pid> {
    let process = process.as_raw_nonzero();
    let tasks = read_dir(format!("/proc/{process}/task")).ok()?.flatten();
    let mut named = tasks.filter(|task| {
        let told = read_to_string(task.path().join("comm"));
        told.is_ok_and(|told| told.trim_end() == name)
    });
    let number = named.next()?.file_name().to_str()?.parse().ok()?;
    Pid::from_raw(number)
}
