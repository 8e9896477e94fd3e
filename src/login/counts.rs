//! Counts over all authenticate calls on one PAM handle and user name. The module stores them unread.
#![forbid(unsafe_code)]

use std::time::Duration;

use crate::deadline::Moment;

/// The counts of one handle and user name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Wrong codes.
    pub wrong: u32,
    /// SMS that may have been sent.
    pub sms: u32,
    /// Inputs that were not a code.
    pub malformed: u32,
    /// How long the user has waited, as the login's deadline counts it.
    pub waited: Duration,
    /// When the last SMS was sent.
    pub last_sms: Option<Moment>,
}

/// How many inputs that are not a code end the login.
const MAX_MALFORMED: u32 = 3;

impl Counts {
    /// Decodes what [`Counts::encode`] returned. Empty: a new handle. `None`: malformed.
    #[must_use]
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
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
            malformed: next()?,
            waited: Duration::from_millis(next()?.into()),
            last_sms: match u64::from_le_bytes(*last_sms) {
                0 => None,
                since_boot => Some(Moment::at(Duration::from_millis(since_boot))),
            },
        };
        fields.next().is_none().then_some(counts)
    }

    /// Encodes the counts for the next login on this handle.
    #[must_use]
    pub(crate) fn encode(self) -> Vec<u8> {
        let waited = u32::try_from(self.waited.as_millis()).unwrap_or(u32::MAX);
        let last_sms = self.last_sms.map_or(0, |sent| {
            let since_boot = sent.since(Moment::at(Duration::ZERO)).as_millis();
            u64::try_from(since_boot).unwrap_or(u64::MAX)
        });
        [self.wrong, self.sms, self.malformed, waited]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .chain(last_sms.to_le_bytes())
            .collect()
    }

    /// Whether another SMS may be sent: one, plus the resends.
    #[must_use]
    pub(crate) const fn may_send(self, resends: u32) -> bool {
        self.sms <= resends
    }

    /// Counts an attempt as failed. A correct code reverts this.
    pub(crate) const fn record_attempt(&mut self) {
        self.wrong = self.wrong.saturating_add(1);
    }

    /// Reverts the last attempt.
    pub(crate) const fn revert_attempt(&mut self) {
        self.wrong = self.wrong.saturating_sub(1);
    }

    /// Counts an input that was not a code. Returns whether it ends the login.
    pub(crate) const fn count_malformed(&mut self) -> bool {
        self.malformed = self.malformed.saturating_add(1);
        self.malformed >= MAX_MALFORMED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_counts_are_decoded() {
        let counts = Counts {
            wrong: 2,
            sms: 1,
            malformed: 3,
            waited: Duration::from_millis(1234),
            last_sms: Some(Moment::at(Duration::from_millis(5_000_000_001))),
        };
        assert_eq!(Counts::decode(&counts.encode()), Some(counts));
        assert_eq!(Counts::decode(b""), Some(Counts::default()));
        assert!(counts.encode().len() <= protocol::MAX_COUNTS);
    }

    #[test]
    fn any_other_length_is_malformed() {
        for length in 1..40 {
            assert_eq!(Counts::decode(&vec![0; length]).is_some(), length == 24);
        }
    }
}
