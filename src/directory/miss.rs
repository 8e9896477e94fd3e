//! Why a server of several was of no use, and what is said when all were.
#![forbid(unsafe_code)]

use super::{Error, said};
use crate::net;

/// Why a server was of no use.
pub(super) enum Miss {
    /// Another one may know.
    Next(Error),
    /// Another one would say the same, or must not be asked.
    End(Error),
}

impl From<Error> for Miss {
    /// What happens to a connection says nothing about the next server. (What is wrong here may
    /// well do: a local firewall's rule for one address, for instance.)
    fn from(error: Error) -> Self {
        Self::Next(error)
    }
}

impl From<net::Error> for Miss {
    fn from(error: net::Error) -> Self {
        Self::Next(error.into())
    }
}

impl net::Failure for Miss {
    fn is_final(&self) -> bool {
        matches!(self, Self::End(_))
    }

    fn is_outage(&self) -> bool {
        let (Self::Next(error) | Self::End(error)) = self;
        matches!(error, Error::Outage(_))
    }
}

/// Several servers' failures as one. It is no outage if anything else was wrong: waiting will not
/// help then.
pub(super) fn together(misses: Vec<Error>) -> Error {
    let text = listed(&misses);
    if misses.iter().any(|miss| matches!(miss, Error::Local(_))) {
        return Error::Local(text);
    }
    let refused = misses.into_iter().find_map(|miss| match miss {
        Error::Refused { remedy, .. } => Some(remedy),
        Error::Outage(_) | Error::Local(_) => None,
    });
    match refused {
        Some(remedy) => Error::Refused { what: text, remedy },
        None if text.is_empty() => Error::Outage(String::from("no time was left to ask")),
        None => Error::Outage(text),
    }
}

/// Most servers whose failures are told.
const MOST_TOLD: usize = 4;

/// What they share, in bytes. The remedy stands behind them in one value of the log, which is cut
/// off at 400.
const ROOM: usize = 256;

/// What happened at several servers, short enough to be read to its end.
fn listed(misses: &[Error]) -> String {
    let told = misses.len().min(MOST_TOLD);
    let share = ROOM.checked_div(told).unwrap_or(ROOM);
    let texts = misses.iter().take(told);
    let mut texts: Vec<_> = texts
        .map(|miss| said::cut(&miss.to_string(), share))
        .collect();
    let more = misses.len().saturating_sub(told);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::Refused {
            what: String::new(),
            remedy: "x",
        }
    }

    #[test]
    fn the_remedy_stands_within_what_the_log_keeps() {
        let remedies = [
            Error::Outage(String::new()),
            Error::Local(String::new()),
            refused(),
        ];
        for count in [1, 2, 3, 4, 5, 12, 1000] {
            for last in &remedies {
                for letter in ["x", "\u{e4}"] {
                    let text = |at: usize| format!("ldap{at}:636: {}", letter.repeat(200));
                    let mut misses: Vec<_> =
                        (1..=count).map(|at| Error::Outage(text(at))).collect();
                    misses.pop();
                    misses.push(match last {
                        Error::Outage(_) => Error::Outage(text(0)),
                        Error::Local(_) => Error::Local(text(0)),
                        Error::Refused { remedy, .. } => Error::Refused {
                            what: text(0),
                            remedy,
                        },
                    });
                    let error = together(misses);
                    assert_eq!(error.remedy(), last.remedy());
                    let mut line = String::new();
                    let detail = format!("{error}: {}", error.remedy());
                    protocol::logfmt::field(&mut line, "detail", detail.as_bytes());
                    let kept = format!("{}\"", last.remedy());
                    assert!(line.ends_with(&kept), "{count}: {line}");
                }
            }
        }
    }

    #[test]
    fn four_servers_are_told_and_the_others_counted() {
        let down = |at| Error::Outage(format!("ldap{at}:636: timed out"));
        let told = together((1..=6).map(down).collect()).to_string();
        let four = "ldap1:636: timed out; ldap2:636: timed out; ldap3:636: timed out; \
                    ldap4:636: timed out; and 2 more";
        assert_eq!(told, four);
        let nobody = Error::Outage(String::from("no time was left to ask"));
        assert_eq!(together(vec![]), nobody);
    }

    #[test]
    fn only_an_outage_leaves_the_word_to_others() {
        for (error, is_outage) in [
            (Error::Outage(String::new()), true),
            (Error::Local(String::new()), false),
            (refused(), false),
        ] {
            for (miss, is_final) in [(Miss::Next(error.clone()), false), (Miss::End(error), true)] {
                assert_eq!(net::Failure::is_outage(&miss), is_outage);
                assert_eq!(net::Failure::is_final(&miss), is_final);
            }
        }
    }
}
