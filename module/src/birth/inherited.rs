//! What the copy of a host has inherited of its caller, and makes its own before it executes the
//! helper: signals and limits. Raw system calls only, as all of [`birth`](super).

use std::ptr;

/// Bytes of a set of signals in the kernel.
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
const SIGNAL_SET: usize = 16;
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
const SIGNAL_SET: usize = 8;

/// `exec` keeps what is ignored and what is blocked: both go. Raw calls here too: since glibc 2.41
/// `sigaction(3)` takes a lock that another thread of the host may have held.
pub fn signals() {
    // A kernel sigaction of zeros is SIG_DFL without flags (64 bytes hold every architecture's),
    // and a kernel sigset of zeros is empty.
    let nothing = [0_u64; 8];
    let no_old = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads at most the array and writes nothing; SIGKILL and SIGSTOP cannot be
    // changed, nor need be.
    unsafe {
        for signal in 1..=64 {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                nothing.as_ptr(),
                no_old,
                SIGNAL_SET,
            );
        }
        let set = libc::SIG_SETMASK;
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            set,
            nothing.as_ptr(),
            no_old,
            SIGNAL_SET,
        );
    }
}

/// Memory for the loader and for the helper's first acts: a caller's `ulimit -v` or `-s` can be enough
/// for his su and not for them. And a stack without a limit would let him choose where libraries lie
/// (personality(2), ADDR_COMPAT_LAYOUT). Where the hard limit cannot be raised, it is as near as may be.
pub fn room() {
    const MEGABYTE: u64 = 1 << 20;
    for (resource, value) in [
        (libc::RLIMIT_AS, 1024 * MEGABYTE),
        (libc::RLIMIT_DATA, 512 * MEGABYTE),
        (libc::RLIMIT_STACK, 8 * MEGABYTE),
    ] {
        let mut found = [0_u64; 2];
        let limit = |new: *const u64, old: *mut u64| {
            // SAFETY: prlimit64(2) of this very process: each pointer is null or means two numbers,
            // which are read or written.
            unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, old) }
        };
        if limit(ptr::null(), found.as_mut_ptr()) != 0 {
            continue;
        }
        let [_, hard] = found;
        let raised = [value, hard.max(value)];
        if limit(raised.as_ptr(), ptr::null_mut()) != 0 {
            limit([value.min(hard), hard].as_ptr(), ptr::null_mut());
        }
    }
}
