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

mod socket;
#[cfg(test)]
mod tests;

use std::ffi::CStr;

pub use socket::check_socket;

/// The maximum length of a path, in bytes.
pub const PATH_MAX: usize = 4096;

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
    let mut cursor = PathCursor::new(path.to_bytes())?;
    resolve(syscalls, &mut cursor, host, kind).map_err(|reason| Refusal {
        reason,
        at: cursor.resolved,
    })
}

/// Resolves what is left of the path. After an error, `cursor` has the position.
fn resolve<S: Syscalls>(
    syscalls: &S,
    cursor: &mut PathCursor,
    host: u32,
    kind: Kind,
) -> Result<Found<S::Fd>, Reason> {
    let mut directory = syscalls.open_root()?;
    check(syscalls.stat(&directory)?, host, true)?;
    let mut links = 0_u32;
    // If there is no further component, the path ends in a directory.
    while let Some(name) = cursor.next()? {
        let component = syscalls.open_path(&directory, name.as_c_str())?;
        let stat = syscalls.stat(&component)?;
        match stat.mode & S_IFMT {
            S_IFDIR => {
                check(stat, host, true)?;
                directory = component;
            }
            S_IFLNK => {
                // The mode of a link has no meaning (always 0777); its owner chose its target.
                check(Stat { mode: 0, ..stat }, host, false)?;
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(Reason::TooLong);
                }
                let mut target = [0; PATH_MAX];
                let length = syscalls.read_link(&component, &mut target)?;
                if cursor.follow(target.get(..length).unwrap_or_default())? {
                    directory = syscalls.open_root()?;
                }
            }
            _ if !cursor.is_at_end() => return Err(Reason::NotADirectory),
            S_IFREG => {
                drop(component);
                return open_file(syscalls, &directory, &name, host, kind);
            }
            _ => break,
        }
    }
    Err(Reason::NotAFile)
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

/// What is left of a path, with the targets of symbolic links inserted in front.
struct PathCursor {
    /// The remaining path, at the end of the buffer.
    buffer: [u8; PATH_MAX],
    start: usize,
    /// The length of the path as given.
    given: usize,
    /// The bytes at the end of the buffer that belong to the path as given.
    given_left: usize,
    /// The bytes of the path as given that are resolved.
    resolved: usize,
}

/// One component of a path, NUL-terminated.
struct Name([u8; 256], usize);

impl Name {
    fn as_c_str(&self) -> &CStr {
        self.0
            .get(..=self.1)
            .and_then(|bytes| CStr::from_bytes_with_nul(bytes).ok())
            .unwrap_or(c".")
    }
}

impl PathCursor {
    fn new(path: &[u8]) -> Result<Self, Refusal> {
        if path.first() != Some(&b'/') {
            return Err(Refusal {
                reason: Reason::Relative,
                at: 0,
            });
        }
        let mut cursor = Self {
            buffer: [0; PATH_MAX],
            start: PATH_MAX,
            given: path.len(),
            given_left: path.len(),
            resolved: 0,
        };
        let inserted = cursor.insert(path);
        inserted.map_err(|reason| Refusal { reason, at: 0 })?;
        Ok(cursor)
    }

    /// Inserts bytes in front of what is left.
    fn insert(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let start = self.start.checked_sub(bytes.len()).ok_or(Reason::TooLong)?;
        self.buffer
            .get_mut(start..self.start)
            .ok_or(Reason::TooLong)?
            .copy_from_slice(bytes);
        self.start = start;
        Ok(())
    }

    fn remaining(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.remaining().is_empty()
    }

    /// Takes the next component. A slash after the last component is kept: that component must then
    /// be a directory (`path_resolution(7)`).
    fn next(&mut self) -> Result<Option<Name>, Reason> {
        let is_slash = |byte: &&u8| **byte == b'/';
        let slashes = self.remaining().iter().take_while(is_slash).count();
        self.skip(slashes);
        let length = self
            .remaining()
            .iter()
            .take_while(|byte| !is_slash(byte))
            .count();
        if length == 0 {
            return Ok(None);
        }
        let mut name = Name([0; 256], length);
        name.0
            .get_mut(..length)
            .filter(|_| length < 256)
            .ok_or(Reason::TooLong)?
            .copy_from_slice(self.remaining().get(..length).unwrap_or_default());
        self.skip(length);
        Ok(Some(name))
    }

    fn skip(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(PATH_MAX);
        // The path as given is at the end of the buffer; only bytes of it count as resolved.
        let remaining = PATH_MAX.saturating_sub(self.start);
        self.given_left = self.given_left.min(remaining);
        self.resolved = self.given.saturating_sub(self.given_left);
    }

    /// Continues with the target of a link. Returns whether it is absolute.
    fn follow(&mut self, target: &[u8]) -> Result<bool, Reason> {
        if target.is_empty() || target.len() >= PATH_MAX {
            return Err(Reason::TooLong);
        }
        if !self.is_at_end() {
            self.insert(b"/")?;
        }
        self.insert(target)?;
        Ok(target.first() == Some(&b'/'))
    }
}
