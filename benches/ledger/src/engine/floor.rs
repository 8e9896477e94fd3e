//! One record of a fixed size for each user, at a fixed offset of one file: locked, read, written,
//! unlocked and synced. It checks no limit.
#![forbid(unsafe_code)]

use super::Engine;
use crate::{probe::until, users};
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Duration;

const RECORD: u64 = 512;
const SIZE: usize = 512;

pub struct Floor(File);

impl Engine for Floor {
    fn open(path: &str) -> Self {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        Self(options.open(format!("{path}/records")).expect("a file"))
    }

    fn fill(&mut self, users: Range<u64>) {
        let record = [1; SIZE];
        for user in users {
            let written = self.0.write_all_at(&record, user * RECORD);
            written.expect("free space");
        }
    }

    fn decide(&mut self, user: u64) -> Result<bool, String> {
        let at = user * RECORD;
        let lock = || sms_otp::sys::try_lock(&self.0, at, RECORD).expect("a lock");
        if !until(Duration::from_secs(5), Duration::from_micros(100), lock) {
            return Err("locked".to_owned());
        }
        let mut record = [0; SIZE];
        let read = self.0.read_exact_at(&mut record, at);
        read.map_err(|error| error.to_string())?;
        record[..16].copy_from_slice(&users::names(user).0);
        let written = self.0.write_all_at(&record, at);
        sms_otp::sys::unlock(&self.0, at, RECORD);
        written
            .and_then(|()| self.0.sync_data())
            .map_err(|error| error.to_string())?;
        Ok(true)
    }
}
