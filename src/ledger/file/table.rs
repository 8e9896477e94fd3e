//! Where rows stand: levels of buckets, each level four times as long as the one before.
//!
//! A row's name says which bucket of each level it may stand in, so that finding one reads a bucket
//! a level. The file's length alone says how many levels there are, and growing only ever extends
//! it: nothing is moved, so nobody need be kept away.
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

/// Where the first level begins.
const START: u64 = super::total::END;
/// Rows of a bucket.
const ROWS: u64 = 8;
const BUCKET: u64 = ROWS * LENGTH;
/// Buckets of the first level.
const BUCKETS: u64 = 8;
/// With 10 levels there is room for more than six million rows, in 11 GB at most (a simulation had
/// the first row without a place at 6.8 million).
const LEVELS: u32 = 10;

/// What stands under a name.
#[derive(Default)]
pub struct Place {
    /// Where, and what.
    pub row: Option<(u64, Row)>,
    /// Something where it could stand is damaged: without a row, that may have been his.
    pub damaged: bool,
    /// Where something damaged bears this very name.
    pub remains: Option<u64>,
}

/// How long a file of so many levels is, which is where the next level begins.
#[must_use]
pub const fn length(levels: u32) -> u64 {
    // 1 + 4 + 16 + ... of the first level's.
    let times = 1_u64
        .wrapping_shl(levels.saturating_mul(2))
        .saturating_sub(1)
        / 3;
    START.saturating_add(BUCKET.saturating_mul(BUCKETS).saturating_mul(times))
}

