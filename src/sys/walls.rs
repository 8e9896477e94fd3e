//! The walls around the helper: what a process that a hostile server has taken over still meets.
//!
//! They go up once everything is open that only root may open. Each is the kernel's, and each stands
//! by itself: a user of its own, no capabilities, no new privileges, no files but what name services
//! need (Landlock), no TCP but to the settled ports (Landlock), no system call that only an attacker
//! wants (seccomp).

mod calls;
mod files;

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

use super::User;
use files::Kernel;

/// Whose the helper is from then on, if this machine has such a user (sysusers.d makes it).
pub const OWN_USER: &str = "pam_sms_otp";

/// `nobody`, and what a kernel shows for ids it cannot map: others are it, too.
const NOBODY: u32 = 65534;

/// How often, and how far apart, another thread is looked for.
const LOOKS: u32 = 500;
const LOOK: Duration = Duration::from_millis(1);

/// What is to stand around this process.
pub struct Walls {
    own: Option<User>,
    files: Kernel,
    ports: Vec<u16>,
    missing: Vec<Missing>,
}

/// A wall that this machine does not have.
struct Missing {
    what: &'static str,
    /// As part of a file's name.
    short: &'static str,
}

impl Walls {
    /// Looks at what this machine has. `ports` are those that TCP may connect to.
    ///
    /// # Errors
    /// A wall is there and cannot be used, in words.
    pub fn survey(ports: Vec<u16>) -> Result<Self, String> {
        let mut missing = Vec::new();
        let mut lacks = |what, short| missing.push(Missing { what, short });
        let own = if super::is_root() { own_user()? } else { None };
        if own.is_none() && super::is_root() {
            lacks(
                "a user of its own (there is no user pam_sms_otp: it stays root, without capabilities)",
                "user",
            );
        }
        let files = Kernel::survey()?;
        if let Some(what) = files.lacks() {
            lacks(what, "landlock");
        }
        if !calls::known()? {
            lacks("the filter for system calls (seccomp)", "seccomp");
        }
        Ok(Self {
            own,
            files,
            ports,
            missing,
        })
    }

    /// What is missing, in words, if nobody has said so since this machine was started.
    #[must_use]
    pub fn news(&self) -> Option<String> {
        let news: Vec<_> = self
            .missing
            .iter()
            .filter(|missing| missing.is_news())
            .collect();
        let words: Vec<_> = news.iter().map(|missing| missing.what).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// Puts them up, around all that this process does from here on. No other thread may run yet:
    /// it would stand outside.
    ///
    /// # Errors
    /// One of them does not stand, in words.
    pub fn raise(self) -> Result<(), String> {
        alone()?;
        if super::is_root() {
            no_capabilities(self.own.as_ref())?;
        }
        set_no_new_privs(true).map_err(|errno| format!("no new privileges: {errno}"))?;
        // A change of ids has made this process readable, and its parent's end nothing to it.
        super::hide();
        super::end_with_parent();
        self.files.raise(&self.ports)?;
        calls::raise()
    }
}

impl Missing {
    /// Whether nobody has said so yet. Where nothing can be kept (not root, no /run), it is said
    /// each time.
    fn is_news(&self) -> bool {
        let mark = format!("/run/pam_sms_otp.no-{}", self.short);
        let made = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(mark);
        !made.is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
    }
}

/// The helper's own user, by this machine's own file: no directory is asked whom to become, nor is one
/// that is down a reason to refuse the machine's own accounts. One that is root or nobody is worse than
/// none.
fn own_user() -> Result<Option<User>, String> {
    #[allow(clippy::disallowed_methods, reason = "root's own list of accounts")]
    let accounts = fs::read("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    let is_own =
        |line: &&[u8]| line.split(|byte| *byte == b':').next() == Some(OWN_USER.as_bytes());
    let Some(line) = accounts.split(|byte| *byte == b'\n').find(is_own) else {
        return Ok(None);
    };
    let own = ids(line)
        .ok_or_else(|| format!("the user {OWN_USER}: its line in /etc/passwd has no ids"))?;
    if own.uid == 0 || own.uid == NOBODY || own.gid == 0 {
        return Err(format!(
            "the user {OWN_USER} has uid {} and gid {}: give it ids of its own",
            own.uid, own.gid
        ));
    }
    Ok(Some(own))
}

/// A user's numbers in his line (passwd(5)).
fn ids(line: &[u8]) -> Option<User> {
    let line = std::str::from_utf8(line).ok()?;
    let mut ids = line.split(':').skip(2).map(|id| id.parse().ok());
    let (uid, gid) = (ids.next()??, ids.next()??);
    Some(User { uid, gid })
}

/// Becomes the own user, or stays a root that may do nothing special.
fn no_capabilities(own: Option<&User>) -> Result<(), String> {
    // Only programs that are executed get anything out of this set, and none is: where root itself
    // was not left the right to empty it (in a container), it is without meaning.
    for capability in CapabilitySet::all() {
        let _ = remove_capability_from_bounding_set(capability);
    }
    // Kernels before 4.3 have no such set.
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

/// Groups first: afterwards nobody may change them.
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
    Err(format!(
        "the user {OWN_USER}: the kernel did not change to it"
    ))
}

/// Whether this thread is the only one. One that has just ended takes a moment to be gone.
fn alone() -> Result<(), String> {
    for _ in 0..LOOKS {
        if threads()? == 1 {
            return Ok(());
        }
        thread::sleep(LOOK);
    }
    Err("another thread was running before the walls were up".into())
}

/// How many threads there are, or two for more than one. Asked to leave its group of threads, the
/// kernel says no to whoever shares it (`EINVAL`, unshare(2)), and does nothing for who is alone; a
/// container may forbid that question.
fn threads() -> Result<usize, String> {
    // SAFETY: a number; in a process of one thread it changes nothing.
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
