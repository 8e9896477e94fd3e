//! Checks who could have written a path, and opens the file at its end.
//!
//! A path from a PAM line or from the settings is resolved one component at a time, through
//! descriptors. Each directory, each symbolic link and the file itself must be owned by root or by the
//! effective user of the host process, and must not be writable or replaceable by others. What is
//! checked is what is opened, so no untrusted user can change the path in between (TOCTOU). The
//! module uses this to start the helper, between `fork` and `exec`, where allocation is not allowed;
//! the helper uses it to read the settings.
//!
//! The caller supplies the system calls ([`Syscalls`]): this package has no `unsafe` and no
//! dependency.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod cursor;
#[cfg(test)]
mod tests;

use std::ffi::CStr;

use cursor::{Name, PathCursor, TooLong};

pub use cursor::PATH_MAX;

/// The maximum number of symbolic links in one path, as in the kernel (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;

/// An error number, as in `errno(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// The fields of `stat(2)` that are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// File type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Size in bytes.
    pub size: u64,
}

/// The system calls of a path resolution. Each descriptor is closed when dropped, and is not inherited
/// by other programs.
pub trait Syscalls {
    /// An open descriptor.
    type Fd;
    /// Opens `/` (`O_PATH | O_DIRECTORY`).
    ///
    /// # Errors
    /// The error number.
    fn open_root(&self) -> Result<Self::Fd, Errno>;
    /// Opens a component without following it: `O_PATH | O_NOFOLLOW`.
    ///
    /// # Errors
    /// The error number.
    fn open_path(&self, directory: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno>;
    /// Opens the file for its purpose (to read or to execute it); a link is not followed
    /// (`O_NOFOLLOW`), and a FIFO does not block (`O_NONBLOCK`).
    ///
    /// # Errors
    /// The error number.
    fn open_file(&self, directory: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno>;
    /// `fstat(2)`
    ///
    /// # Errors
    /// The error number.
    fn stat(&self, fd: &Self::Fd) -> Result<Stat, Errno>;
    /// Reads the target of an open symbolic link (`readlinkat(2)` with an empty name), at most
    /// `target.len()` bytes, and returns its length.
    ///
    /// # Errors
    /// The error number.
    fn read_link(&self, link: &Self::Fd, target: &mut [u8]) -> Result<usize, Errno>;
}

/// What is required of the file, beside its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not writable by others.
    Plain,
    /// Not writable by others, and readable by its owner only (and, if root owns it, by its group).
    Secret,
}

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The path does not begin with `/`.
    Relative,
    /// The path, with its links resolved, is longer than [`PATH_MAX`] or has too many links.
    TooLong,
    /// A system call failed.
    Syscall(Errno),
    /// A component in the middle is not a directory.
    NotADirectory,
    /// The last component is not a regular file.
    NotAFile,
    /// The last component is not a local socket.
    NotASocket,
    /// Another user owns it.
    Owner {
        /// That user.
        uid: u32,
    },
    /// Others can write to it.
    Writable {
        /// Its permission bits.
        mode: u32,
    },
    /// It contains a secret and others can read it.
    Readable {
        /// Its permission bits.
        mode: u32,
    },
}

impl From<TooLong> for Reason {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

impl From<Errno> for Reason {
    fn from(errno: Errno) -> Self {
        Self::Syscall(errno)
    }
}

/// Why and where a path was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The reason.
    pub reason: Reason,
    /// The length of the prefix of the given path that leads to the refused component; behind a symbolic
    /// link, the prefix up to that link.
    pub at: usize,
}

/// A file that passed all checks.
#[derive(Debug)]
pub struct Found<Fd> {
    /// The file, as [`Syscalls::open_file`] opened it.
    pub file: Fd,
    /// Its status.
    pub stat: Stat,
}

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const S_IFSOCK: u32 = 0o140_000;
const STICKY: u32 = 0o1000;