/// Where a name's bucket begins in a level.
pub fn bucket(level: u32, name: &Name) -> u64 {
    // Other bits in each level: those who crowd a bucket of one are scattered in the next.
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
    /// How many levels there are.
    pub fn levels(&self) -> Result<u32, Failure> {
        let file = self.0.length()?;
        // A level whose last byte is not there yet is none: Linux may let the length be seen before
        // a byte that makes it.
        let begun = |levels: u32| file.saturating_add(1) == length(levels.saturating_add(1));
        let mut all = 1..=LEVELS;
        let levels = all.find(|levels| length(*levels) == file || begun(*levels));
        levels.ok_or_else(|| {
            let how = "its length is none that it can have";
            failures::damaged(self.0.path(), how)
        })
    }

    /// Finds the row of that name.
    pub fn find(&self, name: &Name) -> Result<Place, Failure> {
        let mut chain = Vec::new();
        for level in 0..self.levels()? {
            chain.append(&mut self.read_bucket(bucket(level, name))?);
        }
        // Checking a seal is most of the work. Who has a row pays for his own alone; only who has
        // none must know whether what stands in its places is whole.
        let is_his = |row: &(u64, Sector)| sector::name(&row.1) == name;
        let (his, others): (Vec<_>, Vec<_>) = chain.into_iter().partition(is_his);
        let mut place = Place::default();
        for (at, sector) in his.into_iter().chain(others) {
            match self.settled(at, &sector)? {
                Content::Whole(sector) if sector::name(&sector) == name => {
                    place.row = Row::read(&sector).map(|row| (at, row));
                    place.damaged = place.row.is_none();
                    return Ok(place);
                }
                Content::Damaged(sector) => {
                    place.damaged = true;
                    if sector::name(&sector) == name {
                        place.remains = Some(at);
                    }
                }
                Content::Empty | Content::Whole(_) => {}
            }
        }
        Ok(place)
    }

    /// What stands there, read again if somebody was just writing it.
    fn settled(&self, at: u64, sector: &Sector) -> Result<Content, Failure> {
        match self.0.judge(at, sector) {
            Content::Damaged(_) => self.0.sector(at),
            content => Ok(content),
        }
    }

    /// Writes a row: where it stands, else where there is room. Nobody else writes this name: the
    /// caller has its lock.
    pub fn put(
        &self,
        name: &Name,
        row: &Row,
        stands: Option<u64>,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        let sector = row.write(name);
        if let Some(at) = stands {
            let _held = self.0.hold(at, LENGTH, "a row", by)?;
            // It may have been dead and swept, and its place taken since it was read.
            if let Content::Whole(old) | Content::Damaged(old) = self.0.look(at)? {
                if sector::name(&old) == name {
                    return self.0.put(at, sector);
                }
            }
        }
        for level in 0..LEVELS {
            if level >= self.levels()? {
                self.grow(level)?;
            }
            for (at, old) in self.read_bucket(bucket(level, name))? {
                if self.is_free(at, &old, now) {
                    if let Some(_held) = self.claim(at, now)? {
                        return self.0.put(at, sector);
                    }
                }
            }
        }
        Err(failures::full(self.0.path()))
    }

    /// Adds a level. The byte that makes the file longer is the last one of a row, which is zero
    /// in every row: it changes nothing, should somebody else have been there first.
    fn grow(&self, level: u32) -> Result<(), Failure> {
        let last = length(level.saturating_add(1)).saturating_sub(1);
        self.0.write(last, &[0])
    }

    /// Wipes what is over in a bucket chosen by chance, so that nothing outstays its time by much
    /// although nobody comes to clear up.
    pub fn sweep(&self, now: u64) -> Result<(), Failure> {
        let buckets = length(self.levels()?).saturating_sub(START) / BUCKET;
        let chosen = u64::from(sys::random()).checked_rem(buckets).unwrap_or(0);
        let bucket = START.saturating_add(chosen.saturating_mul(BUCKET));
        for (at, old) in self.read_bucket(bucket)? {
            if sector::is_empty(&old) || !self.is_free(at, &old, now) {
                continue;
            }
            if let Some(_held) = self.claim(at, now)? {
                self.0.write(at, &[0; SIZE])?;
            }
        }
        Ok(())
    }

    /// A row's place, if it is free now that nobody else can write it.
    fn claim(&self, at: u64, now: u64) -> Result<Option<LockGuard<'_>>, Failure> {
        let Some(held) = self.0.try_lock(at, LENGTH)? else {
            return Ok(None);
        };
        let mut sector = [0; SIZE];
        self.0.read(at, &mut sector)?;
        Ok(self.is_free(at, &sector, now).then_some(held))
    }

    /// Whether it is empty, or whole and over.
    fn is_free(&self, at: u64, sector: &Sector, now: u64) -> bool {
        let is_over = || Row::read(sector).is_some_and(|row| row.is_over(now));
        sector::is_empty(sector) || (is_over() && self.0.keys.fits(at, sector))
    }

    /// The rows of the bucket that begins there.
    fn read_bucket(&self, bucket: u64) -> Result<Vec<(u64, Sector)>, Failure> {
        self.read_rows(bucket, BUCKET)
    }

    /// All rows of that stretch.
    fn read_rows(&self, start: u64, length: u64) -> Result<Vec<(u64, Sector)>, Failure> {
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.read(start, &mut bytes)?;
        let sectors = bytes
            .chunks_exact(SIZE)
            .filter_map(|sector| sector.try_into().ok());
        Ok((start..).step_by(SIZE).zip(sectors).collect())
    }

    /// Shows every row that is whole to somebody. Holes in the file are skipped.
    pub fn each(&self, by: Deadline, mut see: impl FnMut(Row)) -> Result<(), Failure> {
        const STRETCH: u64 = 64 * BUCKET;
        let end = length(self.levels()?);
        let mut next = START;
        while let Some(data) = self.0.data_from(next)?.filter(|data| *data < end) {
            if by.is_over() {
                return Err(failures::slow(self.0.path()));
            }
            // Stretches begin where buckets do, and end with the last one.
            let past = data.saturating_sub(START);
            let start = data.saturating_sub(past.checked_rem(BUCKET).unwrap_or(0));
            let length = STRETCH.min(end.saturating_sub(start));
            for (at, sector) in self.read_rows(start, length)? {
                if let Content::Whole(sector) = self.settled(at, &sector)? {
                    Row::read(&sector).into_iter().for_each(&mut see);
                }
            }
            next = start.saturating_add(length);
        }
        Ok(())
    }
}
