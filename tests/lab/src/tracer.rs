//! A tracer with ptrace(2): it traces one login, counts the system calls of the hook and of its helper, and
//! makes one of them fail without executing it.
//!
//! strace is not enough: it does not detect where the hook begins, and counts calls by name, not by thread.
//! This tracer also starts in a millisecond. It is the test program itself, started with `--tracer`, and
//! attaches to a host that waits for its first step and
//! [marks](crate::pamhost::PamHost::with_property) its hook.

pub mod calls;
#[cfg(target_arch = "x86_64")]
mod follow;
#[cfg(target_arch = "x86_64")]
mod ptrace;

use crate::process::this_program;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The first argument that makes a test program a tracer: its `main` then calls [`main`].
pub const FLAG: &str = "--tracer";

/// Marks the end of the hook, and plus 1 its beginning: the offset of an `lseek` on descriptor -1.
pub const MARK: i64 = 0x7061_6d5f_686f_6f6b;

/// Time limit in seconds. After it the tracer and its tracees are killed.
const TIME_LIMIT: u32 = 120;

/// Whether this processor is supported.
pub const fn is_supported() -> bool {
    cfg!(target_arch = "x86_64")
}

/// Identifies a call. Threads are numbered as they start, and the calls of each thread are counted per system
/// call. So it identifies the same call in the next login, even if a thread makes more calls of another kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// 0 is the host in its hook, 1 the intermediate process, 2 the helper's first thread.
    pub task: u32,
    pub number: i64,
    /// Counted from 0.
    pub nth: u32,
}

/// A system call.
#[derive(Clone, Debug)]
pub struct Call {
    pub place: Place,
    /// Whether it uses the socket of the log.
    pub to_log: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { task, nth, .. } = self.place;
        write!(f, "thread {task}, {} {nth}", self.name())
    }
}

/// The call to fail, and its error.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub place: Place,
    pub errno: i32,
}

/// A running tracer.
pub struct Tracer(Child, BufReader<std::process::ChildStdout>);

impl Tracer {
    /// Attaches a tracer to a host. Without a fault it only records the calls.
    pub fn attach(pid: u32, fault: Option<Fault>) -> Self {
        let mut command = Command::new(this_program());
        command.args([FLAG, &pid.to_string()]);
        if let Some(Fault { place, errno }) = fault {
            command.args([place.encode(), errno.to_string()]);
        }
        let command = command.env_clear().stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a tracer");
        let mut out = BufReader::new(child.stdout.take().expect("its stdout"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line of the tracer");
        assert_eq!(line, "ready\n", "the tracer is attached");
        Self(child, out)
    }

    /// Waits for the exit of the host; returns the recorded calls, or the one that failed.
    pub fn report(mut self) -> Vec<Call> {
        let lines = self
            .1
            .lines()
            .map(|line| line.expect("the tracer's report"));
        let calls = lines.map(|line| Call::parse(&line)).collect();
        let status = self.0.wait().expect("the tracer");
        assert!(status.success(), "the tracer ended with {status}");
        calls
    }
}

impl Place {
    fn parse(text: &str) -> Self {
        let mut words = text.split(':').map(str::parse::<i64>);
        let mut next = || words.next().expect("a word").expect("a number");
        let small = |number: i64| u32::try_from(number).expect("a small number");
        Self {
            task: small(next()),
            number: next(),
            nth: small(next()),
        }
    }

    fn encode(self) -> String {
        let Self { task, number, nth } = self;
        format!("{task}:{number}:{nth}")
    }
}

impl Call {
    /// Returns its name.
    pub fn name(&self) -> String {
        calls::name(self.place.number)
    }

    fn parse(line: &str) -> Self {
        let (place, to_log) = line.split_once(' ').expect("two words");
        Self {
            place: Place::parse(place),
            to_log: to_log == "log",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn encode(&self) -> String {
        let to = if self.to_log { "log" } else { "-" };
        format!("{} {to}", self.place.encode())
    }
}

/// Traces a host. Arguments: `PID`, or `PID PLACE ERRNO`.
pub fn main(words: &[String]) {
    #[cfg(target_arch = "x86_64")]
    {
        let number = |at: usize| -> i32 { words[at].parse().expect("a number") };
        let fault = (words.len() == 3).then(|| Fault {
            place: Place::parse(&words[1]),
            errno: number(2),
        });
        // SAFETY: a number only; SIGALRM ends this process, and with it its tracees.
        unsafe { libc::alarm(TIME_LIMIT) };
        for call in follow::host(number(0), fault) {
            println!("{}", call.encode());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    panic!("this processor is not supported: {words:?}, {TIME_LIMIT}");
}
