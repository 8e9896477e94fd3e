//! Checks of real files. Tests that need a second owner are skipped without root, with a message.
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

/// A temporary directory.
struct TempDir(PathBuf);

impl TempDir {
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

    fn directory(self, name: &str, mode: u32) -> Self {
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

    /// Gives a file to another user, if this test runs as root.
    fn given(self, name: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("SKIPPED: needs root to give {name} to another user");
            return None;
        }
        std::os::unix::fs::lchown(self.path(name), Some(4711), None).unwrap();
        Some(self)
    }

    fn read(&self, name: &str, role: Role) -> Result<String, Unsafe> {
        // Not joined with Path, which would normalize the name.
        let path = format!("{}/{name}", self.0.display());
        let content = Disk.read(&path, role)?;
        Ok(String::from_utf8(content.bytes.to_vec()).unwrap())
    }

    fn refused(&self, name: &str) -> Unsafe {
        self.read(name, Role::Settings).unwrap_err()
    }

    fn reason(&self, name: &str) -> Reason {
        match self.refused(name) {
            Unsafe::Path { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const OWNER: Reason = Reason::Owner { uid: 4711 };

#[test]
fn reads_through_links_dots_and_slashes() {
    let root = TempDir::new()
        .directory("a", 0o755)
        .file("a/f", 0o644)
        .link("relative", "a/f")
        .link("up", "a/../a/f")
        .link("folder", "a");
    let absolute = root.path("a/f");
    let root = root.link("absolute", absolute);
    for name in [
        "a/f", ".//a/./f", "a/../a/f", "relative", "up", "folder/f", "absolute",
    ] {
        assert_eq!(
            root.read(name, Role::Settings).as_deref(),
            Ok("content"),
            "{name}"
        );
    }
}

#[test]
fn in_a_sticky_directory_a_file_must_be_its_owners() {
    let root = TempDir::new()
        .directory("sticky", 0o1777)
        .file("sticky/f", 0o644);
    assert!(root.read("sticky/f", Role::Settings).is_ok());
    if let Some(root) = root.given("sticky/f") {
        assert_eq!(root.reason("sticky/f"), OWNER);
    }
}

#[test]
fn refuses_what_others_can_write() {
    let root = TempDir::new()
        .directory("open", 0o775)
        .file("open/f", 0o644)
        .directory("closed", 0o755)
        .file("closed/f", 0o646)
        .file("f", 0o644)
        .link("link", "open/f");
    let writable = |mode| Reason::Writable { mode };
    assert_eq!(root.reason("open/f"), writable(0o775));
    assert_eq!(root.reason("open/../f"), writable(0o775));
    assert_eq!(root.reason("closed/f"), writable(0o646));
    assert_eq!(root.reason("link"), writable(0o775));
    let refused = root.refused("open/f");
    let open = root.path("open");
    assert_eq!(
        refused.to_string(),
        format!(
            "{} can be written by others (mode 0775); it must be writable by its owner only",
            open.display()
        )
    );
    assert!(
        refused
            .remedy()
            .starts_with(&format!("chmod go-w {}", open.display()))
    );
}

#[test]
fn refuses_files_of_other_users() {
    let root = TempDir::new()
        .directory("a", 0o755)
        .file("a/f", 0o644)
        .link("link", "a/f")
        .file("g", 0o600);
    let Some(root) = root.given("link") else {
        return;
    };
    assert_eq!(root.reason("link"), OWNER);
    assert!(root.read("a/f", Role::Settings).is_ok());
    let root = root.given("a").unwrap().given("g").unwrap();
    assert_eq!(root.reason("a/f"), OWNER);
    assert_eq!(root.reason("g"), OWNER);
    let g = root.path("g");
    assert_eq!(
        root.refused("g").to_string(),
        format!(
            "{} belongs to uid 4711; it must belong to root or to the user of this process",
            g.display()
        )
    );
}

#[test]
fn refuses_special_files_without_blocking() {
    let root = TempDir::new()
        .directory("a", 0o755)
        .file("f", 0o644)
        .link("slash", "f/");
    mknodat(CWD, root.path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let root = root.link("link", "fifo").link("null", "/dev/null");
    for (name, reason) in [
        ("a", Reason::NotAFile),
        ("a/", Reason::NotAFile),
        ("fifo", Reason::NotAFile),
        ("link", Reason::NotAFile),
        ("null", Reason::NotAFile),
        ("f/", Reason::NotADirectory),
        ("f/x", Reason::NotADirectory),
        ("slash", Reason::NotADirectory),
    ] {
        assert_eq!(root.reason(name), reason, "{name}");
    }
}

#[test]
fn refuses_loops_and_invalid_paths() {
    let root = TempDir::new()
        .link("a", "b")
        .link("b", "a")
        .link("self", "self");
    assert_eq!(root.reason("a"), Reason::TooLong);
    assert_eq!(root.reason("self"), Reason::TooLong);
    assert_eq!(root.reason(&"x".repeat(5000)), Reason::TooLong);
    let refused = |path| Disk.read(path, Role::Settings).map(|_| ()).unwrap_err();
    assert_eq!(refused("f").to_string(), "the path does not begin with /");
    assert_eq!(refused("/f\0"), Unsafe::Nul);
}

#[test]
fn does_not_repeat_a_path_that_does_not_exist() {
    let root = TempDir::new();
    assert_eq!(
        root.refused("s3cret").to_string(),
        format!(
            "below {}/: No such file or directory (os error 2)",
            root.0.display()
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
fn refuses_secrets_that_others_can_read() {
    let root = TempDir::new()
        .file("f", 0o644)
        .file("g", 0o640)
        .file("h", 0o600);
    assert!(root.read("f", Role::Bundle).is_ok());
    assert!(root.read("h", Role::Secret).is_ok());
    let readable = |name: &str| match root.read(name, Role::Secret) {
        Err(Unsafe::Path {
            reason: Reason::Readable { mode },
            ..
        }) => Some(mode),
        _ => None,
    };
    assert_eq!(readable("f"), Some(0o644));
    // A group may read root's files.
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(readable("g"), (!is_root).then_some(0o640));
}

#[test]
fn the_size_is_limited() {
    let root = TempDir::new().file("f", 0o600);
    for role in [Role::Settings, Role::Secret, Role::Bundle] {
        let file = fs::OpenOptions::new().write(true).open(root.path("f"));
        file.as_ref().unwrap().set_len(role.max_size()).unwrap();
        let content = root.read("f", role).unwrap();
        assert_eq!(u64::try_from(content.len()), Ok(role.max_size()));
        let longer = role.max_size().saturating_add(1);
        file.unwrap().set_len(longer).unwrap();
        let max = role.max_size();
        assert_eq!(root.read("f", role), Err(Unsafe::TooLarge { max }));
    }
}

#[test]
fn a_file_that_changes_is_not_half_read() {
    let root = TempDir::new().file("f", 0o600);
    for size in [6, 8] {
        let file = File::open(root.path("f")).unwrap();
        assert_eq!(read_exactly(file, size).map(|_| ()), Err(Unsafe::Changed));
    }
    let file = File::open(root.path("f")).unwrap();
    assert_eq!(read_exactly(file, 7).unwrap().as_slice(), b"content");
}

#[test]
fn descriptors_are_not_inherited() {
    let root = TempDir::new().file("f", 0o600);
    let name = CString::new(root.path("f").to_str().unwrap()).unwrap();
    let host = rustix::process::geteuid().as_raw();
    let found = safe_path::open(&Kernel { write: false }, &name, host, Kind::Plain).unwrap();
    let flags = rustix::io::fcntl_getfd(&found.file).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    let root = Kernel { write: false }.open_root().unwrap();
    let flags = rustix::io::fcntl_getfd(&root).unwrap();
    assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
}

/// Limits that the caller has set are not a mistake in the settings, nor is a broken disk.
#[test]
fn a_local_problem_is_not_a_bad_setting() {
    use rustix::io::Errno as Is;
    let remedies = |errno: Is| {
        let reason = Reason::Syscall(super::errno(errno));
        let refusal = safe_path::Refusal { reason, at: 4 };
        [
            Unsafe::path("/etc/x", refusal),
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
fn the_first_unprivileged_port_is_the_kernels() {
    let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let expected = fs::read_to_string(path).ok();
    let expected = expected.and_then(|text| text.trim().parse::<u16>().ok());
    let is_trusted = fs::metadata(path).is_ok_and(|stat| {
        use std::os::unix::fs::MetadataExt;
        stat.uid() == 0
    });
    if is_trusted {
        assert!(expected.is_some());
        assert_eq!(Disk.unprivileged_port_start(), expected);
    }
}
