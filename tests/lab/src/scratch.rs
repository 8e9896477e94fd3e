//! Temporary directories.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// The existing directories, for [`remove_all`].
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A directory below the temporary directory. It is removed with its content when dropped.
///
/// Its mode is 0755: the module requires that its files are not writable by others, and a program that
/// runs as another user must be able to read its files.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn new(name: &str) -> Self {
        Self::below(&std::env::temp_dir(), name)
    }

    /// Creates one below another directory: on a disk, or in memory.
    pub fn below(folder: &Path, name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let serial = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("lab-{}-{serial}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        set_mode(&path, 0o755);
        LIVE.lock().expect("the folders").push(path.clone());
        Self { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a file or directory in it, which may not exist.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Creates a directory and its parents.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        path
    }

    /// Writes a file with exactly this mode, independent of the umask.
    pub fn write(&self, name: impl AsRef<Path>, mode: u32, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        write(&path, mode, content);
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.path);
        LIVE.lock()
            .expect("the folders")
            .retain(|path| *path != self.path);
    }
}

/// Removes all existing directories, for a process that is about to exit without dropping them.
pub fn remove_all() {
    // The first one may contain the others.
    for path in LIVE.lock().expect("the folders").drain(..).rev() {
        remove(&path);
    }
}

fn remove(path: &Path) {
    // If a file system is mounted on it, the directory itself is empty.
    let _ = rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH);
    // A file that cannot be removed stays in the temporary directory; that is no reason to fail a test.
    let _ = fs::remove_dir_all(path);
}

/// Writes a file with exactly this mode, independent of the umask.
pub fn write(path: &Path, mode: u32, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    set_mode(path, mode);
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|e| panic!("cannot chmod {}: {e}", path.display()));
}

/// Copies a program that is going to be run. Another process copies it: if a thread of this process forked
/// while the copy is open for writing, the child would hold it open, and `exec` would fail (ETXTBSY).
pub fn copy_program(from: &Path, to: &Path) {
    crate::process::run(std::process::Command::new("cp").arg("--").args([from, to]));
}
