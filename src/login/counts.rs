//! What counts over all logins on one PAM handle and name. The module keeps it unread.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::Moment;

/// The counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wrong codes.
    pub wrong: u32,
    /// SMS that may have gone out.
    pub sms: u32,
    /// Answers that were no code.
    pub no_code: u32,
    /// How long the person has waited for us.
    pub waited: Duration,
    /// When the newest SMS went out.
    pub last_sms: Option<Moment>,
}

/// As many answers that are no code end a login.
const MOST_NO_CODE: u32 = 3;

impl Counts {
    /// Reads what [`Counts::write`] wrote; nothing is a new handle. `None`: not ours.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (counts, last_sms) = bytes.split_last_chunk::<8>()?;
        let mut fields = counts
            .chunks(4)
            .map(|field| field.try_into().map(u32::from_le_bytes));
        let mut next = || fields.next()?.ok();
        let counts = Self {
            wrong: next()?,
            sms: next()?,
            no_code: next()?,
            waited: Duration::from_millis(next()?.into()),
            last_sms: match u64::from_le_bytes(*last_sms) {
                0 => None,
                since_boot => Some(Moment::at(Duration::from_millis(since_boot))),
            },
        };
        fields.next().is_none().then_some(counts)
    }

    /// For the helper of the next login on this handle.
    #[must_use]
    pub fn write(self) -> Vec<u8> {
        let waited = u32::try_from(self.waited.as_millis()).unwrap_or(u32::MAX);
        let last_sms = self.last_sms.map_or(0, |sent| {
            let since_boot = sent.since(Moment::at(Duration::ZERO)).as_millis();
            u64::try_from(since_boot).unwrap_or(u64::MAX)
        });
        [self.wrong, self.sms, self.no_code, waited]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .chain(last_sms.to_le_bytes())
            .collect()
    }

    /// Whether another SMS may go out: one, and the resends.
    #[must_use]
    pub const fn may_send(self, resends: u32) -> bool {
        self.sms <= resends
    }

    /// Counts a try as failed. It is taken back if it was right.
    pub const fn record_attempt(&mut self) {
        self.wrong = self.wrong.saturating_add(1);
    }

    /// Takes the last try back.
    pub const fn take_back(&mut self) {
        self.wrong = self.wrong.saturating_sub(1);
    }

    /// Counts an answer that was no code; says whether it was one too many.
    pub const fn no_code(&mut self) -> bool {
        self.no_code = self.no_code.saturating_add(1);
        self.no_code >= MOST_NO_CODE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let counts = Counts {
            wrong: 2,
            sms: 1,
            no_code: 3,
            waited: Duration::from_millis(1234),
            last_sms: Some(Moment::at(Duration::from_millis(5_000_000_001))),
        };
        assert_eq!(Counts::read(&counts.write()), Some(counts));
        assert_eq!(Counts::read(b""), Some(Counts::default()));
        assert!(counts.write().len() <= protocol::MAX_COUNTS);
    }

    #[test]
    fn anything_else_is_not_ours() {
        for length in 1..40 {
            assert_eq!(Counts::read(&vec![0; length]).is_some(), length == 24);
        }
    }
}
