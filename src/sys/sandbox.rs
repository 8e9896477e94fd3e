//! The sandbox of the helper: limits what a helper can do that a hostile server has compromised.
//!
//! It is entered once everything is open that only root may open. Its layers are independent of each
//! other and enforced by the kernel: a user of its own, no capabilities, no new privileges, only files
//! that name services need (Landlock), TCP only to the configured ports (Landlock), no system calls that
//! only an attacker needs (seccomp).

mod landlock;
mod seccomp;

use std::{
    fs,
    io::{self, ErrorKind},
    thread,
    time::Duration,
};

use rustix::{
    io::Errno,
    process::{Gid, Uid},
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set,
        remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
    },
};

use super::{
    nss::User,
    process::{forbid_dumps, is_root, kill_with_parent},
};
use landlock::Landlock;

/// The user of the helper in the sandbox, created by sysusers.d.
const OWN_USER: &str = "pam_sms_otp";

/// The overflow uid: shared by services without a user of their own, and shown by the kernel for unmapped ids.
const OVERFLOW_UID: u32 = 65534;

/// How often, and at which interval, other threads are checked for.
const THREAD_CHECKS: u32 = 500;
const THREAD_CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// The layers of the sandbox that this machine supports.
pub struct Sandbox {
    own: Option<User>,
    landlock: Landlock,
    ports: Vec<u16>,
    missing: Vec<Missing>,
}

/// A layer that this machine does not support.
struct Missing {
    what: &'static str,
    /// Part of a file name.
    short: &'static str,
}

impl Sandbox {
    /// Determines which layers this machine supports. TCP connections to `ports` are allowed.
    ///
    /// # Errors
    /// A layer is supported but cannot be used.
    pub fn probe(ports: Vec<u16>) -> Result<Self, String> {
        let mut missing = Vec::new();
        let mut add_missing = |what, short| missing.push(Missing { what, short });
        let own = if is_root() { own_user()? } else { None };
        if own.is_none() && is_root() {
            add_missing(
                "a user of its own (there is no user pam_sms_otp: the helper stays root, without capabilities)",
                "user",
            );
        }
        let landlock = Landlock::probe()?;
        if let Some(what) = landlock.unsupported() {
            add_missing(what, "landlock");
        }
        if !seccomp::is_supported()? {
            add_missing("the system call filter (seccomp)", "seccomp");
        }
        Ok(Self {
            own,
            landlock,
            ports,
            missing,
        })
    }

    /// Names the missing layers that were not reported since boot, and marks them as reported.
    #[must_use]
    pub fn unreported(&self) -> Option<String> {
        let unreported = self
            .missing
            .iter()
            .filter(|missing| missing.mark_reported());
        let names: Vec<_> = unreported.map(|missing| missing.what).collect();
        (!names.is_empty()).then(|| names.join("; "))
    }

    /// Enters the sandbox, for the rest of this process. No other thread may run yet: it would stay
    /// outside.
    ///
    /// # Errors
    /// A supported layer could not be enforced.
    pub fn enforce(self) -> Result<(), String> {
        wait_until_single_threaded()?;
        if is_root() {
            drop_privileges(self.own.as_ref())?;
        }
        set_no_new_privs(true).map_err(|errno| format!("no new privileges: {errno}"))?;
        // A change of ids resets both.
        forbid_dumps();
        kill_with_parent();
        self.landlock.enforce(&self.ports)?;
        seccomp::enforce()
    }
}

impl Missing {
    /// Creates the marker file in /run, and returns whether it is new. If it cannot be created (not root,
    /// no /run), the layer is reported at each login.
    fn mark_reported(&self) -> bool {
        let marker = format!("/run/pam_sms_otp.no-{}", self.short);
        let created = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(marker);
        !created.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
    }
}

