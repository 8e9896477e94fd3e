//! Failures of an exchange with a server: their texts and remedies, and what a retry may do about them.
#![forbid(unsafe_code)]

#[cfg(test)]
mod tests;

use crate::{
    deadline::{Late, Wait},
    failure::{Failure, FailureKind},
    ledger::failures::failure,
    net::{self, printable},
};

/// Why one exchange failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) failure: Failure,
    pub(super) advice: RetryAdvice,
}

/// How a failed exchange can be retried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RetryAdvice {
    /// A retry does not help.
    DoNotRetry,
    /// Retry on a new connection, to the server that is the master then.
    Reconnect,
    /// Cluster: retry at this node, which serves our hash slot.
    Moved(String, u16),
    /// Cluster: retry once at this node. It imports our hash slot, and has the key already.
    Ask(String, u16),
    /// Retry on this connection with the script in place of its hash. `always`: the server runs no
    /// script by its hash.
    SendScript { always: bool },
}

/// The command that an error replies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandKind {
    Auth,
    Select,
    Other,
}

const UNREACHABLE: &str =
    "check that the servers in [ledger] redis run, and that this host reaches them";
const CREDENTIALS: &str =
    "check redis_user and redis_password_file in [ledger], and the server's ACL users";
const DATABASE: &str = "check the database number in [ledger] redis; a cluster has only database 0";
const PERMISSIONS: &str = "give the server's user the commands and keys that sms_otp.toml(5) lists";
const MEMORY: &str = "give the server more maxmemory, with maxmemory-policy noeviction";
const PROTECTED: &str =
    "configure a user and password on the server, or turn its protected mode off";
const SERVER: &str = "check that the server is Redis 7 or Valkey, and that no other application uses \
                      keys that begin with pam_sms_otp:";
/// At `maxclients` a server sends this error unencrypted and closes the connection, also on a TLS port.
const FULL: &str = "raise the server's maxclients (and its limit of open files), or close unused \
                    connections; if a proxy is in front of it, check that the server behind it runs";
const LOCAL: &str = "check ca_file in [ledger], memory and open files of this host";
const KERNEL: &str = "check this host's kernel";
const PORTS: &str = "write a master's ports behind its name (.../MASTER:PORT,PORT), and name a node of a \
                     cluster for each port that its nodes have";
const TLS: &str = "use rediss:// in [ledger] redis";

/// A server's error text for a missing permission inside a script: Redis 7.0; Redis 7.2 and Valkey.
const NO_PERMISSION_IN_SCRIPT: [&str; 2] = [
    "The user executing the script can't",
    "ACL failure in script",
];

pub(super) fn outage(what: impl Into<String>) -> Failure {
    failure(FailureKind::Outage, what, UNREACHABLE)
}

fn refused(what: impl Into<String>, remedy: &'static str) -> Failure {
    failure(FailureKind::Refused, what, remedy)
}

pub(super) fn is_outage(failure: &Failure) -> bool {
    failure.kind == FailureKind::Outage
}

/// The kernel returned no random numbers.
pub(super) fn no_random_numbers() -> Failure {
    let what = "the operating system gives no random numbers (getrandom)";
    failure(FailureKind::Local, what, KERNEL)
}

/// A script returned a value that it cannot return for this request.
pub(super) fn unexpected_script_reply() -> Failure {
    refused("unexpected reply from the ledger's script", SERVER)
}

/// A Sentinel or a cluster named a port that the settings do not list.
pub(super) fn port_not_listed(host: &str, port: u16) -> Failure {
    let what = format!("redirected to {host}:{port}, a port that ledger.redis does not list");
    refused(printable(&what), PORTS)
}

/// An unencrypted connection would leave this host.
pub(super) fn needs_tls(host: &str, port: u16) -> Failure {
    let what = format!("{host}:{port} is another host, and the connection has no TLS");
    refused(printable(&what), TLS)
}

/// The background connection was not open in time. If this process was not running for a part of the wait,
/// the failure is local.
pub(super) fn connecting_timed_out(wait: Wait) -> Failure {
    match wait.late() {
        Some(late) => failure(
            FailureKind::Local,
            format!("the ledger: {late}"),
            Late::REMEDY,
        ),
        None => outage("the ledger: connecting timed out"),
    }
}

/// A connection could not be opened, or failed.
pub(super) fn connection(error: net::Error) -> Failure {
    match error {
        net::Error::Outage(what) => outage(what),
        net::Error::ClosedEarly(what) => refused(
            format!("{what}: maxclients, or a proxy without its server"),
            FULL,
        ),
        net::Error::Refused { what, remedy } => refused(what, remedy),
        net::Error::Late(what) => failure(FailureKind::Local, what, Late::REMEDY),
        net::Error::Local(what) => failure(FailureKind::Local, what, LOCAL),
    }
}

impl Fault {
    pub(super) const fn no_retry(failure: Failure) -> Self {
        let advice = RetryAdvice::DoNotRetry;
        Self { failure, advice }
    }

