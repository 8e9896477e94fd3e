//! The table of rows: levels of buckets, each level four times as long as the one before.
//!
//! The name of a row selects one bucket in each level, so finding a row reads one bucket per level. The
//! length of the file defines the number of levels. Growing only extends the file: no row is moved, so
//! no lock is needed.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use super::{
    failures,
    keys::half,
    ledger_file::{Found as Content, LedgerFile, LockGuard},
    row::Row,
    sector::{self, LENGTH, Name, SIZE, Sector},
};
use crate::{deadline::Deadline, failure::Failure, sys};

/// Start of the first level.
const START: u64 = super::total::END;
/// Rows in a bucket.
const ROWS: u64 = 8;
const BUCKET: u64 = ROWS * LENGTH;
/// Buckets in the first level.
const BUCKETS: u64 = 8;
/// Most levels: more than six million rows in at most 11 GB (in a simulation, the first row that found
/// no free place was number 6.8 million).
const MAX_LEVELS: u32 = 10;

/// The result of looking up a name.
#[derive(Default)]
pub struct Lookup {
    /// The row and its offset.
    pub row: Option<(u64, Row)>,
    /// One of the places for this name is damaged. If there is no row, it may have been there.
    pub damaged: bool,
    /// Offset of a damaged row with this name.
    pub remains: Option<u64>,
}

/// The length of a file with this many levels, which is the start of the next level.
#[must_use]
pub const fn length(levels: u32) -> u64 {
    // 1 + 4 + 16 + ... times the first level.
    let times = 1_u64
        .wrapping_shl(levels.saturating_mul(2))
        .saturating_sub(1)
        / 3;
    START.saturating_add(BUCKET.saturating_mul(BUCKETS).saturating_mul(times))
}

/// The offset of a name's bucket in a level.
pub fn bucket(level: u32, name: &Name) -> u64 {
    // Other bits in each level, so that names of one full bucket have different buckets in the next.
    let hash = u64::from_le_bytes(half(*name)).rotate_right(level.saturating_mul(6));
    // The number of buckets is a power of two.
    let last = BUCKETS
        .wrapping_shl(level.saturating_mul(2))
        .saturating_sub(1);
    length(level).saturating_add((hash & last).saturating_mul(BUCKET))
}

/// The table in an open file.
pub struct Table<'a>(pub &'a LedgerFile);

