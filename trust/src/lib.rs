//! Who may have written a file.
//!
//! A path from a PAM line or from the settings is walked folder by folder through descriptors.
//! Every folder, every symbolic link and the file at the end must belong to root or to the
//! host's effective user, and nobody else may be able to write or replace it. So there is no
//! moment between looking and opening in which somebody who is not trusted could change what the
//! path means. The same walk serves the module, which starts the helper (and walks between `fork`
//! and `exec`, so nothing here allocates), and the helper, which reads the settings.
//!
//! The system calls come in from outside through [`Calls`]: this package has no `unsafe` and no
//! dependency.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod socket;
#[cfg(test)]
mod tests;

use std::ffi::CStr;

pub use socket::walk_to_socket;

/// Longest path, in bytes (`PATH_MAX`).
pub const PATH_MAX: usize = 4096;

/// Most symbolic links on one way, as in the kernel (`path_resolution(7)`).
const MAX_LINKS: u32 = 40;

/// An error number, as in `errno(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a walk needs of `stat(2)`.
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

/// The system calls of a walk. Every descriptor closes itself when dropped, and is not inherited
/// by other programs.
pub trait Calls {
    /// An open descriptor.
    type Fd;
    /// Opens `/` as a place to walk from (`O_PATH | O_DIRECTORY`).
    ///
    /// # Errors
    /// The system's error number.
    fn root(&self) -> Result<Self::Fd, Errno>;
    /// Opens a name in a folder as it is: `O_PATH | O_NOFOLLOW`.
    ///
    /// # Errors
    /// The system's error number.
    fn step(&self, folder: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno>;
    /// Opens the file at the end, to be read or executed, whatever the walk is for; a link is not
    /// followed (`O_NOFOLLOW`), and a FIFO does not block (`O_NONBLOCK`).
    ///
    /// # Errors
    /// The system's error number.
    fn open(&self, folder: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno>;
    /// Looks at what is open.
    ///
    /// # Errors
    /// The system's error number.
    fn stat(&self, fd: &Self::Fd) -> Result<Stat, Errno>;
    /// Reads where an open symbolic link leads (`readlinkat` with an empty name), at most
    /// `into.len()` bytes, and says how many.
    ///
    /// # Errors
    /// The system's error number.
    fn link(&self, link: &Self::Fd, into: &mut [u8]) -> Result<usize, Errno>;
}

/// What the file at the end of a walk must be like, besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nobody but its owner may write it.
    Plain,
    /// Nor may anybody but its owner (and, where root owns it, its group) read it.
    Secret,
}

/// Why a path is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// The path does not begin with `/`.
    Relative,
    /// The path, links followed, is longer than [`PATH_MAX`] or holds too many links.
    TooLong,
    /// A folder, link or file could not be looked at.
    Call(Errno),
    /// What should be a folder is none.
    NotAFolder,
    /// The end of the path is not a regular file.
    NotAFile,
    /// The end of the path is not a local socket.
    NotASocket,
    /// It belongs to somebody else.
    Owner {
        /// To whom.
        uid: u32,
    },
    /// Others can write it.
    Writable {
        /// Its permission bits.
        mode: u32,
    },
    /// It holds a secret and others can read it.
    Readable {
        /// Its permission bits.
        mode: u32,
    },
}

impl From<Errno> for Distrust {
    fn from(errno: Errno) -> Self {
        Self::Call(errno)
    }
}

/// A refusal, and how far the walk had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub why: Distrust,
    /// How many bytes of the path as given lead to what is wrong. Behind a symbolic link, the
    /// bytes up to that link.
    pub at: usize,
}

/// A trusted file.
#[derive(Debug)]
pub struct Found<Fd> {
    /// The file, as [`Calls::open`] opened it.
    pub file: Fd,
    /// What it is like.
    pub stat: Stat,
}

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;
const STICKY: u32 = 0o1000;

/// Walks to a file and says that it may be trusted by a host of the effective user `host`.
///
/// # Errors
/// The first thing on the way that is not trusted.
pub fn walk<C: Calls>(
    calls: &C,
    path: &CStr,
    host: u32,
    kind: Kind,
) -> Result<Found<C::Fd>, Refusal> {
    let mut way = Way::new(path.to_bytes())?;
    follow(calls, &mut way, host, kind).map_err(|why| Refusal { why, at: way.given })
}

/// Goes the way to its end. Where it stops, `way` says how far that was.
fn follow<C: Calls>(
    calls: &C,
    way: &mut Way,
    host: u32,
    kind: Kind,
) -> Result<Found<C::Fd>, Distrust> {
    let mut folder = calls.root()?;
    judge(calls.stat(&folder)?, host, true)?;
    let mut links = 0_u32;
    // Without a next name the path ends in a folder.
    while let Some(name) = way.next()? {
        let here = calls.step(&folder, name.as_c_str())?;
        let stat = calls.stat(&here)?;
        match stat.mode & S_IFMT {
            S_IFDIR => {
                judge(stat, host, true)?;
                folder = here;
            }
            S_IFLNK => {
                // Its mode says nothing (always 0777); who owns it says who chose where it leads.
                judge(Stat { mode: 0, ..stat }, host, false)?;
                links = links.saturating_add(1);
                if links > MAX_LINKS {
                    return Err(Distrust::TooLong);
                }
                let mut target = [0; PATH_MAX];
                let length = calls.link(&here, &mut target)?;
                if way.detour(target.get(..length).unwrap_or_default())? {
                    folder = calls.root()?;
                }
            }
            _ if !way.is_over() => return Err(Distrust::NotAFolder),
            S_IFREG => {
                drop(here);
                return open(calls, &folder, &name, host, kind);
            }
            _ => break,
        }
    }
    Err(Distrust::NotAFile)
}

