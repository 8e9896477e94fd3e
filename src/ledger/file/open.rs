//! Finds the file, or makes it: everything that needs a path. From then on there is one descriptor.
#![forbid(unsafe_code)]

use std::{ffi::CString, os::fd::OwnedFd};

use rand::{TryRng, rngs::SysRng};
use rustix::{
    fs::{
        AtFlags, CWD, IFlags, Mode, OFlags, fstat, fsync, ioctl_getflags, ioctl_setflags, linkat,
        mkdir, open, unlink,
    },
    io::Errno,
};
use safe_path::{Kind, Reason};
use zeroize::Zeroizing;

use super::{
    clock::{self, Anchor, Clocks},
    failures,
    keys::Keys,
    ledger_file::{Found, LedgerFile},
    sector::{self, LENGTH, Name, Reader, SIZE, Sector, Writer},
    table,
};
use crate::{
    config::{Kernel, Unsafe},
    failure::Failure,
    sys,
};

const MAGIC: &Name = b"pam_sms_otp\0ledg";
/// The layout of header, shards and rows.
const VERSION: u64 = 2;
/// Where the anchor of the clock stands.
pub const ANCHOR: u64 = LENGTH;
/// How often somebody else may come before us while the file is made.
const ATTEMPTS: u32 = 5;

/// Opens the ledger in that folder. On first use both are made.
pub fn file(folder: &str, clocks: &dyn Clocks) -> Result<(LedgerFile, Anchor), Failure> {
    let (file, path) = open_in(folder, "ledger", |path| make(path, clocks))?;
    read(file, path)
}

/// Opens the empty file whose bytes are locked by logins that connect ahead. On first use it is made.
pub fn permits(folder: &str) -> Result<OwnedFd, Failure> {
    let (file, _path) = open_in(folder, "prefetch", |path| {
        let how = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match open(path, how, Mode::RUSR | Mode::WUSR) {
            Ok(_) => Ok(()),
            Err(errno) => Err(failures::system_call(path, "be made", errno)),
        }
    })?;
    Ok(file)
}

/// Opens a file of that folder that others cannot have written, or makes it.
fn open_in(
    folder: &str,
    name: &str,
    make: impl Fn(&str) -> Result<(), Failure>,
) -> Result<(OwnedFd, String), Failure> {
    let folder = folder.trim_end_matches('/');
    let path = format!("{folder}/{name}");
    let name = CString::new(path.as_str())
        .map_err(|_| failures::not_trusted(&path, &Unsafe::Nul, Unsafe::Nul.remedy()))?;
    let host = rustix::process::geteuid().as_raw();
    let mut attempts = 0..ATTEMPTS;
    loop {
        let refusal = match safe_path::open(&Kernel { write: true }, &name, host, Kind::Secret) {
            Ok(found) => return Ok((found.file, path)),
            Err(refusal) => refusal,
        };
        // Whoever comes to something that is missing has found every folder before it trusted.
        let missing =
            refusal.reason == Reason::Syscall(safe_path::Errno(Errno::NOENT.raw_os_error()));
        if missing && attempts.next().is_some() && refusal.at == path.len() {
            make(&path)?;
        } else if missing && !attempts.is_empty() && refusal.at == folder.len() {
            make_folder(folder, &path)?;
        } else {
            return Err(refused(&path, refusal));
        }
    }
}

fn refused(path: &str, refusal: safe_path::Refusal) -> Failure {
    let why = Unsafe::path(path, refusal);
    match refusal.reason {
        Reason::Syscall(errno) => {
            failures::system_call(path, "be opened", Errno::from_raw_os_error(errno.0))
        }
        Reason::NotAFile => failures::damaged(path, "it is not a regular file"),
        Reason::NotADirectory => {
            failures::not_trusted(path, &why, "set ledger.path to a directory".into())
        }
        Reason::Readable { .. } => failures::not_trusted(path, &why, failures::readable(path)),
        _ => failures::not_trusted(path, &why, why.remedy()),
    }
}

fn make_folder(folder: &str, path: &str) -> Result<(), Failure> {
    match mkdir(folder, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(failures::system_call(path, "be made", errno)),
    }
}

