//! A process in the helper's sandbox that makes one attempt and prints the result.

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use sms_otp::sys::Sandbox;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The first argument that makes this program such a process. It is followed by the attempt, the allowed
/// port, and a path or name for the attempt.
pub const FLAG: &str = "--in-sandbox";

pub fn main(words: &[String]) {
    let [what, port, with] = words else {
        panic!("{FLAG} WHAT PORT WITH");
    };
    let port = port.parse().expect("a port");
    // Not all of `init_process`, which would close stdout.
    sms_otp::sys::set_limits();
    let enter = || Sandbox::probe(vec![port]).and_then(Sandbox::enforce);
    if what == "another-thread" {
        let _idle = std::thread::spawn(|| std::thread::sleep(Duration::from_secs(60)));
        let error = enter().expect_err("a sandbox for one thread of two");
        println!("{error}");
        return;
    }
    enter().expect("the sandbox");
    // In another thread, as most work of the helper.
    let (what, with) = (what.clone(), with.clone());
    let result = std::thread::spawn(move || attempt(&what, port, &with)).join();
    println!("{}", error_name(result.expect("an attempt")));
}

fn error_name(result: io::Result<()>) -> String {
    match result {
        Ok(()) => "done".to_owned(),
        Err(error) => match error.raw_os_error() {
            Some(libc::EACCES) => "EACCES".to_owned(),
            Some(libc::EPERM) => "EPERM".to_owned(),
            Some(libc::ENOSYS) => "ENOSYS".to_owned(),
            Some(libc::EPROTONOSUPPORT) => "EPROTONOSUPPORT".to_owned(),
            Some(libc::EAFNOSUPPORT) => "EAFNOSUPPORT".to_owned(),
            Some(libc::ECONNREFUSED) => "ECONNREFUSED".to_owned(),
            _ => error.to_string(),
        },
    }
}

fn attempt(what: &str, port: u16, with: &str) -> io::Result<()> {
    match what {
        "read" => std::fs::read(with).map(drop),
        "list" => std::fs::read_dir(with).map(drop),
        "write" => std::fs::OpenOptions::new().write(true).open(with).map(drop),
        "create" => std::fs::write(with, "").map(drop),
        "execute" => Err(Command::new(with).exec()),
        "spawn" => Command::new(with).status().map(drop),
        "connect" => TcpStream::connect(("127.0.0.1", port)).map(drop),
        "connect-elsewhere" => {
            let address: SocketAddr = with.parse().expect("an address");
            TcpStream::connect(address).map(drop)
        }
        "multipath" => {
            let address: SocketAddr = with.parse().expect("an address");
            let multipath = rustix::net::Protocol::from_raw(262.try_into().expect("a number"));
            let socket =
                rustix::net::socket(AddressFamily::INET, SocketType::STREAM, Some(multipath))?;
            Ok(rustix::net::connect(&socket, &address)?)
        }
        "fast-open" => {
            let address: SocketAddr = with.parse().expect("an address");
            let socket = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
            let fast = rustix::net::SendFlags::from_bits_retain(0x2000_0000);
            rustix::net::sendto(&socket, b"out", fast, &address)?;
            Ok(())
        }
        "bind" => TcpListener::bind("127.0.0.1:0").map(drop),
        "datagram" => std::net::UdpSocket::bind("127.0.0.1:0").map(drop),
        "name" => {
            use std::net::ToSocketAddrs;
            (with, port).to_socket_addrs().map(drop)
        }
        "user" => match sms_otp::sys::user(with) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(io::Error::other(error)),
        },
        "abstract" => {
            let name = SocketAddrUnix::new_abstract_name(with.as_bytes())?;
            let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
            Ok(rustix::net::connect(&socket, &name)?)
        }
        "socket" => socket(Path::new(with)),
        "memory" => {
            // More than the memory limit.
            let mut all = Vec::new();
            for _ in 0..1024 {
                all.push(vec![1_u8; 1 << 20]);
            }
            std::hint::black_box(all);
            Ok(())
        }
        call => raw(call),
    }
}

