//! A heap that forgets: what is given back is wiped first.
//!
//! Our own secrets wipe themselves. Those who carry them for us do not: the LDAP library's requests,
//! TLS records, the parser of the settings, each buffer that grew. With this heap none of it outlives
//! its use, whoever had it.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's heap, wiped on the way back. A program says that it is its own:
/// `#[global_allocator]`.
#[derive(Debug)]
pub struct Forgetful;

// SAFETY: every call goes on to the system's heap as it came, and the room that is wiped is the
// caller's until it is given back. Growing is left to the trait: new room, a copy, and `dealloc`.
unsafe impl GlobalAlloc for Forgetful {
    /// # Safety
    /// As the trait says.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    /// # Safety
    /// As the trait says.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    /// # Safety
    /// As the trait says.
    unsafe fn dealloc(&self, room: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise: `room` is as large and nobody's any more. A plain write before
        // a `free` would be left out by the compiler; this call is not (explicit_bzero(3)).
        unsafe {
            libc::explicit_bzero(room.cast(), layout.size());
            System.dealloc(room, layout);
        }
    }
}

/// Keeps one heap for all threads. glibc would give each thread one of its own, with pages that nobody
/// has touched yet, for the little memory that a login needs. To be called before the first thread.
pub fn one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers (mallopt(3)). No other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
