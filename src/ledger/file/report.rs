//! The whole ledger, as an administrator sees it.
#![forbid(unsafe_code)]

use super::{File, row::Row, table::Table, total::Total};
use crate::{
    deadline::Deadline,
    ledger::{Error, Overview, Suspect},
};

impl File {
    /// Reads every row there is, without any lock.
    pub(super) fn see_all(&self, by: Deadline) -> Result<Overview, Error> {
        let now = self.now()?;
        let (sms, segments) = Total(&self.disk).day(now)?;
        let mut all = Overview {
            sms,
            segments,
            size: Some(self.disk.room()?),
            ..Overview::default()
        };
        Table(&self.disk).each(by, |row| match row {
            Row::Phone(_) => all.phones = all.phones.saturating_add(1),
            Row::Person(person) => {
                let standing = person.standing(now);
                let logins = u64::try_from(standing.remembered.len()).unwrap_or(u64::MAX);
                all.people = all.people.saturating_add(1);
                all.remembered = all.remembered.saturating_add(logins);
                if person.failures > 0 {
                    all.suspects.push(Suspect {
                        name: person.name,
                        failures: standing.failures,
                        locked: standing.locked,
                    });
                }
            }
        })?;
        Ok(all)
    }
}
