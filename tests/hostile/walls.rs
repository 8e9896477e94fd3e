//! The helper's walls: they stand in every login, each is run into, and one that cannot stand refuses
//! the login.

pub mod behind;
pub mod names;

use crate::Case;
use crate::module::login::{ASKS, Login, SENT, Seen};
use crate::module::{Say, someone};
use lab::bench::Bench;
use lab::pamhost::{Step, code};
use lab::process::{program, this_program};
use lab::world::landlock;
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const CASES: &[Case] = &[
    ("hostile::walls::stand_in_every_login", stand_in_every_login),
    ("hostile::walls::are_run_into", are_run_into),
    (
        "hostile::walls::one_that_is_missing_is_said_once",
        one_that_is_missing_is_said_once,
    ),
    (
        "hostile::walls::one_that_does_not_stand_refuses",
        one_that_does_not_stand_refuses,
    ),
    (
        "hostile::walls::an_own_user_is_nobody_else",
        an_own_user_is_nobody_else,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// What the kernel says of each thread of a helper that waits for the code.
fn standing(login: &Login) -> Vec<BTreeMap<String, String>> {
    let mut seen = Vec::new();
    let (transcript, _) = login.run_with(2, |message| {
        if message.text.ends_with("Password: ") {
            return crate::module::PASSWORD.into();
        }
        let [helper] = login.helpers()[..] else {
            panic!("one helper at the prompt");
        };
        seen = threads(helper);
        let sms = login.arrived();
        sms.last().expect("an SMS").code().into()
    });
    assert_eq!(transcript.codes(), [code::SUCCESS], "{transcript:?}");
    assert!(seen.len() >= 2, "the one that watches the host, too");
    seen
}

fn threads(helper: Pid) -> Vec<BTreeMap<String, String>> {
    let tasks = format!("/proc/{}/task", helper.as_raw_nonzero());
    let read = |path: &Path| std::fs::read_to_string(path.join("status")).expect("a status");
    let each = std::fs::read_dir(tasks).expect("threads").flatten();
    each.map(|task| {
        read(&task.path())
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| {
                (
                    name.to_owned(),
                    value.split_whitespace().collect::<Vec<_>>().join(" "),
                )
            })
            .collect()
    })
    .collect()
}

/// What every thread has in common, whoever the helper is.
const BARE: [(&str, &str); 8] = [
    ("Groups", ""),
    ("CapInh", "0000000000000000"),
    ("CapPrm", "0000000000000000"),
    ("CapEff", "0000000000000000"),
    ("CapBnd", "0000000000000000"),
    ("CapAmb", "0000000000000000"),
    ("NoNewPrivs", "1"),
    ("Seccomp", "2"),
];

fn stand_in_every_login(bench: &Bench) {
    if bench.without_world().is_some() {
        return; // Root alone sees which process is whose helper.
    }
    let ada = someone(bench, "walls-ada");
    let login = Login::new(bench, "walls").of(&ada).own_helper();
    let own = "990 990 990 990";
    for thread in standing(&login) {
        for (name, value) in BARE.into_iter().chain([("Uid", own), ("Gid", own)]) {
            assert_eq!(thread[name], value, "{name} of {}", thread["Name"]);
        }
    }
}

fn one_that_is_missing_is_said_once(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let ben = someone(bench, "walls-ben");
    let login = Login::new(bench, "walls-user").of(&ben).own_helper();
    // A machine that has just started, and no such user on it.
    let accounts = login.folder.join("passwd");
    let all = std::fs::read_to_string("/etc/passwd").expect("our /etc/passwd");
    let others = all.lines().filter(|line| !line.starts_with("pam_sms_otp:"));
    lab::scratch::write(
        &accounts,
        0o644,
        others.collect::<Vec<_>>().join("\n") + "\n",
    );
    let mount = program("mount").display().to_string();
    let script = format!(
        "{mount} -t tmpfs run /run && {mount} --bind {} /etc/passwd && exec \"$@\"",
        accounts.display()
    );
    let login = login.host(|host| apart(host, &script));
    let said = "sandbox user=?";
    let twice = |login: Login<'_>| {
        let login =
            login.host(|host| host.steps(&[Step::Authenticate, Step::Restart, Step::Authenticate]));
        login.sees(
            "two logins",
            &[Say::Password, Say::Code, Say::Password, Say::Code],
            &Seen::new(
                &[code::SUCCESS, code::SUCCESS],
                &[ASKS, SENT, ASKS, SENT],
                &[said, "sent", "granted", "sent", "granted"],
                2,
            ),
        );
    };
    for thread in standing(&login) {
        for (name, value) in BARE
            .into_iter()
            .chain([("Uid", "0 0 0 0"), ("Gid", "0 0 0 0")])
        {
            assert_eq!(thread[name], value, "{name} of {}", thread["Name"]);
        }
    }
    twice(login);
}

