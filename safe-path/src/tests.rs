//! Resolves paths in a file system in memory, so that no test machine has to be prepared.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
};

use super::*;

const HOST: u32 = 33;
const OTHER: u32 = 1000;

/// Absolute paths and their nodes; a link has a target.
#[derive(Default)]
struct Memory {
    nodes: BTreeMap<String, (Stat, Option<String>)>,
    /// Nodes that [`Syscalls::open_file`] finds in place of those that [`Syscalls::open_path`] opened.
    swapped: BTreeMap<String, Stat>,
}

fn node(kind: u32, mode: u32, uid: u32) -> Stat {
    Stat {
        mode: kind | mode,
        uid,
        gid: 0,
        size: 1,
    }
}

impl Memory {
    fn new() -> Self {
        Self::default()
            .directory("/", 0o755, 0)
            .directory("/etc", 0o755, 0)
    }

    fn put(mut self, path: &str, stat: Stat, link: Option<&str>) -> Self {
        self.nodes.insert(path.into(), (stat, link.map(Into::into)));
        self
    }

    fn directory(self, path: &str, mode: u32, uid: u32) -> Self {
        self.put(path, node(S_IFDIR, mode, uid), None)
    }

    fn file(self, path: &str, mode: u32, uid: u32) -> Self {
        self.put(path, node(S_IFREG, mode, uid), None)
    }

    fn symlink(self, path: &str, to: &str, uid: u32) -> Self {
        self.put(path, node(S_IFLNK, 0o777, uid), Some(to))
    }

    fn find(&self, directory: &str, name: &CStr) -> Result<String, Errno> {
        let directory = directory.trim_end_matches('/');
        let path = match name.to_str().unwrap() {
            "." => directory.to_owned(),
            ".." => directory
                .rsplit_once('/')
                .map_or("", |(up, _)| up)
                .to_owned(),
            name => format!("{directory}/{name}"),
        };
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            path
        };
        self.nodes.get(&path).ok_or(Errno(2))?;
        Ok(path)
    }

    fn open(&self, path: &str, kind: Kind) -> Result<String, Refusal> {
        let path = CString::new(path).unwrap();
        super::open(self, &path, HOST, kind).map(|found| found.file.0)
    }

    fn refused(&self, path: &str) -> (Reason, usize) {
        let refusal = self.open(path, Kind::Plain).unwrap_err();
        (refusal.reason, refusal.at)
    }
}

impl Syscalls for Memory {
    /// A path, and whether [`Syscalls::open_file`] has opened it.
    type Fd = (String, bool);

    fn open_root(&self) -> Result<Self::Fd, Errno> {
        Ok(("/".into(), false))
    }

