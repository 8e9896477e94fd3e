//! How long a person waits for us in one login, added up: from the start to the first prompt,
//! and from each answer to the next prompt or the end.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::{Deadline, Moment};

/// A budget that runs only while the person waits.
pub struct Patience {
    whole: Duration,
    spent: Duration,
    /// Since when the person waits; `None` while he types.
    since: Option<Moment>,
}

impl Patience {
    /// The person waits from `now` on, and has waited before on this handle.
    pub const fn new(whole: Duration, spent: Duration, now: Moment) -> Self {
        Self {
            whole,
            spent,
            since: Some(now),
        }
    }

    /// A prompt is up: it is his turn.
    pub fn rest(&mut self, now: Moment) {
        self.spent = self.spent(now);
        self.since = None;
    }

    /// He has answered: it is ours.
    pub const fn resume(&mut self, now: Moment) {
        self.since = Some(now);
    }

    /// What has been spent by now.
    pub fn spent(&self, now: Moment) -> Duration {
        let running = self.since.map_or(Duration::ZERO, |since| now.since(since));
        self.spent.saturating_add(running)
    }

    /// When the budget is used up, if the person waits on. While he types there is none running.
    pub fn deadline(&self) -> Deadline {
        let since = self.since.unwrap_or(Moment::at(Duration::ZERO));
        Deadline::at(since.after(self.whole.saturating_sub(self.spent)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_waiting_counts() {
        let at = |seconds| Moment::at(Duration::from_secs(seconds));
        let seconds = Duration::from_secs;
        let mut patience = Patience::new(seconds(30), seconds(2), at(100));
        assert_eq!(patience.deadline(), Deadline::at(at(128)));
        patience.rest(at(105));
        assert_eq!(patience.spent(at(1000)), seconds(7));
        patience.resume(at(1000));
        assert_eq!(patience.spent(at(1003)), seconds(10));
        assert_eq!(patience.deadline(), Deadline::at(at(1023)));
        patience.rest(at(1060));
        patience.resume(at(1100));
        assert_eq!(patience.deadline(), Deadline::at(at(1100)));
    }
}
