//! What the copy of a host process has inherited from its caller, and sets to its own values: ids,
//! signals and limits. Raw system calls only, as in all of [`birth`](super).

use std::{ffi::c_int, ptr};

/// Bytes of a set of signals in the kernel.
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
pub const SIGNAL_SET: usize = 16;
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
pub const SIGNAL_SET: usize = 8;

/// Raw calls, because libc's own would first ask all of the host's threads, which are not here.
pub fn ids(host: u32) -> Result<(), ()> {
    #[cfg(not(any(
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "sparc",
        target_arch = "m68k"
    )))]
    use libc::{SYS_setgroups, SYS_setresgid, SYS_setresuid};
    #[cfg(any(
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "sparc",
        target_arch = "m68k"
    ))]
    use libc::{
        SYS_setgroups32 as SYS_setgroups, SYS_setresgid32 as SYS_setresgid,
        SYS_setresuid32 as SYS_setresuid,
    };
    // SAFETY: getegid(2) cannot fail; the three calls take numbers only, and setgroups an empty
    // list.
    unsafe {
        // Root's group is 0 in every system; su's effective group is its caller's.
        let group = if host == 0 { 0 } else { libc::getegid() };
        if host == 0 && libc::syscall(SYS_setgroups, 0, ptr::null::<libc::gid_t>()) != 0 {
            return Err(());
        }
        if libc::syscall(SYS_setresgid, group, group, group) != 0
            || libc::syscall(SYS_setresuid, host, host, host) != 0
        {
            return Err(());
        }
    }
    Ok(())
}

/// A kernel sigaction of zeros is SIG_DFL without flags; 64 bytes hold every architecture's.
const DEFAULT: [u64; 8] = [0; 8];

/// `exec` keeps what is ignored and what is blocked: both go. Raw calls here too: since glibc 2.41
/// `sigaction(3)` takes a lock that another thread of the host may have held.
pub fn signals() {
    // SIGKILL and SIGSTOP cannot be changed, nor need be.
    for signal in 1..=64 {
        default_action(signal);
    }
    set_mask(0);
}

/// What a signal does by default, whatever the host process had set.
pub fn default_action(signal: c_int) {
    let no_old = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads at most the array and writes nothing.
    unsafe {
        let new = DEFAULT.as_ptr();
        libc::syscall(libc::SYS_rt_sigaction, signal, new, no_old, SIGNAL_SET);
    }
}

/// Blocks every signal (`u64::MAX`) or none (0).
pub fn set_mask(each: u64) {
    let (set, no_old) = ([each; 2], ptr::null_mut::<u64>());
    // SAFETY: the kernel reads at most the array and writes nothing.
    unsafe {
        let how = libc::SIG_SETMASK;
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            set.as_ptr(),
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
