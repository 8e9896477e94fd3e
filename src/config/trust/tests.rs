//! The walk over real folders. What needs a second owner runs as root only, and says so.
#![forbid(unsafe_code)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::*;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A folder of a test's own, in a sticky one, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("/tmp/sms-otp-trust-{}-{number}", std::process::id());
        let path = PathBuf::from(name);
        fs::create_dir(&path).unwrap();
        Self(path).mode("", 0o755)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn mode(self, name: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
        self
    }

    fn folder(self, name: &str, mode: u32) -> Self {
        fs::create_dir(self.path(name)).unwrap();
        self.mode(name, mode)
    }

    fn file(self, name: &str, mode: u32) -> Self {
        fs::write(self.path(name), "content").unwrap();
        self.mode(name, mode)
    }

    fn link(self, name: &str, to: impl AsRef<Path>) -> Self {
        symlink(to, self.path(name)).unwrap();
        self
    }

    /// Gives something to somebody else, if that can be done.
    fn given(self, name: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: needs root to give {name} to somebody else");
            return None;
        }
        std::os::unix::fs::lchown(self.path(name), Some(4711), None).unwrap();
        Some(self)
    }

    fn read(&self, name: &str, role: Role) -> Result<String, Unsafe> {
        // Not joined by Path, which would tidy the name up.
        let path = format!("{}/{name}", self.0.display());
        let content = Disk.read(&path, role)?;
        Ok(String::from_utf8(content.bytes.to_vec()).unwrap())
    }

    fn refused(&self, name: &str) -> Unsafe {
        self.read(name, Role::Settings).unwrap_err()
    }

    fn why(&self, name: &str) -> Reason {
        match self.refused(name) {
            Unsafe::Walk { why, .. } => why,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const OWNER: Reason = Reason::Owner { uid: 4711 };

#[test]
fn reads_through_links_dots_and_slashes() {
    let folder = Folder::new()
        .folder("a", 0o755)
        .file("a/f", 0o644)
        .link("relative", "a/f")
        .link("up", "a/../a/f")
        .link("folder", "a");
    let absolute = folder.path("a/f");
    let folder = folder.link("absolute", absolute);
    for name in [
        "a/f", ".//a/./f", "a/../a/f", "relative", "up", "folder/f", "absolute",
    ] {
        assert_eq!(
            folder.read(name, Role::Settings).as_deref(),
            Ok("content"),
            "{name}"
        );
    }
}

#[test]
fn reads_in_a_sticky_folder_what_is_its_owners() {
    let folder = Folder::new()
        .folder("sticky", 0o1777)
        .file("sticky/f", 0o644);
    assert!(folder.read("sticky/f", Role::Settings).is_ok());
    if let Some(folder) = folder.given("sticky/f") {
        assert_eq!(folder.why("sticky/f"), OWNER);
    }
}

#[test]
fn refuses_what_others_can_write() {
    let folder = Folder::new()
        .folder("open", 0o775)
        .file("open/f", 0o644)
        .folder("closed", 0o755)
        .file("closed/f", 0o646)
        .file("f", 0o644)
        .link("link", "open/f");
    let writable = |mode| Reason::Writable { mode };
    assert_eq!(folder.why("open/f"), writable(0o775));
    assert_eq!(folder.why("open/../f"), writable(0o775));
    assert_eq!(folder.why("closed/f"), writable(0o646));
    assert_eq!(folder.why("link"), writable(0o775));
    let said = folder.refused("open/f");
    let open = folder.path("open");
    assert_eq!(
        said.to_string(),
        format!(
            "{} can be written by others (mode 0775); only its owner may",
            open.display()
        )
    );
    assert!(
        said.remedy()
            .starts_with(&format!("chmod go-w {}", open.display()))
    );
}

#[test]
fn refuses_what_belongs_to_somebody_else() {
    let folder = Folder::new()
        .folder("a", 0o755)
        .file("a/f", 0o644)
        .link("link", "a/f")
        .file("g", 0o600);
    let Some(folder) = folder.given("link") else {
        return;
    };
    assert_eq!(folder.why("link"), OWNER);
    assert!(folder.read("a/f", Role::Settings).is_ok());
    let folder = folder.given("a").unwrap().given("g").unwrap();
    assert_eq!(folder.why("a/f"), OWNER);
    assert_eq!(folder.why("g"), OWNER);
    let g = folder.path("g");
    assert_eq!(
        folder.refused("g").to_string(),
        format!(
            "{} belongs to uid 4711; it must belong to root or to the user this runs as",
            g.display()
        )
    );
}

#[test]
fn refuses_what_is_no_file_and_waits_for_nobody() {
    let folder = Folder::new()
        .folder("a", 0o755)
        .file("f", 0o644)
        .link("slash", "f/");
    mknodat(CWD, folder.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let folder = folder.link("link", "fifo").link("null", "/dev/null");
    for (name, why) in [
        ("a", Reason::NotAFile),
        ("a/", Reason::NotAFile),
        ("fifo", Reason::NotAFile),
        ("link", Reason::NotAFile),
        ("null", Reason::NotAFile),
        ("f/", Reason::NotADirectory),
        ("f/x", Reason::NotADirectory),
        ("slash", Reason::NotADirectory),
    ] {
        assert_eq!(folder.why(name), why, "{name}");
    }
}

#[test]
fn refuses_circles_and_paths_that_are_none() {
    let folder = Folder::new()
        .link("a", "b")
        .link("b", "a")
        .link("self", "self");
    assert_eq!(folder.why("a"), Reason::TooLong);
    assert_eq!(folder.why("self"), Reason::TooLong);
    assert_eq!(folder.why(&"x".repeat(5000)), Reason::TooLong);
    let refused = |path| Disk.read(path, Role::Settings).map(|_| ()).unwrap_err();
    assert_eq!(refused("f").to_string(), "the path does not begin with /");
    assert_eq!(refused("/f\0"), Unsafe::Nul);
}

#[test]
fn does_not_repeat_a_path_that_does_not_exist() {
    let folder = Folder::new();
    let said = folder.refused("s3cret").to_string();
    assert_eq!(
        said,
        format!(
            "below {}/: No such file or directory (os error 2)",
            folder.0.display()
        )
    );
    let refused = Disk
        .read("/s3cret", Role::Settings)
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "below /: No such file or directory (os error 2)"
    );
}

#[test]
fn secrets_are_not_for_others() {
    let folder = Folder::new()
        .file("f", 0o644)
        .file("g", 0o640)
        .file("h", 0o600);
    assert!(folder.read("f", Role::Bundle).is_ok());
    assert!(folder.read("h", Role::Secret).is_ok());
    let readable = |name: &str| match folder.read(name, Role::Secret) {
        Err(Unsafe::Walk {
            why: Reason::Readable { mode },
            ..
        }) => Some(mode),
        _ => None,
    };
    assert_eq!(readable("f"), Some(0o644));
    // A group may read root's.
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(readable("g"), (!is_root).then_some(0o640));
}

#[test]
fn what_is_read_is_bounded() {
    let folder = Folder::new().file("f", 0o600);
    for role in [Role::Settings, Role::Secret, Role::Bundle] {
        let file = fs::OpenOptions::new().write(true).open(folder.path("f"));
        file.as_ref().unwrap().set_len(role.most()).unwrap();
        let content = folder.read("f", role).unwrap();
        assert_eq!(u64::try_from(content.len()), Ok(role.most()));
        let longer = role.most().saturating_add(1);
        file.unwrap().set_len(longer).unwrap();
        let most = role.most();
        assert_eq!(folder.read("f", role), Err(Unsafe::TooLong { most }));
    }
}

#[test]
fn a_file_that_changes_is_not_half_read() {
    let folder = Folder::new().file("f", 0o600);
    for size in [6, 8] {
        let file = File::open(folder.path("f")).unwrap();
        assert_eq!(whole(file, size).map(|_| ()), Err(Unsafe::Changed));
    }
    let file = File::open(folder.path("f")).unwrap();
    assert_eq!(whole(file, 7).unwrap().as_slice(), b"content");
}

#[test]
fn descriptors_are_not_inherited() {
    let folder = Folder::new().file("f", 0o600);
    let name = CString::new(folder.path("f").to_str().unwrap()).unwrap();
    let host = rustix::process::geteuid().as_raw();
    let found = safe_path::open(&Kernel { write: false }, &name, host, Kind::Plain).unwrap();
    let flags = rustix::io::fcntl_getfd(&found.file).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let root = Kernel { write: false }.open_root().unwrap();
    let flags = rustix::io::fcntl_getfd(&root).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

/// A caller's limits are no fault in the settings, nor is a broken disk.
#[test]
fn what_this_machine_lacks_is_no_bad_setting() {
    use rustix::io::Errno as Is;
    let remedies = |errno: Is| {
        let why = Reason::Syscall(super::errno(errno));
        let refusal = safe_path::Refusal { reason: why, at: 4 };
        [
            Unsafe::walk("/etc/x", refusal),
            Unsafe::Unreadable(super::errno(errno)),
        ]
    };
    for errno in [Is::MFILE, Is::NFILE, Is::NOMEM, Is::IO, Is::INTR] {
        for refused in remedies(errno) {
            assert!(refused.is_local(), "{refused:?}");
            assert!(refused.remedy().contains("limits"), "{refused:?}");
        }
    }
    for errno in [Is::NOENT, Is::ACCESS, Is::NOTDIR, Is::LOOP] {
        for refused in remedies(errno) {
            assert!(!refused.is_local(), "{refused:?}");
        }
    }
    assert!(!Unsafe::Changed.is_local());
}

#[test]
fn the_first_port_of_all_users_is_the_kernels() {
    let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let said = fs::read_to_string(path).ok();
    let said = said.and_then(|text| text.trim().parse::<u16>().ok());
    let is_trusted = fs::metadata(path).is_ok_and(|stat| {
        use std::os::unix::fs::MetadataExt;
        stat.uid() == 0
    });
    if is_trusted {
        assert!(said.is_some());
        assert_eq!(Disk.unprivileged_port_start(), said);
    }
}
