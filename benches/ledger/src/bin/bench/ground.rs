//! Folders with so many known people in them: filled once for each engine, and put back as they were.

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

/// One engine's folder on the disk.
pub struct Ground {
    pub engine: &'static str,
    pub people: u64,
    /// Where decisions are made.
    pub place: PathBuf,
    /// As it was filled. `None`: it is too large to be kept twice.
    filled: Option<PathBuf>,
}

impl Ground {
    /// Fills in memory where there is room, because nobody waits for a disk there; then the files
    /// are copied. `keep`: they will be put back.
    pub fn fill(engine: &'static str, people: u64, disk: &Path, keep: bool) -> Self {
        let name = format!("{engine}-{people}");
        let place = disk.join(&name);
        let memory = memory(people);
        let first = memory
            .as_ref()
            .map_or(place.clone(), |memory| memory.join(&name));
        make(&first);
        // The first person makes what there is to make; then as many processes as are of use.
        run_fill(engine, &first, 0..1).wait_well();
        let ways = if engine == "own" { cores() } else { 1 };
        let share = people.div_ceil(ways);
        let shares = (0..ways).map(|way| (way * share).max(1)..((way + 1) * share).min(people));
        let fillers: Vec<Child> = shares
            .filter(|share| !share.is_empty())
            .map(|share| run_fill(engine, &first, share))
            .collect();
        fillers.into_iter().for_each(Child::wait_well);
        let filled = keep.then(|| disk.join(format!("{name}-filled")));
        for to in filled.iter().chain([&place]).filter(|to| **to != first) {
            copy(&first, to);
        }
        Self {
            engine,
            people,
            place,
            filled,
        }
    }

    /// As it was filled, and on the disk.
    pub fn restore(&self) {
        let filled = self.filled.as_ref().expect("what was kept");
        copy(filled, &self.place);
    }

    pub fn place(&self) -> &str {
        self.place.to_str().expect("a path in UTF-8")
    }

    /// Allocated bytes: in units of 512, whatever the disk's blocks are (stat(2)).
    pub fn room(&self) -> u64 {
        files(&self.place)
            .map(|file| file.metadata().map_or(0, |data| data.blocks() * 512))
            .sum()
    }

    /// Nothing of it stays in memory: the next decision reads it from the disk.
    pub fn forget(&self) {
        for path in files(&self.place) {
            let file = File::open(path).expect("our file");
            file.sync_all().expect("our disk");
            fadvise(&file, 0, None, Advice::DontNeed).expect("advice that the kernel takes");
        }
    }
}

/// Fails where the process does.
trait WaitWell {
    fn wait_well(self);
}

impl WaitWell for Child {
    fn wait_well(mut self) {
        let status = self.wait().expect("its end");
        assert!(status.success(), "filling failed: {status}");
    }
}

fn run_fill(engine: &str, place: &Path, people: Range<u64>) -> Child {
    Command::new(program::path(engine))
        .arg("fill")
        .arg(place)
        .args([people.start.to_string(), people.end.to_string()])
        .spawn()
        .expect("the engine's program")
}

fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// A folder on a file system in memory, if there is room.
fn memory(people: u64) -> Option<Scratch> {
    const SHM: &str = "/dev/shm";
    let room = statvfs(SHM).map_or(0, |shm| shm.f_bavail * shm.f_frsize);
    // Twice what any of them needs.
    let enough = people.saturating_mul(2048).max(1 << 26);
    (room > enough).then(|| Scratch::below(Path::new(SHM), "ledger-bench"))
}

fn make(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
}

fn files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).expect("our folder");
    entries.flatten().map(|entry| entry.path())
}

/// Copies the files of a folder with their holes, and sees them onto the disk.
fn copy(from: &Path, to: &Path) {
    make(to);
    for path in files(from) {
        let name = path.file_name().expect("a file's name");
        copy_file(&path, &to.join(name)).expect("room on the disk");
    }
    let folder = File::open(to).expect("our folder");
    folder.sync_all().expect("our disk");
}

fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    let (mut from, mut into) = (File::open(from)?, File::create(to)?);
    let data = from.metadata()?;
    into.set_permissions(data.permissions())?;
    into.set_len(data.len())?;
    let mut at = 0;
    loop {
        at = match seek(&from, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => return into.sync_all(),
            Err(errno) => return Err(errno.into()),
        };
        let hole = seek(&from, SeekFrom::Hole(at))?;
        from.seek(std::io::SeekFrom::Start(at))?;
        into.seek(std::io::SeekFrom::Start(at))?;
        let mut left = hole - at;
        let mut piece = vec![0; 1 << 20];
        while left > 0 {
            let most = piece
                .len()
                .min(usize::try_from(left).unwrap_or(piece.len()));
            from.read_exact(&mut piece[..most])?;
            into.write_all(&piece[..most])?;
            left -= most as u64;
        }
        at = hole;
    }
}
