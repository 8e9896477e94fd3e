//! Memory for the end of a login, when the host has none left.
//!
//! Rust ends the whole process where an allocation fails, and the process is sshd or sudo. So what
//! malloc(3) refuses is served from a small place of this library's own, which is enough for one
//! login to be refused in good order; who has drawn from it since a login began does not let anybody in. It costs
//! nothing until it is needed: pages that were never written are not there.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::UnsafeCell,
    hint, ptr,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// What is given out at a time, and how whatever is given out is aligned.
const BLOCK: usize = 128;

/// Bits of a word of the list of blocks.
const BITS: usize = u64::BITS as usize;

/// Words of the list: 32 KiB in all. A caller's limits count it even while it is not used, so it is no
/// larger than a refusal needs: what may itself be larger is made so that it can fail.
const WORDS: usize = 4;

/// How often a lock is tried. It is held for some hundred instructions, and in the copy that a fork has
/// made of it perhaps for ever: nobody waits for that.
const TRIES: u32 = 10_000;

#[repr(align(128))]
struct Room(#[allow(dead_code, reason = "written through pointers")] [u8; WORDS * BITS * BLOCK]);

struct Reserve {
    locked: AtomicBool,
    /// How often something was wanted of it, over all.
    drawn: AtomicUsize,
    /// A bit for each block that is out.
    out: UnsafeCell<[u64; WORDS]>,
    room: UnsafeCell<Room>,
}

// SAFETY: `out` is touched under the lock only, and `room` by whoever has got a block of it.
unsafe impl Sync for Reserve {}

#[global_allocator]
static RESERVE: Reserve = Reserve {
    locked: AtomicBool::new(false),
    drawn: AtomicUsize::new(0),
    out: UnsafeCell::new([0; WORDS]),
    room: UnsafeCell::new(Room([0; WORDS * BITS * BLOCK])),
};

/// How often it was needed so far. If that grows in the middle of a login, the host has no memory.
pub fn drawn() -> usize {
    RESERVE.drawn.load(Ordering::Relaxed)
}

impl Reserve {
    /// Does something with the list of blocks. `None`: somebody else does.
    fn with_list<T>(&self, act: impl FnOnce(&mut [u64; WORDS]) -> T) -> Option<T> {
        for _ in 0..TRIES {
            if !self.locked.swap(true, Ordering::Acquire) {
                // SAFETY: nobody else has the lock, and `act` does not allocate.
                let done = act(unsafe { &mut *self.out.get() });
                self.locked.store(false, Ordering::Release);
                return Some(done);
            }
            hint::spin_loop();
        }
        None
    }

    // These stand for themselves: in each place that allocates they would be a tenth of this library.
    #[cold]
    #[inline(never)]
    fn take(&self, layout: Layout) -> *mut u8 {
        // Even if it is too small for that: what was wanted is not there.
        self.drawn.fetch_add(1, Ordering::Relaxed);
        let wanted = blocks(layout);
        if layout.align() > BLOCK {
            return ptr::null_mut();
        }
        let first = self.with_list(|out| {
            let first = free(out, wanted)?;
            mark(out, first, wanted, true);
            Some(first)
        });
        let Some(first) = first.flatten() else {
            return ptr::null_mut();
        };
        // SAFETY: `free` finds blocks within the room only.
        unsafe { self.start().add(first.saturating_mul(BLOCK)) }
    }

    /// Wiped, as it may have held an answer. What cannot be given back just now is lost.
    #[cold]
    #[inline(never)]
    fn give_back(&self, place: *mut u8, layout: Layout) {
        let wanted = blocks(layout);
        // SAFETY: these blocks are the caller's until they are marked as free.
        unsafe { ptr::write_bytes(place, 0, wanted.saturating_mul(BLOCK)) };
        let from = place.addr().saturating_sub(self.start().addr());
        let first = from.checked_div(BLOCK).unwrap_or_default();
        self.with_list(|out| mark(out, first, wanted, false));
    }

    /// # Safety
    /// As [`GlobalAlloc::realloc`], where System did not.
    #[cold]
    #[inline(never)]
    unsafe fn grow(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that so long a layout can be, and two places are not the same. The
        // old one is given back only when there is a new one.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(place, new, layout.size().min(size));
                self.dealloc(place, layout);
            }
            new
        }
    }

    const fn start(&self) -> *mut u8 {
        self.room.get().cast()
    }

    fn holds(&self, place: *mut u8) -> bool {
        let from = place.addr().wrapping_sub(self.start().addr());
        from < size_of::<Room>()
    }
}

