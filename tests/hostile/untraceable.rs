//! Only root can trace a helper or read its memory: neither its caller nor the user that it runs as can.

use crate::Case;
use crate::module::login::{Login, PASSWORD};
use crate::module::someone;
use lab::Lab;
use lab::machine::{Account, User};
use lab::pamhost::{PamHost, code};
use lab::process::program;
use rustix::process::{Pid, Resource, Signal, kill_process};
use std::ffi::CString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

pub const CASES: &[Case] = &[
    (
        "hostile::untraceable::the_caller_cannot_trace_it",
        the_caller_cannot_trace_it,
    ),
    (
        "hostile::untraceable::its_own_user_cannot_trace_it",
        its_own_user_cannot_trace_it,
    ),
];

/// An attempt to trace a process or read its memory, by system calls alone, between fork and exec.
type Look = fn(i32, &[CString]) -> i64;

const LOOKS: &[(&str, Look)] = &[
    ("ptrace attach", |pid, _| trace(libc::PTRACE_ATTACH, pid)),
    ("ptrace seize", |pid, _| trace(libc::PTRACE_SEIZE, pid)),
    ("process_vm_readv", |pid, _| {
        let mut byte = 0_u8;
        let here = libc::iovec {
            iov_base: (&raw mut byte).cast(),
            iov_len: 1,
        };
        // The address does not matter: the permission is checked first.
        let there = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(4096),
            iov_len: 1,
        };
        // SAFETY: one valid address to write to; the other one is in another process.
        let read =
            unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
        // EFAULT: permitted, but nothing is mapped there.
        if read < 0 && errno() == libc::EFAULT {
            0
        } else {
            read as i64
        }
    }),
    ("pidfd_getfd", |pid, _| {
        // SAFETY: numbers only.
        unsafe {
            let pidfd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            libc::syscall(libc::SYS_pidfd_getfd, pidfd, 0, 0)
        }
    }),
    ("mem", |_, paths| open(&paths[0])),
    ("environ", |_, paths| open(&paths[1])),
    ("maps", |_, paths| open(&paths[2])),
    ("auxv", |_, paths| open(&paths[3])),
    ("exe", |_, paths| open(&paths[4])),
    ("fd", |_, paths| open(&paths[5])),
];

fn trace(how: libc::c_uint, pid: i32) -> i64 {
    // SAFETY: the traced process is detached when this one exits.
    unsafe { libc::ptrace(how, pid, 0, 0) as i64 }
}

fn open(path: &CString) -> i64 {
    // SAFETY: a C string; the descriptor is closed when this process exits.
    i64::from(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) })
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The names of the attempts of this user that are permitted.
fn permitted(user: &Account, pid: i32) -> Vec<&'static str> {
    let paths: Vec<CString> = ["mem", "environ", "maps", "auxv", "exe", "fd"]
        .iter()
        .map(|name| CString::new(format!("/proc/{pid}/{name}")).expect("a path"))
        .collect();
    let succeeds = |look: Look| {
        let paths = paths.clone();
        let mut command = Command::new(program("true"));
        command.uid(user.uid).gid(user.gid);
        // SAFETY: system calls only.
        unsafe {
            command.pre_exec(move || match look(pid, &paths) {
                ..0 => Err(io::Error::last_os_error()),
                0.. => Ok(()),
            });
        }
        match command.status() {
            Ok(_) => true,
            Err(error) => {
                let refusals = [libc::EPERM, libc::EACCES];
                let code = error.raw_os_error().unwrap_or(0);
                assert!(refusals.contains(&code), "{error}");
                false
            }
        }
    };
    LOOKS
        .iter()
        .filter(|(_, look)| succeeds(*look))
        .map(|(name, _)| *name)
        .collect()
}

/// Control: the user can trace an ordinary process of their own.
fn can_trace_own_process(user: &Account) {
    let mut child = Command::new(program("sleep"))
        .arg("60")
        .uid(user.uid)
        .gid(user.gid)
        .spawn()
        .expect("sleep");
    let pid = i32::try_from(child.id()).expect("a pid");
    let seen = permitted(user, pid);
    child.kill().expect("it is there");
    child.wait().expect("it is ours");
    // The others may be forbidden by Yama.
    for name in ["environ", "maps", "exe", "fd"] {
        assert!(seen.contains(&name), "{seen:?}");
    }
}

