//! Programs that the tests run: servers, which are stopped by their pid, and tools, whose output is part of the
//! panic message if they fail.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// The running servers, for [`stop_all`].
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// A server. Dropping it sends SIGTERM, waits, and kills it if it does not exit.
#[derive(Debug)]
pub struct Server {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Server {
    /// Starts `command`; its output goes to the file `output`.
    pub fn start(name: &str, command: &mut Command, output: &Path) -> Self {
        let file = File::create(output)
            .unwrap_or_else(|e| panic!("cannot write {}: {e}", output.display()));
        let child = command
            .stdin(Stdio::null())
            .stdout(
                file.try_clone()
                    .expect("a second handle on the server's output"),
            )
            .stderr(file)
            .spawn()
            .unwrap_or_else(|e| panic!("{name} does not start ({e}): {command:?}"));
        RUNNING.lock().expect("the servers").push(child.id());
        Self {
            name: name.to_owned(),
            child,
            output: output.to_owned(),
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the output so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Waits until `ready` returns true. Panics with the server's output if it exits or the time is over.
    pub fn wait_until(&mut self, timeout: Duration, mut ready: impl FnMut() -> bool) {
        let until = Instant::now() + timeout;
        while !ready() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!(
                    "{} ended before it was ready ({status}):\n{}",
                    self.name,
                    self.output()
                );
            }
            assert!(
                Instant::now() < until,
                "{} was not ready within {timeout:?}:\n{}",
                self.name,
                self.output()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server.
    pub fn stop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            terminate(self.child.id());
            let until = Instant::now() + Duration::from_secs(3);
            while Instant::now() < until && matches!(self.child.try_wait(), Ok(None)) {
                thread::sleep(Duration::from_millis(5));
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        let mut running = RUNNING.lock().expect("the servers");
        running.retain(|pid| *pid != self.child.id());
    }
}

/// Sends SIGTERM to all running servers, for a process that is about to exit without dropping them.
pub fn stop_all() {
    for pid in RUNNING.lock().expect("the servers").drain(..) {
        terminate(pid);
    }
}

fn terminate(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process};
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::TERM);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a tool and returns its stdout. Panics with all of its output if it fails.
pub fn run(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    let output_text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed ({}):\n{output_text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    output_text
}

/// Returns the path of this program.
///
/// The first call must be before the mount namespace changes: in a chroot the kernel returns another path
/// afterwards.
pub fn this_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| std::env::current_exe().expect("the path of this program"))
}

/// Returns the path of a program, searched in the system directories and `PATH`, which for an ordinary user
/// often lacks sbin.
pub fn program(name: &str) -> PathBuf {
    found(&[name])
}

/// Returns the first of these programs that exists: a program may have different names.
pub fn found(names: &[&str]) -> PathBuf {
    find(names).unwrap_or_else(|| {
        panic!(
            "{} is not installed: run `make packages`",
            names.join(" or ")
        )
    })
}

/// Like [`found`]; returns `None` if no program exists.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = [
        "/usr/sbin",
        "/usr/bin",
        "/sbin",
        "/bin",
        "/usr/local/sbin",
        "/usr/local/bin",
    ];
    let folders: Vec<PathBuf> = system
        .iter()
        .map(PathBuf::from)
        .chain(std::env::split_paths(&path))
        .collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|path| path.is_file())
}
