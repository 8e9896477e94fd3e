//! A PAM application that a test controls: it calls libpam as sshd and sudo do, step by step, in a process
//! of its own.
//!
//! The process is the test program itself, started with `--pam-host`. [`child`] calls libpam there, and
//! exchanges one JSON value per line with [`PamHost::run`] here. An answer is requested when its prompt is
//! shown, so that a test can read the code from the SMS first.

mod answer;
mod bind_mounts;
pub mod child;
mod children;
mod concurrent;
pub mod ffi;
mod openssl;
mod pipe;
mod process_state;
mod snapshot;
mod step;

pub use snapshot::Snapshot;
pub use step::Step;

use crate::machine::{Account, Machine};
use crate::process::this_program;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The PAM codes that the module can return (`/usr/include/security/_pam_types.h`).
pub mod code {
    pub const SUCCESS: i32 = 0;
    pub const SERVICE_ERR: i32 = 3;
    pub const PERM_DENIED: i32 = 6;
    pub const AUTH_ERR: i32 = 7;
    pub const AUTHINFO_UNAVAIL: i32 = 9;
    pub const USER_UNKNOWN: i32 = 10;
    pub const MAXTRIES: i32 = 11;
    pub const CONV_ERR: i32 = 19;
    pub const IGNORE: i32 = 25;
    pub const ABORT: i32 = 26;
}

/// `PAM_SILENT`, as sudo passes it.
pub const SILENT: i32 = 0x8000;

/// A message on the user's screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub style: Style,
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A prompt without echo.
    Hidden,
    /// A prompt with echo.
    Shown,
    Error,
    Info,
}

/// What the host does with a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Text(String),
    /// Bytes that may not be UTF-8; a NUL ends them, as in C.
    Bytes(Vec<u8>),
    /// A response whose answer is a null pointer.
    Null,
    /// The host sets `PAM_USER` to the first, and answers with the second.
    SetUser(String, String),
    /// The conversation fails: `PAM_CONV_ERR`.
    ConvErr,
    /// The host is killed.
    KillHost,
}

impl From<&str> for Answer {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Answer {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A point of a run at which the process can be observed; the host waits meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At<'m> {
    /// Before the first step. Only in a host that [keeps no copies](PamHost::without_copies).
    Start,
    /// A prompt is shown and not answered.
    Prompt(&'m Message),
    /// A step has ended with this code. Only in a host that keeps no copies.
    Result(i32),
    /// The handle is closed. Only in a host that keeps no copies.
    End,
}

/// The record of a run.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// The host's process id.
    pub pid: u32,
    pub messages: Vec<Message>,
    /// The PAM code of each step that has one, and its duration.
    pub results: Vec<(i32, Duration)>,
    /// `PAM_USER` at the end, if it is set.
    pub user: Option<String>,
    pub before: Snapshot,
    pub after: Snapshot,
    /// Further reports of the host.
    pub notes: Vec<Value>,
    /// Output on stdout outside of the protocol, and on stderr: must be empty.
    pub stray: String,
    /// The signal that ended the host.
    pub killed_by: Option<i32>,
}

impl Transcript {
    /// Returns the codes.
    pub fn codes(&self) -> Vec<i32> {
        self.results.iter().map(|(code, _)| *code).collect()
    }

    /// Returns the texts.
    pub fn texts(&self) -> Vec<&str> {
        self.messages
            .iter()
            .map(|message| message.text.as_str())
            .collect()
    }
}

/// Describes a host.
#[derive(Clone, Debug)]
pub struct PamHost {
    program: PathBuf,
    through: Vec<String>,
    request: Value,
    steps: Vec<Step>,
    run_as: Option<(u32, u32)>,
    real_uid: Option<u32>,
    environment: Vec<(String, String)>,
    limits: Vec<(rustix::process::Resource, u64, Option<u64>)>,
}

impl PamHost {
    /// Creates a host for a service of this directory, or of `/etc/pam.d` without one.
    pub fn new(service: &str, folder: Option<&Path>) -> Self {
        Self {
            program: this_program().to_owned(),
            through: Vec::new(),
            request: json!({ "service": service, "folder": folder, "flags": 0, "items": {} }),
            steps: vec![Step::Authenticate],
            run_as: None,
            real_uid: None,
            environment: Vec::new(),
            limits: Vec::new(),
        }
    }

    pub fn user(mut self, name: &str) -> Self {
        self.request["user"] = json!(name);
        self
    }

    /// Sets a PAM item: `rhost`, `ruser`, `tty`.
    pub fn item(mut self, name: &str, value: &str) -> Self {
        self.request["items"][name] = json!(value);
        self
    }

