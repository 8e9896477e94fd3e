//! The time that the user waits for the product in one login, added up: from the start to the first prompt,
//! and from each answer to the next prompt or the end.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::{Deadline, Moment};

/// A time budget that is used up only while the user waits.
pub(crate) struct WaitBudget {
    total: Duration,
    spent: Duration,
    /// Since when the user waits. `None` during a prompt.
    since: Option<Moment>,
}

impl WaitBudget {
    /// A budget of which `spent` was used by earlier calls on this handle. It runs from `now` on.
    pub(crate) const fn new(total: Duration, spent: Duration, now: Moment) -> Self {
        Self {
            total,
            spent,
            since: Some(now),
        }
    }

    /// Stops the budget, for a prompt.
    pub(crate) fn pause(&mut self, now: Moment) {
        self.spent = self.spent(now);
        self.since = None;
    }

    /// Continues, after the answer.
    pub(crate) const fn resume(&mut self, now: Moment) {
        self.since = Some(now);
    }

    /// Returns how much was used until `now`.
    pub(crate) fn spent(&self, now: Moment) -> Duration {
        let running = self.since.map_or(Duration::ZERO, |since| now.since(since));
        self.spent.saturating_add(running)
    }

    /// Returns when the budget will be used up if there is no further prompt. Not meaningful during a prompt.
    pub(crate) fn deadline(&self) -> Deadline {
        let since = self.since.unwrap_or(Moment::at(Duration::ZERO));
        Deadline::at(since.after(self.total.saturating_sub(self.spent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waiting_counts() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let seconds = Duration::from_secs;
        let mut budget = WaitBudget::new(seconds(30), seconds(2), at(100));
        assert_eq!(budget.deadline(), Deadline::at(at(128)));
        budget.pause(at(105));
        assert_eq!(budget.spent(at(1000)), seconds(7));
        budget.resume(at(1000));
        assert_eq!(budget.spent(at(1003)), seconds(10));
        assert_eq!(budget.deadline(), Deadline::at(at(1023)));
        budget.pause(at(1060));
        budget.resume(at(1100));
        assert_eq!(budget.deadline(), Deadline::at(at(1100)));
    }
}
