//! Compares answers of the model with those of a ledger. Times may differ by the slack.

use super::*;

impl History<'_> {
    pub fn same_rejection(&self, one: Rejection, other: Rejection, at: &str) {
        match (one, other) {
            (Rejection::Locked { wait: one }, Rejection::Locked { wait: other }) => {
                self.same_wait(one, other, at);
            }
            (Rejection::Prefix, Rejection::Prefix) => {}
            (Rejection::NewPhone { wait: one }, Rejection::NewPhone { wait: other }) => {
                self.same_time(one, other, at);
            }
            (
                Rejection::Limited { wait, scope, rule },
                Rejection::Limited {
                    wait: other_wait,
                    scope: other_scope,
                    rule: other_rule,
                },
            ) => {
                self.same_time(wait, other_wait, at);
                assert_eq!((scope, rule), (other_scope, other_rule), "{at}");
            }
            (one, other) => panic!("{at}: {one:?} and {other:?}"),
        }
    }

    /// SMS that no rule counts any more are left out: ledgers keep them for different times.
    pub fn same_status(&self, one: AccountStatus, other: AccountStatus, at: &str) {
        assert_eq!(one.known, other.known, "{at}");
        assert_eq!(one.failures, other.failures, "{at}");
        assert_eq!(one.numbers, other.numbers, "{at}");
        self.same_wait(one.locked, other.locked, at);
        let singly = |sms: Vec<(Duration, u32)>| -> Vec<Duration> {
            let each = sms.into_iter();
            let each = each.flat_map(|(ago, number)| (0..number).map(move |_| ago));
            each.filter(|ago| *ago < self.longest()).collect()
        };
        let (ones, others) = (singly(one.sms), singly(other.sms));
        assert_eq!(ones.len(), others.len(), "{at}");
        for (one, other) in ones.into_iter().zip(others) {
            self.same_time(one, other, at);
        }
        let by_login = |mut logins: Vec<(LoginId, Duration)>| {
            logins.sort_by_key(|(login, _)| login.0);
            logins
        };
        let (ones, others) = (by_login(one.remembered), by_login(other.remembered));
        assert_eq!(ones.len(), others.len(), "{at}");
        for (one, other) in ones.into_iter().zip(others) {
            assert_eq!(one.0, other.0, "{at}");
            self.same_time(one.1, other.1, at);
        }
    }

    pub fn same_wait(&self, one: Option<Duration>, other: Option<Duration>, at: &str) {
        assert_eq!(one.is_some(), other.is_some(), "{at}");
        self.same_time(one.unwrap_or_default(), other.unwrap_or_default(), at);
    }

    pub fn same_time(&self, one: Duration, other: Duration, at: &str) {
        assert!(
            one.abs_diff(other) <= self.slack,
            "{at}: {one:?} and {other:?}"
        );
    }
}
