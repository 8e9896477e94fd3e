//! The start of the helper: it resets everything that it inherits, except for the socket to the module.

use super::trap::{Folders, Trap};
use crate::Case;
use crate::module::{Login, PASSWORD, someone};
use lab::Lab;
use lab::fake_helper;
use lab::helper_process::{HelperProcess, request};
use lab::machine::User;
use lab::pamhost::Answer;
use protocol::Code;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub const CASES: &[Case] = &[
    (
        "hostile::first_acts::the_helper_resets_everything",
        the_helper_resets_everything,
    ),
    (
        "hostile::first_acts::ids_are_reset_before_exec",
        ids_are_reset_before_exec,
    ),
];

const MEGABYTE: u64 = 1 << 20;

/// No limit.
const ALL: u64 = u64::MAX;

/// Each limit: the value of the caller, its name in proc_pid_limits(5), the value of the helper.
const LIMITS: [(Resource, u64, &str, u64); 16] = [
    (Resource::Core, ALL, "Max core file size", 0),
    (Resource::Nofile, 37, "Max open files", 64),
    (
        Resource::As,
        700 * MEGABYTE,
        "Max address space",
        1024 * MEGABYTE,
    ),
    (
        Resource::Data,
        90 * MEGABYTE,
        "Max data size",
        128 * MEGABYTE,
    ),
    (
        Resource::Stack,
        3 * MEGABYTE,
        "Max stack size",
        8 * MEGABYTE,
    ),
    (Resource::Fsize, 5 * MEGABYTE, "Max file size", 16 << 30),
    (Resource::Cpu, 7, "Max cpu time", 60),
    (Resource::Nproc, 333, "Max processes", ALL),
    (Resource::Memlock, 4096, "Max locked memory", 8 * MEGABYTE),
    (Resource::Locks, 3, "Max file locks", 1024),
    (Resource::Sigpending, 17, "Max pending signals", 1024),
    (Resource::Msgqueue, 1111, "Max msgqueue size", 0),
    (Resource::Nice, 1, "Max nice priority", 0),
    (Resource::Rtprio, 1, "Max realtime priority", 0),
    (Resource::Rttime, 2_000_000, "Max realtime timeout", ALL),
    (Resource::Rss, MEGABYTE, "Max resident set", ALL),
];

/// The helper is started with everything that a caller could set, and more than a module would pass on, as by a
/// socket-activated unit.
fn the_helper_resets_everything(lab: &Lab) {
    let case = "acts";
    let someone = someone(lab, case);
    let (trap, folders) = (Trap::set(lab), Folders::new(lab, "acts-trap", 0));
    let config = lab.folder(case).join("sms_otp.toml");
    lab.settings().write(&config);
    let junk = lab.folder(case).join("junk");
    let mut helper = start_with_inheritance(lab, &junk, &trap.environment(&folders));
    let pid = helper.pid();

    // Before the first message on the socket.
    let until = Instant::now() + Duration::from_secs(60);
    let bare = ["/dev/null", "/dev/null", "/dev/null", "socket:"];
    while descriptors(pid).values().map(|link| kind(link)).ne(bare) {
        assert!(Instant::now() < until, "{:?}", descriptors(pid));
        std::thread::sleep(Duration::from_millis(2));
    }
    helper.send(&request(&config, case, case).encode());
    assert_eq!(helper.prompt(), "Password: ");

    let place = |name: &str| format!("/proc/{pid}/{name}");
    let folder = fs::read_link(place("cwd")).expect("/proc");
    assert_eq!(folder, Path::new("/"));
    let status = fs::read_to_string(place("status")).expect("/proc");
    assert_eq!(field(&status, "Umask"), "0077");
    limits_are_its_own(&fs::read_to_string(place("limits")).expect("/proc"));
    scheduling_is_reset(pid, &status);
    let left = descriptors(pid);
    let junk_left = left.values().any(|link| link.contains("junk"));
    assert!(!junk_left, "{left:?}");

    // None of it has an effect on the login.
    helper.answer(PASSWORD);
    assert!(helper.prompt().starts_with("Code sent to "));
    let code = lab
        .twilio()
        .wait_for_sms(&someone.number, Duration::from_secs(20));
    helper.answer(&code.code());
    assert_eq!(helper.verdict(), Code::Success);
    assert!(helper.exit_within(Duration::from_secs(20)).is_some());
    assert!(trap.is_empty(), "{:?}", trap.caught());
    assert_eq!(fs::read(&junk).expect("the junk"), b"", "stdout and stderr");
}

/// The clone of a set-user-ID host resets the groups of the caller before exec. Tested with an impostor, because the
/// real helper changes to its own user.
fn ids_are_reset_before_exec(lab: &Lab) {
    let account = lab.machine().add(&User::new("acts-ids"));
    let login = Login::new(lab, "acts-ids").user("acts-ids").own_helper();
    let program = lab.machine().host_program();
    fake_helper::install(
        program,
        &login.helper(),
        "receive; prompt 60000; receive; verdict auth-err",
    );
    let login = login.host(|host| {
        host.setuid_for(&account)
            .in_groups(12_345, &[4, 27, 23_456])
    });
    let mut seen = Vec::new();
    let (transcript, _) = login.run_with(0, |_| {
        for pid in login.helpers() {
            let status = format!("/proc/{}/status", pid.as_raw_nonzero());
            let status = fs::read_to_string(status).expect("/proc");
            let of = |name| field(&status, name).replace('\t', " ");
            seen.push([of("Uid"), of("Gid"), of("Groups")]);
        }
        Answer::Null
    });
    // The host keeps those of the caller.
    let own = |name| {
        transcript
            .before
            .fact(name)
            .map(|fact| fact.replace('\t', " "))
    };
    assert_eq!(own("Gid").as_deref(), Some("12345 12345 12345 12345"));
    assert_eq!(own("Groups").as_deref(), Some("4 27 23456"));
    assert_eq!(seen, [["0 0 0 0", "0 0 0 0", ""]]);
}