/// Resolves `path` and opens its file, if only root and the effective user `host` of the host process
/// could have written it.
///
/// # Errors
/// The first component that is refused.
pub fn open<S: Syscalls>(
    syscalls: &S,
    path: &CStr,
    host: u32,
    kind: Kind,
) -> Result<Found<S::Fd>, Refusal> {
    let walk = Walk {
        syscalls,
        host,
        is_server: None,
    };
    walk.resolve(path, |end| match end {
        Some(end) if end.stat.mode & S_IFMT == S_IFREG => {
            open_file(syscalls, &end.directory, &end.name, host, kind)
        }
        _ => Err(Reason::NotAFile),
    })
}

/// Resolves `path` and checks that only its server could have created the local socket. A server creates
/// its socket itself, so the directory of the socket and the socket may also be owned by one user for
/// which `is_server` is true. Others may write to the socket, which is how they connect, but not to a
/// directory in which it, or a directory on the path to it, could be missing.
///
/// # Errors
/// The first component that is refused.
pub fn check_socket<S: Syscalls>(
    syscalls: &S,
    path: &CStr,
    host: u32,
    is_server: impl Fn(u32) -> bool,
) -> Result<(), Refusal> {
    let walk = Walk {
        syscalls,
        host,
        is_server: Some(&is_server),
    };
    walk.resolve(path, |end| match end {
        Some(end) if end.stat.mode & S_IFMT == S_IFSOCK => check(
            Stat {
                mode: 0,
                ..end.stat
            },
            host,
            false,
        ),
        _ => Err(Reason::NotASocket),
    })
}

/// The resolution of one path.
struct Walk<'a, S> {
    syscalls: &'a S,
    /// This user and root may own each component.
    host: u32,
    /// For a socket: which users may own it and its directory.
    is_server: Option<&'a dyn Fn(u32) -> bool>,
}

/// A directory, open and checked.
struct Directory<Fd> {
    fd: Fd,
    stat: Stat,
}

/// The last component of a path, neither a directory nor a link. Not checked yet.
struct End<Fd> {
    directory: Fd,
    name: Name,
    /// Its status; the owner is `host` if it belongs to the server of a socket.
    stat: Stat,
}

