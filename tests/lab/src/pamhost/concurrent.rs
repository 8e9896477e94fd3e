//! Steps with several logins or with few resources: logins one after the other, in several threads, in a
//! host and its fork, and with few descriptors left.

use super::child::{end, set_item, start};
use super::ffi::{self, Handle};
use super::pipe::{send, share, turn};
use serde_json::{Value, json};
use std::ffi::{CString, c_int};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Repeats `pam_start`, a login and `pam_end`. All logins must return the same code, which is returned.
pub fn rounds(request: &Value, flags: c_int, many: u64) -> c_int {
    let mut codes = (0..many).map(|_| {
        let handle = start(request);
        let code = authenticate(handle, flags);
        end(handle, code);
        code
    });
    let first = codes.next().expect("a round");
    for code in codes {
        assert_eq!(code, first, "rounds end differently");
    }
    first
}

/// Reports the memory of this process: allocated bytes, and anonymous resident bytes.
pub fn measure() {
    // SAFETY: mallinfo2 has no preconditions.
    let heap = unsafe { libc::mallinfo2() };
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let anonymous = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let anonymous = anonymous.and_then(|kb| kb.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let anonymous = anonymous.expect("RssAnon") << 10;
    let heap = heap.uordblks + heap.hblkhd;
    send(&json!({ "note": "memory", "heap": heap, "anonymous": anonymous }));
}

/// Runs a login for each of these names at the same time, each in its own thread with its own handle.
pub fn at_once(request: &Value, flags: c_int, names: &[Value]) {
    let ready = Barrier::new(names.len());
    std::thread::scope(|scope| {
        for name in names {
            scope.spawn(|| {
                let mut request = request.clone();
                request["user"] = name.clone();
                let handle = start(&request);
                ready.wait();
                let code = authenticate(handle, flags);
                end(handle, code);
                let _turn = turn();
                send(&json!({ "result": code, "micros": 0 }));
            });
        }
    });
    settle();
}

/// Waits until joined threads have left `/proc`. A thread of the module would stay.
pub fn settle() {
    let until = Instant::now() + Duration::from_secs(2);
    let many = || std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    while many() > 1 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Forks: the child runs a login for this name, and this process at the same time one for its own.
pub fn forked(handle: *mut Handle, flags: c_int, name: &str) {
    let _sharing = share();
    let both = || {
        let code = authenticate(handle, flags);
        let _turn = turn();
        send(&json!({ "result": code, "micros": 0 }));
    };
    // SAFETY: this process has one thread, so its copy may call every function.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork");
    if child == 0 {
        let name = CString::new(name).expect("a name");
        set_item(handle, ffi::ITEM_USER, &name);
        both();
        // SAFETY: exits without running destructors, so nothing shared with the parent is cleaned up twice.
        unsafe { libc::_exit(0) };
    }
    both();
    let mut status = -1;
    // SAFETY: waits for the child created above; the status is written to a local variable.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the forked half failed");
}

/// Runs a login with only this number of free descriptors.
pub fn crowded(handle: *mut Handle, flags: c_int, spare: u64) -> c_int {
    let null = || File::open("/dev/null").map(OwnedFd::from);
    let mut all: Vec<OwnedFd> = std::iter::from_fn(|| null().ok()).collect();
    let kept = all
        .len()
        .checked_sub(usize::try_from(spare).expect("a number"));
    all.truncate(kept.expect("so many descriptors"));
    authenticate(handle, flags)
}

fn authenticate(handle: *mut Handle, flags: c_int) -> c_int {
    // SAFETY: the handle was started and is not ended.
    unsafe { ffi::pam_authenticate(handle, flags) }
}
