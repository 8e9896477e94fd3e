//! Data directories with a number of known users: filled once for each engine, and restored before a
//! measurement.

use crate::program;
use lab::scratch::Scratch;
use rustix::fs::{Advice, SeekFrom, fadvise, seek, statvfs};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// The data directory of one engine.
pub struct DataDir {
    pub engine: &'static str,
    pub users: u64,
    /// The directory that decisions change.
    path: PathBuf,
    /// The copy to restore from. `None`: the directory is too large to be kept twice.
    copy: Option<PathBuf>,
}

impl DataDir {
    /// Fills the store on a tmpfs if it has enough space, because that is faster, and then copies the
    /// files to the disk. `keep`: keeps a copy to restore from.
    pub fn fill(engine: &'static str, users: u64, disk: &Path, keep: bool) -> Self {
        let name = format!("{engine}-{users}");
        let path = disk.join(&name);
        let memory = memory(users);
        let first = memory
            .as_ref()
            .map_or(path.clone(), |memory| memory.join(&name));
        create_dir(&first);
        // One process creates the files; then our engine is filled by a process on each core.
        run_fill(engine, &first, 0..1).wait_for_success();
        let processes = if engine == "own" { cores() } else { 1 };
        let share = users.div_ceil(processes);
        let shares =
            (0..processes).map(|index| (index * share).max(1)..((index + 1) * share).min(users));
        let fillers: Vec<Child> = shares
            .filter(|share| !share.is_empty())
            .map(|share| run_fill(engine, &first, share))
            .collect();
        fillers.into_iter().for_each(Child::wait_for_success);
        let copy = keep.then(|| disk.join(format!("{name}-copy")));
        for to in copy.iter().chain([&path]).filter(|to| **to != first) {
            copy_dir(&first, to);
        }
        Self {
            engine,
            users,
            path,
            copy,
        }
    }

    /// Restores and syncs the files as they were after filling.
    pub fn restore(&self) {
        let copy = self.copy.as_ref().expect("a copy");
        copy_dir(copy, &self.path);
    }

    pub fn path(&self) -> &str {
        self.path.to_str().expect("a path in UTF-8")
    }

    /// Returns the allocated bytes: stat(2) counts them in units of 512 on every file system.
    pub fn allocated(&self) -> u64 {
        files(&self.path)
            .map(|file| file.metadata().map_or(0, |data| data.blocks() * 512))
            .sum()
    }

    /// Drops the files from the page cache, so that the next decision reads them from the disk.
    pub fn drop_page_cache(&self) {
        for path in files(&self.path) {
            let file = File::open(path).expect("our file");
            file.sync_all().expect("fsync");
            fadvise(&file, 0, None, Advice::DontNeed).expect("posix_fadvise");
        }
    }
}

trait WaitForSuccess {
    /// Waits for the process, and panics if it failed.
    fn wait_for_success(self);
}

impl WaitForSuccess for Child {
    fn wait_for_success(mut self) {
        let status = self.wait().expect("an exit status");
        assert!(status.success(), "filling failed: {status}");
    }
}

fn run_fill(engine: &str, path: &Path, users: Range<u64>) -> Child {
    Command::new(program::program_path(engine))
        .arg("fill")
        .arg(path)
        .args([users.start.to_string(), users.end.to_string()])
        .spawn()
        .expect("the engine's program")
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// Creates a directory on a tmpfs, if it has enough space.
fn memory(users: u64) -> Option<Scratch> {
    const SHM: &str = "/dev/shm";
    let free = statvfs(SHM).map_or(0, |shm| shm.f_bavail * shm.f_frsize);
    // Twice the size of the largest store.
    let enough = users.saturating_mul(2048).max(1 << 26);
    (free > enough).then(|| Scratch::below(Path::new(SHM), "ledger-bench"))
}

fn create_dir(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let created = fs::DirBuilder::new().mode(0o700).create(folder);
    created.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).expect("our folder");
    entries.flatten().map(|entry| entry.path())
}

/// Copies the files of a directory with their holes, and syncs them.
fn copy_dir(from: &Path, to: &Path) {
    create_dir(to);
    for path in files(from) {
        let name = path.file_name().expect("a file's name");
        copy_file(&path, &to.join(name)).expect("a copy");
    }
    let folder = File::open(to).expect("our folder");
    folder.sync_all().expect("fsync");
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let (mut from, mut to) = (File::open(from)?, File::create(to)?);
    let data = from.metadata()?;
    to.set_permissions(data.permissions())?;
    to.set_len(data.len())?;
    let mut at = 0;
    loop {
        at = match seek(&from, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return to.sync_all(),
            Err(errno) => return Err(errno.into()),
        };
        let hole = seek(&from, SeekFrom::Hole(at))?;
        from.seek(std::io::SeekFrom::Start(at))?;
        to.seek(std::io::SeekFrom::Start(at))?;
        let mut remaining = hole - at;
        let mut buffer = vec![0; 1 << 20];
        while remaining > 0 {
            let length = buffer
                .len()
                .min(usize::try_from(remaining).unwrap_or(buffer.len()));
            from.read_exact(&mut buffer[..length])?;
            to.write_all(&buffer[..length])?;
            remaining -= length as u64;
        }
        at = hole;
    }
}