impl Table<'_> {
    /// Returns the number of levels.
    pub fn levels(&self) -> Result<u32, Failure> {
        let file = self.0.length()?;
        // While a level is being added, Linux may show the file one byte shorter than it will be: then
        // the level does not exist yet.
        let begun = |levels: u32| file.saturating_add(1) == length(levels.saturating_add(1));
        let mut all = 1..=MAX_LEVELS;
        let levels = all.find(|levels| length(*levels) == file || begun(*levels));
        levels.ok_or_else(|| {
            let how = "it has an invalid length";
            failures::damaged(self.0.path(), how)
        })
    }

    /// Finds the row with this name.
    pub fn find(&self, name: &Name) -> Result<Lookup, Failure> {
        let mut chain = Vec::new();
        for level in 0..self.levels()? {
            chain.append(&mut self.read_bucket(bucket(level, name))?);
        }
        // Checking seals is most of the work. If the row is found, only its seal is checked; otherwise
        // those of all rows in its buckets are, to detect a damaged row that may be the one.
        let has_name = |row: &(u64, Sector)| sector::name(&row.1) == name;
        let (named, others): (Vec<_>, Vec<_>) = chain.into_iter().partition(has_name);
        let mut found = Lookup::default();
        for (at, sector) in named.into_iter().chain(others) {
            match self.classify_again(at, &sector)? {
                Content::Whole(sector) if sector::name(&sector) == name => {
                    found.row = Row::decode(&sector).map(|row| (at, row));
                    found.damaged = found.row.is_none();
                    return Ok(found);
                }
                Content::Damaged(sector) => {
                    found.damaged = true;
                    if sector::name(&sector) == name {
                        found.remains = Some(at);
                    }
                }
                Content::Empty | Content::Whole(_) => {}
            }
        }
        Ok(found)
    }

    /// Classifies a sector; if it is damaged, reads it again, as it may just have been written.
    fn classify_again(&self, at: u64, sector: &Sector) -> Result<Content, Failure> {
        match self.0.classify(at, sector) {
            Content::Damaged(_) => self.0.sector(at),
            content => Ok(content),
        }
    }

    /// Writes a row at its offset, or else in a free place. The caller has the lock of this name, so no
    /// other process writes it.
    pub fn put(
        &self,
        name: &Name,
        row: &Row,
        offset: Option<u64>,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        let sector = row.encode(name);
        if let Some(at) = offset {
            let _guard = self.0.lock(at, LENGTH, "a row", by)?;
            // Since it was read, it may have expired, been cleared, and its place reused.
            if let Content::Whole(old) | Content::Damaged(old) = self.0.read_sector(at)? {
                if sector::name(&old) == name {
                    return self.0.put(at, sector);
                }
            }
        }
        for level in 0..MAX_LEVELS {
            if level >= self.levels()? {
                self.grow(level)?;
            }
            for (at, old) in self.read_bucket(bucket(level, name))? {
                if self.is_free(at, &old, now) {
                    if let Some(_guard) = self.claim(at, now)? {
                        return self.0.put(at, sector);
                    }
                }
            }
        }
        Err(failures::full(self.0.path()))
    }

    /// Adds a level by writing its last byte. That byte is the last of a row, which is always zero, so the
    /// write is harmless if another process has added the level already.
    fn grow(&self, level: u32) -> Result<(), Failure> {
        let last = length(level.saturating_add(1)).saturating_sub(1);
        self.0.write(last, &[0])
    }

    /// Clears the expired rows of a random bucket, so that no data is kept for much longer than needed.
    pub fn sweep(&self, now: u64) -> Result<(), Failure> {
        let buckets = length(self.levels()?).saturating_sub(START) / BUCKET;
        let chosen = u64::from(sys::random()).checked_rem(buckets).unwrap_or(0);
        let bucket = START.saturating_add(chosen.saturating_mul(BUCKET));
        for (at, old) in self.read_bucket(bucket)? {
            if sector::is_empty(&old) || !self.is_free(at, &old, now) {
                continue;
            }
            if let Some(_guard) = self.claim(at, now)? {
                self.0.write(at, &[0; SIZE])?;
            }
        }
        Ok(())
    }

    /// Locks the place of a row, if it is still free then.
    fn claim(&self, at: u64, now: u64) -> Result<Option<LockGuard<'_>>, Failure> {
        let Some(guard) = self.0.try_lock(at, LENGTH)? else {
            return Ok(None);
        };
        let mut sector = [0; SIZE];
        self.0.read(at, &mut sector)?;
        Ok(self.is_free(at, &sector, now).then_some(guard))
    }

    /// Whether the place is empty, or its row is intact and expired.
    fn is_free(&self, at: u64, sector: &Sector, now: u64) -> bool {
        let is_over = || Row::decode(sector).is_some_and(|row| row.is_over(now));
        sector::is_empty(sector) || (is_over() && self.0.keys.verify(at, sector))
    }

    /// Reads the rows of a bucket.
    fn read_bucket(&self, bucket: u64) -> Result<Vec<(u64, Sector)>, Failure> {
        self.read_rows(bucket, BUCKET)
    }

    /// Reads all rows of a range.
    fn read_rows(&self, start: u64, length: u64) -> Result<Vec<(u64, Sector)>, Failure> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.read(start, &mut bytes)?;
        let sectors = bytes
            .chunks_exact(SIZE)
            .filter_map(|sector| sector.try_into().ok());
        Ok((start..).step_by(SIZE).zip(sectors).collect())
    }

    /// Calls `see` with every intact row. Holes in the file are skipped.
    pub fn each(&self, by: Deadline, mut see: impl FnMut(Row)) -> Result<(), Failure> {
        const CHUNK: u64 = 64 * BUCKET;
        let end = length(self.levels()?);
        let mut next = START;
        while let Some(data) = self.0.data_from(next)?.filter(|data| *data < end) {
            if by.is_over() {
                return Err(failures::slow(self.0.path()));
            }
            // Chunks begin at the start of a bucket, and end with the last bucket.
            let past = data.saturating_sub(START);
            let start = data.saturating_sub(past.checked_rem(BUCKET).unwrap_or(0));
            let length = CHUNK.min(end.saturating_sub(start));
            for (at, sector) in self.read_rows(start, length)? {
                if let Content::Whole(sector) = self.classify_again(at, &sector)? {
                    Row::decode(&sector).into_iter().for_each(&mut see);
                }
            }
            next = start.saturating_add(length);
        }
        Ok(())
    }
}
