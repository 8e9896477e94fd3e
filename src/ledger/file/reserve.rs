//! Reserving and releasing SMS, with the locks of the user and the phone.
#![forbid(unsafe_code)]

use std::time::Duration;

use super::{
    Entry, FileStore, PHONES, failures,
    row::{self, Row},
    sector::Name,
    table::Table,
    total::Total,
    user::User,
};
use crate::{
    config::Rule,
    deadline::Deadline,
    failure::Failure,
    ledger::{
        Account, Backend, LimitScope, Rejection, Reservation, Rules,
        window::{Sent, SlidingWindow, longest, wait},
    },
};

impl FileStore {
    /// Reserves an SMS within all limits. The caller has the user's lock. The total is counted first: if
    /// the process is killed before the end, too much is counted, never too little.
    pub(super) fn reserve_sms(
        &self,
        account: &Account,
        rules: Rules<'_>,
        user: &mut User,
        now: u64,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        let name = self.disk.keys.phone(account.phone.e164());
        let _guard = self.lock(PHONES, &name, "this phone", by)?;
        let mut phone = self.phone(name, user.is_unlocked)?;
        let limits = rules.limits;
        let mut limited = None;
        for rule in &limits.sms {
            limited = longest_wait_of(limited, user.log.sent(), LimitScope::User, *rule, now);
        }
        for rule in &limits.sms {
            limited = longest_wait_of(limited, phone.row.sent(), LimitScope::Phone, *rule, now);
        }
        let total = Total(&self.disk);
        if let Some(rule) = limits.sms_total {
            limited = longest_wait_of(limited, &total.sent()?, LimitScope::Total, rule, now);
        }
        if let Some((_, rejection)) = limited {
            return Ok(Err(rejection));
        }
        let shard = match limits.sms_total {
            None => total.count_unlimited(account.segments, now, by),
            Some(rule) => match total.count_limited(rule, account.segments, now, by)? {
                Ok(shard) => Some(shard),
                Err(rejection) => return Ok(Err(rejection)),
            },
        };
        let longest = longest(limits);
        phone.row.add(now, longest);
        self.put(&name, &Row::Phone(phone.row), phone.at, now, by)?;
        user.log.add(now, longest);
        let mut reserved = self.reserved.borrow_mut();
        reserved.push(shard);
        let number = u32::try_from(reserved.len()).unwrap_or(u32::MAX);
        Ok(Ok(Reservation {
            backend: Backend::Local,
            at: now,
            number,
        }))
    }

    /// Removes an SMS from all counts.
    pub(super) fn release_sms(
        &self,
        account: &Account,
        reservation: &Reservation,
        user: &mut User,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        user.log.remove(reservation.at, now);
        let name = self.disk.keys.phone(account.phone.e164());
        let _guard = self.lock(PHONES, &name, "this phone", by)?;
        let mut phone = self.phone(name, user.is_unlocked)?;
        if phone.row.remove(reservation.at, now) {
            self.put(&name, &Row::Phone(phone.row), phone.at, now, by)?;
        }
        if let Some(shard) = self.shard(reservation) {
            // After a failure too much stays counted, which allows less, never more.
            let _ = Total(&self.disk).remove(shard, reservation.at, account.segments, now, by);
        }
        Ok(())
    }

    /// The offset of the shard that counts an SMS in the total.
    fn shard(&self, reservation: &Reservation) -> Option<u64> {
        let index = usize::try_from(reservation.number.checked_sub(1)?).ok()?;
        self.reserved.borrow().get(index).copied().flatten()
    }

    /// Finds a phone. If its row may be one that is damaged, the account must be unlocked before it gets a
    /// new one.
    fn phone(&self, name: Name, is_unlocked: bool) -> Result<Entry<SlidingWindow>, Failure> {
        let found = Table(&self.disk).find(&name)?;
        let (at, row) = match found.row {
            Some((at, Row::Phone(log))) => (Some(at), log),
            None if !found.damaged || is_unlocked => {
                (found.remains, SlidingWindow::new(row::MAX_PHONE_ENTRIES))
            }
            _ => return Err(failures::damaged_row(self.disk.path())),
        };
        Ok(Entry { name, at, row })
    }
}

/// The rejection with the longest wait, of those before and this rule.
fn longest_wait_of(
    so_far: Option<(u64, Rejection)>,
    sent: &[Sent],
    scope: LimitScope,
    rule: Rule,
    now: u64,
) -> Option<(u64, Rejection)> {
    let wait = wait(sent, rule, now);
    if wait <= so_far.map_or(0, |(wait, _)| wait) {
        return so_far;
    }
    let rejection = Rejection::Limited {
        wait: Duration::from_millis(wait),
        scope,
        rule,
    };
    Some((wait, rejection))
}
