//! The open file: complete reads, complete writes, locks. The path is used in error texts only.
#![forbid(unsafe_code)]

use std::{cell::Cell, io::IoSlice, os::fd::OwnedFd, thread, time::Duration};

use rustix::{
    fs::{SeekFrom, fdatasync, fstat, seek},
    io::{Errno, pread, pwritev},
    process::{Resource, getrlimit},
};

use super::{
    failures,
    keys::Keys,
    sector::{self, SIZE, Sector},
};
use crate::{deadline::Deadline, failure::Failure, sys};

/// How long to wait for a lock. A running process holds one only for a read and a write.
pub const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);
/// Between two attempts to lock, first and longest.
const PAUSE: Duration = Duration::from_micros(100);
const MAX_PAUSE: Duration = Duration::from_millis(8);
/// How often a sector with a wrong seal is read again.
const RETRIES: u32 = 10;

/// The open file.
pub struct LedgerFile {
    file: OwnedFd,
    pub keys: Keys,
    /// For error texts.
    path: String,
    /// Something was written and not synced yet.
    dirty: Cell<bool>,
}

/// The content of a sector.
pub enum Found {
    Empty,
    Whole(Sector),
    Damaged(Sector),
}

/// A lock, until it is dropped.
#[must_use]
pub struct LockGuard<'a> {
    disk: &'a LedgerFile,
    start: u64,
    length: u64,
}

impl Drop for LockGuard<'_> {
    fn drop(&mut self) {
        sys::unlock(&self.disk.file, self.start, self.length);
    }
}

impl LedgerFile {
    /// Duplicates the descriptor. Locks are shared; the dirty flag is not.
    pub fn try_clone(&self) -> Option<Self> {
        Some(Self {
            file: self.file.try_clone().ok()?,
            keys: self.keys.clone(),
            path: self.path.clone(),
            dirty: Cell::new(false),
        })
    }

    #[must_use]
    pub const fn new(file: OwnedFd, keys: Keys, path: String) -> Self {
        Self {
            file,
            keys,
            path,
            dirty: Cell::new(false),
        }
    }

    /// Replaces the keys.
    #[must_use]
    pub fn with(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// The path, for error texts.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The length of the file.
    pub fn length(&self) -> Result<u64, Failure> {
        let stat = fstat(&self.file).map_err(|errno| self.failed("be inspected", errno))?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// The space that the file takes on the disk. Holes take none.
    pub fn allocated(&self) -> Result<u64, Failure> {
        let stat = fstat(&self.file).map_err(|errno| self.failed("be inspected", errno))?;
        // In units of 512 bytes, whatever the block size is (stat(2)).
        Ok(u64::try_from(stat.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512))
    }

    /// The next offset from `at` on that is not in a hole.
    pub fn data_from(&self, at: u64) -> Result<Option<u64>, Failure> {
        match seek(&self.file, SeekFrom::Data(at)) {
            Ok(data) => Ok(Some(data)),
            Err(Errno::NXIO) => Ok(None),
            Err(errno) => Err(self.failed("be read", errno)),
        }
    }

    /// Fills the buffer. Fails at the end of the file.
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Failure> {
        let mut filled = 0_usize;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let from = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match pread(&self.file, rest, from) {
                Ok(0) => return Err(failures::damaged(&self.path, "the file is too short")),
                Ok(more) => filled = filled.saturating_add(more),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed("be read", errno)),
            }
        }
        Ok(())
    }

