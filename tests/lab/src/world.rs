//! A private machine: the process moves into a mount namespace of its own, where `/etc`, `/run`,
//! `/var/log` and `/dev` are ours. Programs it starts (sshd, sudo, su, login) see our accounts, our PAM
//! stacks and our `/dev/log`; the real machine sees nothing of it, and all is gone with the process.

mod accounts;
mod mounts;

pub use accounts::{Account, User};
pub use mounts::landlock;

use crate::log::Log;
use crate::process::this_program;
use crate::scratch::{self, Scratch};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// The private machine. There is one in a process, and it stays until the process ends.
#[derive(Debug)]
pub struct World {
    scratch: Scratch,
    log: Log,
    accounts: Mutex<accounts::Accounts>,
    host_program: OnceLock<PathBuf>,
}

impl World {
    /// Moves the process into its private machine. To be called first thing in `main`: a namespace
    /// belongs to a thread, and only threads started later are born into it.
    ///
    /// The error says in a sentence why it cannot be done here.
    pub fn enter() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a private machine needs root".to_owned());
        }
        this_program();
        let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
        assert_eq!(threads, 1, "World::enter comes before the first thread");
        mounts::leave_the_machine().map_err(|e| format!("no private mount namespace here: {e}"))?;
        let scratch = Scratch::new("world");
        mounts::tmpfs(scratch.path());
        // SAFETY: the process has one thread (asserted above), so nobody reads the environment now.
        unsafe { std::env::set_var("TMPDIR", scratch.path()) };
        mounts::etc(&scratch);
        mounts::run_and_logs();
        mounts::dev(&scratch);
        // Only now a thread: it listens in here.
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

    /// Adds an account to the machine.
    pub fn add(&self, user: &User) -> Account {
        self.accounts.lock().expect("the accounts").add(user)
    }

    /// Gives an account that is there another local password, to root too.
    pub fn password(&self, name: &str, password: &str) {
        let mut accounts = self.accounts.lock().expect("the accounts");
        accounts.set_password(name, password);
    }

    /// Writes the PAM stack of a service, `/etc/pam.d/SERVICE`.
    pub fn stack(&self, service: &str, text: &str) {
        scratch::write(&Path::new("/etc/pam.d").join(service), 0o644, text);
    }

    /// This program, where an ordinary user may run it: its own folder may be closed to him.
    pub fn host_program(&self) -> &Path {
        self.host_program.get_or_init(|| {
            let copy = self.scratch.join("host");
            let program = this_program();
            scratch::copy_program(program, &copy);
            scratch::set_mode(&copy, 0o755);
            copy
        })
    }

    /// A folder that lives as long as the machine.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}
