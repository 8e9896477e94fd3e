//! The system calls that the filter treats specially, by what an attacker could use them for.

use libc::c_long;

/// Neither the helper nor a name service makes these calls, so a process that makes one is compromised.
pub(super) const KILL_SYSCALLS: &[c_long] = &[
    // Execute another program.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    MEMFD_SECRET,
    // Read, write, trace or signal other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    // Change ids, capabilities or the session.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_capset,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    // Change or inspect the kernel.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_syslog,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_quotactl,
    QUOTACTL_FD,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_lookup_dcookie,
    // Keys, clocks and names of the machine.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Access files without a path, and change directories and attributes.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_vmsplice,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_truncate,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // IPC of System V and POSIX.
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_shmget,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_shmat,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_shmctl,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_semget,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_semctl,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_msgget,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_msgctl,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_semop,
    #[cfg(not(any(
        target_arch = "x86",
        target_arch = "arm",
        target_arch = "s390x",
        target_arch = "powerpc64"
    )))]
    libc::SYS_semtimedop,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_msgsnd,
    #[cfg(not(target_arch = "x86"))]
    libc::SYS_msgrcv,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Act as a server.
    libc::SYS_listen,
    libc::SYS_accept4,
    #[cfg(not(any(target_arch = "s390x", target_arch = "x86")))]
    libc::SYS_accept,
    // Older calls, which only some architectures have.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_fork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_vfork,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rename,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_renameat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_link,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_symlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_unlink,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mkdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_rmdir,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utime,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_utimes,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_futimesat,
];

/// From 424 (Linux 5.1) on, a call has the same number on all architectures that the filter supports; libc
/// defines these on some of them only.
const QUOTACTL_FD: c_long = 443;
const MEMFD_SECRET: c_long = 447;
const FCHMODAT2: c_long = 452;

/// The first call that was added after Linux 6.12 (`setxattrat(2)`). From here on calls fail with ENOSYS,
/// because their effects are not known.
pub(super) const FIRST_UNKNOWN: c_long = 463;

/// Calls that a library may try, and that fail with an error for which it has a fallback.
pub(super) const ALWAYS_REFUSED: &[(c_long, i32)] = &[
    // Their flags are in memory, which a filter cannot read.
    (libc::SYS_clone3, libc::ENOSYS),
    (libc::SYS_openat2, libc::ENOSYS),
    (libc::SYS_seccomp, libc::EPERM),
    (libc::SYS_setpriority, libc::EPERM),
    (libc::SYS_ioprio_set, libc::EPERM),
    (libc::SYS_sched_setparam, libc::EPERM),
    (libc::SYS_sched_setscheduler, libc::EPERM),
    (libc::SYS_sched_setattr, libc::EPERM),
    (libc::SYS_sched_setaffinity, libc::EPERM),
    #[cfg(not(target_arch = "loongarch64"))]
    (libc::SYS_setrlimit, libc::EPERM),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_creat, libc::EACCES),
];

pub(super) const PROTECT: &[c_long] = &[
    libc::SYS_mprotect,
    #[cfg(not(any(target_arch = "powerpc64", target_arch = "s390x")))]
    libc::SYS_pkey_mprotect,
];

#[cfg(not(target_arch = "arm"))]
pub(super) const MMAP: c_long = libc::SYS_mmap;
#[cfg(target_arch = "arm")]
pub(super) const MMAP: c_long = libc::SYS_mmap2;

/// Calls with flags as the second argument.
pub(super) const OPEN: &[c_long] = &[
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
];

/// Calls that take an `fcntl` command as the second argument.
pub(super) const FCNTL: &[c_long] = &[
    libc::SYS_fcntl,
    #[cfg(any(target_arch = "arm", target_arch = "x86"))]
    libc::SYS_fcntl64,
];

/// `fcntl(2)` commands by which a descriptor sends signals to a process of the caller's choice:
/// F_SETOWN, F_SETSIG and F_SETOWN_EX (asm-generic/fcntl.h; equal on all processors that the filter
/// knows). Landlock restricts that only since Linux 6.12.
pub(super) const SIGNAL_OWNER_FCNTL: &[u32] = &[8, 10, 15];

/// `ioctl(2)` requests that do the same: FIOSETOWN and SIOCSPGRP (asm-generic/sockios.h), and FIOASYNC.
pub(super) const SIGNAL_OWNER_IOCTL: &[u32] = &[0x8901, 0x8902, FIOASYNC];

/// asm-generic/ioctls.h, and where it differs: arch/powerpc/include/uapi/asm/ioctls.h.
const FIOASYNC: u32 = if cfg!(target_arch = "powerpc64") {
    0x8004_667d
} else {
    0x5452
};
