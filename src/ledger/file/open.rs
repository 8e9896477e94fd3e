//! Opens or creates the file: everything that needs a path. Afterwards only the descriptor is used.
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
    sector::{self, Decoder, Encoder, LENGTH, Name, SIZE, Sector},
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
/// Offset of the anchor of the clock.
pub const ANCHOR: u64 = LENGTH;
/// How often creating is tried, if other processes do the same.
const MAX_ATTEMPTS: u32 = 5;

/// Opens the ledger in this directory. On first use both are created.
pub fn file(directory: &str, clocks: &dyn Clocks) -> Result<(LedgerFile, Anchor), Failure> {
    let (file, path) = open_in(directory, "ledger", |path| make(path, clocks))?;
    read_header(file, path)
}

/// Opens the lock file of the permits for early connections. On first use it is created.
pub fn permits(directory: &str) -> Result<OwnedFd, Failure> {
    let (file, _path) = open_in(directory, "prefetch", |path| {
        let how = OFlags::CREATE | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match open(path, how, Mode::RUSR | Mode::WUSR) {
            Ok(_) => Ok(()),
            Err(errno) => Err(failures::system_call(path, "be created", errno)),
        }
    })?;
    Ok(file)
}

/// Opens a file of this directory that other users cannot have written, or creates it.
fn open_in(
    directory: &str,
    name: &str,
    make: impl Fn(&str) -> Result<(), Failure>,
) -> Result<(OwnedFd, String), Failure> {
    let directory = directory.trim_end_matches('/');
    let path = format!("{directory}/{name}");
    let name = CString::new(path.as_str())
        .map_err(|_| failures::not_trusted(&path, &Unsafe::Nul, Unsafe::Nul.remedy()))?;
    let host = rustix::process::geteuid().as_raw();
    let mut attempts = 0..MAX_ATTEMPTS;
    loop {
        let refusal = match safe_path::open(&Kernel { write: true }, &name, host, Kind::Secret) {
            Ok(found) => return Ok((found.file, path)),
            Err(refusal) => refusal,
        };
        // The walk stops at the first component that is missing; those before it are trusted.
        let missing =
            refusal.reason == Reason::Syscall(safe_path::Errno(Errno::NOENT.raw_os_error()));
        if missing && attempts.next().is_some() && refusal.at == path.len() {
            make(&path)?;
        } else if missing && !attempts.is_empty() && refusal.at == directory.len() {
            create_directory(directory, &path)?;
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

fn create_directory(directory: &str, path: &str) -> Result<(), Failure> {
    match mkdir(directory, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(failures::system_call(path, "be created", errno)),
    }
}

/// Creates the complete file under a temporary name, then links it to its own name. If two processes do
/// this at the same time, the second link fails; no process ever opens an incomplete file.
fn make(path: &str, clocks: &dyn Clocks) -> Result<(), Failure> {
    let failed = |errno| failures::system_call(path, "be created", errno);
    let draft = format!("{path}.new-{:08x}{:08x}", sys::random(), sys::random());
    let how = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(&draft, how, Mode::RUSR | Mode::WUSR).map_err(failed)?;
    disable_copy_on_write(&file);
    let made = fill(file, path, clocks).and_then(|_file| {
        match linkat(CWD, &draft, CWD, path, AtFlags::empty()) {
            // Another process may have removed the draft before it was locked.
            Ok(()) | Err(Errno::EXIST | Errno::NOENT) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    });
    let _ = unlink(&draft);
    remove_drafts(path);
    made
}

/// Sets the flag for overwriting in place. Otherwise btrfs copies on write and needs free space to change a
/// byte, so that a full disk would keep out users who have a row. btrfs accepts the flag for an empty file
/// only; file systems without the flag overwrite in place anyway.
fn disable_copy_on_write(file: &OwnedFd) {
    if let Ok(flags) = ioctl_getflags(file) {
        let _ = ioctl_setflags(file, flags | IFlags::NOCOW);
    }
}

/// Writes the initial content. The returned file is locked, which marks it as being created.
fn fill(file: OwnedFd, path: &str, clocks: &dyn Clocks) -> Result<LedgerFile, Failure> {
    let failed = |errno| failures::system_call(path, "be created", errno);
    let _ = sys::try_lock(&file, 0, 1);
    let mut key = Zeroizing::new([0; 32]);
    SysRng
        .try_fill_bytes(&mut *key)
        .map_err(|_| failed(Errno::AGAIN))?;
    let disk = LedgerFile::new(file, Keys::new(&key), path.to_owned());
    let mut header = Encoder::new(MAGIC);
    header.number(VERSION, 4);
    header.bytes(&*key);
    disk.put(0, header.done())?;
    disk.put(ANCHOR, Anchor::new(clocks.read()).encode())?;
    // Allocate the first level now, so that its rows can be written when the disk is full later.
    let length = usize::try_from(table::length(1)).map_err(|_| failed(Errno::FBIG))?;
    let written = ANCHOR.saturating_add(LENGTH);
    disk.write(written, &vec![0; length.saturating_sub(2 * SIZE)])?;
    disk.sync()?;
    Ok(disk)
}

/// Removes drafts of processes that were killed: their locks are free.
fn remove_drafts(path: &str) {
    let Some((directory, _)) = path.rsplit_once('/') else {
        return;
    };
    let entries = std::fs::read_dir(format!("{directory}/"));
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
    // Sync the directory, so that the names are on the disk, too.
    let how = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(directory) = open(format!("{directory}/"), how, Mode::empty()) {
        let _ = fsync(directory);
    }
}

/// Reads the header of an open file.
fn read_header(file: OwnedFd, path: String) -> Result<(LedgerFile, Anchor), Failure> {
    let links = fstat(&file).map_or(1, |stat| stat.st_nlink);
    if links > 1 {
        // The creating process was killed before it removed the draft's name.
        remove_drafts(&path);
    }
    let disk = LedgerFile::new(file, Keys::new(&[0; 32]), path);
    let mut header = Zeroizing::new([0; SIZE]);
    disk.read(0, &mut *header)?;
    let keys = key(&header, disk.path())?;
    let disk = disk.with(keys);
    let damaged = |how| failures::damaged(disk.path(), how);
    if !matches!(disk.classify(0, &header), Found::Whole(_)) {
        return Err(damaged("its header is invalid"));
    }
    let anchor = anchor(&disk)?;
    table::Table(&disk).levels()?;
    Ok((disk, anchor))
}

/// Decodes the key in a header.
fn key(header: &Sector, path: &str) -> Result<Keys, Failure> {
    let damaged = |how| failures::damaged(path, how);
    if sector::name(header) != MAGIC {
        return Err(damaged("not a ledger file (wrong magic)"));
    }
    let mut decoder = Decoder::new(header);
    match decoder.number(4) {
        Some(VERSION) => {}
        Some(version) if version > VERSION => return Err(failures::newer(path, version)),
        Some(version) if version > 0 => return Err(failures::older(path, version)),
        _ => return Err(damaged("its header is invalid")),
    }
    let key = Zeroizing::new(decoder.array().unwrap_or_default());
    Ok(Keys::new(&key))
}

/// Reads the anchor of the clock.
pub fn anchor(disk: &LedgerFile) -> Result<Anchor, Failure> {
    let anchor = match disk.sector(ANCHOR)? {
        Found::Whole(sector) if sector::name(&sector) == clock::NAME => Anchor::decode(&sector),
        _ => None,
    };
    anchor.ok_or_else(|| failures::damaged(disk.path(), "its clock cannot be read"))
}
