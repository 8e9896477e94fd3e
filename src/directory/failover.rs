//! Which failures of a server lead to the next one, and how the failures of all servers become one.
#![forbid(unsafe_code)]

use super::{failures, sanitize};
use crate::{
    failure::{Failure, FailureKind},
    net,
};

/// Why a server gave no result.
pub(super) enum ServerFailure {
    /// Another server may give one.
    TryNext(Failure),
    /// Another server would give the same result, or must not be asked.
    Final(Failure),
}

impl From<Failure> for ServerFailure {
    /// A failed connection does not affect the next server, nor does an error of this machine: a local
    /// firewall's rule may be for one address.
    fn from(failure: Failure) -> Self {
        Self::TryNext(failure)
    }
}

impl From<net::Error> for ServerFailure {
    fn from(error: net::Error) -> Self {
        Self::TryNext(failures::connection(error))
    }
}

impl net::AttemptError for ServerFailure {
    fn is_final(&self) -> bool {
        matches!(self, Self::Final(_))
    }

    fn is_outage(&self) -> bool {
        let (Self::TryNext(failure) | Self::Final(failure)) = self;
        failure.kind == FailureKind::Outage
    }
}

/// Combines the failures of several servers. The result is an outage only if each of them is: otherwise
/// waiting does not help.
pub(super) fn combine(failures: Vec<Failure>) -> Failure {
    let what = describe(&failures);
    let local = failures
        .iter()
        .find(|failure| failure.kind == FailureKind::Local);
    if let Some(local) = local {
        let remedy = local.remedy.clone();
        return Failure {
            remedy,
            ..failures::local(what)
        };
    }
    let not_outage = failures
        .into_iter()
        .find(|failure| failure.kind != FailureKind::Outage);
    match not_outage {
        Some(failure) => Failure { what, ..failure },
        None if what.is_empty() => failures::no_time_left(),
        None => failures::outage(what),
    }
}

/// Servers whose failures are described; the others are counted.
const MAX_DESCRIBED: usize = 4;

/// Longest description of all servers together, in bytes. The remedy follows it, and the log cuts the
/// value off after 400 bytes.
const MAX_DESCRIPTION: usize = 256;

fn describe(failures: &[Failure]) -> String {
    let described = failures.len().min(MAX_DESCRIBED);
    let share = MAX_DESCRIPTION
        .checked_div(described)
        .unwrap_or(MAX_DESCRIPTION);
    let mut texts: Vec<_> = failures
        .iter()
        .take(described)
        .map(|failure| sanitize::cut(&failure.what, share))
        .collect();
    let more = failures.len().saturating_sub(described);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(what: String) -> Failure {
        Failure {
            kind: FailureKind::Refused,
            remedy: "x".into(),
            ..failures::local(what)
        }
    }

    #[test]
    fn the_remedy_is_within_what_the_log_keeps() {
        for count in [1, 2, 3, 4, 5, 12, 1000] {
            for last in [failures::outage, failures::local, refused] {
                for letter in ["x", "\u{e4}"] {
                    let text = |at: usize| format!("ldap{at}:636: {}", letter.repeat(200));
                    let mut all: Vec<_> = (1..count).map(|at| failures::outage(text(at))).collect();
                    let last = last(text(0));
                    all.push(last.clone());
                    let combined = combine(all);
                    assert_eq!((combined.kind, &combined.remedy), (last.kind, &last.remedy));
                    let mut line = String::new();
                    protocol::logfmt::field(&mut line, "detail", combined.detail().as_bytes());
                    let kept = format!("{}\"", last.remedy);
                    assert!(line.ends_with(&kept), "{count}: {line}");
                }
            }
        }
    }

    #[test]
    fn four_servers_are_described_and_the_others_counted() {
        let down = |at| failures::outage(format!("ldap{at}:636: timed out"));
        let combined = combine((1..=6).map(down).collect());
        let four = "ldap1:636: timed out; ldap2:636: timed out; ldap3:636: timed out; \
                    ldap4:636: timed out; and 2 more";
        assert_eq!(combined.what, four);
        assert_eq!(combine(vec![]), failures::no_time_left());
    }

    #[test]
    fn only_an_outage_is_one() {
        for (failure, is_outage) in [
            (failures::outage(""), true),
            (failures::local(""), false),
            (refused(String::new()), false),
        ] {
            for (server, is_final) in [
                (ServerFailure::TryNext(failure.clone()), false),
                (ServerFailure::Final(failure), true),
            ] {
                assert_eq!(net::AttemptError::is_outage(&server), is_outage);
                assert_eq!(net::AttemptError::is_final(&server), is_final);
            }
        }
    }
}
