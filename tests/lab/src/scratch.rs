//! A folder that is gone afterwards.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// The folders that are there now, for [`remove_all`].
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A folder of our own below the temporary folder, removed with all that is in it when dropped.
///
/// It is 0755: what the module trusts must not be writable by others, and what it starts under
/// another user must be able to reach its files.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn new(name: &str) -> Self {
        Self::below(&std::env::temp_dir(), name)
    }

    /// The same below another folder: on a disk, or in memory.
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

    /// The path of a file or folder in here, made or not.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a folder, and those above it.
    pub fn folder(&self, name: impl AsRef<Path>) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
        path
    }

    /// Writes a file with exactly this mode, whatever the umask.
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

/// Removes every folder that is still there: for a process that is about to end without dropping them.
pub fn remove_all() {
    // The first one made may hold the others.
    for path in LIVE.lock().expect("the folders").drain(..).rev() {
        remove(&path);
    }
}

fn remove(path: &Path) {
    // A folder that is a private file system is empty below it.
    let _ = rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH);
    // What cannot be removed stays below the temporary folder: no reason to fail a test.
    let _ = fs::remove_dir_all(path);
}

/// Writes a file with exactly this mode, whatever the umask.
pub fn write(path: &Path, mode: u32, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap_or_else(|e| panic!("cannot write {}: {e}", path.display()));
    set_mode(path, mode);
}

pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .unwrap_or_else(|e| panic!("cannot chmod {}: {e}", path.display()));
}

/// Copies a program that is going to be run. Another process does it: a thread of ours that forks
/// while the copy is open for writing would keep it busy, and `exec` refuses it then (ETXTBSY).
pub fn copy_program(from: &Path, to: &Path) {
    crate::process::run(std::process::Command::new("cp").arg("--").args([from, to]));
}