/// Makes the attempts at each prompt of this login.
fn try_at_each_prompt(login: &Login, users: &[&Account]) {
    let mut looks = 0;
    let arrived = login.arrived().len();
    let (_, seen) = login.run_with(2, |message| {
        let helper = login.helpers()[0].as_raw_nonzero().get();
        for looker in users {
            assert_eq!(permitted(looker, helper), [""; 0], "{}", message.text);
            looks += 1;
        }
        if message.text.starts_with("Password") {
            PASSWORD.into()
        } else {
            login.arrived()[arrived..]
                .last()
                .expect("an SMS")
                .code()
                .into()
        }
    });
    assert_eq!(seen.codes(), [code::SUCCESS]);
    assert_eq!(looks, 2 * users.len());
}

fn the_caller_cannot_trace_it(lab: &Lab) {
    let caller = lab.machine().add(&User::new("trace-caller"));
    let other = lab.machine().add(&User::new("trace-other"));
    can_trace_own_process(&caller);
    let ann = someone(lab, "trace-ann");
    let login = Login::new(lab, "trace-setuid")
        .of(&ann)
        .own_helper()
        .host(|host| host.setuid_for(&caller));
    try_at_each_prompt(&login, &[&caller, &other]);
}

fn its_own_user_cannot_trace_it(lab: &Lab) {
    let account = lab.machine().add(&User::new("trace-host"));
    can_trace_own_process(&account);
    let bob = someone(lab, "trace-bob");
    let case = "trace-own";
    let own = lab.folder("trace-ledger");
    std::os::unix::fs::chown(&own, Some(account.uid), None).expect("root may chown");
    let ledger = own.join("ledger");
    let login = |host: fn(PamHost) -> PamHost| {
        Login::new(lab, case)
            .of(&bob)
            .text("ledger.path", ledger.to_str().expect("a path"))
            .owner(account.uid)
            .tag("host")
            .own_helper()
            .host(|it| host(it.run_as(lab.machine(), &account)))
    };
    try_at_each_prompt(&login(|host| host), &[&account]);
    // The user may kill their own processes, but gets no core file.
    let before = cores(&own);
    for signal in [Signal::QUIT, Signal::ABORT] {
        let login = login(|host| host.limit(Resource::Core, 1 << 30));
        let (transcript, seen) = login.run_with(1, |_| {
            let helper = login.helpers()[0];
            // The first one may be caught by a handler of the runtime.
            kill_as(&account, helper, signal);
            PASSWORD.into()
        });
        assert_eq!(seen.codes(), [code::SERVICE_ERR], "{signal:?}");
        assert_eq!(transcript.stray, "");
        assert_eq!(cores(&own), before, "{signal:?}");
    }
    cores_are_detected(&account, &own);
}

fn kill_as(user: &Account, pid: Pid, signal: Signal) {
    let mut command = Command::new(program("true"));
    command.uid(user.uid).gid(user.gid);
    // SAFETY: one system call.
    unsafe { command.pre_exec(move || Ok(kill_process(pid, signal)?)) };
    command.status().expect("permission");
}

/// The core files in the root directory, which is that of the helper, and in the directory of the user.
fn cores(own: &Path) -> Vec<String> {
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).expect("a folder").flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect::<Vec<String>>()
    };
    let all: Vec<String> = [names(Path::new("/")), names(own)].concat();
    all.into_iter()
        .filter(|name| name.starts_with("core"))
        .collect()
}

/// Control: an ordinary process leaves a core file, unless the kernel passes cores to a program. (Background
/// processes of a shell ignore `QUIT`.)
fn cores_are_detected(user: &Account, folder: &Path) {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").expect("a pattern");
    let mut command = Command::new(program("sh"));
    command
        .args(["-c", "ulimit -c unlimited && kill -ABRT $$"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .uid(user.uid)
        .gid(user.gid);
    let status = command.status().expect("sh");
    let hard = rustix::process::getrlimit(Resource::Core).maximum;
    if pattern.trim() == "core" && hard.is_none() {
        assert!(status.core_dumped(), "{status}");
        assert!(!cores(folder).is_empty());
    } else {
        // Then a missing core file shows nothing.
        eprintln!(
            "skipped: whether a helper leaves a core (core_pattern is {:?}, the hard limit {hard:?})",
            pattern.trim()
        );
    }
}
