//! Runs one login of a contender in a process of its own, and measures it as its user sees it.

use crate::contender::Contender;
use crate::testbed::{TestUser, Testbed};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The result and the times of a login.
#[derive(Debug, Default)]
pub struct Login {
    /// The PAM code; `None` if the host crashed.
    pub code: Option<i32>,
    /// Each prompt, with the wait for it since the start or the last Enter.
    pub prompts: Vec<(String, Duration)>,
    /// The time from the last Enter (or the start) to the end.
    pub last: Duration,
    /// The time of the whole login, typing included.
    pub whole: Duration,
}

/// Options of a login.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// How long the user types the password.
    pub typing: Duration,
    /// A command that runs the host: a profiler or a tracer.
    pub wrapper: &'a [String],
}

/// Runs one login. Calls `inspect` at each prompt, and at the end with an empty one, while the process
/// waits.
pub fn run_login(
    testbed: &Testbed,
    contender: &Contender,
    user: &TestUser,
    options: Options<'_>,
    mut inspect: impl FnMut(&Child, &str),
) -> Login {
    let program = testbed.host_program();
    let mut command = match options.wrapper.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    let start = Instant::now();
    let mut child = command
        .arg(testbed.folder())
        .args([contender.service, &user.name])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the bench host");
    let mut enter = start;
    let mut stdin = child.stdin.take().expect("a pipe");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut login = Login::default();
    for line in lines.map_while(Result::ok) {
        let waited = enter.elapsed();
        if let Some(prompt) = line.strip_prefix("ask ") {
            inspect(&child, prompt);
            let answer = (contender.answer)(testbed, user, prompt);
            if is_password_prompt(prompt) {
                std::thread::sleep(options.typing);
            }
            login.prompts.push((prompt.to_owned(), waited));
            enter = Instant::now();
            let _ = writeln!(stdin, "{answer}");
        } else if let Some(code) = line.strip_prefix("end ") {
            login.last = waited;
            login.whole = start.elapsed();
            login.code = code.parse().ok();
            inspect(&child, "");
            let _ = writeln!(stdin);
        }
    }
    let _ = child.wait();
    login
}

/// Returns whether a prompt asks for the password.
pub fn is_password_prompt(prompt: &str) -> bool {
    prompt.ends_with("assword: ")
}

/// Runs one login under a tool, with two seconds to type the password. Returns `None` if the tool is
/// missing or the login fails under it.
pub fn login_under(
    testbed: &Testbed,
    contender: &Contender,
    tool: &str,
    args: &[&str],
) -> Option<()> {
    let folders = ["/usr/bin", "/usr/local/bin"].map(Path::new);
    let tool = folders.map(|folder| folder.join(tool));
    let tool = tool.iter().find(|path| path.exists())?;
    let wrapper: Vec<String> = std::iter::once(tool.display().to_string())
        .chain(args.iter().map(ToString::to_string))
        .collect();
    let options = Options {
        typing: Duration::from_secs(2),
        wrapper: &wrapper,
    };
    let user = &testbed.users(1)[0];
    let login = run_login(testbed, contender, user, options, |_, _| {});
    (login.code == Some(0)).then_some(())
}