    fn open_path(&self, directory: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno> {
        Ok((self.find(&directory.0, name)?, false))
    }

    fn open_file(&self, directory: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno> {
        Ok((self.find(&directory.0, name)?, true))
    }

    fn stat(&self, fd: &Self::Fd) -> Result<Stat, Errno> {
        let swapped = self.swapped.get(&fd.0).filter(|_| fd.1);
        Ok(*swapped.unwrap_or(&self.nodes[&fd.0].0))
    }

    fn read_link(&self, link: &Self::Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let target = self.nodes[&link.0].1.as_ref().unwrap().as_bytes();
        let length = target.len().min(buffer.len());
        buffer[..length].copy_from_slice(&target[..length]);
        Ok(length)
    }
}

fn owner(uid: u32) -> Reason {
    Reason::Owner { uid }
}

fn writable(mode: u32) -> Reason {
    Reason::Writable { mode }
}

#[test]
fn a_file_is_found_by_every_spelling_of_its_path() {
    let files = Memory::new()
        .directory("/etc/a", 0o755, HOST)
        .file("/etc/a/f", 0o644, HOST);
    for path in [
        "/etc/a/f",
        "//etc///a//f",
        "/etc/./a/./f",
        "/etc/a/../a/f",
        "/../../etc/a/f",
    ] {
        assert_eq!(
            files.open(path, Kind::Plain).as_deref(),
            Ok("/etc/a/f"),
            "{path}"
        );
    }
}

#[test]
fn links_are_followed_and_checked() {
    let files = Memory::new()
        .directory("/etc/a", 0o755, 0)
        .file("/etc/a/f", 0o644, 0)
        .symlink("/etc/absolute", "/etc/a/f", 0)
        .symlink("/etc/relative", "a/f", HOST)
        .symlink("/etc/up", "../etc/a/f", 0)
        .symlink("/etc/directory", "a", 0)
        .symlink("/etc/slash", "a/", 0)
        .symlink("/etc/twice", "relative", 0)
        .symlink("/etc/foreign", "/etc/a/f", OTHER)
        .symlink("/etc/nowhere", "/etc/none", 0);
    for path in [
        "/etc/absolute",
        "/etc/relative",
        "/etc/up",
        "/etc/directory/f",
        "/etc/slash/f",
        "/etc/twice",
        "/etc/directory/../absolute",
    ] {
        assert_eq!(
            files.open(path, Kind::Plain).as_deref(),
            Ok("/etc/a/f"),
            "{path}"
        );
    }
    assert_eq!(files.refused("/etc/foreign"), (owner(OTHER), 12));
    assert_eq!(
        files.refused("/etc/nowhere"),
        (Reason::Syscall(Errno(2)), 12)
    );
    assert_eq!(files.refused("/etc/directory"), (Reason::NotAFile, 14));
}

#[test]
fn what_is_behind_a_link_is_reported_at_the_link() {
    let files = Memory::new()
        .directory("/etc/open", 0o777, 0)
        .file("/etc/open/f", 0o644, 0)
        .directory("/etc/a", 0o755, 0)
        .symlink("/etc/a/link", "/etc/open", 0);
    assert_eq!(
        files.refused("/etc/a/link/f"),
        (writable(0o777), "/etc/a/link".len())
    );
}

#[test]
fn loops_end() {
    let files = Memory::new()
        .symlink("/etc/a", "b", 0)
        .symlink("/etc/b", "a", 0)
        .symlink("/etc/grows", "grows/x", 0)
        .symlink("/etc/empty", "", 0);
    for path in ["/etc/a", "/etc/grows", "/etc/empty"] {
        assert_eq!(files.refused(path).0, Reason::TooLong, "{path}");
    }
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut files = Memory::new().file("/etc/l0", 0o644, 0);
    for link in 1..=41 {
        files = files.symlink(&format!("/etc/l{link}"), &format!("l{}", link - 1), 0);
    }
    assert_eq!(
        files.open("/etc/l40", Kind::Plain).as_deref(),
        Ok("/etc/l0")
    );
    assert_eq!(files.refused("/etc/l41").0, Reason::TooLong);
}

#[test]
fn a_trailing_slash_requires_a_directory() {
    let files = Memory::new()
        .file("/etc/f", 0o644, 0)
        .symlink("/etc/link", "f", 0)
        .symlink("/etc/slash", "f/", 0);
    assert_eq!(files.refused("/etc/f/"), (Reason::NotADirectory, 6));
    assert_eq!(files.refused("/etc/f/x"), (Reason::NotADirectory, 6));
    assert_eq!(files.refused("/etc/link/").0, Reason::NotADirectory);
    assert_eq!(files.refused("/etc/slash").0, Reason::NotADirectory);
    assert_eq!(files.refused("/etc/").0, Reason::NotAFile);
    assert_eq!(files.refused("/").0, Reason::NotAFile);
    assert_eq!(files.refused("/etc/..").0, Reason::NotAFile);
}

#[test]
fn only_absolute_paths_of_limited_length() {
    let files = Memory::new();
    assert_eq!(files.refused("etc/f"), (Reason::Relative, 0));
    assert_eq!(files.refused(""), (Reason::Relative, 0));
    let long = format!("/{}", "x".repeat(PATH_MAX));
    assert_eq!(files.refused(&long).0, Reason::TooLong);
    let name = format!("/etc/{}", "x".repeat(256));
    assert_eq!(files.refused(&name).0, Reason::TooLong);
    let name = format!("/etc/{}", "x".repeat(255));
    assert_eq!(files.refused(&name).0, Reason::Syscall(Errno(2)));
}

#[test]
fn every_directory_is_checked() {
    let files = Memory::new()
        .directory("/etc/group", 0o775, 0)
        .file("/etc/group/f", 0o644, 0)
        .directory("/etc/sticky", 0o1777, 0)
        .file("/etc/sticky/f", 0o644, 0)
        .file("/etc/sticky/theirs", 0o644, OTHER)
        .directory("/etc/theirs", 0o755, OTHER)
        .file("/etc/theirs/f", 0o644, 0);
    assert_eq!(files.refused("/etc/group/f"), (writable(0o775), 10));
    assert!(files.open("/etc/sticky/f", Kind::Plain).is_ok());
    assert_eq!(files.refused("/etc/sticky/theirs"), (owner(OTHER), 18));
    assert_eq!(files.refused("/etc/theirs/f"), (owner(OTHER), 11));
    // Leaving such a directory with .. does not undo that the path leads through it.
    assert_eq!(files.refused("/etc/theirs/../sticky/f"), (owner(OTHER), 11));
}

#[test]
fn the_root_directory_is_checked() {
    let files = Memory::new().directory("/", 0o777, 0).file("/f", 0o644, 0);
    assert_eq!(files.refused("/f"), (writable(0o777), 0));
}

#[test]
fn the_file_is_checked() {
    let mut files = Memory::new()
        .file("/etc/group", 0o664, 0)
        .file("/etc/sticky", 0o1646, 0)
        .file("/etc/theirs", 0o600, OTHER)
        .put("/etc/fifo", node(0o010_000, 0o600, 0), None)
        .put("/etc/device", node(0o020_000, 0o600, 0), None)
        .file("/etc/swapped", 0o600, 0)
        .file("/etc/given", 0o600, 0);
    files
        .swapped
        .insert("/etc/swapped".into(), node(0o010_000, 0o600, 0));
    files
        .swapped
        .insert("/etc/given".into(), node(S_IFREG, 0o600, OTHER));
    assert_eq!(files.refused("/etc/group").0, writable(0o664));
    assert_eq!(files.refused("/etc/sticky").0, writable(0o1646));
    assert_eq!(files.refused("/etc/theirs").0, owner(OTHER));
    assert_eq!(files.refused("/etc/fifo").0, Reason::NotAFile);
    assert_eq!(files.refused("/etc/device").0, Reason::NotAFile);
    assert_eq!(files.refused("/etc/swapped").0, Reason::NotAFile);
    assert_eq!(files.refused("/etc/given").0, owner(OTHER));
}

#[test]
fn secrets_are_readable_by_owner_and_by_the_group_of_root() {
    for (mode, uid, is_accepted) in [
        (0o600, 0, true),
        (0o400, 0, true),
        (0o640, 0, true),
        (0o440, 0, true),
        (0o644, 0, false),
        (0o604, 0, false),
        (0o650, 0, false),
        (0o600, HOST, true),
        (0o640, HOST, false),
        (0o644, HOST, false),
    ] {
        let files = Memory::new().file("/etc/f", mode, uid);
        let found = files.open("/etc/f", Kind::Secret);
        let expected = if is_accepted {
            Ok("/etc/f".to_owned())
        } else {
            Err(Refusal {
                reason: Reason::Readable { mode },
                at: 6,
            })
        };
        assert_eq!(found, expected, "{mode:o} {uid}");
        assert_eq!(check_secret(node(S_IFREG, mode, uid)).is_ok(), is_accepted);
        assert!(files.open("/etc/f", Kind::Plain).is_ok(), "{mode:o} {uid}");
    }
}

/// Who may own a socket and the directories above it. 106 and 107 are servers.
#[test]
fn only_its_server_could_have_created_a_socket() {
    let directory = |memory: Memory, mode, uid| {
        memory
            .directory("/run", 0o755, 0)
            .directory("/run/r", mode, uid)
    };
    let socket = |memory: Memory, uid| memory.put("/run/r/s", node(S_IFSOCK, 0o777, uid), None);
    let check = |memory: &Memory, path: &str| {
        let path = CString::new(path).unwrap();
        check_socket(memory, &path, HOST, |uid| (100..110).contains(&uid))
            .map_err(|refusal| refusal.reason)
    };
    let owner = |uid| Err(Reason::Owner { uid });
    for (mode, directory_of, socket_of, expected) in [
        (0o755, 0, 0, Ok(())),
        (0o755, 0, 106, Ok(())),
        (0o755, HOST, HOST, Ok(())),
        (0o2755, 106, 106, Ok(())),
        (0o755, 106, 0, Ok(())),
        (0o755, 106, 107, owner(107)),
        (0o755, 0, OTHER, owner(OTHER)),
        (0o755, OTHER, OTHER, owner(OTHER)),
        // While the server is down, every user could create its socket.
        (0o1777, 0, 0, Err(writable(0o1777))),
        (0o1777, 0, 106, Err(writable(0o1777))),
        (0o775, 106, 106, Err(Reason::Writable { mode: 0o775 })),
        (0o777, 0, 0, Err(Reason::Writable { mode: 0o777 })),
    ] {
        let memory = socket(directory(Memory::new(), mode, directory_of), socket_of);
        let found = check(&memory, "/run/r/s");
        assert_eq!(found, expected, "{mode:o} {directory_of} {socket_of}");
    }
    let memory = directory(Memory::new(), 0o755, 0)
        .directory("/tmp", 0o1777, 0)
        .directory("/tmp/r", 0o755, 0)
        .put("/tmp/r/s", node(S_IFSOCK, 0o777, 0), None);
    assert_eq!(check(&memory, "/tmp/r/s"), Ok(()));
    for path in ["/tmp/s", "/tmp/none/s"] {
        let given = CString::new(path).unwrap();
        let refusal = check_socket(&memory, &given, HOST, |_| true).unwrap_err();
        let at = &path[..refusal.at];
        assert_eq!((refusal.reason, at), (writable(0o1777), "/tmp"));
    }
    let memory = directory(Memory::new(), 0o755, 106)
        .file("/run/r/s", 0o600, 106)
        .symlink("/run/l", "/run/r", 0)
        .symlink("/run/m", "/run/r", OTHER);
    for path in ["/run/r/s", "/run/r", "/run/l/s"] {
        assert_eq!(check(&memory, path), Err(Reason::NotASocket), "{path}");
    }
    assert_eq!(check(&memory, "/run/m/s"), owner(OTHER));
    assert_eq!(check(&memory, "/run/r/s/x"), Err(Reason::NotADirectory));
    assert_eq!(check(&memory, "run/r/s"), Err(Reason::Relative));
    assert_eq!(
        check(&memory, "/run/r/none"),
        Err(Reason::Syscall(Errno(2)))
    );
}
