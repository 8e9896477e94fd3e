//! Hosts in which more than one login happens: one after the other, in two threads, on both sides of a
//! fork, or with hardly a descriptor left.

use super::child::{end, set_item, start};
use super::ffi::{self, Handle};
use super::pipe::{say, share, turn};
use serde_json::{Value, json};
use std::ffi::{CString, c_int};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// So many times a handle, a login and the handle's end: all of them the same code, which is returned.
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

/// What this process holds: bytes from malloc, and bytes in memory that are its own.
pub fn measure() {
    // SAFETY: mallinfo2 only counts.
    let heap = unsafe { libc::mallinfo2() };
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let anonymous = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let anonymous = anonymous.and_then(|kb| kb.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    let anonymous = anonymous.expect("RssAnon") << 10;
    let heap = heap.uordblks + heap.hblkhd;
    say(&json!({ "note": "memory", "heap": heap, "anonymous": anonymous }));
}

/// A login for each of these names, in threads and on handles of their own, at once.
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
                say(&json!({ "result": code, "micros": 0 }));
            });
        }
    });
    settle();
}

/// Threads that were joined are gone only a little later; one that is not ours would stay.
pub fn settle() {
    let until = Instant::now() + Duration::from_secs(2);
    let many = || std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    while many() > 1 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Forks: the child has a login for this name, this process at the same time for its own.
pub fn forked(handle: *mut Handle, flags: c_int, name: &str) {
    let _sharing = share();
    let both = || {
        let code = authenticate(handle, flags);
        let _turn = turn();
        say(&json!({ "result": code, "micros": 0 }));
    };
    // SAFETY: this process has one thread, so its copy may do whatever it may.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "no fork");
    if child == 0 {
        let name = CString::new(name).expect("a name");
        set_item(handle, ffi::ITEM_USER, &name);
        both();
        // SAFETY: nothing that the parent shares is tidied up twice.
        unsafe { libc::_exit(0) };
    }
    both();
    let mut status = -1;
    // SAFETY: waits for the child that was just made; the status is written to a place of ours.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(status, 0, "the forked half failed");
}

/// A login with so many descriptors left.
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
    // SAFETY: the callers have started the handle and not ended it.
    unsafe { ffi::pam_authenticate(handle, flags) }
}
