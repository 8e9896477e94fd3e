//! All failures of the directory: what happened, and what the administrator can do about it.
#![forbid(unsafe_code)]

use std::io;

use super::{password_policy::Cause, result_code as code, sanitize, validate::Violation};
use crate::{
    deadline::{Late, Wait},
    failure::{Failure, FailureKind, Stage},
    net::{self, Remedies},
};

const REMEDIES: Remedies = Remedies {
    outage: "Check that the servers in [ldap] uris are running, and that this host can reach them.",
    local: "Check ca_file and filter in [ldap], and the memory and open-file limits of this host.",
};

/// Longest description of one refused bind of the service account, in bytes: its remedy follows it,
/// and the log cuts the value off after 400 bytes.
const MAX_SERVICE_BIND: usize = 250;

pub fn outage(what: impl Into<String>) -> Failure {
    Failure::new(Stage::Directory, FailureKind::Outage, what, REMEDIES.outage)
}

pub fn local(what: impl Into<String>) -> Failure {
    Failure::new(Stage::Directory, FailureKind::Local, what, REMEDIES.local)
}

fn refused(what: impl Into<String>, remedy: &'static str) -> Failure {
    Failure::new(Stage::Directory, FailureKind::Refused, what, remedy)
}

/// A result code other than success: an outage, or a refusal with this remedy.
fn result(code: u32, what: String, remedy: &'static str) -> Failure {
    if code::is_outage(code) {
        outage(what)
    } else {
        refused(what, remedy)
    }
}

/// A connection that could not be opened.
pub fn connection(error: net::Error) -> Failure {
    error.into_failure(Stage::Directory, REMEDIES)
}

/// A connection that failed after it was opened.
pub fn io(server: &str, error: &io::Error) -> Failure {
    connection(net::Error::io(server, error))
}

/// A system call that failed on this machine.
pub fn system(what: &str, error: &io::Error) -> Failure {
    local(format!(
        "{what}: {}",
        sanitize::printable(&error.to_string())
    ))
}

/// The socket pair between the relay and the LDAP library failed.
pub fn local_socket(server: &str, error: &io::Error) -> Failure {
    system(&format!("{server}: local socket"), error)
}

pub fn timed_out(server: &str, step: &str) -> Failure {
    outage(format!("{server}: {step} timed out"))
}

/// A failure of a step that had this time. It is no outage if this process did not run meanwhile.
pub fn unless_late(failure: Failure, wait: Wait) -> Failure {
    match wait.late() {
        Some(late) if failure.kind == FailureKind::Outage => Failure {
            kind: FailureKind::Local,
            what: format!("{}; {late}", failure.what),
            remedy: Late::REMEDY.into(),
            ..failure
        },
        _ => failure,
    }
}

pub fn no_time_left() -> Failure {
    outage("no time left to query the directory")
}

pub fn not_ldap(server: &str) -> Failure {
    invalid(server, Violation::Malformed)
}

/// The server sent something that is not let through to the LDAP library.
pub fn invalid(server: &str, violation: Violation) -> Failure {
    outage(match violation {
        Violation::Malformed => format!("{server}: malformed LDAP message"),
        Violation::TooLong => format!("{server}: response too long"),
        Violation::Unexpected => format!("{server}: response does not match the request"),
        Violation::Disconnected(code) => {
            format!("{server}: notice of disconnection, code {code}")
        }
    })
}

pub fn panicked(server: &str) -> Failure {
    local(format!(
        "{server}: the LDAP client panicked; please report it"
    ))
}

pub fn filter_without_user() -> Failure {
    local("filter contains no {user}")
}

pub fn invalid_filter() -> Failure {
    local("filter is not a valid LDAP filter (RFC 4515)")
}

pub fn start_tls(server: &str, code: u32) -> Failure {
    result(
        code,
        format!("{server}: StartTLS failed: {}", code::name(code)),
        "Check that the server supports TLS, or use ldaps:// in [ldap] uris.",
    )
}

/// `description` is of the code and the server's text.
pub fn search(server: &str, code: u32, description: &str) -> Failure {
    result(
        code,
        format!("{server}: the search failed: {description}"),
        match code {
            code::NO_SUCH_OBJECT | code::REFERRAL => {
                "Check base in [ldap]: this server does not hold it, or does not show it to the service account."
            }
            code::INSUFFICIENT_ACCESS_RIGHTS | code::OPERATIONS_ERROR => {
                "Allow the account bind_dn in [ldap] to search base (if it is not set: allow anonymous searches)."
            }
            code::SIZE_LIMIT_EXCEEDED => {
                "Raise the server's size limit: it must be able to return two entries."
            }
            _ => "Check base and filter in [ldap], and what the server allows bind_dn to search.",
        },
    )
}

/// An entry that cannot be bound as.
pub fn no_dn(server: &str) -> Failure {
    refused(
        format!("{server}: the search returned an entry without a usable DN"),
        "Check base and filter in [ldap]: they must match user entries only.",
    )
}

pub fn malformed_policy(server: &str) -> Failure {
    outage(format!("{server}: malformed password policy control"))
}

pub fn user_bind(server: &str, code: u32, description: &str) -> Failure {
    result(
        code,
        format!("{server}: the bind as the user failed: {description}"),
        "Check that the server allows users to bind with their passwords (simple bind).",
    )
}