/// Starts the helper with all of that. `junk` receives everything that it writes to inherited descriptors.
fn start_with_inheritance(lab: &Lab, junk: &Path, environment: &[String]) -> HelperProcess {
    // Variables of the dynamic loader affect every program, and are not set.
    let variables = environment
        .iter()
        .filter(|variable| !variable.starts_with("LD_"))
        .filter_map(|variable| variable.split_once('='));
    let open = || fs::File::create(junk).expect("a file");
    // The last one is above the descriptor limit of the helper.
    let heirlooms = [5, 6, 7, 8, 9, 700].map(|number| (OwnedFd::from(open()), number));
    let only = first_processor();
    HelperProcess::start_with(&lab.product().helper(), heirlooms.into(), |command| {
        command.env_clear().envs(variables);
        command.args(["--config", "/nowhere"]).current_dir("/tmp");
        command.stdin(open()).stdout(open()).stderr(open());
        // SAFETY: only system calls between fork and exec.
        unsafe { command.pre_exec(move || set_attributes(only)) };
    })
}

/// Sets other inheritable attributes.
fn set_attributes(only: usize) -> std::io::Result<()> {
    for (resource, soft, _, _) in LIMITS {
        let maximum = getrlimit(resource).maximum;
        let soft = soft.min(maximum.unwrap_or(ALL));
        let current = (soft != ALL).then_some(soft);
        setrlimit(resource, Rlimit { current, maximum })?;
    }
    // SAFETY: numbers, and valid all-zero structs.
    let done = unsafe {
        let mut one: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(only, &mut one);
        let usual = std::mem::zeroed();
        libc::umask(0);
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_000_000);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const one)
            | libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const usual)
            | libc::setpriority(libc::PRIO_PROCESS, 0, 19)
    };
    if done == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

fn first_processor() -> usize {
    // SAFETY: all-zero is a valid set; sched_getaffinity(2) writes one of its size.
    unsafe {
        let mut own: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut own);
        (0..usize::try_from(libc::CPU_SETSIZE).unwrap_or(1))
            .find(|number| libc::CPU_ISSET(*number, &own))
            .unwrap_or(0)
    }
}

fn descriptors(pid: u32) -> BTreeMap<i32, String> {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).expect("/proc");
    all.flatten()
        .filter_map(|entry| {
            let link: PathBuf = fs::read_link(entry.path()).ok()?;
            let number = entry.file_name().to_str()?.parse().ok()?;
            Some((number, link.display().to_string()))
        })
        .collect()
}

/// `socket:[1234]` without its number.
fn kind(link: &str) -> &str {
    link.split_once('[').map_or(link, |(kind, _)| kind)
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.strip_prefix(':'))
        .expect("a field")
        .trim()
}

/// Checks soft and hard limits. If the hard limit cannot be raised (root in many containers), they equal it.
fn limits_are_its_own(table: &str) {
    for (resource, _, name, own) in LIMITS {
        let line = table.lines().find_map(|line| line.strip_prefix(name));
        let values = line.expect("a limit").split_whitespace().take(2);
        let near = own.min(getrlimit(resource).maximum.unwrap_or(ALL));
        for value in values {
            let value = match value {
                "unlimited" => ALL,
                number => number.parse().expect("a number"),
            };
            assert!(value == own || value == near, "{name}: {value}, not {own}");
        }
    }
}

/// Checks the default scheduling, on all available CPUs, and the nice value if it can be lowered.
fn scheduling_is_reset(pid: u32, status: &str) {
    // All available CPUs: those of a thread that requests all.
    let all = std::thread::spawn(|| {
        // SAFETY: an all-one set is valid, and the call affects this thread only.
        unsafe {
            let mut all: libc::cpu_set_t = std::mem::zeroed();
            std::ptr::write_bytes(&raw mut all, 0xff, 1);
            libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const all);
        }
        fs::read_to_string("/proc/thread-self/status").expect("/proc")
    });
    let all = all.join().expect("a thread");
    let processors = "Cpus_allowed_list";
    assert_eq!(field(status, processors), field(&all, processors));

    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
    let (_, fields) = stat.rsplit_once(") ").expect("a state");
    let fields: Vec<&str> = fields.split(' ').collect();
    // proc_pid_stat(5), counted from the state, the third field.
    assert_eq!(fields[41 - 3], libc::SCHED_OTHER.to_string(), "policy");
    if has_capability(&all, SYS_NICE) {
        assert_eq!(fields[19 - 3], "0", "nice");
        let slack = fs::read_to_string(format!("/proc/{pid}/timerslack_ns")).expect("/proc");
        assert_eq!(slack.trim(), "50000");
    } else {
        eprintln!("skipped, without CAP_SYS_NICE: the helper's priority and timer slack");
    }
}

/// capabilities(7)
const SYS_NICE: u32 = 23;

fn has_capability(status: &str, number: u32) -> bool {
    let set = u64::from_str_radix(field(status, "CapEff"), 16).expect("a set");
    set >> number & 1 == 1
}
