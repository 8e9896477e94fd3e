//! Properties of the counts that a module passes to the helper, for `make fuzz` and for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property that does not hold panics"
)]

use super::counts::Counts;

/// Checks that bytes are malformed or are encoded to the same bytes again, that counting never decreases a
/// count, and that three inputs that are not a code end the login.
pub fn counts(bytes: &[u8]) {
    let Some(mut counts) = Counts::decode(bytes) else {
        return assert!(!bytes.is_empty() && bytes.len() != 24);
    };
    let encoded = counts.encode();
    assert!(encoded.len() <= protocol::MAX_COUNTS);
    assert!(bytes.is_empty() || encoded == bytes);
    assert_eq!(Counts::decode(&encoded), Some(counts));
    let before = counts;
    counts.record_attempt();
    assert!(counts.wrong >= before.wrong && counts.wrong > 0);
    counts.revert_attempt();
    assert!(counts.wrong <= before.wrong);
    let ends = counts.count_malformed();
    assert!(counts.malformed >= before.malformed && ends == (counts.malformed >= 3));
    for resends in [0, 2, 10] {
        assert_eq!(before.may_send(resends), before.sms <= resends);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts() {
        crate::mutation::check("counts", super::counts);
    }
}
