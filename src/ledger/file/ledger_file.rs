//! The one open file: whole reads, whole writes, locks. Nothing here knows a path any more, but
//! for words.
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

/// Nobody has a lock for longer than a read and a write take, but for somebody who stands still.
pub const LOCK_TIMEOUT: Duration = Duration::from_millis(1500);
/// Between two looks whether a lock is free, at first and at most.
const PAUSE: Duration = Duration::from_micros(100);
const MAX_PAUSE: Duration = Duration::from_millis(8);
/// How often a sector is read again that is being written.
const LOOKS: u32 = 10;

/// The open file.
pub struct LedgerFile {
    file: OwnedFd,
    pub keys: Keys,
    /// For words.
    path: String,
    /// Whether something was written that may not be on the disk yet.
    dirty: Cell<bool>,
}

/// What stands in a sector.
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
    /// The same open file once more: locks are shared, what is not on the disk yet is not.
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

    /// The same with other keys.
    #[must_use]
    pub fn with(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// For words.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// How long it is.
    pub fn length(&self) -> Result<u64, Failure> {
        let stat = fstat(&self.file).map_err(|errno| self.failed("be looked at", errno))?;
        Ok(u64::try_from(stat.st_size).unwrap_or(0))
    }

    /// How much room it takes: less than its length, where nothing was written yet.
    pub fn room(&self) -> Result<u64, Failure> {
        let stat = fstat(&self.file).map_err(|errno| self.failed("be looked at", errno))?;
        // In units of 512 bytes, whatever the disk's blocks are (stat(2)).
        Ok(u64::try_from(stat.st_blocks)
            .unwrap_or(0)
            .saturating_mul(512))
    }

    /// From there on, where something was ever written.
    pub fn data_from(&self, at: u64) -> Result<Option<u64>, Failure> {
        match seek(&self.file, SeekFrom::Data(at)) {
            Ok(data) => Ok(Some(data)),
            Err(Errno::NXIO) => Ok(None),
            Err(errno) => Err(self.failed("be read", errno)),
        }
    }

    /// Reads so many bytes. Behind the end there are none.
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Failure> {
        let mut filled = 0_usize;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let from = at.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
            match pread(&self.file, rest, from) {
                Ok(0) => return Err(failures::damaged(&self.path, "it ends too early")),
                Ok(more) => filled = filled.saturating_add(more),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed("be read", errno)),
            }
        }
        Ok(())
    }

    /// Writes it in one piece.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Failure> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        // Beyond its limit the process would be killed by SIGXFSZ (setrlimit(2)). Where the caller
        // has set it and nobody here may raise it, what is there already can still be changed.
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
                // A full disk; what was written is a damaged row now, and is read as one.
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

    /// Whatever was written is on the disk from here on. Nobody else waits for it: it comes after
    /// the locks.
    pub fn sync(&self) -> Result<(), Failure> {
        if self.dirty.get() {
            fdatasync(&self.file).map_err(|errno| self.failed("be written", errno))?;
            self.dirty.set(false);
        }
        Ok(())
    }

    /// Reads a sector of which we have no lock. One whose seal does not fit may be half written by
    /// somebody else just now: it is read again, with his lock or once he is through.
    pub fn sector(&self, at: u64) -> Result<Found, Failure> {
        let mut pause = PAUSE;
        let mut found = self.look(at)?;
        for _ in 0..LOOKS {
            let Found::Damaged(_) = found else {
                break;
            };
            let alone = self.try_lock(at, sector::LENGTH)?;
            found = self.look(at)?;
            if alone.is_some() {
                break;
            }
            thread::sleep(pause);
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
        Ok(found)
    }

    /// Reads a sector as it is at this moment.
    pub fn look(&self, at: u64) -> Result<Found, Failure> {
        let mut bytes = [0; SIZE];
        self.read(at, &mut bytes)?;
        Ok(self.judge(at, &bytes))
    }

    /// What such bytes at that place are.
    pub fn judge(&self, at: u64, bytes: &Sector) -> Found {
        if sector::is_empty(bytes) {
            Found::Empty
        } else if self.keys.fits(at, bytes) {
            Found::Whole(*bytes)
        } else {
            Found::Damaged(*bytes)
        }
    }

    /// Locks a stretch, if nobody has.
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

    /// Locks a stretch as soon as nobody has it. `whose` it is, for words.
    pub fn hold(
        &self,
        start: u64,
        length: u64,
        whose: &str,
        by: Deadline,
    ) -> Result<LockGuard<'_>, Failure> {
        let by = by.or_within(LOCK_TIMEOUT);
        let mut pause = PAUSE;
        loop {
            if let Some(held) = self.try_lock(start, length)? {
                return Ok(held);
            }
            if by.is_over() {
                return Err(failures::lock_timeout(&self.path, whose));
            }
            nap(pause, by);
            pause = pause.saturating_mul(2).min(MAX_PAUSE);
        }
    }

    fn failed(&self, what: &str, errno: Errno) -> Failure {
        failures::system_call(&self.path, what, errno)
    }
}

/// Half so long to one and a half times so long: those who wait do not come back together.
pub fn nap(pause: Duration, by: Deadline) {
    let chance = sys::random().checked_rem(1000).unwrap_or(0);
    let pause = pause.saturating_mul(chance.saturating_add(500));
    thread::sleep(pause.checked_div(1000).unwrap_or_default().min(by.left()));
}
