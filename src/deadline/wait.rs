//! Distinguishes a wait that ended at its end from one that ended much later.
//!
//! A timeout means that a server did not answer in time only if this process ran during that time. A
//! process that was stopped, or did not get a processor, observes the same timeout. Such a wait must not
//! be reported as an outage, because administrators let some stacks ignore outages.
#![forbid(unsafe_code)]

use std::{error::Error, fmt, time::Duration};

use super::clock::Deadline;

/// A wait may end this late: a busy machine schedules threads with such delays.
const MAX_DELAY: Duration = Duration::from_millis(250);

/// A long wait may end late by this part of its length.
const MAX_PART: u32 = 10;

/// A wait that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    length: Duration,
    end: Deadline,
}

impl Wait {
    /// Begins a wait.
    #[must_use]
    pub fn until(end: Deadline) -> Self {
        Self {
            length: end.left(),
            end,
        }
    }

    /// By how much the end of this wait has passed, if that is so much that the wait proves nothing about a
    /// server.
    #[must_use]
    pub fn late(self) -> Option<Late> {
        let delay = self.end.passed_by();
        is_late(self.length, delay).then_some(Late {
            length: self.length,
            delay,
        })
    }
}

/// Whether a wait of this length ended too late.
fn is_late(length: Duration, delay: Duration) -> bool {
    delay > MAX_DELAY && delay.saturating_mul(MAX_PART) > length
}

/// A wait that ended too late: a problem of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Late {
    length: Duration,
    delay: Duration,
}

impl Late {
    /// What the administrator can do.
    pub const REMEDY: &str =
        "find out what stopped the process, and check the load of this machine";
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (length, delay) = (self.length.as_secs_f64(), self.delay.as_secs_f64());
        if self.length.is_zero() {
            write!(f, "the deadline passed {delay:.1} s ago")?;
        } else {
            write!(f, "the wait of {length:.1} s ended {delay:.1} s late")?;
        }
        f.write_str(": this process was stopped, or the machine is overloaded or suspended")
    }
}

impl Error for Late {}

#[cfg(test)]
mod tests {
    use super::{super::clock::Moment, *};

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_wait_is_late_by_more_than_250_ms_and_more_than_a_tenth_of_its_length() {
        let ns = Duration::from_nanos(1);
        for (length, delay, late) in [
            (ms(0), ms(250), false),
            (ms(0), ms(250) + ns, true),
            (ms(100), ms(250), false),
            (ms(100), ms(250) + ns, true),
            (ms(2500), ms(250), false),
            (ms(2500), ms(250) + ns, true),
            (ms(5000), ms(250) + ns, false),
            (ms(5000), ms(500), false),
            (ms(5000), ms(500) + ns, true),
            (ms(60_000), ms(6000), false),
            (ms(60_000), ms(6000) + ns, true),
            (Duration::MAX, Duration::MAX, false),
        ] {
            assert_eq!(is_late(length, delay), late, "{length:?} {delay:?}");
        }
    }

    #[test]
    fn a_wait_is_measured_from_its_end() {
        let ahead = |by| Wait {
            length: ms(1000),
            end: Deadline::at(Moment::now().after(by)),
        };
        assert_eq!(ahead(ms(60_000)).late(), None);
        let now = Moment::now().since(Moment::at(Duration::ZERO));
        let ended = Wait {
            length: ms(5000),
            end: Deadline::at(Moment::at(now.saturating_sub(ms(1300)))),
        };
        let late = ended.late().unwrap().to_string();
        let expected = "the wait of 5.0 s ended 1.3 s late: this process was stopped, ";
        assert!(late.starts_with(expected), "{late}");
        let began_late = Wait {
            length: ms(0),
            ..ended
        };
        let late = began_late.late().unwrap().to_string();
        assert!(
            late.starts_with("the deadline passed 1.3 s ago: "),
            "{late}"
        );
    }
}
