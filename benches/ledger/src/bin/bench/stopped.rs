//! Uses strace to stop a process in the middle of its write, and to count its system calls.

use crate::data_dir::DataDir;
use crate::program::{self, Answer};
use crate::table::{Table, median, ms, ratio};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Returns whether strace is installed and may trace.
pub fn can_trace() -> bool {
    let mut trace = Command::new("strace");
    trace
        .args(["-o", "/dev/null"])
        .arg(program::program_path("noop"));
    // Without arguments the program prints its usage, which shows that it ran.
    let output = trace.stdin(Stdio::null()).output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stderr).contains("decide PATH"))
}

/// A process that is stopped while it holds its locks, and is killed on drop.
pub struct StoppedProcess {
    strace: Child,
    pid: Pid,
}

impl StoppedProcess {
    /// Stops an engine's process at the n-th of these system calls, counted from 1. The call is
    /// executed and does not return. `None`: the process makes fewer of them.
    pub fn at(calls: &str, n: u32, decide: &Command, log: &Path) -> Option<Self> {
        let _ = fs::remove_file(log);
        let mut strace = Command::new("strace");
        strace.arg("-f").arg("-o").arg(log);
        strace.arg(format!("--trace={calls}"));
        strace.arg(format!("--inject={calls}:signal=SIGSTOP:when={n}"));
        strace.arg(decide.get_program()).args(decide.get_args());
        strace.stdin(Stdio::null()).stdout(Stdio::null());
        let mut strace = strace.spawn().expect("strace");
        let mut stopped = None;
        let is_done = || {
            let text = fs::read_to_string(log).unwrap_or_default();
            let line = text
                .lines()
                .find(|line| line.contains("stopped by SIGSTOP"));
            let pid = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            stopped = pid.and_then(Pid::from_raw);
            stopped.is_some() || strace.try_wait().is_ok_and(|ended| ended.is_some())
        };
        let timeout = Duration::from_secs(20);
        ledger_bench::probe::until(timeout, Duration::from_millis(2), is_done);
        if let Some(pid) = stopped {
            return Some(Self { strace, pid });
        }
        let _ = strace.kill();
        let _ = strace.wait();
        None
    }
}

impl Drop for StoppedProcess {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = self.strace.wait();
    }
}

/// Counts the system calls of a process from its start to its exit.
pub fn calls(decide: &Command, log: &Path) -> u64 {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(log);
    strace.arg(decide.get_program()).args(decide.get_args());
    let output = strace.stdin(Stdio::null()).output().expect("strace");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("reserved"), "{stdout}");
    let text = fs::read_to_string(log).expect("strace's summary");
    // % time, seconds, usecs/call, calls, errors (if any), syscall
    let total = text.lines().rfind(|line| line.ends_with("total"));
    let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    calls.unwrap_or_else(|| panic!("no total: {text}"))
}

/// Runs a decision while another process is stopped; returns its time if it succeeded, and its result
/// in words.
fn run_beside(decide: Command) -> Beside {
    match program::within(TIMEOUT, decide) {
        None => (None, format!("no result within {} s", TIMEOUT.as_secs())),
        Some((whole, report)) => match report.decisions.first() {
            Some((Answer::Reserved, _)) => (Some(whole), "succeeds".to_owned()),
            Some((Answer::Refused, _)) => (None, "is refused".to_owned()),
            Some((Answer::Failed(error), time)) => {
                eprintln!("failed: {error}");
                let seconds = time.as_secs_f64();
                (None, format!("fails after {seconds:.1} s with an error"))
            }
            None => (None, "crashes".to_owned()),
        },
    }
}

const CAPTION: &str = "A process is stopped (SIGSTOP) in the middle of its write or transaction while it \
    holds its locks, as a debugger or a frozen cgroup stops it. Then another login starts, with a \
    time limit of 2 s. For this ledger the table shows the worst of three points: in the write to \
    the total, to the phone and to the user. Times are whole processes; *free* is the same without \
    a stopped process.";
const TIMEOUT: Duration = Duration::from_secs(2);
const RUNS: u64 = 9;

/// The result of logins beside a stopped one; a time if they succeeded.
type Beside = (Option<Duration>, String);

/// Measures the logins beside a stopped one, for every engine.
pub fn measure(data_dirs: &[&DataDir], disk: &Path) -> Table {
    let head = ["one is stopped", "another user", "the same user"];
    let mut table = Table::new("One process is stopped", CAPTION, &head);
    for data_dir in data_dirs {
        let run_free = |user| program::run(decide(data_dir, user)).0;
        let free = median((1..=RUNS).map(run_free).collect());
        let (other, same) = worst_of_three(data_dir, &disk.join("strace"));
        let other = match other {
            Some((Some(time), what)) => format!("{what}: {}, free {}", ratio(time, free), ms(free)),
            Some((None, what)) => what,
            None => "could not be stopped".to_owned(),
        };
        table.row(data_dir.engine, [other, same]);
    }
    table
}

fn decide(data_dir: &DataDir, user: u64) -> Command {
    program::decide(data_dir.engine, data_dir.path(), &[user])
}

/// Stops a login at its first, second and third write or sync; returns the worst result of other users,
/// and the last one of the same user.
fn worst_of_three(data_dir: &DataDir, log: &Path) -> (Option<Beside>, String) {
    // This ledger writes under its locks and syncs after releasing them; the others sync under theirs.
    let calls = match data_dir.engine {
        "own" => "pwritev",
        "floor" => "pwrite64",
        _ => "fsync,fdatasync",
    };
    let mut worst: Option<Beside> = None;
    let mut same = String::new();
    for n in 1..=3 {
        data_dir.restore();
        let Some(_stopped) = StoppedProcess::at(calls, n, &decide(data_dir, 0), log) else {
            break;
        };
        let found = other_users(data_dir);
        same = run_beside(decide(data_dir, 0)).1;
        let is_slower = |worst: &Beside| {
            let time = worst.0;
            time.is_some_and(|time| found.0.is_none_or(|found| found > time))
        };
        if worst.as_ref().is_none_or(is_slower) {
            worst = Some(found);
        }
    }
    (worst, same)
}

/// Runs logins of other users; returns the median, or the first result that is not a success.
fn other_users(data_dir: &DataDir) -> Beside {
    let mut times = Vec::new();
    for user in 1..=RUNS {
        match run_beside(decide(data_dir, user)) {
            (Some(time), _) => times.push(time),
            failed => return failed,
        }
    }
    (Some(median(times)), "succeeds".to_owned())
}