impl<S: Syscalls> Walk<'_, S> {
    /// Resolves the path and passes its end to `accept`; `None` if it is a directory.
    fn resolve<T>(
        &self,
        path: &CStr,
        accept: impl FnOnce(Option<End<S::Fd>>) -> Result<T, Reason>,
    ) -> Result<T, Refusal> {
        let refused = |at| move |reason| Refusal { reason, at };
        let path = path.to_bytes();
        if path.first() != Some(&b'/') {
            return Err(refused(0)(Reason::Relative));
        }
        let mut cursor = PathCursor::new(path).map_err(|TooLong| refused(0)(Reason::TooLong))?;
        let end = self.walk(&mut cursor);
        end.and_then(accept).map_err(refused(cursor.resolved))
    }

    /// Resolves what is left of the path. After an error, `cursor` has the position.
    fn walk(&self, cursor: &mut PathCursor) -> Result<Option<End<S::Fd>>, Reason> {
        let mut directory = self.root()?;
        let mut links = 0_u32;
        loop {
            let at = cursor.resolved;
            let Some(name) = cursor.next()? else {
                return Ok(None);
            };
            let component = self.syscalls.open_path(&directory.fd, name.as_c_str());
            if cursor.is_at_end() || component.is_err() {
                self.check_creation(directory.stat)
                    .inspect_err(|_| cursor.resolved = at)?;
            }
            let component = component?;
            let actual = self.syscalls.stat(&component)?;
            let stat = self.attributed(directory.stat, actual);
            match stat.mode & S_IFMT {
                S_IFDIR => {
                    check(stat, self.host, true)?;
                    directory = Directory {
                        fd: component,
                        stat: actual,
                    };
                }
                S_IFLNK => {
                    // The mode of a link has no meaning (always 0777); its owner chose its target.
                    check(Stat { mode: 0, ..stat }, self.host, false)?;
                    links = links.saturating_add(1);
                    if links > MAX_LINKS {
                        return Err(Reason::TooLong);
                    }
                    let mut target = [0; PATH_MAX];
                    let length = self.syscalls.read_link(&component, &mut target)?;
                    if cursor.follow(target.get(..length).unwrap_or_default())? {
                        directory = self.root()?;
                    }
                }
                _ if !cursor.is_at_end() => return Err(Reason::NotADirectory),
                _ => {
                    return Ok(Some(End {
                        directory: directory.fd,
                        name,
                        stat,
                    }));
                }
            }
        }
    }

    fn root(&self) -> Result<Directory<S::Fd>, Reason> {
        let fd = self.syscalls.open_root()?;
        let stat = self.syscalls.stat(&fd)?;
        check(stat, self.host, true)?;
        Ok(Directory { fd, stat })
    }

    /// Checks that others could not create a component in a directory. Needed for sockets: the sticky bit
    /// protects existing files only, and while the server is down, others could create its socket.
    fn check_creation(&self, directory: Stat) -> Result<(), Reason> {
        if self.is_server.is_some() && directory.mode & 0o022 != 0 {
            let mode = directory.mode & 0o7777;
            return Err(Reason::Writable { mode });
        }
        Ok(())
    }

    /// The status of a component, with the owner `host` if it belongs to the server of a socket: in a
    /// directory to which only root, `host` or the server itself can write.
    fn attributed(&self, directory: Stat, stat: Stat) -> Stat {
        let is_server = self.is_server.is_some_and(|is_server| is_server(stat.uid));
        let is_safe =
            [0, self.host, stat.uid].contains(&directory.uid) && directory.mode & 0o022 == 0;
        let uid = if is_server && is_safe {
            self.host
        } else {
            stat.uid
        };
        Stat { uid, ..stat }
    }
}

/// Opens the file and checks what was opened, which may differ from what was there before.
fn open_file<S: Syscalls>(
    syscalls: &S,
    directory: &S::Fd,
    name: &Name,
    host: u32,
    kind: Kind,
) -> Result<Found<S::Fd>, Reason> {
    let file = syscalls.open_file(directory, name.as_c_str())?;
    let stat = syscalls.stat(&file)?;
    if stat.mode & S_IFMT != S_IFREG {
        return Err(Reason::NotAFile);
    }
    check(stat, host, false)?;
    if kind == Kind::Secret {
        check_secret(stat)?;
    }
    Ok(Found { file, stat })
}

/// Checks owner and writability. A sticky directory may be writable by others: they cannot rename or
/// remove what they do not own (`unlink(2)`), and each component in it is checked in turn.
fn check(stat: Stat, host: u32, is_directory: bool) -> Result<(), Reason> {
    if stat.uid != 0 && stat.uid != host {
        return Err(Reason::Owner { uid: stat.uid });
    }
    if stat.mode & 0o022 == 0 || (is_directory && stat.mode & STICKY != 0) {
        return Ok(());
    }
    Err(Reason::Writable {
        mode: stat.mode & 0o7777,
    })
}

/// Checks that only its owner can read a file with a secret: 0600, or root:GROUP 0640. Fewer
/// permissions are accepted.
///
/// [`open`] calls this for [`Kind::Secret`]. It is public for files of which only the content shows
/// whether they contain a secret.
///
/// # Errors
/// [`Reason::Readable`]
pub fn check_secret(stat: Stat) -> Result<(), Reason> {
    let group = if stat.uid == 0 { 0o040 } else { 0 };
    if stat.mode & 0o077 & !group == 0 {
        Ok(())
    } else {
        Err(Reason::Readable {
            mode: stat.mode & 0o7777,
        })
    }
}