    /// Sets an item that may not be UTF-8: `rhost`, `ruser`, `tty`, `user`, `service`, `pam_env`.
    pub fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        match name {
            "user" | "service" | "pam_env" => self.request[name] = json!(value),
            _ => self.request["items"][name] = json!(value),
        }
        self
    }

    /// Sets a variable of the PAM environment, `NAME=value`, as sshd does with `SSH_AUTH_INFO_0`.
    pub fn pam_env(mut self, assignment: &str) -> Self {
        self.request["pam_env"] = json!(assignment);
        self
    }

    /// Sets the flags of every step, such as [`SILENT`].
    pub fn flags(mut self, flags: i32) -> Self {
        self.request["flags"] = json!(flags);
        self
    }

    /// Sets the steps. The default is one `Authenticate`.
    pub fn steps(mut self, steps: &[Step]) -> Self {
        self.steps = steps.to_vec();
        self
    }

    /// Sets how the host handles SIGCHLD: `ignore` (SIG_IGN), `no-wait` (SA_NOCLDWAIT), `reap` (waits in the
    /// handler), `count` (counts the signals), or `wait` (waits for all children at each message).
    pub fn sigchld(mut self, how: &str) -> Self {
        self.request["sigchld"] = json!(how);
        self
    }

    /// Disables the delay after a failure (PAM_FAIL_DELAY).
    pub fn no_delay(mut self) -> Self {
        self.request["no_delay"] = json!(true);
        self
    }

    /// Makes the host keep no copy of an answer: it is read from the pipe into the memory that libpam gets.
    /// The host waits after each step, so that its memory can be examined.
    pub fn without_copies(mut self) -> Self {
        self.request["wipes"] = json!(true);
        self
    }

    /// Gives the host a property: `closed` (descriptors 0 to 2 are closed), `spread` (a descriptor at
    /// fs.nr_open, and the limit there), `openssl` (uses OpenSSL, and is in the middle of a handshake),
    /// `marked` (marks the begin and end of the hook for a [tracer](crate::tracer), conversation excluded),
    /// `subreaper` (adopts the orphans of its children).
    pub fn with_property(mut self, what: &str) -> Self {
        self.request[what] = json!(true);
        self
    }

    /// Runs the host as this user.
    pub fn run_as(mut self, machine: &Machine, account: &Account) -> Self {
        self.program = machine.host_program().to_owned();
        self.run_as = Some((account.uid, account.gid));
        self
    }

    /// Runs a copy of the host that every user can read, even if the repository is hidden by a mount.
    pub fn copied(mut self, machine: &Machine) -> Self {
        machine.host_program().clone_into(&mut self.program);
        self
    }

    /// Runs the host as a setuid-root program that this user started.
    pub fn setuid_for(mut self, account: &Account) -> Self {
        self.real_uid = Some(account.uid);
        self
    }

    /// Sets the host's gid and its supplementary groups.
    pub fn in_groups(mut self, group: u32, besides: &[u32]) -> Self {
        self.request["group"] = json!(group);
        self.request["groups"] = json!(besides);
        self
    }

