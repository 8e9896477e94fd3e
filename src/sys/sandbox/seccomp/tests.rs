use super::{
    enforce,
    lists::{ALWAYS_REFUSED, FIRST_UNKNOWN, KILL_SYSCALLS},
};

/// The result of a system call with the filter installed, in a child process.
#[derive(Debug, PartialEq, Eq)]
enum CallResult {
    Done,
    Error(i32),
    Signal(i32),
}

/// The exit status of the child for success; larger than any errno.
const DONE: i32 = 200;

fn call(number: libc::c_long, arguments: [libc::c_long; 3]) -> CallResult {
    // SAFETY: the child makes system calls and allocates the filter, which glibc's fork allows.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let [one, two, three] = arguments;
        // SAFETY: null pointers and arbitrary numbers; the child exits here in any case.
        unsafe {
            // Other tests may have used up all descriptors.
            libc::syscall(libc::SYS_close_range, 3, libc::c_int::MAX, 0);
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if enforce().is_err() {
                libc::_exit(DONE + 1);
            }
            if libc::syscall(number, one, two, three, 0, 0, 0) >= 0 {
                libc::_exit(DONE);
            }
            libc::_exit(*libc::__errno_location());
        }
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a valid address for its status.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(ended, child, "call {number}");
    if libc::WIFSIGNALED(status) {
        return CallResult::Signal(libc::WTERMSIG(status));
    }
    match libc::WEXITSTATUS(status) {
        DONE => CallResult::Done,
        errno => CallResult::Error(errno),
    }
}

#[test]
fn each_listed_call_kills_the_process() {
    for number in KILL_SYSCALLS {
        assert_eq!(
            call(*number, [0; 3]),
            CallResult::Signal(libc::SIGSYS),
            "call {number}"
        );
    }
}

#[test]
fn each_call_with_a_fallback_is_refused() {
    for (number, errno) in ALWAYS_REFUSED {
        assert_eq!(
            call(*number, [0; 3]),
            CallResult::Error(*errno),
            "call {number}"
        );
    }
    for number in [FIRST_UNKNOWN, 470, 1000] {
        assert_eq!(
            call(number, [0; 3]),
            CallResult::Error(libc::ENOSYS),
            "{number}"
        );
    }
}

#[test]
fn arguments_are_checked() {
    const TIOCSTI: libc::c_long = 0x5412;
    const TIOCLINUX: libc::c_long = 0x541c;
    let killed = CallResult::Signal(libc::SIGSYS);
    for command in [TIOCSTI, TIOCLINUX] {
        assert_eq!(call(libc::SYS_ioctl, [99, command, 0]), killed);
    }
    assert_eq!(
        call(libc::SYS_ioctl, [99, 0x541b, 0]),
        CallResult::Error(libc::EBADF),
        "FIONREAD"
    );
    for signal in [libc::SYS_kill, libc::SYS_tgkill] {
        assert_eq!(call(signal, [1, 1, 0]), killed, "to init");
        // To the process group, and to all processes.
        assert_eq!(call(signal, [0, 0, 0]), killed);
        assert_eq!(call(signal, [-1, 0, 0]), killed);
    }
    // The limits of another process, and reading its own.
    assert_eq!(
        call(libc::SYS_prlimit64, [1, 0, 0]),
        CallResult::Error(libc::EPERM)
    );
    assert_eq!(call(libc::SYS_prlimit64, [0, 0, 0]), CallResult::Done);
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let (stream, datagram) = (libc::SOCK_STREAM | flags, libc::SOCK_DGRAM | flags);
    for (family, kind, protocol, expected) in [
        (libc::AF_INET, stream, 0, CallResult::Done),
        (libc::AF_INET6, stream, libc::IPPROTO_TCP, CallResult::Done),
        (libc::AF_INET, datagram, 0, CallResult::Done),
        (libc::AF_INET, datagram, libc::IPPROTO_UDP, CallResult::Done),
        (libc::AF_UNIX, stream, 0, CallResult::Done),
        (libc::AF_NETLINK, datagram, 0, CallResult::Done),
        (
            libc::AF_INET,
            stream,
            libc::IPPROTO_MPTCP,
            CallResult::Error(libc::EPROTONOSUPPORT),
        ),
        (
            libc::AF_INET6,
            stream,
            libc::IPPROTO_SCTP,
            CallResult::Error(libc::EPROTONOSUPPORT),
        ),
        (
            libc::AF_INET,
            libc::SOCK_RAW,
            1,
            CallResult::Error(libc::EAFNOSUPPORT),
        ),
        (
            libc::AF_INET,
            libc::SOCK_SEQPACKET,
            0,
            CallResult::Error(libc::EAFNOSUPPORT),
        ),
        (
            libc::AF_VSOCK,
            stream,
            0,
            CallResult::Error(libc::EAFNOSUPPORT),
        ),
        (
            libc::AF_PACKET,
            datagram,
            0,
            CallResult::Error(libc::EAFNOSUPPORT),
        ),
        (
            libc::AF_ALG,
            libc::SOCK_SEQPACKET,
            0,
            CallResult::Error(libc::EAFNOSUPPORT),
        ),
        (43, stream, 0, CallResult::Error(libc::EAFNOSUPPORT)),
    ] {
        let result = call(libc::SYS_socket, [family, kind, protocol].map(Into::into));
        assert_eq!(
            result, expected,
            "family {family}, kind {kind}, protocol {protocol}"
        );
    }
    // Connecting while sending.
    let fast = libc::MSG_FASTOPEN.into();
    assert_eq!(
        call(libc::SYS_sendmsg, [99, 0, fast]),
        CallResult::Error(libc::EPERM)
    );
    assert_eq!(
        call(libc::SYS_sendmsg, [99, 0, 0]),
        CallResult::Error(libc::EBADF)
    );
    assert_eq!(call(libc::SYS_getpid, [0; 3]), CallResult::Done);
}

/// The owner of a descriptor gets signals, which the rule for `kill` does not cover.
#[test]
fn a_descriptor_cannot_signal_another_process() {
    let fcntl = |command: i32| call(libc::SYS_fcntl, [99, command.into(), 1]);
    let ioctl = |request| call(libc::SYS_ioctl, [99, request, 0]);
    let (refused, reached) = (
        CallResult::Error(libc::EPERM),
        CallResult::Error(libc::EBADF),
    );
    for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX] {
        assert_eq!(fcntl(command), refused, "command {command}");
    }
    for request in [FIOSETOWN, SIOCSPGRP, FIOASYNC] {
        assert_eq!(ioctl(request), refused, "request {request:#x}");
    }
    // Used to set up sockets.
    for command in [
        libc::F_SETFL,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_OFD_SETLK,
    ] {
        assert_eq!(fcntl(command), reached, "command {command}");
    }
    let nonblocking = libc::c_long::try_from(libc::FIONBIO).expect("a request");
    assert_eq!(ioctl(nonblocking), reached, "FIONBIO");
}

// Named as in the headers of the kernel; libc defines only F_SETOWN for glibc.
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: libc::c_long = 0x8901;
const SIOCSPGRP: libc::c_long = 0x8902;
#[cfg(not(target_arch = "powerpc64"))]
const FIOASYNC: libc::c_long = 0x5452;
#[cfg(target_arch = "powerpc64")]
const FIOASYNC: libc::c_long = 0x8004_667d;
