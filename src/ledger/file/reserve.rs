//! SMS that are reserved and given back: under the person's lock, with the phone's.
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
    /// Reserves an SMS for somebody whose row is ours, within all limits. The total comes first:
    /// who is killed on the way has counted too much, never too little.
    pub(super) fn take(
        &self,
        account: &Account,
        rules: Rules<'_>,
        user: &mut User,
        now: u64,
        by: Deadline,
    ) -> Result<Result<Reservation, Rejection>, Failure> {
        let name = self.disk.keys.phone(account.phone.e164());
        let _held = self.hold(PHONES, &name, "this phone", by)?;
        let mut phone = self.phone(name, user.vouched)?;
        let limits = rules.limits;
        let mut limited = None;
        for rule in &limits.sms {
            limited = longer(limited, user.log.sent(), LimitScope::User, *rule, now);
        }
        for rule in &limits.sms {
            limited = longer(limited, phone.row.sent(), LimitScope::Phone, *rule, now);
        }
        let total = Total(&self.disk);
        if let Some(rule) = limits.sms_total {
            limited = longer(limited, &total.sent()?, LimitScope::Total, rule, now);
        }
        if let Some((_, refusal)) = limited {
            return Ok(Err(refusal));
        }
        let shard = match limits.sms_total {
            None => total.note(account.segments, now, by),
            Some(rule) => match total.add(rule, account.segments, now, by)? {
                Ok(shard) => Some(shard),
                Err(refusal) => return Ok(Err(refusal)),
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

    /// Gives an SMS back to all who counted it.
    pub(super) fn put_back(
        &self,
        account: &Account,
        slot: &Reservation,
        user: &mut User,
        now: u64,
        by: Deadline,
    ) -> Result<(), Failure> {
        user.log.take_back(slot.at, now);
        let name = self.disk.keys.phone(account.phone.e164());
        let _held = self.hold(PHONES, &name, "this phone", by)?;
        let mut phone = self.phone(name, user.vouched)?;
        if phone.row.take_back(slot.at, now) {
            self.put(&name, &Row::Phone(phone.row), phone.at, now, by)?;
        }
        if let Some(shard) = self.shard(slot) {
            // If it cannot be taken out, too much stays counted: that limits more, never less.
            let _ = Total(&self.disk).take_back(shard, slot.at, account.segments, now, by);
        }
        Ok(())
    }

    /// Where the total counts it.
    fn shard(&self, slot: &Reservation) -> Option<u64> {
        let place = usize::try_from(slot.number.checked_sub(1)?).ok()?;
        self.reserved.borrow().get(place).copied().flatten()
    }

    /// Finds a phone. Where it may have been lost, an administrator has to have vouched for whose
    /// it is.
    fn phone(&self, name: Name, vouched: bool) -> Result<Entry<SlidingWindow>, Failure> {
        let place = Table(&self.disk).find(&name)?;
        let (at, row) = match place.row {
            Some((at, Row::Phone(log))) => (Some(at), log),
            None if !place.damaged || vouched => {
                (place.remains, SlidingWindow::new(row::MAX_PHONE_ENTRIES))
            }
            _ => return Err(failures::damaged_row(self.disk.path())),
        };
        Ok(Entry { name, at, row })
    }
}

/// The refusal that keeps waiting longest, so far and with this rule.
fn longer(
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
    let refusal = Rejection::Limited {
        wait: Duration::from_millis(wait),
        scope,
        rule,
    };
    Some((wait, refusal))
}
