//! What strace can do: stop a process in the middle of its write, and count its system calls.

use crate::ground::Ground;
use crate::program::{self, Answer};
use crate::table::{Table, median, ms, ratio};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Whether there is one that may trace.
pub fn can_trace() -> bool {
    let mut trace = Command::new("strace");
    trace
        .args(["-o", "/dev/null"])
        .arg(program::path("nothing"));
    // It is told nothing to do, and says so: that it ran is enough.
    let ended = trace.stdin(Stdio::null()).output();
    ended.is_ok_and(|ended| String::from_utf8_lossy(&ended.stderr).contains("decide PLACE"))
}

/// A process that stands still with its locks, until this is dropped.
pub struct Still {
    strace: Child,
    pid: Pid,
}

impl Still {
    /// Stops an engine's process at that of such system calls which it makes, counted from 1. Its
    /// call goes through, and it does not come back from it. `None`: it makes less of them.
    pub fn at(calls: &str, which: u32, decide: &Command, log: &Path) -> Option<Self> {
        let _ = fs::remove_file(log);
        let mut strace = Command::new("strace");
        strace.arg("-f").arg("-o").arg(log);
        strace.arg(format!("--trace={calls}"));
        strace.arg(format!("--inject={calls}:signal=SIGSTOP:when={which}"));
        strace.arg(decide.get_program()).args(decide.get_args());
        strace.stdin(Stdio::null()).stdout(Stdio::null());
        let mut strace = strace.spawn().expect("strace");
        let mut stopped = None;
        let look = || {
            let text = fs::read_to_string(log).unwrap_or_default();
            let line = text
                .lines()
                .find(|line| line.contains("stopped by SIGSTOP"));
            let pid = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            stopped = pid.and_then(Pid::from_raw);
            stopped.is_some() || strace.try_wait().is_ok_and(|ended| ended.is_some())
        };
        let most = Duration::from_secs(20);
        ledger_bench::probe::until(most, Duration::from_millis(2), look);
        if let Some(pid) = stopped {
            return Some(Self { strace, pid });
        }
        let _ = strace.kill();
        let _ = strace.wait();
        None
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = self.strace.wait();
    }
}

/// How many system calls a process makes, from its start to its end.
pub fn calls(decide: &Command, log: &Path) -> u64 {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-c", "-o"]).arg(log);
    strace.arg(decide.get_program()).args(decide.get_args());
    let output = strace.stdin(Stdio::null()).output().expect("strace");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("reserved"), "{said}");
    let text = fs::read_to_string(log).expect("strace's summary");
    // % time, seconds, usecs/call, calls, errors (if any), syscall
    let total = text.lines().rfind(|line| line.ends_with("total"));
    let calls = total.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    calls.unwrap_or_else(|| panic!("no total: {text}"))
}

/// What became of somebody who decides while another stands still.
pub fn beside(decide: Command, patience: Duration) -> (Option<Duration>, String) {
    match program::within(patience, decide) {
        None => (None, format!("does not within {} s", patience.as_secs())),
        Some((whole, said)) => match said.decisions.first() {
            Some((Answer::Reserved, _)) => (Some(whole), "goes on".to_owned()),
            Some((Answer::Refused, _)) => (None, "is refused".to_owned()),
            Some((Answer::Failed(why), time)) => {
                eprintln!("it ended with: {why}");
                let seconds = time.as_secs_f64();
                (None, format!("gives up after {seconds:.1} s, and says why"))
            }
            None => (None, "breaks".to_owned()),
        },
    }
}

const SAYS: &str = "A process is stopped (SIGSTOP) in the middle of its write or transaction, with \
    its locks, as a debugger or a frozen cgroup does it. Then another login \
    comes, and is given 2 s. Of this ledger the worst is shown of all places where it can be \
    stopped: in its write to the total, the phone, the person. Times are whole processes, beside \
    the same with nobody in the way.";
const PATIENCE: Duration = Duration::from_secs(2);
const RUNS: u64 = 9;

/// What becomes of others.
pub fn measure(grounds: &[&Ground], disk: &Path) -> Table {
    let head = ["one stands still", "another person", "the same person"];
    let mut table = Table::new("One stands still", SAYS, &head);
    for ground in grounds {
        // This ledger writes within its locks and syncs after them; the others sync within.
        let calls = match ground.engine {
            "own" => "pwritev",
            "floor" => "pwrite64",
            _ => "fsync,fdatasync",
        };
        let log = disk.join("strace");
        let one = |person| program::decide(ground.engine, ground.place(), &[person]);
        let free = median(
            (1..=RUNS)
                .map(|person| program::run(one(person)).0)
                .collect(),
        );
        let mut worst: Option<(Option<Duration>, String)> = None;
        let mut same = String::new();
        for which in 1..=3 {
            ground.restore();
            let Some(_still) = Still::at(calls, which, &one(0), &log) else {
                break;
            };
            let others: Vec<_> = (1..=RUNS)
                .map_while(|person| {
                    let beside = beside(one(person), PATIENCE);
                    // Once is enough of those who do not go on.
                    (person == 1 || beside.0.is_some()).then_some(beside)
                })
                .collect();
            let times: Vec<Duration> = others.iter().filter_map(|other| other.0).collect();
            let found = if times.len() == others.len() {
                (Some(median(times)), "goes on".to_owned())
            } else {
                (
                    None,
                    others
                        .into_iter()
                        .find(|other| other.0.is_none())
                        .map_or_else(String::new, |other| other.1),
                )
            };
            same = beside(one(0), PATIENCE).1;
            let slower = |worst: &(Option<Duration>, String)| {
                worst
                    .0
                    .is_some_and(|time| found.0.is_none_or(|found| found > time))
            };
            if worst.as_ref().is_none_or(slower) {
                worst = Some(found);
            }
        }
        let other = match worst {
            Some((Some(time), what)) => format!("{what}: {}, free {}", ratio(time, free), ms(free)),
            Some((None, what)) => what,
            None => "could not be stopped".to_owned(),
        };
        table.row(ground.engine, [other, same]);
    }
    table
}