/// The machine's accounts, with this line in the place of the helper's own user.
fn accounts(login: &Login, own: &str) -> PathBuf {
    let path = login.folder.join("passwd");
    let all = std::fs::read_to_string("/etc/passwd").expect("our /etc/passwd");
    let others = all.lines().filter(|line| !line.starts_with("pam_sms_otp:"));
    let others: Vec<_> = others.collect();
    lab::scratch::write(&path, 0o644, others.join("\n") + "\n" + own);
    path
}

fn apart(host: lab::pamhost::PamHost, script: &str) -> lab::pamhost::PamHost {
    let unshare = program("unshare").display().to_string();
    let sh = program("sh").display().to_string();
    host.through(&[
        &unshare,
        "--mount",
        "--propagation=unchanged",
        &sh,
        "-c",
        script,
        "sh",
    ])
}

/// The kernel says no to one call of the helper's: what is missing there is passed over, everything
/// else refuses the login.
fn one_that_does_not_stand_refuses(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let cyd = someone(bench, "walls-cyd");
    let refused = Seen::new(
        &[code::SERVICE_ERR],
        &[],
        &["failed user=? stage=helper reason=local"],
        0,
    );
    let granted = Seen::new(
        &[code::SUCCESS],
        &[ASKS, SENT],
        &["sandbox user=?", "sent", "granted"],
        1,
    );
    let passed = Seen::granted();
    // A machine that has just started says what its kernel lacks, if that can be asked.
    let old = landlock() < OTHERS;
    let (refused_later, passed) = if old {
        let log = ["sandbox user=?", "failed user=? stage=helper reason=local"];
        (
            Seen::new(&[code::SERVICE_ERR], &[], &log, 0),
            granted.clone(),
        )
    } else {
        (refused.clone(), passed)
    };
    let login = Login::new(bench, "walls-fail").of(&cyd);
    for (call, errno, want) in [
        ("landlock_create_ruleset", "ENOSYS", &granted),
        ("landlock_create_ruleset", "EOPNOTSUPP", &granted),
        ("landlock_create_ruleset", "EPERM", &refused),
        ("landlock_create_ruleset", "ENOMEM:when=2", &refused_later),
        ("landlock_add_rule", "EINVAL:when=1", &refused_later),
        ("landlock_add_rule", "ENOMEM:when=4", &refused_later),
        ("landlock_restrict_self", "E2BIG", &refused_later),
        ("landlock_restrict_self", "ENOSYS", &refused_later),
        ("seccomp", "ENOSYS", &granted),
        ("seccomp", "EPERM:when=1", &refused),
        ("seccomp", "ENOMEM:when=3", &refused_later),
        // The helper's own are `hostile::syscalls::no_helper_without_its_ids`: strace counts by process, and
        // the intermediate process makes these calls first.
        ("setresuid", "EAGAIN", &refused),
        ("setresgid", "EPERM", &refused),
        ("setgroups", "EPERM", &refused),
        ("capset", "EPERM", &refused_later),
        ("unshare", "EINVAL", &refused_later),
        // A container forbids that question, and /proc has the answer.
        ("unshare", "EPERM", &passed),
    ] {
        let injected = format!("inject={call}:error={errno}");
        let trace = ["-D", "-f", "-qq", "-o", "/dev/null", "-e"].map(str::to_owned);
        let strace = program("strace").display().to_string();
        let mount = program("mount").display().to_string();
        let script = format!(
            "{mount} -t tmpfs run /run && exec {strace} {} trace={call} -e {injected} \"$@\"",
            trace.join(" ")
        );
        let login = Login::new(bench, "walls-fail")
            .of(&cyd)
            .host(|host| apart(host, &script));
        login.sees(&injected, &IN, want);
    }
    // And nobody's fault remains.
    login.sees("afterwards", &IN, &Seen::granted());
}

fn an_own_user_is_nobody_else(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let dee = someone(bench, "walls-dee");
    for ids in ["0:0", "65534:65534", "990:0"] {
        let login = Login::new(bench, "walls-own").of(&dee);
        let accounts = accounts(&login, &format!("pam_sms_otp:x:{ids}::/:/bin/false\n"));
        let mount = program("mount").display().to_string();
        let script = format!(
            "{mount} --bind {} /etc/passwd && exec \"$@\"",
            accounts.display()
        );
        let login = login.host(|host| apart(host, &script));
        let line = "failed user=? stage=helper reason=local";
        login.sees(ids, &IN, &Seen::new(&[code::SERVICE_ERR], &[], &[line], 0));
        assert!(
            login.newest_field("detail").contains("ids of its own"),
            "{ids}"
        );
    }
}

/// How an attempt ended: what it said, or the signal that ended it.
fn behind(what: &str, port: u16, with: &str) -> String {
    let output = Command::new(this_program())
        .args([behind::FLAG, what, &port.to_string(), with])
        .output()
        .expect("this program");
    if let Some(signal) = output.status.signal() {
        return format!("signal {signal}");
    }
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(!said.is_empty(), "{what}: {complaint}");
    said
}

const KILLED: &str = "signal 31";