fn blocks(layout: Layout) -> usize {
    layout.size().div_ceil(BLOCK)
}

/// The first of so many blocks in a row that are free.
fn free(out: &[u64; WORDS], wanted: usize) -> Option<usize> {
    let mut found = 0_usize;
    for at in 0..WORDS.saturating_mul(BITS) {
        found = if is_out(out, at) {
            0
        } else {
            found.saturating_add(1)
        };
        if found == wanted {
            return Some(at.saturating_add(1).saturating_sub(wanted));
        }
    }
    None
}

fn is_out(out: &[u64; WORDS], at: usize) -> bool {
    out.get(at / BITS).is_none_or(|word| word & bit(at) != 0)
}

fn mark(out: &mut [u64; WORDS], first: usize, wanted: usize, taken: bool) {
    for at in first..first.saturating_add(wanted) {
        if let Some(word) = out.get_mut(at / BITS) {
            *word = if taken {
                *word | bit(at)
            } else {
                *word & !bit(at)
            };
        }
    }
}

const fn bit(at: usize) -> u64 {
    1 << (at % BITS)
}

// SAFETY: what System gives is System's, and goes back there; what it refuses is a row of blocks that
// are nobody else's until they are given back, aligned as was asked for.
unsafe impl GlobalAlloc for Reserve {
    /// # Safety
    /// As the trait says.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let place = unsafe { System.alloc(layout) };
        if place.is_null() {
            return self.take(layout);
        }
        place
    }

    /// # Safety
    /// As the trait says.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let place = unsafe { System.alloc_zeroed(layout) };
        if place.is_null() {
            // All of it is zero that is not out.
            return self.take(layout);
        }
        place
    }

    /// # Safety
    /// As the trait says.
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if self.holds(place) {
            self.give_back(place, layout);
        } else {
            // SAFETY: the caller's promise, and not ours.
            unsafe { System.dealloc(place, layout) };
        }
    }

    /// # Safety
    /// As the trait says.
    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.holds(place) {
            // SAFETY: the caller's promise, and not ours.
            let grown = unsafe { System.realloc(place, layout, size) };
            if !grown.is_null() {
                return grown;
            }
        }
        // SAFETY: the caller's promise, and System has not taken it.
        unsafe { self.grow(place, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    static OWN: Reserve = Reserve {
        locked: AtomicBool::new(false),
        drawn: AtomicUsize::new(0),
        out: UnsafeCell::new([0; WORDS]),
        room: UnsafeCell::new(Room([0; WORDS * BITS * BLOCK])),
    };

    #[test]
    fn what_is_given_back_is_free_again_and_empty() {
        let reserve = &OWN;
        let (one, two) = (reserve.take(layout(1)), reserve.take(layout(1000)));
        assert!(reserve.holds(one) && reserve.holds(two));
        assert_eq!(two.addr() - one.addr(), BLOCK);
        // SAFETY: a thousand bytes, as asked for.
        unsafe { ptr::write_bytes(two, 7, 1000) };
        reserve.give_back(two, layout(1000));
        let again = reserve.take(layout(900));
        assert_eq!(again, two);
        // SAFETY: it has that many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(again, 900) };
        assert!(bytes.iter().all(|byte| *byte == 0));
        assert!(reserve.take(layout(WORDS * BITS * BLOCK)).is_null());
        let aligned = |align| Layout::from_size_align(1, align).unwrap();
        assert!(reserve.take(aligned(2 * BLOCK)).is_null());
        let block = reserve.take(aligned(BLOCK));
        assert_eq!(block.addr() % BLOCK, 0);
        reserve.give_back(block, aligned(BLOCK));
        let end = reserve.start().wrapping_add(WORDS * BITS * BLOCK);
        assert!(reserve.holds(end.wrapping_sub(1)) && !reserve.holds(end));
        // As a fork finds it that was made at the wrong moment.
        reserve.locked.store(true, Ordering::Relaxed);
        assert!(reserve.take(layout(1)).is_null());
        assert_eq!(reserve.drawn.load(Ordering::Relaxed), 7);
    }
}
