//! Reads a file only if no other user could have written it.
//!
//! The `safe-path` package resolves the path. This module contains its system calls, the limits on size, and
//! the texts of refusals.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use std::{
    ffi::{CStr, CString},
    fmt,
    fs::File,
    io::Read,
    os::fd::OwnedFd,
};

use rustix::fs::{CWD, Mode, OFlags, fstat, openat, readlinkat_raw};
use safe_path::{Errno, Kind, Reason, Stat, Syscalls};
use zeroize::Zeroizing;

/// What a file is for: how strictly it is checked, and its maximum size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The settings. Whether they contain a secret is known only after they are parsed:
    /// [`safe_path::check_secret`].
    Settings,
    /// A password or token.
    Secret,
    /// CA certificates.
    Bundle,
}

impl Role {
    const fn kind(self) -> Kind {
        match self {
            Self::Settings | Self::Bundle => Kind::Plain,
            Self::Secret => Kind::Secret,
        }
    }

    /// Returns the maximum size in bytes.
    const fn max_size(self) -> u64 {
        match self {
            Self::Settings => 1 << 20,
            Self::Secret => 64 << 10,
            Self::Bundle => 16 << 20,
        }
    }
}

/// The content of a file that passed the checks. Wiped when dropped.
#[derive(Clone)]
pub struct Content {
    pub bytes: Zeroizing<Vec<u8>>,
    /// Mode and owner of the file.
    pub stat: Stat,
}

/// The files that settings are read from.
pub trait Files {
    /// Reads a file, if no other user could have written it.
    fn read(&self, path: &str, role: Role) -> Result<Content, Unsafe>;

    /// Returns the first port that each local user can bind (ip(7), `ip_unprivileged_port_start`). `None`: it
    /// cannot be read.
    fn unprivileged_port_start(&self) -> Option<u16> {
        None
    }

    /// Checks that no user but the server can listen at the path of a local socket.
    fn socket(&self, _path: &str) -> Result<(), Unsafe> {
        Ok(())
    }
}

/// Users with a lower uid are system services, one of which may own its socket.
const MIN_UID: u32 = 1000;

/// Why a file is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsafe {
    /// The path contains a NUL character.
    Nul,
    /// A component of the path did not pass the checks.
    Path {
        reason: Reason,
        /// The path up to this component, as far as it exists. The rest is not repeated: it may be a secret
        /// that was written in place of a path.
        path: String,
    },
    /// The file is larger than this.
    TooLarge { max: u64 },
    /// The file changed while it was read.
    Changed,
    /// The system could not read it.
    Unreadable(Errno),
}

impl Unsafe {
    /// Returns the error for a refused path.
    #[must_use]
    pub(crate) fn path(path: &str, refusal: safe_path::Refusal) -> Self {
        let checked = path.get(..refusal.at).unwrap_or(path);
        let known = match refusal.reason {
            // If a component could not be opened, only its directory is known to exist.
            Reason::Syscall(_) => checked.rfind('/').and_then(|slash| checked.get(..=slash)),
            Reason::Relative | Reason::TooLong => None,
            Reason::NotADirectory
            | Reason::NotAFile
            | Reason::NotASocket
            | Reason::Owner { .. }
            | Reason::Writable { .. }
            | Reason::Readable { .. } => Some(checked),
        };
        let known = match known {
            Some("") => "/",
            Some(known) => known,
            None => "",
        };
        Self::Path {
            reason: refusal.reason,
            path: known.escape_debug().to_string(),
        }
    }

    /// Whether the cause is this host and not the path or its file: no descriptors, no memory, a broken disk.
    /// An unknown error counts as such, because it is not a mistake in the settings.
    #[must_use]
    pub(crate) const fn is_local(&self) -> bool {
        use rustix::io::Errno as Is;
        let errno = match self {
            Self::Path {
                reason: Reason::Syscall(errno),
                ..
            }
            | Self::Unreadable(errno) => Is::from_raw_os_error(errno.0),
            _ => return false,
        };
        !matches!(
            errno,
            Is::NOENT
                | Is::ACCESS
                | Is::PERM
                | Is::NOTDIR
                | Is::ISDIR
                | Is::LOOP
                | Is::NAMETOOLONG
                | Is::INVAL
                | Is::NXIO
                | Is::NODEV
                | Is::OPNOTSUPP
        )
    }