    fn outage(what: String, advice: RetryAdvice) -> Self {
        let failure = outage(what);
        Self { failure, advice }
    }

    /// The server at `peer` replied with an error, whose first word is a code.
    pub(super) fn from_reply(peer: &str, kind: CommandKind, text: &str) -> Self {
        let code = text.split(' ').next().unwrap_or_default();
        let is_code = code.bytes().all(|byte| byte.is_ascii_uppercase());
        let code = if is_code { code } else { "ERR" };
        let what = describe(peer, kind, code, text);
        match code {
            "MOVED" | "ASK" => redirection(peer, text).unwrap_or_else(|| {
                let what = format!("{peer}: no node serves our hash slot");
                Self::outage(what, RetryAdvice::DoNotRetry)
            }),
            "NOSCRIPT" => Self {
                failure: refused(what, SERVER),
                advice: RetryAdvice::SendScript { always: false },
            },
            "NOPERM" | "ERR" if refuses_hashes(text) => Self {
                failure: refused(what, PERMISSIONS),
                advice: RetryAdvice::SendScript { always: true },
            },
            // The server was a master when the connection was opened.
            "READONLY" | "MASTERDOWN" => Self::outage(what, RetryAdvice::Reconnect),
            "LOADING" | "BUSY" | "CLUSTERDOWN" | "TRYAGAIN" | "NOREPLICAS" | "MISCONF" => {
                Self::outage(what, RetryAdvice::DoNotRetry)
            }
            _ => Self::no_retry(refused(what, remedy(kind, code, text))),
        }
    }
}

/// Describes an error of a server. No argument of a command is repeated: if the server has renamed AUTH, it
/// would be the password.
fn describe(peer: &str, kind: CommandKind, code: &str, text: &str) -> String {
    printable(&if is_full(code, text) {
        format!("{peer}: max number of clients reached")
    } else if kind == CommandKind::Auth {
        format!("{peer}: authentication failed ({code})")
    } else {
        let text = text.split(", with args").next().unwrap_or_default();
        format!("{peer}: {text}")
    })
}

/// Returns what helps against an error that means a refusal.
fn remedy(kind: CommandKind, code: &str, text: &str) -> &'static str {
    match code {
        _ if is_full(code, text) => FULL,
        // A script that runs out of memory replies with another code, and OOM in the middle of the text.
        _ if code == "OOM" || text.contains("OOM command not allowed") => MEMORY,
        "DENIED" => PROTECTED,
        "NOAUTH" | "WRONGPASS" => CREDENTIALS,
        "NOPERM" => PERMISSIONS,
        _ if NO_PERMISSION_IN_SCRIPT
            .iter()
            .any(|part| text.contains(part)) =>
        {
            PERMISSIONS
        }
        _ => match kind {
            CommandKind::Auth => CREDENTIALS,
            CommandKind::Select => DATABASE,
            CommandKind::Other => SERVER,
        },
    }
}

/// The server is at `maxclients`, which it reports in reply to any first command.
fn is_full(code: &str, text: &str) -> bool {
    code == "ERR" && text.contains("max number of clients")
}

/// Whether this user may not run scripts by their hashes (an ACL without `+evalsha`), or no user may
/// (`rename-command EVALSHA ""`).
fn refuses_hashes(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_refused = text.contains("no permissions") || text.contains("unknown command");
    is_refused && text.contains("'evalsha'")
}

/// Parses `MOVED 3999 192.0.2.1:6381` (Redis cluster specification, "MOVED Redirection"). Without a host it
/// is another port of the same host.
fn redirection(peer: &str, text: &str) -> Option<Fault> {
    let mut words = text.split(' ');
    let (code, _slot, node) = (words.next()?, words.next()?, words.next()?);
    let (host, port) = node.rsplit_once(':')?;
    let host = match host {
        "?" => return None,
        // If the name has several addresses, the peer's text ends with the one in use.
        "" => {
            let name = peer.split(" (").next()?;
            name.rsplit_once(':')?.0.trim_matches(['[', ']'])
        }
        host => host,
    };
    let (host, port) = (host.to_owned(), port.parse().ok()?);
    let what = format!("{peer}: the hash slot is at {node}, which redirects again");
    let advice = match code {
        "ASK" => RetryAdvice::Ask(host, port),
        _ => RetryAdvice::Moved(host, port),
    };
    Some(Fault::outage(printable(&what), advice))
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        fault.failure
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::no_retry(failure)
    }
}

impl From<net::Error> for Fault {
    fn from(error: net::Error) -> Self {
        Self::no_retry(connection(error))
    }
}

impl net::AttemptError for Fault {
    /// Each address of a name may be another server: one a replica, another the master.
    fn is_final(&self) -> bool {
        false
    }

    fn is_outage(&self) -> bool {
        is_outage(&self.failure)
    }
}