/// Looks up the user of the helper in /etc/passwd, without NSS: no directory can choose the user, and a
/// directory that is down does not lock out local accounts. A user that is root or the overflow uid is worse than
/// none, and an error.
fn own_user() -> Result<Option<User>, String> {
    #[allow(
        clippy::disallowed_methods,
        reason = "/etc/passwd is not a settings file"
    )]
    let accounts = fs::read("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let is_own =
        |line: &&[u8]| line.split(|byte| *byte == b':').next() == Some(OWN_USER.as_bytes());
    let Some(line) = accounts.split(|byte| *byte == b'\n').find(is_own) else {
        return Ok(None);
    };
    let own = ids(line)
        .ok_or_else(|| format!("the user {OWN_USER}: its line in /etc/passwd has no ids"))?;
    if own.uid == 0 || own.uid == OVERFLOW_UID || own.gid == 0 {
        return Err(format!(
            "the user {OWN_USER} has uid {} and gid {}: give it ids of its own",
            own.uid, own.gid
        ));
    }
    Ok(Some(own))
}

/// Parses the ids in a line of passwd(5).
fn ids(line: &[u8]) -> Option<User> {
    let line = std::str::from_utf8(line).ok()?;
    let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
    let (uid, gid) = (ids.next()??, ids.next()??);
    Some(User { uid, gid })
}

/// Changes to the user of the helper, if there is one, and drops all capabilities.
fn drop_privileges(own: Option<&User>) -> Result<(), String> {
    // The bounding set matters only at execve, which the system call filter forbids. Errors are ignored:
    // in a container root may lack the capability to change it.
    for capability in CapabilitySet::all() {
        let _ = remove_capability_from_bounding_set(capability);
    }
    // Linux before 4.3 has no ambient set.
    let _ = clear_ambient_capability_set();
    if let Some(own) = own {
        become_user(own)?;
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(|errno| format!("capabilities: {errno}"))
}

/// Changes all ids to those of the user: the groups first, which only root may change.
fn become_user(own: &User) -> Result<(), String> {
    let failed = |what: &str| {
        format!(
            "the user {OWN_USER}: {what}: {}",
            io::Error::last_os_error()
        )
    };
    // SAFETY: numbers, and an empty list.
    unsafe {
        if libc::setgroups(0, std::ptr::null()) != 0 {
            return Err(failed("setgroups"));
        }
        if libc::setresgid(own.gid, own.gid, own.gid) != 0 {
            return Err(failed("setresgid"));
        }
        if libc::setresuid(own.uid, own.uid, own.uid) != 0 {
            return Err(failed("setresuid"));
        }
    }
    let is = |uid: Uid, gid: Gid| uid.as_raw() == own.uid && gid.as_raw() == own.gid;
    let process = (rustix::process::getuid(), rustix::process::getgid());
    let effective = (rustix::process::geteuid(), rustix::process::getegid());
    if is(process.0, process.1) && is(effective.0, effective.1) {
        return Ok(());
    }
    Err(format!("the user {OWN_USER}: the ids did not change"))
}

/// Waits until this thread is the only one: threads that have just ended exist for a moment longer.
fn wait_until_single_threaded() -> Result<(), String> {
    for _ in 0..THREAD_CHECKS {
        if threads()? == 1 {
            return Ok(());
        }
        thread::sleep(THREAD_CHECK_INTERVAL);
    }
    Err("another thread is running outside of the sandbox".into())
}

/// Returns the number of threads, or 2 for more than one. unshare(2) with CLONE_THREAD fails with EINVAL in
/// a multithreaded process, and has no effect in a process with one thread. A container may forbid it.
fn threads() -> Result<usize, String> {
    // SAFETY: a number, and without effect on a process with one thread.
    if unsafe { libc::unshare(libc::CLONE_THREAD) } == 0 {
        return Ok(1);
    }
    if Errno::from_io_error(&io::Error::last_os_error()) == Some(Errno::INVAL) {
        return Ok(2);
    }
    let listed = fs::read_dir("/proc/self/task");
    let listed = listed.map_err(|error| format!("/proc/self/task: {error}"))?;
    Ok(listed.count())
}