/// Opens the file at the end. Judged is what was opened, not what stood there a moment ago.
fn open<C: Calls>(
    calls: &C,
    folder: &C::Fd,
    name: &Name,
    host: u32,
    kind: Kind,
) -> Result<Found<C::Fd>, Distrust> {
    let file = calls.open(folder, name.as_c_str())?;
    let stat = calls.stat(&file)?;
    if stat.mode & S_IFMT != S_IFREG {
        return Err(Distrust::NotAFile);
    }
    judge(stat, host, false)?;
    if kind == Kind::Secret {
        keeps_secret(stat)?;
    }
    Ok(Found { file, stat })
}

/// Owner and writability. Others may write into a sticky folder: they cannot rename or remove
/// there what is not theirs (`unlink(2)`), and what lies in it is judged in its turn.
fn judge(stat: Stat, host: u32, folder: bool) -> Result<(), Distrust> {
    if stat.uid != 0 && stat.uid != host {
        return Err(Distrust::Owner { uid: stat.uid });
    }
    if stat.mode & 0o022 == 0 || (folder && stat.mode & STICKY != 0) {
        return Ok(());
    }
    Err(Distrust::Writable {
        mode: stat.mode & 0o7777,
    })
}

/// Says that nobody reads an open file who must not know its secret: 0600, or root:GROUP 0640.
/// (Without write or execute for anybody is stricter and fine.)
///
/// [`walk`] asks this for [`Kind::Secret`]. It is there on its own for a file of which only its
/// content tells whether it holds a secret.
///
/// # Errors
/// [`Distrust::Readable`]
pub fn keeps_secret(stat: Stat) -> Result<(), Distrust> {
    let group_may = if stat.uid == 0 { 0o040 } else { 0 };
    if stat.mode & 0o077 & !group_may == 0 {
        Ok(())
    } else {
        Err(Distrust::Readable {
            mode: stat.mode & 0o7777,
        })
    }
}

/// What is left of the way, with the targets of symbolic links put in front.
struct Way {
    rest: [u8; PATH_MAX],
    from: usize,
    /// Bytes of `rest` at its end that are still those of the path as given.
    given_length: usize,
    own: usize,
    given: usize,
}

/// One name of a path, NUL-terminated.
struct Name([u8; 256], usize);

impl Name {
    fn as_c_str(&self) -> &CStr {
        self.0
            .get(..=self.1)
            .and_then(|bytes| CStr::from_bytes_with_nul(bytes).ok())
            .unwrap_or(c".")
    }
}

impl Way {
    fn new(path: &[u8]) -> Result<Self, Refusal> {
        if path.first() != Some(&b'/') {
            return Err(Refusal {
                why: Distrust::Relative,
                at: 0,
            });
        }
        let mut way = Self {
            rest: [0; PATH_MAX],
            from: PATH_MAX,
            given_length: path.len(),
            own: path.len(),
            given: 0,
        };
        way.put(path).map_err(|why| Refusal { why, at: 0 })?;
        Ok(way)
    }

    /// Puts bytes in front of the rest of the way.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Distrust> {
        let from = self
            .from
            .checked_sub(bytes.len())
            .ok_or(Distrust::TooLong)?;
        self.rest
            .get_mut(from..self.from)
            .ok_or(Distrust::TooLong)?
            .copy_from_slice(bytes);
        self.from = from;
        Ok(())
    }

    fn left(&self) -> &[u8] {
        self.rest.get(self.from..).unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.left().is_empty()
    }

    /// Takes the next name off the way. A slash behind the last name is kept: what stands before
    /// it must be a folder (`path_resolution(7)`).
    fn next(&mut self) -> Result<Option<Name>, Distrust> {
        let slashes = self.left().iter().take_while(|byte| **byte == b'/').count();
        self.take(slashes);
        let length = self.left().iter().take_while(|byte| **byte != b'/').count();
        if length == 0 {
            return Ok(None);
        }
        let mut name = Name([0; 256], length);
        name.0
            .get_mut(..length)
            .filter(|_| length < 256)
            .ok_or(Distrust::TooLong)?
            .copy_from_slice(self.left().get(..length).unwrap_or_default());
        self.take(length);
        Ok(Some(name))
    }

    fn take(&mut self, bytes: usize) {
        self.from = self.from.saturating_add(bytes).min(PATH_MAX);
        // What lies at the end of `rest` is the path as given; only walking on in that moves on.
        self.own = self.own.min(PATH_MAX.saturating_sub(self.from));
        self.given = self.given_length.saturating_sub(self.own);
    }

    /// Goes on by way of a link's target. Says whether that starts again at `/`.
    fn detour(&mut self, target: &[u8]) -> Result<bool, Distrust> {
        if target.is_empty() || target.len() >= PATH_MAX {
            return Err(Distrust::TooLong);
        }
        if !self.is_over() {
            self.put(b"/")?;
        }
        self.put(target)?;
        Ok(target.first() == Some(&b'/'))
    }
}
