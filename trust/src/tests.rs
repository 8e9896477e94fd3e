//! The walk over a filesystem in memory, one that no test machine has to be prepared for.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
};

use super::*;

const HOST: u32 = 33;
const STRANGER: u32 = 1000;

/// Absolute paths and what stands there; a link has a target.
#[derive(Default)]
struct Memory {
    nodes: BTreeMap<String, (Stat, Option<String>)>,
    /// What [`Calls::open`] finds instead of what [`Calls::step`] has seen.
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
            .folder("/", 0o755, 0)
            .folder("/etc", 0o755, 0)
    }

    fn put(mut self, path: &str, stat: Stat, link: Option<&str>) -> Self {
        self.nodes.insert(path.into(), (stat, link.map(Into::into)));
        self
    }

    fn folder(self, path: &str, mode: u32, uid: u32) -> Self {
        self.put(path, node(S_IFDIR, mode, uid), None)
    }

    fn file(self, path: &str, mode: u32, uid: u32) -> Self {
        self.put(path, node(S_IFREG, mode, uid), None)
    }

    fn symlink(self, path: &str, to: &str, uid: u32) -> Self {
        self.put(path, node(S_IFLNK, 0o777, uid), Some(to))
    }

    fn find(&self, folder: &str, name: &CStr) -> Result<String, Errno> {
        let folder = folder.trim_end_matches('/');
        let path = match name.to_str().unwrap() {
            "." => folder.to_owned(),
            ".." => folder.rsplit_once('/').map_or("", |(up, _)| up).to_owned(),
            name => format!("{folder}/{name}"),
        };
        let path = if path.is_empty() {
            "/".to_owned()
        } else {
            path
        };
        self.nodes.get(&path).ok_or(Errno(2))?;
        Ok(path)
    }

    fn walk(&self, path: &str, kind: Kind) -> Result<String, Refusal> {
        let path = CString::new(path).unwrap();
        walk(self, &path, HOST, kind).map(|found| found.file.0)
    }

    fn refused(&self, path: &str) -> (Distrust, usize) {
        let refusal = self.walk(path, Kind::Plain).unwrap_err();
        (refusal.why, refusal.at)
    }
}

impl Calls for Memory {
    /// A path, and whether [`Calls::open`] has opened it.
    type Fd = (String, bool);

    fn root(&self) -> Result<Self::Fd, Errno> {
        Ok(("/".into(), false))
    }

    fn step(&self, folder: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno> {
        Ok((self.find(&folder.0, name)?, false))
    }

    fn open(&self, folder: &Self::Fd, name: &CStr) -> Result<Self::Fd, Errno> {
        Ok((self.find(&folder.0, name)?, true))
    }

    fn stat(&self, fd: &Self::Fd) -> Result<Stat, Errno> {
        let swapped = self.swapped.get(&fd.0).filter(|_| fd.1);
        Ok(*swapped.unwrap_or(&self.nodes[&fd.0].0))
    }

    fn link(&self, link: &Self::Fd, into: &mut [u8]) -> Result<usize, Errno> {
        let target = self.nodes[&link.0].1.as_ref().unwrap().as_bytes();
        let length = target.len().min(into.len());
        into[..length].copy_from_slice(&target[..length]);
        Ok(length)
    }
}

fn owner(uid: u32) -> Distrust {
    Distrust::Owner { uid }
}

fn writable(mode: u32) -> Distrust {
    Distrust::Writable { mode }
}

#[test]
fn a_trusted_file_is_found_by_every_way_of_writing_its_path() {
    let files = Memory::new()
        .folder("/etc/a", 0o755, HOST)
        .file("/etc/a/f", 0o644, HOST);
    for path in [
        "/etc/a/f",
        "//etc///a//f",
        "/etc/./a/./f",
        "/etc/a/../a/f",
        "/../../etc/a/f",
    ] {
        assert_eq!(
            files.walk(path, Kind::Plain).as_deref(),
            Ok("/etc/a/f"),
            "{path}"
        );
    }
}

#[test]
fn links_are_followed_and_judged() {
    let files = Memory::new()
        .folder("/etc/a", 0o755, 0)
        .file("/etc/a/f", 0o644, 0)
        .symlink("/etc/absolute", "/etc/a/f", 0)
        .symlink("/etc/relative", "a/f", HOST)
        .symlink("/etc/up", "../etc/a/f", 0)
        .symlink("/etc/folder", "a", 0)
        .symlink("/etc/slash", "a/", 0)
        .symlink("/etc/twice", "relative", 0)
        .symlink("/etc/foreign", "/etc/a/f", STRANGER)
        .symlink("/etc/nowhere", "/etc/none", 0);
    for path in [
        "/etc/absolute",
        "/etc/relative",
        "/etc/up",
        "/etc/folder/f",
        "/etc/slash/f",
        "/etc/twice",
        "/etc/folder/../absolute",
    ] {
        assert_eq!(
            files.walk(path, Kind::Plain).as_deref(),
            Ok("/etc/a/f"),
            "{path}"
        );
    }
    assert_eq!(files.refused("/etc/foreign"), (owner(STRANGER), 12));
    assert_eq!(
        files.refused("/etc/nowhere"),
        (Distrust::Call(Errno(2)), 12)
    );
    assert_eq!(files.refused("/etc/folder"), (Distrust::NotAFile, 11));
}

#[test]
fn what_lies_behind_a_link_is_blamed_on_the_link() {
    let files = Memory::new()
        .folder("/etc/open", 0o777, 0)
        .file("/etc/open/f", 0o644, 0)
        .folder("/etc/a", 0o755, 0)
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
        assert_eq!(files.refused(path).0, Distrust::TooLong, "{path}");
    }
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut files = Memory::new().file("/etc/l0", 0o644, 0);
    for link in 1..=41 {
        files = files.symlink(&format!("/etc/l{link}"), &format!("l{}", link - 1), 0);
    }
    assert_eq!(
        files.walk("/etc/l40", Kind::Plain).as_deref(),
        Ok("/etc/l0")
    );
    assert_eq!(files.refused("/etc/l41").0, Distrust::TooLong);
}

