//! What a server's errors mean, and what may help against them.
#![forbid(unsafe_code)]

use super::Error;
use crate::{deadline::Late, net};

/// Why one exchange failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is told if nothing helps.
    pub error: Error,
    pub help: Help,
}

/// What may help.
#[derive(Debug, PartialEq, Eq)]
pub enum Help {
    Nothing,
    /// A new connection, to whoever is the master now.
    Again,
    /// In a cluster: that node has our slot.
    Moved(String, u16),
    /// In a cluster: that node is being given our slot, and has this key already.
    Ask(String, u16),
    /// The whole script in place of its hash, over the same connection. With `always` the server
    /// runs no script by its hash.
    Whole {
        always: bool,
    },
}

/// What was asked, where that makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Login,
    Database,
    Other,
}

const LOGIN: &str = "check redis_user and redis_password_file in [ledger], and the server's users";
const DATABASE: &str = "check the database's number in [ledger] redis; a cluster has only 0";
const RIGHTS: &str = "give the server's user the commands and keys that sms_otp.toml(5) lists";
const MEMORY: &str = "give the server more maxmemory, with maxmemory-policy noeviction";
const PROTECTED: &str = "give the server a user and password, or end its protected mode";
pub const WRITTEN: &str = "ask the server's administrator: it must be Redis 7 or Valkey, and keys that begin \
                       with pam_sms_otp: must be nobody else's";
/// At `maxclients` a server says so in clear, and closes the connection where TLS is to begin.
const FULL: &str = "raise the server's maxclients (and its limit of open files), or end connections that nobody \
                    uses; if a proxy stands before it, check that the server behind it runs";
const MACHINE: &str = "check ca_file in [ledger], memory and open files of this host";

/// How a server says inside a script that a right is missing: Redis 7.0, and 7.2 and later as well as
/// Valkey.
const IN_A_SCRIPT: [&str; 2] = [
    "The user executing the script can't",
    "ACL failure in script",
];

impl Fault {
    pub const fn lasting(error: Error) -> Self {
        let help = Help::Nothing;
        Self { error, help }
    }

    pub fn outage(what: String, help: Help) -> Self {
        let error = Error::Outage(what);
        Self { error, help }
    }

    fn helped_by(self, help: Help) -> Self {
        Self { help, ..self }
    }

    /// The server at `place` answers with an error. Its first word is a code.
    pub fn answered(place: &str, asked: Asked, text: &str) -> Self {
        let code = text.split(' ').next().unwrap_or_default();
        let sound = code.bytes().all(|byte| byte.is_ascii_uppercase());
        let code = if sound { code } else { "ERR" };
        // Said to the first command, whatever that is.
        let is_full = code == "ERR" && text.contains("max number of clients");
        // Of what we have said nothing is repeated: with AUTH renamed it would be the password.
        let what = if is_full {
            format!("{place}: max number of clients reached")
        } else if asked == Asked::Login {
            format!("{place}: it refuses our login ({code})")
        } else {
            let text = text.split(", with args").next().unwrap_or_default();
            format!("{place}: {text}")
        };
        let what = printable(&what);
        let refused = |remedy: &str| {
            Self::lasting(Error::Refused {
                what: what.clone(),
                remedy: remedy.to_owned(),
            })
        };
        match code {
            "MOVED" | "ASK" => redirected(place, text).unwrap_or_else(|| {
                let what = format!("{place}: it says that nobody has our slot");
                Self::outage(what, Help::Nothing)
            }),
            "NOSCRIPT" => refused(WRITTEN).helped_by(Help::Whole { always: false }),
            "NOPERM" | "ERR" if is_about_hashes(text) => {
                refused(RIGHTS).helped_by(Help::Whole { always: true })
            }
            // It was the master when we connected.
            "READONLY" | "MASTERDOWN" => Self::outage(what, Help::Again),
            "LOADING" | "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS" | "MISCONF" => {
                Self::outage(what, Help::Nothing)
            }
            _ if is_full => refused(FULL),
            // Says "OOM" in the middle when the server runs out of it within a script.
            _ if code == "OOM" || text.contains("OOM command not allowed") => refused(MEMORY),
            "DENIED" => refused(PROTECTED),
            "NOAUTH" | "WRONGPASS" => refused(LOGIN),
            "NOPERM" => refused(RIGHTS),
            _ if IN_A_SCRIPT.iter().any(|words| text.contains(words)) => refused(RIGHTS),
            _ => refused(match asked {
                Asked::Login => LOGIN,
                Asked::Database => DATABASE,
                Asked::Other => WRITTEN,
            }),
        }
    }
}

/// Whether this user may not run scripts by their hashes (the ACL lines of our first manuals had no
/// `+evalsha`), or nobody may: `rename-command EVALSHA ""`.
fn is_about_hashes(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_refused = text.contains("no permissions") || text.contains("unknown command");
    is_refused && text.contains("'evalsha'")
}

/// `MOVED 3999 192.0.2.1:6381` (Redis cluster specification, "MOVED Redirection"). Without a host
/// it is a port of the same one.
fn redirected(place: &str, text: &str) -> Option<Fault> {
    let mut words = text.split(' ');
    let (code, _slot, node) = (words.next()?, words.next()?, words.next()?);
    let (host, port) = node.rsplit_once(':')?;
    let host = match host {
        "?" => return None,
        // Where the place has several addresses, the one that was reached stands behind it.
        "" => {
            let named = place.split(" (").next()?;
            named.rsplit_once(':')?.0.trim_matches(['[', ']'])
        }
        host => host,
    };
    let (host, port) = (host.to_owned(), port.parse().ok()?);
    let what = printable(&format!(
        "{place}: our slot is at {node}, and there it is not"
    ));
    let help = match code {
        "ASK" => Help::Ask(host, port),
        _ => Help::Moved(host, port),
    };
    Some(Fault::outage(what, help))
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}

