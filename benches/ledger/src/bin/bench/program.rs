//! The engines' programs: started without a shell, and read.

use rustix::pipe::{PipeFlags, pipe_with};
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// What a process has said of itself.
#[derive(Debug, Default)]
pub struct Said {
    pub open: Duration,
    /// What became of each decision, and how long it took.
    pub decisions: Vec<(Answer, Duration)>,
    /// The most that was resident, in bytes.
    pub memory: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Reserved,
    Refused,
    Failed(String),
}

impl Said {
    fn read(text: &str) -> Self {
        let mut said = Self::default();
        for line in text.lines() {
            let mut words = line.splitn(3, ' ');
            let (what, number) = (words.next(), words.next());
            let number = number.and_then(|number| number.parse().ok()).unwrap_or(0);
            let time = Duration::from_nanos(number);
            let mut decision = |answer| said.decisions.push((answer, time));
            match what {
                Some("open") => said.open = time,
                Some("reserved") => decision(Answer::Reserved),
                Some("refused") => decision(Answer::Refused),
                Some("failed") => {
                    decision(Answer::Failed(words.next().unwrap_or_default().to_owned()));
                }
                Some("memory") => said.memory = number,
                _ => {}
            }
        }
        said
    }

    /// Opening and the one decision. That it was not made is told.
    pub fn inside(&self) -> Duration {
        match self.decisions.as_slice() {
            [(Answer::Reserved, time)] => self.open + *time,
            other => panic!("not one SMS was reserved: {other:?}"),
        }
    }
}

/// Where an engine's program is: beside this one.
pub fn path(engine: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this program's path");
    own.with_file_name(engine)
}

pub fn decide(engine: &str, place: &str, people: &[u64]) -> Command {
    let mut command = Command::new(path(engine));
    command.args(["decide", place]);
    command.args(people.iter().map(u64::to_string));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// One process from start to end: how long it was there, and what it said.
pub fn run(mut command: Command) -> (Duration, Said) {
    let begun = Instant::now();
    let output = command.output().expect("the engine's program");
    let whole = begun.elapsed();
    assert!(output.status.success(), "{command:?}: {output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    (whole, Said::read(&text))
}

/// Many processes that decide at the same moment: how long until all had ended, and what each said.
pub fn at_once(commands: Vec<Command>) -> (Duration, Vec<Said>) {
    let (word, giver) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    let start = |mut command: Command| {
        command.stdin(word.try_clone().expect("a descriptor"));
        let mut child = command.spawn().expect("the engine's program");
        let mut said = BufReader::new(child.stdout.take().expect("its words"));
        said.read_line(&mut String::new()).expect("it is ready");
        (child, said)
    };
    let children: Vec<(Child, BufReader<ChildStdout>)> = commands.into_iter().map(start).collect();
    let begun = Instant::now();
    drop(giver);
    let read = |(mut child, mut out): (Child, BufReader<ChildStdout>)| {
        let mut text = String::new();
        out.read_to_string(&mut text).expect("its words");
        child.wait().expect("its end");
        Said::read(&text)
    };
    let said = children.into_iter().map(read).collect();
    (begun.elapsed(), said)
}

/// A process that is given so long. `None`: it was not through, and is ended.
pub fn within(most: Duration, mut command: Command) -> Option<(Duration, Said)> {
    let begun = Instant::now();
    let mut child = command.spawn().expect("the engine's program");
    let pause = Duration::from_micros(200);
    let over = || child.try_wait().expect("our process").is_some();
    let over = ledger_bench::probe::until(most, pause, over);
    let whole = begun.elapsed();
    if !over {
        child.kill().expect("our process");
    }
    let output = child.wait_with_output().expect("its words");
    over.then(|| (whole, Said::read(&String::from_utf8_lossy(&output.stdout))))
}