#[test]
fn a_trailing_slash_asks_for_a_folder() {
    let files = Memory::new()
        .file("/etc/f", 0o644, 0)
        .symlink("/etc/link", "f", 0)
        .symlink("/etc/slash", "f/", 0);
    assert_eq!(files.refused("/etc/f/"), (Distrust::NotAFolder, 6));
    assert_eq!(files.refused("/etc/f/x"), (Distrust::NotAFolder, 6));
    assert_eq!(files.refused("/etc/link/").0, Distrust::NotAFolder);
    assert_eq!(files.refused("/etc/slash").0, Distrust::NotAFolder);
    assert_eq!(files.refused("/etc/").0, Distrust::NotAFile);
    assert_eq!(files.refused("/").0, Distrust::NotAFile);
    assert_eq!(files.refused("/etc/..").0, Distrust::NotAFile);
}

#[test]
fn only_absolute_paths_of_bearable_length() {
    let files = Memory::new();
    assert_eq!(files.refused("etc/f"), (Distrust::Relative, 0));
    assert_eq!(files.refused(""), (Distrust::Relative, 0));
    let long = format!("/{}", "x".repeat(PATH_MAX));
    assert_eq!(files.refused(&long).0, Distrust::TooLong);
    let name = format!("/etc/{}", "x".repeat(256));
    assert_eq!(files.refused(&name).0, Distrust::TooLong);
    let name = format!("/etc/{}", "x".repeat(255));
    assert_eq!(files.refused(&name).0, Distrust::Call(Errno(2)));
}

#[test]
fn every_folder_on_the_way_counts() {
    let files = Memory::new()
        .folder("/etc/group", 0o775, 0)
        .file("/etc/group/f", 0o644, 0)
        .folder("/etc/sticky", 0o1777, 0)
        .file("/etc/sticky/f", 0o644, 0)
        .file("/etc/sticky/theirs", 0o644, STRANGER)
        .folder("/etc/theirs", 0o755, STRANGER)
        .file("/etc/theirs/f", 0o644, 0);
    assert_eq!(files.refused("/etc/group/f"), (writable(0o775), 10));
    assert!(files.walk("/etc/sticky/f", Kind::Plain).is_ok());
    assert_eq!(files.refused("/etc/sticky/theirs"), (owner(STRANGER), 18));
    assert_eq!(files.refused("/etc/theirs/f"), (owner(STRANGER), 11));
    // Leaving such a folder again does not make up for having been in it.
    assert_eq!(
        files.refused("/etc/theirs/../sticky/f"),
        (owner(STRANGER), 11)
    );
}

#[test]
fn the_root_folder_counts_too() {
    let files = Memory::new().folder("/", 0o777, 0).file("/f", 0o644, 0);
    assert_eq!(files.refused("/f"), (writable(0o777), 0));
}

