//! A small tracer: it follows one login, counts the system calls of the hook and of its helper, and
//! makes one of them fail without being made.
//!
//! Why not strace: it cannot say where the hook begins, and counts by name and not by thread; and this
//! one starts in a millisecond. It is this very program, started again with `--tracer`, and attaches
//! itself to a host that waits for its first step and [marks](crate::pamhost::PamHost::that_is) its hook.

pub mod calls;
#[cfg(target_arch = "x86_64")]
mod follow;
#[cfg(target_arch = "x86_64")]
mod ptrace;

use crate::process::this_program;
use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The first argument that makes a test program a tracer: its `main` calls [`main`] then.
pub const FLAG: &str = "--tracer";

/// How the hook's beginning and end are marked: `lseek` on no descriptor, with this or the next offset.
pub const MARK: i64 = 0x7061_6d5f_686f_6f6b;

/// Nothing that is followed takes longer: what does is ended, tracer and all.
const LONGEST: u32 = 120;

/// Whether there is one for this processor.
pub const fn is_there() -> bool {
    cfg!(target_arch = "x86_64")
}

/// Which call: threads are counted as they begin, and each counts its own calls of each number. So the
/// place means the same in the next login, even if a thread waits once more often there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// 0 is the host while it is in the hook, 1 the intermediate process, 2 the helper's first thread,
    /// both from their start on.
    pub task: u32,
    pub number: i64,
    /// From 0 on.
    pub nth: u32,
}

/// A call that was made, or was to be.
#[derive(Clone, Debug)]
pub struct Call {
    pub place: Place,
    /// Of the log's own socket.
    pub to_log: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { task, nth, .. } = self.place;
        write!(f, "thread {task}, {} {nth}", self.name())
    }
}

/// What is to fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    pub place: Place,
    pub errno: i32,
}

/// One at work.
pub struct Tracer(Child, BufReader<std::process::ChildStdout>);

impl Tracer {
    /// Attaches one to a host, and returns when it follows. Without a fault it only counts.
    pub fn attach(pid: u32, fault: Option<Fault>) -> Self {
        let mut command = Command::new(this_program());
        command.args([FLAG, &pid.to_string()]);
        if let Some(Fault { place, errno }) = fault {
            command.args([place.write(), errno.to_string()]);
        }
        let command = command.env_clear().stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn().expect("a tracer");
        let mut out = BufReader::new(child.stdout.take().expect("its stdout"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a word of the tracer's");
        assert_eq!(line, "ready\n", "the tracer follows");
        Self(child, out)
    }

    /// What it has seen, when the host has ended: the calls that it counted, or the one that failed.
    pub fn report(mut self) -> Vec<Call> {
        let lines = self
            .1
            .lines()
            .map(|line| line.expect("the tracer's report"));
        let calls = lines.map(|line| Call::read(&line)).collect();
        let status = self.0.wait().expect("the tracer");
        assert!(status.success(), "the tracer ended with {status}");
        calls
    }
}

impl Place {
    fn read(text: &str) -> Self {
        let mut words = text.split(':').map(str::parse::<i64>);
        let mut next = || words.next().expect("a word").expect("a number");
        let small = |number: i64| u32::try_from(number).expect("a small number");
        Self {
            task: small(next()),
            number: next(),
            nth: small(next()),
        }
    }

    fn write(self) -> String {
        let Self { task, number, nth } = self;
        format!("{task}:{number}:{nth}")
    }
}

impl Call {
    /// Its name in the manual.
    pub fn name(&self) -> String {
        calls::name(self.place.number)
    }

    fn read(line: &str) -> Self {
        let (place, to_log) = line.split_once(' ').expect("two words");
        Self {
            place: Place::read(place),
            to_log: to_log == "log",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn write(&self) -> String {
        let to = if self.to_log { "log" } else { "-" };
        format!("{} {to}", self.place.write())
    }
}

/// Follows a host: `PID`, or `PID PLACE ERRNO`.
pub fn main(words: &[String]) {
    #[cfg(target_arch = "x86_64")]
    {
        let number = |at: usize| -> i32 { words[at].parse().expect("a number") };
        let fault = (words.len() == 3).then(|| Fault {
            place: Place::read(&words[1]),
            errno: number(2),
        });
        // SAFETY: a number only. Unhandled, the alarm ends this process, and that its tracees.
        unsafe { libc::alarm(LONGEST) };
        for call in follow::host(number(0), fault) {
            println!("{}", call.write());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    panic!("no tracer for this processor: {words:?}, {LONGEST}");
}