/// Makes the file whole under a name of its own and then gives it its own: of two who make it at
/// once one is second, and nobody ever sees half of one.
fn make(path: &str, clocks: &dyn Clocks) -> Result<(), Failure> {
    let failed = |errno| failures::system_call(path, "be made", errno);
    let draft = format!("{path}.new-{:08x}{:08x}", sys::random(), sys::random());
    let how = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(&draft, how, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    write_in_place(&file);
    let made = fill(file, path, clocks).and_then(|_file| {
        match linkat(CWD, &draft, CWD, path, AtFlags::empty()) {
            // Whoever clears up may have come between making the draft and locking it.
            Ok(()) | Err(Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    });
    let _ = unlink(&draft);
    clear_up(path);
    made
}

/// Asks for a file that is overwritten in place. btrfs copies on write otherwise, and needs room to change
/// a byte: a full disk would keep out users who have a row. It takes the flag for an empty file only;
/// file systems without it refuse, and overwrite in place anyway.
fn write_in_place(file: &OwnedFd) {
    if let Ok(flags) = ioctl_getflags(file) {
        let _ = ioctl_setflags(file, flags | IFlags::NOCOW);
    }
}

/// Everything that is not zero. The file that comes back has a lock: it is being made.
fn fill(file: OwnedFd, path: &str, clocks: &dyn Clocks) -> Result<LedgerFile, Failure> {
    let failed = |errno| failures::system_call(path, "be made", errno);
    let _ = sys::try_lock(&file, 0, 1);
    let mut key = Zeroizing::new([0; 32]);
    SysRng
        .try_fill_bytes(&mut *key)
        .map_err(|_| failed(Errno::AGAIN))?;
    let disk = LedgerFile::new(file, Keys::new(&key), path.to_owned());
    let mut header = Writer::new(MAGIC);
    header.number(VERSION, 4);
    header.bytes(&*key);
    disk.put(0, header.done())?;
    disk.put(ANCHOR, Anchor::new(clocks.read()).write())?;
    // Room for the first people is taken now: a disk that is full later does not stop them.
    let length = usize::try_from(table::length(1)).map_err(|_| failed(Errno::FBIG))?;
    let written = ANCHOR.saturating_add(LENGTH);
    disk.write(written, &vec![0; length.saturating_sub(2 * SIZE)])?;
    disk.sync()?;
    Ok(disk)
}

/// Removes drafts that nobody is making any more: their makers were killed.
fn clear_up(path: &str) {
    let Some((folder, _)) = path.rsplit_once('/') else {
        return;
    };
    let entries = std::fs::read_dir(format!("{folder}/"));
    for entry in entries.into_iter().flatten().flatten() {
        if !entry
            .file_name()
            .to_string_lossy()
            .starts_with("ledger.new-")
        {
            continue;
        }
        let how = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let draft = entry.path();
        let free = |file: &OwnedFd| sys::try_lock(file, 0, 1).unwrap_or(false);
        if open(&draft, how, Mode::empty()).is_ok_and(|file| free(&file)) {
            let _ = unlink(&draft);
        }
    }
    // The names are on the disk, too.
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(folder) = open(format!("{folder}/"), how, Mode::empty()) {
        let _ = fsync(folder);
    }
}

/// Reads the header of what was opened.
fn read(file: OwnedFd, path: String) -> Result<(LedgerFile, Anchor), Failure> {
    let links = fstat(&file).map_or(1, |stat| stat.st_nlink);
    if links > 1 {
        // Its maker was killed before he could remove the draft's name.
        clear_up(&path);
    }
    let disk = LedgerFile::new(file, Keys::new(&[0; 32]), path);
    let mut header = Zeroizing::new([0; SIZE]);
    disk.read(0, &mut *header)?;
    let keys = key(&header, disk.path())?;
    let disk = disk.with(keys);
    let damaged = |how| failures::damaged(disk.path(), how);
    if !matches!(disk.judge(0, &header), Found::Whole(_)) {
        return Err(damaged("its header does not fit"));
    }
    let anchor = anchor(&disk)?;
    table::Table(&disk).levels()?;
    Ok((disk, anchor))
}

/// The key in a header.
fn key(header: &Sector, path: &str) -> Result<Keys, Failure> {
    let damaged = |how| failures::damaged(path, how);
    if sector::name(header) != MAGIC {
        return Err(damaged("it is no ledger"));
    }
    let mut reader = Reader::new(header);
    match reader.number(4) {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(failures::newer(path, version)),
        Some(version) if version > 0 => return Err(failures::older(path, version)),
        _ => return Err(damaged("its header does not fit")),
    }
    let key = Zeroizing::new(reader.array().unwrap_or_default());
    Ok(Keys::new(&key))
}

/// What the ledger's time hangs on.
pub fn anchor(disk: &LedgerFile) -> Result<Anchor, Failure> {
    let anchor = match disk.sector(ANCHOR)? {
        Found::Whole(sector) if sector::name(&sector) == clock::NAME => Anchor::read(&sector),
        _ => None,
    };
    anchor.ok_or_else(|| failures::damaged(disk.path(), "its clock cannot be read"))
}
