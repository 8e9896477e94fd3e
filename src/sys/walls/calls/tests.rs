use super::{
    lists::{ALWAYS_REFUSED, EVIL, NEWER},
    raise,
};

/// How a call ends behind the filter, in a process of its own: with an error, or by a signal.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    Error(i32),
    Signal(i32),
}

/// The whole of what the child says about an error; more than any errno.
const DONE: i32 = 200;

fn behind(number: libc::c_long, arguments: [libc::c_long; 3]) -> End {
    // SAFETY: the child makes system calls, and takes memory for the filter, which glibc's fork sees to.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let [one, two, three] = arguments;
        // SAFETY: null pointers and numbers that mean nothing; the child ends here in any case.
        unsafe {
            // Other tests may have taken all descriptors that there are.
            libc::syscall(libc::SYS_close_range, 3, libc::c_int::MAX, 0);
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if raise().is_err() {
                libc::_exit(DONE + 1);
            }
            if libc::syscall(number, one, two, three, 0, 0, 0) >= 0 {
                libc::_exit(DONE);
            }
            libc::_exit(*libc::__errno_location());
        }
    }
    let mut status = 0;
    // SAFETY: our own child, and a place for its status.
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(ended, child, "call {number}");
    if libc::WIFSIGNALED(status) {
        return End::Signal(libc::WTERMSIG(status));
    }
    match libc::WEXITSTATUS(status) {
        DONE => End::Done,
        errno => End::Error(errno),
    }
}

#[test]
fn each_evil_call_ends_it() {
    for number in EVIL {
        assert_eq!(
            behind(*number, [0; 3]),
            End::Signal(libc::SIGSYS),
            "call {number}"
        );
    }
}

#[test]
fn each_other_one_is_refused() {
    for (number, errno) in ALWAYS_REFUSED {
        assert_eq!(behind(*number, [0; 3]), End::Error(*errno), "call {number}");
    }
    for number in [NEWER, 470, 1000] {
        assert_eq!(behind(number, [0; 3]), End::Error(libc::ENOSYS), "{number}");
    }
}

#[test]
fn arguments_are_judged() {
    const TYPE_INTO_A_TERMINAL: libc::c_long = 0x5412;
    const LINUX_TERMINAL: libc::c_long = 0x541c;
    let killed = End::Signal(libc::SIGSYS);
    for command in [TYPE_INTO_A_TERMINAL, LINUX_TERMINAL] {
        assert_eq!(behind(libc::SYS_ioctl, [99, command, 0]), killed);
    }
    assert_eq!(
        behind(libc::SYS_ioctl, [99, 0x541b, 0]),
        End::Error(libc::EBADF),
        "how much can be read"
    );
    for signal in [libc::SYS_kill, libc::SYS_tgkill] {
        assert_eq!(behind(signal, [1, 1, 0]), killed, "to init");
        // To a whole process group, and to everybody.
        assert_eq!(behind(signal, [0, 0, 0]), killed);
        assert_eq!(behind(signal, [-1, 0, 0]), killed);
    }
    // Whose limits these are, and that they are only read.
    assert_eq!(
        behind(libc::SYS_prlimit64, [1, 0, 0]),
        End::Error(libc::EPERM)
    );
    assert_eq!(behind(libc::SYS_prlimit64, [0, 0, 0]), End::Done);
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let (stream, datagram) = (libc::SOCK_STREAM | flags, libc::SOCK_DGRAM | flags);
    for (family, kind, protocol, end) in [
        (libc::AF_INET, stream, 0, End::Done),
        (libc::AF_INET6, stream, libc::IPPROTO_TCP, End::Done),
        (libc::AF_INET, datagram, 0, End::Done),
        (libc::AF_INET, datagram, libc::IPPROTO_UDP, End::Done),
        (libc::AF_UNIX, stream, 0, End::Done),
        (libc::AF_NETLINK, datagram, 0, End::Done),
        (
            libc::AF_INET,
            stream,
            libc::IPPROTO_MPTCP,
            End::Error(libc::EPROTONOSUPPORT),
        ),
        (
            libc::AF_INET6,
            stream,
            libc::IPPROTO_SCTP,
            End::Error(libc::EPROTONOSUPPORT),
        ),
        (
            libc::AF_INET,
            libc::SOCK_RAW,
            1,
            End::Error(libc::EAFNOSUPPORT),
        ),
        (
            libc::AF_INET,
            libc::SOCK_SEQPACKET,
            0,
            End::Error(libc::EAFNOSUPPORT),
        ),
        (libc::AF_VSOCK, stream, 0, End::Error(libc::EAFNOSUPPORT)),
        (libc::AF_PACKET, datagram, 0, End::Error(libc::EAFNOSUPPORT)),
        (
            libc::AF_ALG,
            libc::SOCK_SEQPACKET,
            0,
            End::Error(libc::EAFNOSUPPORT),
        ),
        (43, stream, 0, End::Error(libc::EAFNOSUPPORT)),
    ] {
        let seen = behind(libc::SYS_socket, [family, kind, protocol].map(Into::into));
        assert_eq!(
            seen, end,
            "family {family}, kind {kind}, protocol {protocol}"
        );
    }
    // Connecting by the way.
    let fast = libc::MSG_FASTOPEN.into();
    assert_eq!(
        behind(libc::SYS_sendmsg, [99, 0, fast]),
        End::Error(libc::EPERM)
    );
    assert_eq!(
        behind(libc::SYS_sendmsg, [99, 0, 0]),
        End::Error(libc::EBADF)
    );
    assert_eq!(behind(libc::SYS_getpid, [0; 3]), End::Done);
}

/// A descriptor's owner gets signals that the filter for `kill` does not see.
#[test]
fn no_descriptor_signals_another_process() {
    let fcntl = |command: i32| behind(libc::SYS_fcntl, [99, command.into(), 1]);
    let ioctl = |request| behind(libc::SYS_ioctl, [99, request, 0]);
    let (refused, reached) = (End::Error(libc::EPERM), End::Error(libc::EBADF));
    for command in [libc::F_SETOWN, F_SETSIG, F_SETOWN_EX] {
        assert_eq!(fcntl(command), refused, "command {command}");
    }
    for request in [FIOSETOWN, SIOCSPGRP, FIOASYNC] {
        assert_eq!(ioctl(request), refused, "request {request:#x}");
    }
    // What sockets are set up with.
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

// By their names in the kernel's headers; libc has F_SETOWN alone of them for glibc.
const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: libc::c_long = 0x8901;
const SIOCSPGRP: libc::c_long = 0x8902;
#[cfg(not(target_arch = "powerpc64"))]
const FIOASYNC: libc::c_long = 0x5452;
#[cfg(target_arch = "powerpc64")]
const FIOASYNC: libc::c_long = 0x8004_667d;