/// The first versions of Landlock with walls around files, TCP ports, and other processes.
const FILES: i64 = 1;
const PORTS: i64 = 4;
const OTHERS: i64 = 6;

/// Whether this kernel has the wall around what is tried. One that it lacks is said in the log
/// (`one_that_is_missing_is_said_once`), and here.
fn has_the_wall(what: &str) -> bool {
    let since = match what {
        "read" | "list" | "write" | "create" => FILES,
        "connect-elsewhere" | "bind" => PORTS,
        "abstract" => OTHERS,
        _ => return true,
    };
    let has = landlock() >= since;
    if !has {
        eprintln!(
            "skipped: {what} behind the walls (Landlock {}, not {since})",
            landlock()
        );
    }
    has
}

fn are_run_into(bench: &Bench) {
    if bench.without_world().is_some() {
        return;
    }
    let settled = TcpListener::bind("127.0.0.1:0").expect("a server");
    let port = settled.local_addr().expect("its port").port();
    let other = TcpListener::bind("127.0.0.1:0").expect("another server");
    let other = other.local_addr().expect("its address").to_string();
    let socket = UnixListener::bind("/run/walls-behind").expect("a socket");
    rustix::fs::chmod("/run/walls-behind", rustix::fs::Mode::from_raw_mode(0o666))
        .expect("for everybody");
    let true_ = program("true").display().to_string();
    let abstract_name = format!("walls-{}", std::process::id());
    let name = <SocketAddr as SocketAddrExt>::from_abstract_name(&abstract_name).expect("a name");
    let listening = UnixListener::bind_addr(&name).expect("an abstract socket");

    for (what, with, want) in [
        // What name services and the login itself need.
        ("read", "/etc/passwd", "done"),
        ("list", "/usr/share", "done"),
        ("connect", "", "done"),
        ("datagram", "", "done"),
        ("name", "localhost", "done"),
        ("socket", "/run/walls-behind", "done"),
        ("kill-self", "", "done"),
        ("connect-elsewhere", "127.0.0.1:53", "ECONNREFUSED"),
        // Files.
        ("read", "/proc/version", "EACCES"),
        ("list", "/", "EACCES"),
        ("list", "/root", "EACCES"),
        ("list", "/home", "EACCES"),
        ("list", "/tmp", "EACCES"),
        ("list", "/var", "EACCES"),
        ("list", "/var/lib", "EACCES"),
        ("list", "/dev", "EACCES"),
        ("list", "/sys", "EACCES"),
        ("list", "/proc", "EACCES"),
        ("list", "/boot", "EACCES"),
        ("list", "/opt", "EACCES"),
        ("list", "/srv", "EACCES"),
        ("write", "/etc/passwd", "EACCES"),
        ("create", "/run/walls-created", "EACCES"),
        ("create", "/dev/shm/walls-created", "EACCES"),
        ("unlink", "", KILLED),
        ("rename", "", KILLED),
        ("chmod", "", KILLED),
        ("fchmodat2", "", KILLED),
        ("setxattrat", "", "ENOSYS"),
        // Places.
        ("connect-elsewhere", &other, "EACCES"),
        ("bind", "", "EACCES"),
        ("abstract", &abstract_name, "EPERM"),
        ("packet-socket", "", "EAFNOSUPPORT"),
        ("multipath", &other, "EPROTONOSUPPORT"),
        ("fast-open", &other, "EPERM"),
        ("listen", "", KILLED),
        // Programs and processes.
        ("execute", &true_, KILLED),
        ("spawn", &true_, KILLED),
        ("fork", "", KILLED),
        ("clone3", "", "ENOSYS"),
        ("kill-parent", "", KILLED),
        ("own-a-descriptor", "", "EPERM"),
        ("own-a-socket", "", "EPERM"),
        ("ptrace", "", KILLED),
        ("process_vm_readv", "", KILLED),
        ("memfd_create", "", KILLED),
        ("execute-memory", "", "EACCES"),
        ("write-and-execute", "", "EACCES"),
        ("make-executable", "", "EACCES"),
        // Becoming somebody, leaving, loosening.
        ("setuid", "", KILLED),
        ("setresuid", "", KILLED),
        ("capset", "", KILLED),
        ("unshare", "", KILLED),
        ("mount", "", KILLED),
        ("init_module", "", KILLED),
        ("bpf", "", KILLED),
        ("keyctl", "", KILLED),
        ("io_uring_setup", "", KILLED),
        ("seccomp", "", "EPERM"),
        ("dumpable", "", "EPERM"),
        ("limit", "", "EPERM"),
        ("openat2", "", "ENOSYS"),
        // A reply of a gigabyte dies small: out of memory, std aborts.
        ("memory", "", "signal 6"),
        (
            "another-thread",
            "",
            "another thread was running before the walls were up",
        ),
    ] {
        if has_the_wall(what) {
            assert_eq!(behind(what, port, with), want, "{what} {with}");
        }
    }
    if cfg!(target_arch = "x86_64") {
        assert_eq!(behind("x32", port, ""), KILLED);
    }
    drop((socket, listening));
}
