//! The sandbox of the helper: it confines every thread, each layer denies what it should, and a layer that
//! fails refuses the login.

pub mod confined;
pub mod names;

use crate::Case;
use crate::module::login::{ASKS, Login, SENT, Seen};
use crate::module::{Say, someone};
use lab::Lab;
use lab::machine::landlock;
use lab::pamhost::{Step, code};
use lab::process::{program, this_program};
use rustix::process::Pid;
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const CASES: &[Case] = &[
    (
        "hostile::sandbox::every_thread_is_confined",
        every_thread_is_confined,
    ),
    ("hostile::sandbox::each_layer_denies", each_layer_denies),
    (
        "hostile::sandbox::a_missing_layer_is_reported_once",
        a_missing_layer_is_reported_once,
    ),
    (
        "hostile::sandbox::a_failed_layer_refuses_the_login",
        a_failed_layer_refuses_the_login,
    ),
    (
        "hostile::sandbox::a_user_with_privileges_is_refused",
        a_user_with_privileges_is_refused,
    ),
];

const IN: [Say; 2] = [Say::Password, Say::Code];

/// `/proc/PID/status` of each thread of a helper that waits for the code.
fn confinement(login: &Login) -> Vec<BTreeMap<String, String>> {
    let mut found = Vec::new();
    let (transcript, _) = login.run_with(2, |message| {
        if message.text.ends_with("Password: ") {
            return crate::module::PASSWORD.into();
        }
        let [helper] = login.helpers()[..] else {
            panic!("one helper at the prompt");
        };
        found = threads(helper);
        let sms = login.arrived();
        sms.last().expect("an SMS").code().into()
    });
    assert_eq!(transcript.codes(), [code::SUCCESS], "{transcript:?}");
    assert!(found.len() >= 2, "the thread that watches the host too");
    found
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

/// The values of every thread, with each user.
const CONFINED: [(&str, &str); 8] = [
    ("Groups", ""),
    ("CapInh", "0000000000000000"),
    ("CapPrm", "0000000000000000"),
    ("CapEff", "0000000000000000"),
    ("CapBnd", "0000000000000000"),
    ("CapAmb", "0000000000000000"),
    ("NoNewPrivs", "1"),
    ("Seccomp", "2"),
];

fn every_thread_is_confined(lab: &Lab) {
    if lab.machine_error().is_some() {
        return; // Only root can find the helper of a host process.
    }
    let ada = someone(lab, "sandbox-ada");
    let login = Login::new(lab, "sandbox").of(&ada).own_helper();
    let own = "990 990 990 990";
    for thread in confinement(&login) {
        for (name, value) in CONFINED.into_iter().chain([("Uid", own), ("Gid", own)]) {
            assert_eq!(thread[name], value, "{name} of {}", thread["Name"]);
        }
    }
}

fn a_missing_layer_is_reported_once(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let ben = someone(lab, "sandbox-ben");
    let login = Login::new(lab, "sandbox-user").of(&ben).own_helper();
    // As after a boot, on a machine without the user pam_sms_otp.
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
    let login = login.host(|host| in_mount_namespace(host, &script));
    let reported = "sandbox user=?";
    let twice = |login: Login<'_>| {
        let login =
            login.host(|host| host.steps(&[Step::Authenticate, Step::Restart, Step::Authenticate]));
        login.sees(
            "two logins",
            &[Say::Password, Say::Code, Say::Password, Say::Code],
            &Seen::new(
                &[code::SUCCESS, code::SUCCESS],
                &[ASKS, SENT, ASKS, SENT],
                &[reported, "sent", "granted", "sent", "granted"],
                2,
            ),
        );
    };
    for thread in confinement(&login) {
        for (name, value) in CONFINED
            .into_iter()
            .chain([("Uid", "0 0 0 0"), ("Gid", "0 0 0 0")])
        {
            assert_eq!(thread[name], value, "{name} of {}", thread["Name"]);
        }
    }
    twice(login);
}

/// The accounts of the machine, with this line in place of the helper's user.
fn accounts(login: &Login, own: &str) -> PathBuf {
    let path = login.folder.join("passwd");
    let all = std::fs::read_to_string("/etc/passwd").expect("our /etc/passwd");
    let others = all.lines().filter(|line| !line.starts_with("pam_sms_otp:"));
    let others: Vec<_> = others.collect();
    lab::scratch::write(&path, 0o644, others.join("\n") + "\n" + own);
    path
}

