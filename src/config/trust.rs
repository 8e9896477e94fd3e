//! Who may have written a file: opens and reads only what nobody else can have tampered with.
//!
//! The path is resolved by the `safe-path` package; here are its system calls, the bounds on size, and the
//! words for a refusal.
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

/// What a file is for: how strictly it is judged and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The settings. Whether they hold a secret is known only once they are read:
    /// [`safe_path::check_secret`].
    Settings,
    /// A password or token.
    Secret,
    /// Certificates of authorities.
    Bundle,
}

impl Role {
    const fn kind(self) -> Kind {
        match self {
            Self::Settings | Self::Bundle => Kind::Plain,
            Self::Secret => Kind::Secret,
        }
    }

    /// The most bytes.
    #[must_use]
    pub const fn most(self) -> u64 {
        match self {
            Self::Settings => 1 << 20,
            Self::Secret => 64 << 10,
            Self::Bundle => 16 << 20,
        }
    }
}

/// A trusted file's content. Wiped when dropped.
#[derive(Clone)]
pub struct Content {
    pub bytes: Zeroizing<Vec<u8>>,
    /// What the file is like that they were read from.
    pub stat: Stat,
}

/// Where settings come from.
pub trait Files {
    /// Reads a file, if nobody else can have tampered with it.
    fn read(&self, path: &str, role: Role) -> Result<Content, Unsafe>;

    /// The first port that every local user may bind (ip(7), `ip_unprivileged_port_start`). `None`: the
    /// kernel does not say.
    fn unprivileged_port_start(&self) -> Option<u16> {
        None
    }

    /// Whether the server alone can listen at the path of a local socket, or nobody does.
    fn socket(&self, _path: &str) -> Result<(), Unsafe> {
        Ok(())
    }
}

/// Users below this are a system's services, of which one may own its socket.
const MIN_UID: u32 = 1000;

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsafe {
    /// The path holds a NUL character.
    Nul,
    /// The walk came to something that is not trusted.
    Walk {
        why: Reason,
        /// The way up to there, as far as it exists. What does not exist is not repeated: it may
        /// be a secret that was written where a path belongs.
        way: String,
    },
    /// It is longer than this.
    TooLong { most: u64 },
    /// It changed while it was read.
    Changed,
    /// The system could not read it.
    Unreadable(Errno),
}

impl Unsafe {
    /// Puts a refused walk into words, of a path as it was given.
    #[must_use]
    pub fn walk(path: &str, refusal: safe_path::Refusal) -> Self {
        let way = path.get(..refusal.at).unwrap_or(path);
        let way = match refusal.reason {
            // Of what could not be opened, only the folder is known to exist.
            Reason::Syscall(_) => way.rfind('/').and_then(|slash| way.get(..=slash)),
            Reason::Relative | Reason::TooLong => None,
            Reason::NotADirectory
            | Reason::NotAFile
            | Reason::NotASocket
            | Reason::Owner { .. }
            | Reason::Writable { .. }
            | Reason::Readable { .. } => Some(way),
        };
        let way = match way {
            Some("") => "/",
            Some(way) => way,
            None => "",
        };
        Self::Walk {
            why: refusal.reason,
            way: way.escape_debug().to_string(),
        }
    }

