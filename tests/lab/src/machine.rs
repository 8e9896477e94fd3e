//! The test machine: a mount namespace of this process, with its own `/etc`, `/run`, `/var/log` and
//! `/dev`. Programs that it starts (sshd, sudo, su, login) use the accounts, PAM stacks and `/dev/log` of
//! the tests. The real machine is not changed, and the namespace ends with the process.

mod accounts;
mod mounts;

pub use accounts::{Account, User};
pub use mounts::landlock;

use crate::log::Log;
use crate::process::this_program;
use crate::scratch::{self, Scratch};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// The test machine. A process has at most one, until it ends.
#[derive(Debug)]
pub struct Machine {
    scratch: Scratch,
    log: Log,
    accounts: Mutex<accounts::Accounts>,
    host_program: OnceLock<PathBuf>,
}

impl Machine {
    /// Moves the process into a new mount namespace. Must be the first call in `main`: a namespace belongs
    /// to a thread, and only threads that are started later inherit it.
    ///
    /// # Errors
    /// Why this machine does not allow it.
    pub fn enter() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a mount namespace needs root".to_owned());
        }
        this_program();
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        assert_eq!(threads, 1, "Machine::enter comes before the first thread");
        mounts::leave_the_machine().map_err(|e| format!("no private mount namespace here: {e}"))?;
        let scratch = Scratch::new("machine");
        mounts::tmpfs(scratch.path());
        // SAFETY: the process has one thread (asserted above), so no other thread reads the environment.
        unsafe { std::env::set_var("TMPDIR", scratch.path()) };
        mounts::etc(&scratch);
        mounts::run_and_logs();
        mounts::dev(&scratch);
        // The thread of the log must be started inside the namespace.
        let log = Log::listen(Path::new("/dev/log"));
        let accounts = Mutex::new(accounts::Accounts::new(scratch.folder("home")));
        Ok(Self {
            scratch,
            log,
            accounts,
            host_program: OnceLock::new(),
        })
    }

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Adds an account.
    pub fn add(&self, user: &User) -> Account {
        self.accounts.lock().expect("the accounts").add(user)
    }

    /// Changes the local password of an existing account, root included.
    pub fn password(&self, name: &str, password: &str) {
        let mut accounts = self.accounts.lock().expect("the accounts");
        accounts.set_password(name, password);
    }

    /// Writes the PAM stack of a service, `/etc/pam.d/SERVICE`.
    pub fn stack(&self, service: &str, text: &str) {
        scratch::write(&Path::new("/etc/pam.d").join(service), 0o644, text);
    }

    /// Returns a copy of this program that every user may run: its own directory may not be accessible to
    /// them.
    pub fn host_program(&self) -> &Path {
        self.host_program.get_or_init(|| {
            let copy = self.scratch.join("host");
            let program = this_program();
            scratch::copy_program(program, &copy);
            scratch::set_mode(&copy, 0o755);
            copy
        })
    }

    /// Returns a directory that exists as long as the machine.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}