impl From<net::Error> for Error {
    fn from(error: net::Error) -> Self {
        match error {
            net::Error::Outage(what) => Self::Outage(what),
            net::Error::ClosedEarly(what) => Self::Refused {
                what: format!("{what}: maxclients, or a proxy without its server"),
                remedy: FULL.to_owned(),
            },
            net::Error::Refused { what, remedy } => Self::Refused {
                what,
                remedy: remedy.to_owned(),
            },
            net::Error::Late(what) => Self::Local {
                what,
                remedy: Late::REMEDY.to_owned(),
            },
            net::Error::Local(what) => Self::Local {
                what,
                remedy: MACHINE.to_owned(),
            },
        }
    }
}

impl net::AttemptError for Error {
    /// Each address of a name may be another server: one a replica, the other the master.
    fn is_final(&self) -> bool {
        false
    }

    fn is_outage(&self) -> bool {
        matches!(self, Self::Outage(_))
    }
}

/// A text from elsewhere on one line: printable ASCII, not longer than 200.
pub fn printable(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> Fault {
        Fault::answered("192.0.2.1:6379", Asked::Other, text)
    }

    #[test]
    fn outages_and_refusals() {
        for text in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script.",
            "CLUSTERDOWN The cluster is down",
            "MISCONF Redis is configured to save RDB snapshots",
            "MOVED 1 ?:6379",
            "MOVED 1",
            "MOVED 1 192.0.2.9:70000",
        ] {
            let fault = answered(text);
            assert!(matches!(fault.error, Error::Outage(_)), "{fault:?}");
            assert_eq!(fault.help, Help::Nothing, "{text}");
        }
        assert_eq!(answered("READONLY You can't write").help, Help::Again);
        for (text, always) in [
            ("NOSCRIPT No matching script. Please use EVAL.", false),
            (
                "NOPERM this user has no permissions to run the 'evalsha' command",
                true,
            ),
            (
                "NOPERM User x has no permissions to run the 'evalsha' command",
                true,
            ),
            (
                "ERR unknown command 'EVALSHA', with args beginning with: 'e0'",
                true,
            ),
        ] {
            assert_eq!(answered(text).help, Help::Whole { always }, "{text}");
        }
        for (text, expected) in [
            ("NOAUTH Authentication required.", LOGIN),
            ("NOPERM this user has no permissions", RIGHTS),
            (
                "NOPERM User x has no permissions to run the 'eval' command",
                RIGHTS,
            ),
            ("NOPERM No permissions to access a key", RIGHTS),
            ("ERR The user executing the script can't run this", RIGHTS),
            (
                "ERR ACL failure in script: User x has no permissions",
                RIGHTS,
            ),
            ("OOM command not allowed when used memory", MEMORY),
            (
                "ERR -OOM command not allowed when used memory, in script",
                MEMORY,
            ),
            ("OOM", MEMORY),
            ("DENIED Redis is running in protected mode", PROTECTED),
            ("ERR unknown command 'EVAL'", WRITTEN),
            ("ERR max number of clients reached", FULL),
            ("WRONGTYPE Operation against a key", WRITTEN),
            ("", WRITTEN),
        ] {
            let fault = answered(text);
            assert!(matches!(fault.error, Error::Refused { .. }), "{fault:?}");
            assert_eq!(fault.help, Help::Nothing, "{text}");
            assert_eq!(fault.error.remedy(), expected, "{text}");
        }
    }

    #[test]
    fn the_next_address_may_be_another_server() {
        for (error, is_outage) in [
            (Error::Outage(String::new()), true),
            (answered("NOAUTH").error, false),
        ] {
            assert_eq!(net::AttemptError::is_outage(&error), is_outage);
            assert!(!net::AttemptError::is_final(&error));
        }
    }

    #[test]
    fn redirections() {
        let moved = |host: &str, port| Help::Moved(host.to_owned(), port);
        assert_eq!(answered("MOVED 1 192.0.2.9:7").help, moved("192.0.2.9", 7));
        assert_eq!(
            answered("MOVED 1 2001:db8::9:7").help,
            moved("2001:db8::9", 7)
        );
        assert_eq!(answered("MOVED 1 :7").help, moved("192.0.2.1", 7));
        let several = Fault::answered("r.example.org:1 (2001:db8::9)", Asked::Other, "MOVED 1 :7");
        assert_eq!(several.help, moved("r.example.org", 7));
        let v6 = Fault::answered("[::1]:6379", Asked::Other, "MOVED 1 :7");
        assert_eq!(v6.help, moved("::1", 7));
        let ask = answered("ASK 1 node.example.org:7").help;
        assert_eq!(ask, Help::Ask("node.example.org".to_owned(), 7));
    }

    #[test]
    fn texts_are_printable_and_repeat_no_password() {
        let text = "ERR unknown command 'AUTH', with args beginning with: 'pam' 'hunter2' ";
        let fault = Fault::answered("x:1", Asked::Login, text);
        assert_eq!(fault.error.to_string(), "x:1: it refuses our login (ERR)");
        assert_eq!(
            answered(text).error.to_string(),
            "192.0.2.1:6379: ERR unknown command 'AUTH'"
        );
        let evil = answered(&format!("ERR \u{1b}]0;x\u{7}\n{}", "y".repeat(900)));
        let told = evil.error.to_string();
        assert!(told.len() == 200 && told.chars().all(|c| matches!(c, ' '..='~')));
    }
}