/// `cause` is what the directory gives as the reason beside the code.
pub fn service_bind(server: &str, code: u32, cause: Option<Cause>, description: &str) -> Failure {
    let what = format!("{server}: the service account's bind failed: ");
    if code::is_outage(code) {
        return outage(what + description);
    }
    let (why, remedy) = cause.map_or_else(|| of_code(code), of_cause);
    let what = format!("{what}{why}, {description}");
    refused(sanitize::cut(&what, MAX_SERVICE_BIND), remedy)
}

/// What happened, and what to do about it.
type Texts = (&'static str, &'static str);

/// Why the directory refuses an account, and what to do if it is the service account.
pub const fn of_cause(cause: Cause) -> Texts {
    match cause {
        Cause::PasswordExpired => (
            "the password has expired",
            "Change the password of bind_dn, write it to bind_password_file, and exempt the account from expiry.",
        ),
        Cause::MustChange => (
            "the password must be changed",
            "Change the password of bind_dn once as that account, and write it to bind_password_file.",
        ),
        Cause::AccountExpired => (
            "the account has expired",
            "Remove the expiry date of the account bind_dn in the directory.",
        ),
        Cause::Disabled => (
            "the account is disabled",
            "Enable the account bind_dn in the directory.",
        ),
        Cause::Locked => (
            "the account is locked",
            "Unlock the account bind_dn, then check bind_password: wrong ones (on another host, too) lock it.",
        ),
        Cause::Hours => (
            "logon is not allowed at this hour",
            "Allow the account bind_dn to log on at any hour.",
        ),
        Cause::Workstation => (
            "logon is not allowed from this host",
            "Allow the account bind_dn to log on from this host.",
        ),
        Cause::LogonType => (
            "this type of logon is not allowed",
            "Grant the account bind_dn the right to log on over the network.",
        ),
        Cause::Restricted => (
            "the account is restricted",
            "Remove the restriction of the account bind_dn in the directory.",
        ),
        Cause::Unnamed => (
            "the directory refuses binds as this entry (account locked or restricted)",
            SEE_LOG,
        ),
    }
}

const SEE_LOG: &str = "Look in the directory's log for the reason why bind_dn may not bind.";
const USE_TLS: &str = "Use ldaps:// in [ldap] uris, or start_tls = true.";

const fn of_code(code: u32) -> Texts {
    match code {
        code::INVALID_CREDENTIALS => (
            "wrong name or password",
            "Check bind_dn and bind_password (or bind_password_file) in [ldap].",
        ),
        code::STRONGER_AUTH_REQUIRED => (
            "the server requires TLS, or signing, for a simple bind",
            USE_TLS,
        ),
        code::CONFIDENTIALITY_REQUIRED => ("the server requires TLS", USE_TLS),
        code::INAPPROPRIATE_AUTHENTICATION => (
            "the entry has no password, or may not bind with one",
            "Give the entry bind_dn a password, and allow it simple bind.",
        ),
        code::AUTH_METHOD_NOT_SUPPORTED => (
            "the server does not allow simple bind",
            "Allow simple bind over TLS in the server.",
        ),
        code::NO_SUCH_OBJECT | code::INVALID_DN_SYNTAX => (
            "there is no such entry",
            "Check bind_dn in [ldap]: it is the whole DN, as in uid=pam,ou=services,dc=example,dc=org.",
        ),
        code::REFERRAL => (
            "this server does not hold the entry",
            "Check bind_dn in [ldap], or name a server that holds it in uris.",
        ),
        code::CONSTRAINT_VIOLATION
        | code::INSUFFICIENT_ACCESS_RIGHTS
        | code::UNWILLING_TO_PERFORM => of_cause(Cause::Unnamed),
        _ => ("the server refuses it", SEE_LOG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_search_names_what_to_check() {
        for (code, part) in [
            (code::NO_SUCH_OBJECT, "does not hold it"),
            (code::REFERRAL, "does not hold it"),
            (code::INSUFFICIENT_ACCESS_RIGHTS, "to search base"),
            (code::OPERATIONS_ERROR, "to search base"),
            (code::SIZE_LIMIT_EXCEEDED, "size limit"),
            (2, "base and filter"),
        ] {
            assert!(search("x", code, "").remedy.contains(part), "{code}");
        }
    }

    #[test]
    fn an_error_of_this_machine_keeps_its_number() {
        let full = io::Error::from_raw_os_error(24);
        assert_eq!(
            system("cannot start", &full),
            local("cannot start: Too many open files (os error 24)")
        );
        let low = io::Error::from_raw_os_error(12);
        assert_eq!(
            self::io("x", &low),
            local("x: Cannot allocate memory (os error 12)")
        );
    }

    #[test]
    fn each_violation_has_its_text() {
        for (violation, part) in [
            (Violation::Malformed, "malformed LDAP message"),
            (Violation::TooLong, "too long"),
            (Violation::Unexpected, "does not match the request"),
            (Violation::Disconnected(52), "code 52"),
        ] {
            let failure = invalid("ldap://x", violation);
            assert_eq!(failure.kind, FailureKind::Outage);
            assert!(failure.what.contains(part), "{failure:?}");
        }
    }
}
