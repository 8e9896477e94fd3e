//! Nobody but root looks into a helper: not its caller, and not the very user it runs as.

use crate::Case;
use crate::module::login::{Login, PASSWORD};
use crate::module::someone;
use lab::bench::Bench;
use lab::pamhost::{PamHost, code};
use lab::process::program;
use lab::world::{Account, User};
use rustix::process::{Pid, Resource, Signal, kill_process};
use std::ffi::CString;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};

pub const CASES: &[Case] = &[
    ("hostile::untraceable::by_whoever_calls", by_whoever_calls),
    (
        "hostile::untraceable::by_the_user_it_runs_as",
        by_the_user_it_runs_as,
    ),
];

/// A way to look into a process, by system calls alone: they are made between fork and exec.
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
        // Its address does not matter: the right is asked for first.
        let there = libc::iovec {
            iov_base: std::ptr::without_provenance_mut(4096),
            iov_len: 1,
        };
        // SAFETY: one valid place to write to; the other is not of this process.
        let read =
            unsafe { libc::process_vm_readv(pid, &raw const here, 1, &raw const there, 1, 0) };
        // EFAULT: it may look, and there is nothing.
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
    // SAFETY: the process that was attached to is let go when this one ends.
    unsafe { libc::ptrace(how, pid, 0, 0) as i64 }
}

fn open(path: &CString) -> i64 {
    // SAFETY: a C string; the descriptor is gone with this process.
    i64::from(unsafe { libc::open(path.as_ptr(), libc::O_RDONLY) })
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// What this user gets to see of a process: the names of the looks that were let through.
fn seen_by(user: &Account, pid: i32) -> Vec<&'static str> {
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

/// The looks work: an ordinary process of his he sees through and through.
fn sees_his_own(user: &Account) {
    let mut child = Command::new(program("sleep"))
        .arg("60")
        .uid(user.uid)
        .gid(user.gid)
        .spawn()
        .expect("sleep");
    let pid = i32::try_from(child.id()).expect("a pid");
    let seen = seen_by(user, pid);
    child.kill().expect("it is there");
    child.wait().expect("it is ours");
    // Others can be forbidden between any two processes (Yama).
    for name in ["environ", "maps", "exe", "fd"] {
        assert!(seen.contains(&name), "{seen:?}");
    }
}

/// Looks at the helper of this login at each prompt, before anything else is done.
fn looked_at(login: &Login, lookers: &[&Account]) {
    let mut looks = 0;
    let arrived = login.arrived().len();
    let (_, seen) = login.run_with(2, |message| {
        let helper = login.helpers()[0].as_raw_nonzero().get();
        for looker in lookers {
            assert_eq!(seen_by(looker, helper), [""; 0], "{}", message.text);
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
    assert_eq!(looks, 2 * lookers.len());
}

fn by_whoever_calls(bench: &Bench) {
    let caller = bench.world().add(&User::new("trace-caller"));
    let stranger = bench.world().add(&User::new("trace-stranger"));
    sees_his_own(&caller);
    let ann = someone(bench, "trace-ann");
    let login = Login::new(bench, "trace-setuid")
        .of(&ann)
        .own_helper()
        .host(|host| host.setuid_for(&caller));
    looked_at(&login, &[&caller, &stranger]);
}

fn by_the_user_it_runs_as(bench: &Bench) {
    let account = bench.world().add(&User::new("trace-host"));
    sees_his_own(&account);
    let bob = someone(bench, "trace-bob");
    let case = "trace-own";
    let own = bench.folder("trace-ledger");
    std::os::unix::fs::chown(&own, Some(account.uid), None).expect("root may chown");
    let ledger = own.join("ledger");
    let login = |host: fn(PamHost) -> PamHost| {
        Login::new(bench, case)
            .of(&bob)
            .text("ledger.path", ledger.to_str().expect("a path"))
            .owner(account.uid)
            .tag("host")
            .own_helper()
            .host(|it| host(it.run_as(bench.world(), &account)))
    };
    looked_at(&login(|host| host), &[&account]);
    // He may end his own processes, and gets no core of them.
    let before = cores(&own);
    for signal in [Signal::QUIT, Signal::ABORT] {
        let login = login(|host| host.limit(Resource::Core, 1 << 30));
        let (transcript, seen) = login.run_with(1, |_| {
            let helper = login.helpers()[0];
            // The first one may be spent on a handler of the language's own.
            kill_as(&account, helper, signal);
            PASSWORD.into()
        });
        assert_eq!(seen.codes(), [code::SERVICE_ERR], "{signal:?}");
        assert_eq!(transcript.stray, "");
        assert_eq!(cores(&own), before, "{signal:?}");
    }
    a_core_would_be_seen(&account, &own);
}

fn kill_as(user: &Account, pid: Pid, signal: Signal) {
    let mut command = Command::new(program("true"));
    command.uid(user.uid).gid(user.gid);
    // SAFETY: one system call.
    unsafe { command.pre_exec(move || Ok(kill_process(pid, signal)?)) };
    command.status().expect("he may end his own");
}

/// Names of cores where one could be: the root folder, which is the helper's, and his own.
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

/// An ordinary process that ends so does leave one, or says at least that it did: unless the machine
/// hands cores to a program, which takes them from the kernel. (`QUIT` is ignored by what a shell
/// starts in the background.)
fn a_core_would_be_seen(user: &Account, folder: &Path) {
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
        // Then that there is none proves nothing.
        eprintln!(
            "skipped: whether a helper leaves a core (core_pattern is {:?}, the hard limit {hard:?})",
            pattern.trim()
        );
    }
}
