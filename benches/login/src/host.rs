//! One login by a contender, in a process of its own, as the person in front of it sees it.

use crate::contender::Contender;
use crate::ground::{Ground, Who};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How a login went.
#[derive(Debug, Default)]
pub struct Went {
    /// The PAM code; nothing if the host died.
    pub code: Option<i32>,
    /// Each prompt with how long it was waited for: since the start, then since Enter.
    pub prompts: Vec<(String, Duration)>,
    /// From the last Enter (or the start) to the end.
    pub last: Duration,
    /// All of it, typing included.
    pub whole: Duration,
}

/// What is done around a login.
#[derive(Clone, Copy, Debug, Default)]
pub struct How<'a> {
    /// How long the person takes to type his password.
    pub typing: Duration,
    /// A command line that the host is run by: a profiler, a tracer.
    pub through: &'a [String],
}

/// Runs one login. `look` is called with each prompt (and with the end) while the process waits.
pub fn login(
    ground: &Ground,
    contender: &Contender,
    who: &Who,
    how: How<'_>,
    mut look: impl FnMut(&Child, &str),
) -> Went {
    let program = ground.host_program();
    let mut command = match how.through.split_first() {
        Some((first, rest)) => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        None => Command::new(program),
    };
    let began = Instant::now();
    let mut child = command
        .arg(ground.folder())
        .args([contender.service, &who.name])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the host starts");
    let mut enter = began;
    let mut stdin = child.stdin.take().expect("its stdin");
    let lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
    let mut went = Went::default();
    for line in lines.map_while(Result::ok) {
        let waited = enter.elapsed();
        if let Some(prompt) = line.strip_prefix("ask ") {
            look(&child, prompt);
            let typed = (contender.types)(ground, who, prompt);
            if for_password(prompt) {
                std::thread::sleep(how.typing);
            }
            went.prompts.push((prompt.to_owned(), waited));
            enter = Instant::now();
            let _ = writeln!(stdin, "{typed}");
        } else if let Some(code) = line.strip_prefix("end ") {
            went.last = waited;
            went.whole = began.elapsed();
            went.code = code.parse().ok();
            look(&child, "");
            let _ = writeln!(stdin);
        }
    }
    let _ = child.wait();
    went
}

/// Whether a prompt asks for the password.
pub fn for_password(prompt: &str) -> bool {
    prompt.ends_with("assword: ")
}

/// One login with a tool around it, typed slowly enough for one. Nothing if the tool is not here, or
/// the login does not work under it.
pub fn under(ground: &Ground, contender: &Contender, tool: &str, words: &[&str]) -> Option<()> {
    let folders = ["/usr/bin", "/usr/local/bin"].map(Path::new);
    let tool = folders.map(|folder| folder.join(tool));
    let tool = tool.iter().find(|path| path.exists())?;
    let through: Vec<String> = std::iter::once(tool.display().to_string())
        .chain(words.iter().map(ToString::to_string))
        .collect();
    let how = How {
        typing: Duration::from_secs(2),
        through: &through,
    };
    let who = &ground.people(1)[0];
    let went = login(ground, contender, who, how, |_, _| {});
    (went.code == Some(0)).then_some(())
}