fn socket(path: &Path) -> io::Result<()> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    Ok(rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?)
}

const F_SETOWN: usize = 8;

/// Makes a system call, with arguments that have no effect if it is allowed.
fn raw(call: &str) -> io::Result<()> {
    let nothing = 0_usize;
    let page = 4096_usize;
    let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    let (write, execute) = (libc::PROT_WRITE as usize, libc::PROT_EXEC as usize);
    let (number, arguments) = match call {
        "ptrace" => (
            libc::SYS_ptrace,
            [libc::PTRACE_TRACEME as usize, 0, 0, 0, 0, 0],
        ),
        "mount" => (libc::SYS_mount, [nothing; 6]),
        "unshare" => (
            libc::SYS_unshare,
            [libc::CLONE_NEWUSER as usize, 0, 0, 0, 0, 0],
        ),
        "setuid" => (libc::SYS_setuid, [nothing; 6]),
        "setresuid" => (libc::SYS_setresuid, [nothing; 6]),
        "capset" => (libc::SYS_capset, [nothing; 6]),
        "init_module" => (libc::SYS_init_module, [nothing; 6]),
        "bpf" => (libc::SYS_bpf, [nothing; 6]),
        "keyctl" => (libc::SYS_keyctl, [nothing; 6]),
        "io_uring_setup" => (libc::SYS_io_uring_setup, [nothing; 6]),
        "memfd_create" => (libc::SYS_memfd_create, [nothing; 6]),
        "process_vm_readv" => (libc::SYS_process_vm_readv, [nothing; 6]),
        "listen" => (libc::SYS_listen, [99, 0, 0, 0, 0, 0]),
        "kill-parent" => (
            libc::SYS_kill,
            [std::os::unix::process::parent_id() as usize, 0, 0, 0, 0, 0],
        ),
        // Standard input would signal the parent of this process.
        "signal-by-fcntl" => {
            let owner = std::os::unix::process::parent_id() as usize;
            (libc::SYS_fcntl, [0, F_SETOWN, owner, 0, 0, 0])
        }
        "signal-by-ioctl" => (libc::SYS_ioctl, [0, 0x8901, 0, 0, 0, 0]),
        "kill-self" => (libc::SYS_kill, [std::process::id() as usize, 0, 0, 0, 0, 0]),
        "fork" => (libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0, 0, 0]),
        "clone3" => (libc::SYS_clone3, [nothing; 6]),
        "openat2" => (libc::SYS_openat2, [nothing; 6]),
        "x32" => (0x4000_0000 + libc::SYS_getpid, [nothing; 6]),
        "packet-socket" => (
            libc::SYS_socket,
            [
                libc::AF_PACKET as usize,
                libc::SOCK_DGRAM as usize,
                0,
                0,
                0,
                0,
            ],
        ),
        "dumpable" => (
            libc::SYS_prctl,
            [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0, 0],
        ),
        "seccomp" => (libc::SYS_seccomp, [nothing; 6]),
        "limit" => (
            libc::SYS_prlimit64,
            [0, libc::RLIMIT_CORE as usize, 1, 0, 0, 0],
        ),
        "unlink" => (libc::SYS_unlinkat, [nothing; 6]),
        "rename" => (libc::SYS_renameat2, [nothing; 6]),
        "chmod" => (libc::SYS_fchmodat, [nothing; 6]),
        "fchmodat2" => (452, [nothing; 6]),
        "setxattrat" => (463, [nothing; 6]),
        "execute-memory" => (libc::SYS_mmap, [0, page, execute, private, usize::MAX, 0]),
        "write-and-execute" => (
            libc::SYS_mmap,
            [0, page, write | execute, private, usize::MAX, 0],
        ),
        "make-executable" => (libc::SYS_mprotect, [0, page, execute, 0, 0, 0]),
        other => panic!("unknown attempt {other}"),
    };
    let [one, two, three, four, five, six] = arguments;
    // SAFETY: all pointers are null, and new mappings are placed by the kernel.
    if unsafe { libc::syscall(number, one, two, three, four, five, six) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