#[test]
fn the_file_itself_counts() {
    let mut files = Memory::new()
        .file("/etc/group", 0o664, 0)
        .file("/etc/sticky", 0o1646, 0)
        .file("/etc/theirs", 0o600, STRANGER)
        .put("/etc/fifo", node(0o010_000, 0o600, 0), None)
        .put("/etc/device", node(0o020_000, 0o600, 0), None)
        .file("/etc/swapped", 0o600, 0)
        .file("/etc/given", 0o600, 0);
    files
        .swapped
        .insert("/etc/swapped".into(), node(0o010_000, 0o600, 0));
    files
        .swapped
        .insert("/etc/given".into(), node(S_IFREG, 0o600, STRANGER));
    assert_eq!(files.refused("/etc/group").0, writable(0o664));
    assert_eq!(files.refused("/etc/sticky").0, writable(0o1646));
    assert_eq!(files.refused("/etc/theirs").0, owner(STRANGER));
    assert_eq!(files.refused("/etc/fifo").0, Distrust::NotAFile);
    assert_eq!(files.refused("/etc/device").0, Distrust::NotAFile);
    assert_eq!(files.refused("/etc/swapped").0, Distrust::NotAFile);
    assert_eq!(files.refused("/etc/given").0, owner(STRANGER));
}

#[test]
fn secrets_are_for_their_owner_and_roots_group() {
    for (mode, uid, fine) in [
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
        let found = files.walk("/etc/f", Kind::Secret);
        let expected = if fine {
            Ok("/etc/f".to_owned())
        } else {
            Err(Refusal {
                why: Distrust::Readable { mode },
                at: 6,
            })
        };
        assert_eq!(found, expected, "{mode:o} {uid}");
        assert_eq!(keeps_secret(node(S_IFREG, mode, uid)).is_ok(), fine);
        assert!(files.walk("/etc/f", Kind::Plain).is_ok(), "{mode:o} {uid}");
    }
}

/// Who may own a socket and the folders above it. 106 and 107 are servers.
#[test]
fn a_socket_is_where_only_its_server_can_have_put_it() {
    let folder =
        |memory: Memory, mode, uid| memory.folder("/run", 0o755, 0).folder("/run/r", mode, uid);
    let socket = |memory: Memory, uid| {
        memory.put("/run/r/s", node(crate::socket::S_IFSOCK, 0o777, uid), None)
    };
    let walk = |memory: &Memory, path: &str| {
        let path = CString::new(path).unwrap();
        walk_to_socket(memory, &path, HOST, |uid| (100..110).contains(&uid))
            .map_err(|refusal| refusal.why)
    };
    let owner = |uid| Err(Distrust::Owner { uid });
    for (mode, folder_of, socket_of, expected) in [
        (0o755, 0, 0, Ok(())),
        (0o755, 0, 106, Ok(())),
        (0o755, HOST, HOST, Ok(())),
        (0o2755, 106, 106, Ok(())),
        (0o755, 106, 0, Ok(())),
        (0o755, 106, 107, owner(107)),
        (0o755, 0, STRANGER, owner(STRANGER)),
        (0o755, STRANGER, STRANGER, owner(STRANGER)),
        // Where anybody may put things, so may they while the server is down.
        (0o1777, 0, 0, Err(writable(0o1777))),
        (0o1777, 0, 106, Err(writable(0o1777))),
        (0o775, 106, 106, Err(Distrust::Writable { mode: 0o775 })),
        (0o777, 0, 0, Err(Distrust::Writable { mode: 0o777 })),
    ] {
        let memory = socket(folder(Memory::new(), mode, folder_of), socket_of);
        let found = walk(&memory, "/run/r/s");
        assert_eq!(found, expected, "{mode:o} {folder_of} {socket_of}");
    }
    let memory = folder(Memory::new(), 0o755, 0)
        .folder("/tmp", 0o1777, 0)
        .folder("/tmp/r", 0o755, 0)
        .put("/tmp/r/s", node(crate::socket::S_IFSOCK, 0o777, 0), None);
    assert_eq!(walk(&memory, "/tmp/r/s"), Ok(()));
    for path in ["/tmp/s", "/tmp/none/s"] {
        let given = CString::new(path).unwrap();
        let refusal = walk_to_socket(&memory, &given, HOST, |_| true).unwrap_err();
        let at = &path[..refusal.at];
        assert_eq!((refusal.why, at), (writable(0o1777), "/tmp"));
    }
    let memory = folder(Memory::new(), 0o755, 106)
        .file("/run/r/s", 0o600, 106)
        .symlink("/run/l", "/run/r", 0)
        .symlink("/run/m", "/run/r", STRANGER);
    for path in ["/run/r/s", "/run/r", "/run/l/s"] {
        assert_eq!(walk(&memory, path), Err(Distrust::NotASocket), "{path}");
    }
    assert_eq!(walk(&memory, "/run/m/s"), owner(STRANGER));
    assert_eq!(walk(&memory, "/run/r/s/x"), Err(Distrust::NotAFolder));
    assert_eq!(walk(&memory, "run/r/s"), Err(Distrust::Relative));
    assert_eq!(walk(&memory, "/run/r/none"), Err(Distrust::Call(Errno(2))));
}
