//! What is true of the counts that a module hands back: for `make fuzz`, and in small for the tests.
#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "a property panics where it does not hold"
)]

use super::counts::Counts;

/// They are nobody's, or those that are written the same way again; a step on never makes them less, and
/// three answers that are no code end a login.
pub fn counts(bytes: &[u8]) {
    let Some(mut counts) = Counts::read(bytes) else {
        return assert!(!bytes.is_empty() && bytes.len() != 24);
    };
    let written = counts.write();
    assert!(written.len() <= protocol::MAX_COUNTS);
    assert!(bytes.is_empty() || written == bytes);
    assert_eq!(Counts::read(&written), Some(counts));
    let before = counts;
    counts.record_attempt();
    assert!(counts.wrong >= before.wrong && counts.wrong > 0);
    counts.take_back();
    assert!(counts.wrong <= before.wrong);
    let ends = counts.no_code();
    assert!(counts.no_code >= before.no_code && ends == (counts.no_code >= 3));
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