    /// Runs the host through a command, which must `exec` its last arguments.
    pub fn through(mut self, words: &[&str]) -> Self {
        self.through = words.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Sets an environment variable of the host.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a resource limit, soft and hard.
    pub fn limit(mut self, resource: rustix::process::Resource, value: u64) -> Self {
        self.limits.push((resource, value, Some(value)));
        self
    }

    /// Sets a soft limit; the hard limit stays.
    pub fn soft_limit(mut self, resource: rustix::process::Resource, value: u64) -> Self {
        let hard = rustix::process::getrlimit(resource).maximum;
        self.limits.push((resource, value, hard));
        self
    }

    /// Runs it with one answer for each prompt in turn. Further prompts get `PAM_CONV_ERR`.
    pub fn run_with(&self, answers: &[Answer]) -> Transcript {
        let mut answers = answers.iter().cloned();
        self.run(|_| answers.next().unwrap_or(Answer::ConvErr))
    }

    /// Runs it; `answer` is called with each prompt.
    pub fn run(&self, answer: impl FnMut(&Message) -> Answer) -> Transcript {
        self.run_watched(answer, |_, _| {})
    }

    /// As [`Self::run`]; `watch` is called whenever the process waits.
    pub fn run_watched(
        &self,
        mut answer: impl FnMut(&Message) -> Answer,
        mut watch: impl FnMut(At, u32),
    ) -> Transcript {
        let wipes = self.request["wipes"] == true;
        let mut child = self.command().spawn().expect("the PAM host starts");
        let mut stdin = child.stdin.take().expect("the host's stdin");
        let mut stdout = BufReader::new(child.stdout.take().expect("the host's stdout"));
        let mut stderr = child.stderr.take().expect("the host's stderr");
        let errors = std::thread::spawn(move || {
            let mut output = Vec::new();
            let _ = stderr.read_to_end(&mut output);
            String::from_utf8_lossy(&output).into_owned()
        });
        let mut request = self.request.clone();
        request["steps"] = self.steps.iter().map(Step::json).collect();
        request["real_uid"] = json!(self.real_uid);
        writeln!(stdin, "{request}").expect("the host reads its request");

        let mut transcript = Transcript {
            pid: child.id(),
            messages: Vec::new(),
            results: Vec::new(),
            user: None,
            before: Snapshot::default(),
            after: Snapshot::default(),
            notes: Vec::new(),
            stray: String::new(),
            killed_by: None,
        };
        let mut line = Vec::new();
        while stdout
            .read_until(b'\n', &mut line)
            .expect("the host's stdout")
            > 0
        {
            match serde_json::from_slice::<Value>(&line) {
                Ok(event) => {
                    let pid = child.id();
                    let reply = transcript.take(&event, |message| {
                        watch(At::Prompt(message), pid);
                        answer(message)
                    });
                    match reply {
                        Some(Answer::KillHost) => {
                            let _ = child.kill();
                        }
                        Some(reply) => {
                            let _ = stdin.write_all(&answer::encode(&reply, wipes));
                        }
                        None => {
                            if let (Some(at), true) = (At::of(&event), wipes) {
                                watch(at, pid);
                                let _ = stdin.write_all(b"\n");
                            }
                        }
                    }
                }
                Err(_) => transcript.stray.push_str(&String::from_utf8_lossy(&line)),
            }
            line.clear();
        }
        let status = child.wait().expect("the host's status");
        transcript.killed_by = std::os::unix::process::ExitStatusExt::signal(&status);
        transcript
            .stray
            .push_str(&errors.join().expect("the host's stderr"));
        assert!(
            status.success() || transcript.killed_by.is_some(),
            "the PAM host failed ({status}): {}",
            transcript.stray
        );
        transcript
    }

    fn command(&self) -> Command {
        let mut command = match self.through.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command
            .arg(child::FLAG)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some((uid, gid)) = self.run_as {
            command.uid(uid).gid(gid);
        }
        let limits = self.limits.clone();
        // SAFETY: between fork and exec there is one system call per limit, and nothing else.
        unsafe {
            command.pre_exec(move || {
                for (resource, value, hard) in &limits {
                    let limit = rustix::process::Rlimit {
                        current: Some(*value),
                        maximum: *hard,
                    };
                    rustix::process::setrlimit(*resource, limit)?;
                }
                Ok(())
            });
        }
        command
    }
}

impl At<'_> {
    fn of(event: &Value) -> Option<Self> {
        if let Some(code) = event["result"].as_i64() {
            return Some(Self::Result(i32::try_from(code).expect("a PAM code")));
        }
        if event["before"].is_object() {
            return Some(Self::Start);
        }
        event["after"].is_object().then_some(Self::End)
    }
}

impl Transcript {
    /// Records an event of the host; returns an answer if it is a prompt.
    fn take(
        &mut self,
        event: &Value,
        mut answer: impl FnMut(&Message) -> Answer,
    ) -> Option<Answer> {
        if let Some(text) = event["message"].as_str() {
            let (style, is_prompt) = match event["style"].as_i64() {
                Some(1) => (Style::Hidden, true),
                Some(2) => (Style::Shown, true),
                Some(3) => (Style::Error, false),
                _ => (Style::Info, false),
            };
            let message = Message {
                style,
                text: text.to_owned(),
            };
            let answer = is_prompt.then(|| answer(&message));
            self.messages.push(message);
            return answer;
        }
        if let Some(code) = event["result"].as_i64() {
            let took = Duration::from_micros(event["micros"].as_u64().unwrap_or_default());
            self.results
                .push((i32::try_from(code).expect("a PAM code"), took));
        }
        if event["note"].is_string() {
            self.notes.push(event.clone());
        }
        if event["before"].is_object() {
            self.before = Snapshot::from_json(&event["before"]);
        }
        if event["after"].is_object() {
            self.after = Snapshot::from_json(&event["after"]);
            self.user = event["user"].as_str().map(str::to_owned);
        }
        None
    }
}