    /// Whether this machine could not read, and nothing is wrong with the path or its file: no
    /// descriptors, no memory, a broken disk. Turned round, as an unknown error is no bad setting.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        use rustix::io::Errno as Is;
        let errno = match self {
            Self::Walk {
                why: Reason::Syscall(errno),
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

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        if self.is_local() {
            return "look at limits, memory and disks of this machine".into();
        }
        match self {
            Self::Nul => "write the path without it".into(),
            Self::Walk { why, way } => match why {
                Reason::Relative => "write the whole path, from / on".into(),
                Reason::TooLong => "write a shorter path with fewer links".into(),
                Reason::Syscall(_) => "check the path and who may go there".into(),
                Reason::NotADirectory | Reason::NotAFile => {
                    "write the path of a regular file".into()
                }
                Reason::NotASocket => "write the path of the server's socket".into(),
                Reason::Owner { .. } => {
                    format!("chown root {way}, once you know who put it there")
                }
                // A sticky folder is refused on the way to a socket only.
                Reason::Writable { mode } if mode & 0o1000 != 0 => {
                    "move the server's socket to a folder that only its server may write to".into()
                }
                Reason::Writable { .. } => {
                    format!("chmod go-w {way}, once you know that nobody has changed it")
                }
                Reason::Readable { .. } => {
                    format!("chmod 0600 {way}, and change the secret: others could read it")
                }
            },
            Self::TooLong { .. } => "check that it is the right file".into(),
            Self::Changed => "try again".into(),
            Self::Unreadable(_) => "check the disk".into(),
        }
    }
}

impl fmt::Display for Unsafe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str("the path holds a NUL character"),
            Self::Walk { why, way } => match *why {
                Reason::Relative => f.write_str("the path does not begin with /"),
                Reason::TooLong => f.write_str("the path is too long or leads in circles"),
                Reason::Syscall(errno) if way.is_empty() => f.write_str(&words(errno)),
                Reason::Syscall(errno) => write!(f, "below {way}: {}", words(errno)),
                Reason::NotADirectory => write!(f, "{way} is not a folder"),
                Reason::NotAFile => write!(f, "{way} is not a regular file"),
                Reason::NotASocket => write!(f, "{way} is not a local socket"),
                Reason::Owner { uid } => write!(
                    f,
                    "{way} belongs to uid {uid}; it must belong to root or to the user this runs as"
                ),
                Reason::Writable { mode } => write!(
                    f,
                    "{way} can be written by others (mode {mode:04o}); only its owner may"
                ),
                Reason::Readable { mode } => write!(
                    f,
                    "{way} holds a secret and can be read by others (mode {mode:04o}); allowed is \
                     0600, or 0640 if it belongs to root"
                ),
            },
            Self::TooLong { most } => write!(f, "it is longer than {most} bytes"),
            Self::Changed => f.write_str("it changed while it was read"),
            Self::Unreadable(errno) => write!(f, "it cannot be read: {}", words(*errno)),
        }
    }
}

/// The system's words for an error.
fn words(errno: Errno) -> String {
    std::io::Error::from_raw_os_error(errno.0).to_string()
}

/// The most of a file of procfs that holds a number.
const LONGEST_NUMBER: u64 = 32;

/// The files of this machine, trusted by the process's effective user.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &str, role: Role) -> Result<Content, Unsafe> {
        let name = CString::new(path).map_err(|_| Unsafe::Nul)?;
        let host = rustix::process::geteuid().as_raw();
        let found = safe_path::open(&Kernel { write: false }, &name, host, role.kind())
            .map_err(|refusal| Unsafe::walk(path, refusal))?;
        let most = role.most();
        if found.stat.size > most {
            return Err(Unsafe::TooLong { most });
        }
        Ok(Content {
            bytes: whole(File::from(found.file), found.stat.size)?,
            stat: found.stat,
        })
    }

    fn unprivileged_port_start(&self) -> Option<u16> {
        let path = c"/proc/sys/net/ipv4/ip_unprivileged_port_start";
        let host = rustix::process::geteuid().as_raw();
        let found = safe_path::open(&Kernel { write: false }, path, host, Kind::Plain).ok()?;
        // Files of procfs have no size: what is read is all there is.
        let mut text = String::new();
        let file = File::from(found.file).take(LONGEST_NUMBER);
        { file }.read_to_string(&mut text).ok()?;
        text.trim_end().parse().ok()
    }

    fn socket(&self, path: &str) -> Result<(), Unsafe> {
        let name = CString::new(path).map_err(|_| Unsafe::Nul)?;
        let host = rustix::process::geteuid().as_raw();
        let is_service = |uid| uid < MIN_UID;
        match safe_path::check_socket(&Kernel { write: false }, &name, host, is_service) {
            // The server is down: whatever is there belongs to nobody else.
            Err(refusal) if refusal.reason == Reason::Syscall(errno(rustix::io::Errno::NOENT)) => {
                Ok(())
            }
            walked => walked.map_err(|refusal| Unsafe::walk(path, refusal)),
        }
    }
}

/// Reads as many bytes as there should be. The buffer never grows: growing would leave a copy of
/// a secret behind.
fn whole(mut file: File, size: u64) -> Result<Zeroizing<Vec<u8>>, Unsafe> {
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

/// The system calls of a walk.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    /// The file at its end is opened to be written, too.
    pub write: bool,
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
