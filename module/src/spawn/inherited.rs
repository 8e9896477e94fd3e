//! Resets what the clone of the host process has inherited from its caller: ids, signals and limits.
//! Raw system calls only, as in all of [`spawn`](super).

use std::{ffi::c_int, ptr};

/// The size of a signal set of the kernel, in bytes.
#[cfg(any(target_arch = "mips", target_arch = "mips64"))]
pub(crate) const SIGNAL_SET: usize = 16;
#[cfg(not(any(target_arch = "mips", target_arch = "mips64")))]
pub(crate) const SIGNAL_SET: usize = 8;

/// Sets all ids to those of the effective user. The functions of libc would signal all threads of the
/// host process first, which do not exist in the clone.
pub(crate) fn set_ids(host: u32) -> Result<(), ()> {
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
        // The effective group of su is that of its caller.
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

/// A kernel sigaction of SIG_DFL without flags; 64 bytes are enough on every architecture.
const DEFAULT: [u64; 8] = [0; 8];

/// Resets ignored and blocked signals, which exec would keep. Since glibc 2.41 `sigaction(3)` takes a
/// lock, which another thread of the host process may have held.
pub(crate) fn reset_signals() {
    // The calls for SIGKILL and SIGSTOP fail, which has no effect.
    for signal in 1..=64 {
        default_action(signal);
    }
    set_mask(0);
}

/// Sets the action of a signal to its default.
pub(crate) fn default_action(signal: c_int) {
    let no_old = ptr::null_mut::<u64>();
    // SAFETY: the kernel reads at most the array and writes nothing.
    unsafe {
        let new = DEFAULT.as_ptr();
        libc::syscall(libc::SYS_rt_sigaction, signal, new, no_old, SIGNAL_SET);
    }
}

/// Sets the signal mask: all signals (`u64::MAX`) or none (0).
pub(crate) fn set_mask(each: u64) {
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

/// Sets the memory limits for the dynamic loader and for the helper until it sets its own. A `ulimit -v`
/// or `-s` of the caller may be enough for su, but too small for the helper; and without a stack limit
/// the kernel places libraries at predictable addresses (personality(2), ADDR_COMPAT_LAYOUT). If the hard
/// limit cannot be raised, the value is the hard limit.
pub(crate) fn set_memory_limits() {
    const MEGABYTE: u64 = 1 << 20;
    for (resource, value) in [
        (libc::RLIMIT_AS, 1024 * MEGABYTE),
        (libc::RLIMIT_DATA, 512 * MEGABYTE),
        (libc::RLIMIT_STACK, 8 * MEGABYTE),
    ] {
        let mut current = [0_u64; 2];
        let limit = |new: *const u64, old: *mut u64| {
            // SAFETY: prlimit64(2) of this process: each pointer is null or that of two numbers.
            unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, old) }
        };
        if limit(ptr::null(), current.as_mut_ptr()) != 0 {
            continue;
        }
        let [_, hard] = current;
        let raised = [value, hard.max(value)];
        if limit(raised.as_ptr(), ptr::null_mut()) != 0 {
            limit([value.min(hard), hard].as_ptr(), ptr::null_mut());
        }
    }
}