fn in_mount_namespace(host: lab::pamhost::PamHost, script: &str) -> lab::pamhost::PamHost {
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

/// One system call of the helper fails: with an error for a missing layer the login continues, with each
/// other error it is refused.
fn a_failed_layer_refuses_the_login(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let cyd = someone(lab, "sandbox-cyd");
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
    // As after a boot: the layers that the kernel lacks are reported, if that can be determined.
    let old = landlock() < SCOPES;
    let (refused_later, passed) = if old {
        let log = ["sandbox user=?", "failed user=? stage=helper reason=local"];
        (
            Seen::new(&[code::SERVICE_ERR], &[], &log, 0),
            granted.clone(),
        )
    } else {
        (refused.clone(), passed)
    };
    let login = Login::new(lab, "sandbox-fail").of(&cyd);
    for (call, errno, expected) in [
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
        // Those of the helper are tested by `hostile::syscalls::no_helper_without_its_ids`: strace counts
        // by process, and the intermediate process makes these calls first.
        ("setresuid", "EAGAIN", &refused),
        ("setresgid", "EPERM", &refused),
        ("setgroups", "EPERM", &refused),
        ("capset", "EPERM", &refused_later),
        ("unshare", "EINVAL", &refused_later),
        // As in a container that forbids the call; the number of threads is then read from /proc.
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
        let login = Login::new(lab, "sandbox-fail")
            .of(&cyd)
            .host(|host| in_mount_namespace(host, &script));
        login.sees(&injected, &IN, expected);
    }
    // No failure has a later effect.
    login.sees("afterwards", &IN, &Seen::granted());
}

fn a_user_with_privileges_is_refused(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let dee = someone(lab, "sandbox-dee");
    for ids in ["0:0", "65534:65534", "990:0"] {
        let login = Login::new(lab, "sandbox-own").of(&dee);
        let accounts = accounts(&login, &format!("pam_sms_otp:x:{ids}::/:/bin/false\n"));
        let mount = program("mount").display().to_string();
        let script = format!(
            "{mount} --bind {} /etc/passwd && exec \"$@\"",
            accounts.display()
        );
        let login = login.host(|host| in_mount_namespace(host, &script));
        let line = "failed user=? stage=helper reason=local";
        login.sees(ids, &IN, &Seen::new(&[code::SERVICE_ERR], &[], &[line], 0));
        assert!(
            login.newest_field("detail").contains("ids of its own"),
            "{ids}"
        );
    }
}

/// Makes one attempt in the sandbox, and returns its output or the signal that ended it.
fn attempt(what: &str, port: u16, with: &str) -> String {
    let output = Command::new(this_program())
        .args([confined::FLAG, what, &port.to_string(), with])
        .output()
        .expect("this program");
    if let Some(signal) = output.status.signal() {
        return format!("signal {signal}");
    }
    let result = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!result.is_empty(), "{what}: {errors}");
    result
}

const KILLED: &str = "signal 31";

/// The first versions of Landlock that restrict files, TCP ports, and signals and abstract sockets.
const FILES: i64 = 1;
const PORTS: i64 = 4;
const SCOPES: i64 = 6;

/// Whether this kernel has the layer for an attempt. A missing one is reported in the log
/// (`a_missing_layer_is_reported_once`) and here.
fn has_layer(what: &str) -> bool {
    let since = match what {
        "read" | "list" | "write" | "create" => FILES,
        "connect-elsewhere" | "bind" => PORTS,
        "abstract" => SCOPES,
        _ => return true,
    };
    let has = landlock() >= since;
    if !has {
        eprintln!(
            "skipped: {what} in the sandbox (Landlock {}, not {since})",
            landlock()
        );
    }
    has
}

fn each_layer_denies(lab: &Lab) {
    if lab.machine_error().is_some() {
        return;
    }
    let configured = TcpListener::bind("127.0.0.1:0").expect("a server");
    let port = configured.local_addr().expect("its port").port();
    let other = TcpListener::bind("127.0.0.1:0").expect("another server");
    let other = other.local_addr().expect("its address").to_string();
    let socket = UnixListener::bind("/run/sandbox-socket").expect("a socket");
    rustix::fs::chmod(
        "/run/sandbox-socket",
        rustix::fs::Mode::from_raw_mode(0o666),
    )
    .expect("its mode");
    let true_ = program("true").display().to_string();
    let abstract_name = format!("sandbox-{}", std::process::id());
    let name = <SocketAddr as SocketAddrExt>::from_abstract_name(&abstract_name).expect("a name");
    let listening = UnixListener::bind_addr(&name).expect("an abstract socket");

    for (what, with, expected) in [
        // Needed by name services and the login itself.
        ("read", "/etc/passwd", "done"),
        ("list", "/usr/share", "done"),
        ("connect", "", "done"),
        ("datagram", "", "done"),
        ("name", "localhost", "done"),
        ("socket", "/run/sandbox-socket", "done"),
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
        ("create", "/run/sandbox-created", "EACCES"),
        ("create", "/dev/shm/sandbox-created", "EACCES"),
        ("unlink", "", KILLED),
        ("rename", "", KILLED),
        ("chmod", "", KILLED),
        ("fchmodat2", "", KILLED),
        ("setxattrat", "", "ENOSYS"),
        // Sockets.
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
        ("signal-by-fcntl", "", "EPERM"),
        ("signal-by-ioctl", "", "EPERM"),
        ("ptrace", "", KILLED),
        ("process_vm_readv", "", KILLED),
        ("memfd_create", "", KILLED),
        ("execute-memory", "", "EACCES"),
        ("write-and-execute", "", "EACCES"),
        ("make-executable", "", "EACCES"),
        // Change of ids, namespaces, the sandbox and the kernel.
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
        // A reply of a gigabyte: an allocation fails and aborts the process.
        ("memory", "", "signal 6"),
        (
            "another-thread",
            "",
            "another thread is running outside of the sandbox",
        ),
    ] {
        if has_layer(what) {
            assert_eq!(attempt(what, port, with), expected, "{what} {with}");
        }
    }
    if cfg!(target_arch = "x86_64") {
        assert_eq!(attempt("x32", port, ""), KILLED);
    }
    drop((socket, listening));
}