    /// Writes all bytes with one system call.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        // A write beyond RLIMIT_FSIZE would kill the process with SIGXFSZ (setrlimit(2)). If a caller has
        // set a limit that cannot be raised, bytes that exist can still be changed through a mapping.
        let most = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        if at.saturating_add(length) > most {
            if self.data_from(at)? != Some(at) {
                return Err(self.failed("be written", Errno::FBIG));
            }
            self.dirty.set(true);
            return sys::write_mapped(&self.file, at, bytes).map_err(|error| {
                let errno = Errno::from_io_error(&error).unwrap_or(Errno::FBIG);
                self.failed("be written", errno)
            });
        }
        self.dirty.set(true);
        loop {
            match pwritev(&self.file, &[IoSlice::new(bytes)], at) {
                Ok(written) if written == bytes.len() => return Ok(()),
                // The disk is full. A row that was written in part has a wrong seal.
                Ok(_) => return Err(self.failed("be written", Errno::NOSPC)),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed("be written", errno)),
            }
        }
    }

    /// Seals a sector and writes it.
    pub fn put(&self, at: u64, mut sector: Sector) -> Result<(), Failure> {
        self.keys.seal(at, &mut sector);
        self.write(at, &sector)
    }

    /// Whether something was written that may not be on the disk yet.
    pub fn is_dirty(&self) -> bool {
        self.dirty.get()
    }

    /// Waits until everything that was written is on the disk. Called without locks, so that no other
    /// process waits for it.
    pub fn sync(&self) -> Result<(), Failure> {
        if self.dirty.get() {
            fdatasync(&self.file).map_err(|errno| self.failed("be written", errno))?;
            self.dirty.set(false);
        }
        Ok(())
    }

    /// Reads a sector without holding its lock. If the seal is wrong, another process may be writing it:
    /// it is read again, with the lock or when that process has finished.
    pub fn sector(&self, at: u64) -> Result<Found, Failure> {
        let mut pause = PAUSE;
        let mut found = self.read_sector(at)?;
        for _ in 0..RETRIES {
            let Found::Damaged(_) = found else {
                break;
            };
            let guard = self.try_lock(at, sector::LENGTH)?;
            found = self.read_sector(at)?;
            if guard.is_some() {
                break;
            }
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
        Ok(found)
    }

    /// Reads a sector once.
    pub fn read_sector(&self, at: u64) -> Result<Found, Failure> {
        let mut bytes = [0; SIZE];
        self.read(at, &mut bytes)?;
        Ok(self.classify(at, &bytes))
    }

    /// Classifies the bytes of a sector at this offset.
    pub fn classify(&self, at: u64, bytes: &Sector) -> Found {
        if sector::is_empty(bytes) {
            Found::Empty
        } else if self.keys.verify(at, bytes) {
            Found::Whole(*bytes)
        } else {
            Found::Damaged(*bytes)
        }
    }

    /// Locks a range, if it is free.
    pub fn try_lock(&self, start: u64, length: u64) -> Result<Option<LockGuard<'_>>, Failure> {
        let locked = sys::try_lock(&self.file, start, length).map_err(|error| {
            let errno = Errno::from_io_error(&error).unwrap_or(Errno::NOLCK);
            self.failed("be locked", errno)
        })?;
        Ok(locked.then_some(LockGuard {
            disk: self,
            start,
            length,
        }))
    }

    /// Locks a range, waiting until it is free. `what` it is, for error texts.
    pub fn lock(
        &self,
        start: u64,
        length: u64,
        what: &str,
        by: Deadline,
    ) -> Result<LockGuard<'_>, Failure> {
        let by = by.or_within(LOCK_TIMEOUT);
        let mut pause = PAUSE;
        loop {
            if let Some(guard) = self.try_lock(start, length)? {
                return Ok(guard);
            }
            if by.is_over() {
                return Err(failures::lock_timeout(&self.path, what));
            }
            sleep_about(pause, by);
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }

    fn failed(&self, what: &str, errno: Errno) -> Failure {
        failures::system_call(&self.path, what, errno)
    }
}

/// Sleeps for half to one and a half times the pause, so that waiting processes do not retry together.
pub fn sleep_about(pause: Duration, by: Deadline) {
    let random = sys::random().checked_rem(1000).unwrap_or(0);
    let pause = pause.saturating_mul(random.saturating_add(500));
    thread::sleep(pause.checked_div(1000).unwrap_or_default().min(by.left()));
}
