//! One record of a fixed size for each person, at his place in one file: locked, read, written,
//! unlocked, and seen onto the disk. It decides nothing.
#![forbid(unsafe_code)]

use super::Engine;
use crate::{people, probe::until};
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Duration;

const RECORD: u64 = 512;
const SIZE: usize = 512;

pub struct Floor(File);

impl Engine for Floor {
    fn open(place: &str) -> Self {
        let mut how = OpenOptions::new();
        how.read(true).write(true).create(true).truncate(false);
        Self(how.open(format!("{place}/records")).expect("a file"))
    }

    fn fill(&mut self, people: Range<u64>) {
        let record = [1; SIZE];
        for person in people {
            let written = self.0.write_all_at(&record, person * RECORD);
            written.expect("room");
        }
    }

    fn decide(&mut self, person: u64) -> Result<bool, String> {
        let at = person * RECORD;
        let lock = || sms_otp::sys::try_lock(&self.0, at, RECORD).expect("a lock");
        if !until(Duration::from_secs(5), Duration::from_micros(100), lock) {
            return Err("locked".to_owned());
        }
        let mut record = [0; SIZE];
        let read = self.0.read_exact_at(&mut record, at);
        read.map_err(|error| error.to_string())?;
        record[..16].copy_from_slice(&people::names(person).0);
        let written = self.0.write_all_at(&record, at);
        sms_otp::sys::unlock(&self.0, at, RECORD);
        written
            .and_then(|()| self.0.sync_data())
            .map_err(|error| error.to_string())?;
        Ok(true)
    }
}