    /// Returns what to do about it.
    #[must_use]
    pub(crate) fn remedy(&self) -> String {
        if self.is_local() {
            return "check limits, memory and disks of this machine".into();
        }
        match self {
            Self::Nul => "write the path without it".into(),
            Self::Path { reason, path } => match reason {
                Reason::Relative => "write the absolute path, from / on".into(),
                Reason::TooLong => "write a shorter path with fewer links".into(),
                Reason::Syscall(_) => "check the path and its permissions".into(),
                Reason::NotADirectory | Reason::NotAFile => {
                    "write the path of a regular file".into()
                }
                Reason::NotASocket => "write the path of the server's socket".into(),
                Reason::Owner { .. } => {
                    format!("find out who created it, then chown root {path}")
                }
                // A sticky directory is refused only in the path of a socket.
                Reason::Writable { mode } if mode & 0o1000 != 0 => {
                    "move the socket to a directory that only its server can write to".into()
                }
                Reason::Writable { .. } => {
                    format!("chmod go-w {path}, and check that it was not changed")
                }
                Reason::Readable { .. } => {
                    format!("chmod 0600 {path}, and change the secret: others could read it")
                }
            },
            Self::TooLarge { .. } => "check that it is the right file".into(),
            Self::Changed => "try again".into(),
            Self::Unreadable(_) => "check the disk".into(),
        }
    }
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str("the path contains a NUL character"),
            Self::Path { reason, path } => match *reason {
                Reason::Relative => f.write_str("the path does not begin with /"),
                Reason::TooLong => f.write_str("the path is too long, or its links form a loop"),
                Reason::Syscall(errno) if path.is_empty() => f.write_str(&errno_text(errno)),
                Reason::Syscall(errno) => write!(f, "below {path}: {}", errno_text(errno)),
                Reason::NotADirectory => write!(f, "{path} is not a directory"),
                Reason::NotAFile => write!(f, "{path} is not a regular file"),
                Reason::NotASocket => write!(f, "{path} is not a local socket"),
                Reason::Owner { uid } => write!(
                    f,
                    "{path} belongs to uid {uid}; it must belong to root or to the user of this process"
                ),
                Reason::Writable { mode } => write!(
                    f,
                    "{path} can be written by others (mode {mode:04o}); it must be writable by its owner only"
                ),
                Reason::Readable { mode } => write!(
                    f,
                    "{path} contains a secret, and others can read it (mode {mode:04o}); allowed: 0600, or \
                     0640 if root owns the file"
                ),
            },
            Self::TooLarge { max } => write!(f, "it is larger than {max} bytes"),
            Self::Changed => f.write_str("it changed while it was read"),
            Self::Unreadable(errno) => write!(f, "it cannot be read: {}", errno_text(*errno)),
        }
    }
}

/// Returns the system's text for an error.
fn errno_text(errno: Errno) -> String {
    std::io::Error::from_raw_os_error(errno.0).to_string()
}

/// The maximum size of a number in procfs.
const MAX_NUMBER: u64 = 32;

/// The files of this host, checked for the effective user of the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str, role: Role) -> Result<Content, Unsafe> {
        let name = CString::new(path).map_err(|_| Unsafe::Nul)?;
        let host = rustix::process::geteuid().as_raw();
        let found = safe_path::open(&Kernel { write: false }, &name, host, role.kind())
            .map_err(|refusal| Unsafe::path(path, refusal))?;
        let max = role.max_size();
        if found.stat.size > max {
            return Err(Unsafe::TooLarge { max });
        }
        Ok(Content {
            bytes: read_exactly(File::from(found.file), found.stat.size)?,
            stat: found.stat,
        })
    }

    fn unprivileged_port_start(&self) -> Option<u16> {
        let path = c"/proc/sys/net/ipv4/ip_unprivileged_port_start";
        let host = rustix::process::geteuid().as_raw();
        let found = safe_path::open(&Kernel { write: false }, path, host, Kind::Plain).ok()?;
        // Files of procfs have no size.
        let mut text = String::new();
        let file = File::from(found.file).take(MAX_NUMBER);
        { file }.read_to_string(&mut text).ok()?;
        text.trim_end().parse().ok()
    }

    fn socket(&self, path: &str) -> Result<(), Unsafe> {
        let name = CString::new(path).map_err(|_| Unsafe::Nul)?;
        let host = rustix::process::geteuid().as_raw();
        let is_service = |uid| uid < MIN_UID;
        match safe_path::check_socket(&Kernel { write: false }, &name, host, is_service) {
            // The server is down, and no other user can create its socket.
            Err(refusal) if refusal.reason == Reason::Syscall(errno(rustix::io::Errno::NOENT)) => {
                Ok(())
            }
            checked => checked.map_err(|refusal| Unsafe::path(path, refusal)),
        }
    }
}

/// Reads exactly `size` bytes. The buffer never grows: growing would leave a copy of a secret in memory.
fn read_exactly(mut file: File, size: u64) -> Result<Zeroizing<Vec<u8>>, Unsafe> {
    let size = usize::try_from(size).map_err(|_| Unsafe::Changed)?;
    let mut bytes = Zeroizing::new(vec![0; size.saturating_add(1)]);
    let mut filled = 0_usize;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => filled = filled.saturating_add(more),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Unsafe::Unreadable(Errno(error.raw_os_error().unwrap_or(0))));
            }
        }
    }
    if filled != size {
        return Err(Unsafe::Changed);
    }
    bytes.truncate(size);
    Ok(bytes)
}

/// The system calls that resolve a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    /// The file is opened for writing, too.
    pub(crate) write: bool,
}

impl Kernel {
    fn open_at(
        directory: impl std::os::fd::AsFd,
        name: &CStr,
        how: OFlags,
    ) -> Result<OwnedFd, Errno> {
        openat(directory, name, how | OFlags::CLOEXEC, Mode::empty()).map_err(errno)
    }
}

const fn errno(error: rustix::io::Errno) -> Errno {
    Errno(error.raw_os_error())
}

impl Syscalls for Kernel {
    type Fd = OwnedFd;

    fn open_root(&self) -> Result<OwnedFd, Errno> {
        Self::open_at(CWD, c"/", OFlags::PATH | OFlags::DIRECTORY)
    }

    fn open_path(&self, directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        Self::open_at(directory, name, OFlags::PATH | OFlags::NOFOLLOW)
    }

    fn open_file(&self, directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        let access = if self.write {
            OFlags::RDWR
        } else {
            OFlags::RDONLY
        };
        let how = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        Self::open_at(directory, name, how)
    }

    fn stat(&self, fd: &OwnedFd) -> Result<Stat, Errno> {
        let stat = fstat(fd).map_err(errno)?;
        Ok(Stat {
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
            size: u64::try_from(stat.st_size).unwrap_or(u64::MAX),
        })
    }

    fn read_link(&self, link: &OwnedFd, target: &mut [u8]) -> Result<usize, Errno> {
        readlinkat_raw(link, c"", target).map_err(errno)
    }
}
