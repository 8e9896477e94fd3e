//! A heap allocator that wipes memory before it is freed.
//!
//! The types of this project wipe their secrets themselves; libraries do not: LDAP requests, TLS records,
//! the settings parser, each buffer that grew. With this allocator no secret remains in freed memory.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system allocator, with `dealloc` wiping first. A program selects it with `#[global_allocator]`.
#[derive(Debug)]
pub struct ZeroizingAllocator;

// SAFETY: every call is passed on unchanged, and memory is wiped before it is freed. `realloc` is that of
// the trait: `alloc`, a copy, and `dealloc`.
unsafe impl GlobalAlloc for ZeroizingAllocator {
    /// # Safety
    /// As in the trait.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc(layout) }
    }

    /// # Safety
    /// As in the trait.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: guaranteed by the caller.
        unsafe { System.alloc_zeroed(layout) }
    }

    /// # Safety
    /// As in the trait.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: guaranteed by the caller: `memory` has this layout and is no longer used. The compiler
        // may remove plain writes before a `free`, but not this call (explicit_bzero(3)).
        unsafe {
            libc::explicit_bzero(memory.cast(), layout.size());
            System.dealloc(memory, layout);
        }
    }
}

/// Makes all threads share one arena of glibc. With one arena per thread, each thread would touch new pages
/// for the little memory that a login needs. Called before the first thread is started.
pub(super) fn use_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers (mallopt(3)), and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
