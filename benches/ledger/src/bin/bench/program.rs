//! Starts the engines' programs without a shell, and parses their output.

use rustix::pipe::{PipeFlags, pipe_with};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// The output of an engine's program.
#[derive(Debug, Default)]
pub struct Report {
    pub open: Duration,
    /// The result and the time of each decision.
    pub decisions: Vec<(Answer, Duration)>,
    /// The peak resident set size, in bytes.
    pub memory: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Reserved,
    Refused,
    Failed(String),
}

impl Report {
    fn parse(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (what, number) = (words.next(), words.next());
            let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            let time = Duration::from_nanos(number);
            let mut decision = |answer| report.decisions.push((answer, time));
            match what {
                Some("open") => report.open = time,
                Some("reserved") => decision(Answer::Reserved),
                Some("refused") => decision(Answer::Refused),
                Some("failed") => {
                    decision(Answer::Failed(words.next().unwrap_or_default().to_owned()));
                }
                Some("memory") => report.memory = number,
                _ => {}
            }
        }
        report
    }

    /// Returns the time of opening and of the one decision; panics unless it reserved an SMS.
    pub fn inside(&self) -> Duration {
        match self.decisions.as_slice() {
            [(Answer::Reserved, time)] => self.open + *time,
            other => panic!("not one SMS was reserved: {other:?}"),
        }
    }
}

/// Returns the path of an engine's program, which is in the directory of this one.
pub fn program_path(engine: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program's path");
    own.with_file_name(engine)
}

pub fn decide(engine: &str, path: &str, users: &[u64]) -> Command {
    let mut command = Command::new(program_path(engine));
    command.args(["decide", path]);
    command.args(users.iter().map(u64::to_string));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Runs one process to its exit; returns its run time and its report.
pub fn run(mut command: Command) -> (Duration, Report) {
    let begun = Instant::now();
    let output = command.output().expect("the engine's program");
    let whole = begun.elapsed();
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    (whole, Report::parse(&text))
}

/// Starts many processes that decide at the same moment; returns the time until the last exit, and
/// each report.
pub fn at_once(commands: Vec<Command>) -> (Duration, Vec<Report>) {
    let (start_signal, sender) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    let start = |mut command: Command| {
        command.stdin(start_signal.try_clone().expect("a descriptor"));
        let mut child = command.spawn().expect("the engine's program");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        out.read_line(&mut String::new()).expect("a line");
        (child, out)
    };
    let children: Vec<(Child, BufReader<ChildStdout>)> = commands.into_iter().map(start).collect();
    let begun = Instant::now();
    drop(sender);
    let read = |(mut child, mut out): (Child, BufReader<ChildStdout>)| {
        let mut text = String::new();
        out.read_to_string(&mut text).expect("its output");
        child.wait().expect("an exit status");
        Report::parse(&text)
    };
    let reports = children.into_iter().map(read).collect();
    (begun.elapsed(), reports)
}

/// Runs one process to its exit, or kills it after the time and returns `None`.
pub fn within(timeout: Duration, mut command: Command) -> Option<(Duration, Report)> {
    let begun = Instant::now();
    let mut child = command.spawn().expect("the engine's program");
    let pause = Duration::from_micros(200);
    let has_exited = || child.try_wait().expect("our process").is_some();
    let has_exited = ledger_bench::probe::until(timeout, pause, has_exited);
    let whole = begun.elapsed();
    if !has_exited {
        child.kill().expect("our process");
    }
    let output = child.wait_with_output().expect("its output");
    has_exited.then(|| {
        (
            whole,
            Report::parse(&String::from_utf8_lossy(&output.stdout)),
        )
    })
}
