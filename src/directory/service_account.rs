//! The service account's bind, and why a directory refuses it.
#![forbid(unsafe_code)]

use ldap3::LdapResult;

use super::{
    Error, answer,
    miss::Miss,
    passwordpolicy::{self, Cause, Objection},
    said,
    session::Session,
};
use crate::{net::Pace, secret::Secret};

/// What one refusal takes of the log's value, in bytes: the remedy stands behind it, and after 400 the
/// log cuts off.
const MAX_WHAT: usize = 250;

/// Binds as the account that searches, with the password policy control if `policy`.
pub async fn bind(
    session: &mut Session,
    dn: &str,
    password: &Secret,
    policy: bool,
    pace: Pace,
) -> Result<(), Miss> {
    let password = password.reveal();
    let control = passwordpolicy::request(policy);
    let result = session.bind(dn, password, control, pace).await?;
    judge(&result, &session.name, password)
}

/// Whether the account may search now.
fn judge(result: &LdapResult, server: &str, password: &str) -> Result<(), Miss> {
    let code = result.rc;
    let told = answer::told(code, &said::without(password, &result.text));
    if answer::is_outage(code) {
        let what = format!("{server}: the service account's bind: {told}");
        return Err(Miss::Next(Error::Outage(what)));
    }
    let objection = passwordpolicy::objection(&result.ctrls).map_err(|_| {
        let what = "the service account's bind: its password policy control is malformed";
        Miss::Next(Error::Outage(format!("{server}: {what}")))
    })?;
    let cause = match (code, objection) {
        // A grace login is one that succeeds.
        (answer::SUCCESS, None | Some(Objection::Grace(_))) => return Ok(()),
        (_, Some(Objection::Expired(cause) | Objection::Locked(cause))) => Some(cause),
        (_, None | Some(Objection::Grace(_))) => of_text(code, &result.text),
    };
    let (why, remedy) = cause.map_or_else(|| of_code(code), of_cause);
    let what = format!("{server}: the service account's bind: {why}, {told}");
    // Another server would say the same, and count one more wrong password.
    Err(Miss::End(Error::Refused {
        what: said::cut(&what, MAX_WHAT),
        remedy,
    }))
}

/// What Active Directory says in its text.
fn of_text(code: u32, text: &str) -> Option<Cause> {
    match (code, answer::active_directory(text)?) {
        (
            answer::INVALID_CREDENTIALS | answer::INAPPROPRIATE_AUTHENTICATION,
            Objection::Expired(cause) | Objection::Locked(cause),
        ) => Some(cause),
        _ => None,
    }
}

/// What happened, and what to do about it.
type Words = (&'static str, &'static str);

const fn of_cause(cause: Cause) -> Words {
    let remedy = match cause {
        Cause::PasswordExpired => {
            "Change the password of bind_dn, write it to bind_password_file, and exempt the account from expiry."
        }
        Cause::MustChange => {
            "Change the password of bind_dn once as that account, and write it to bind_password_file."
        }
        Cause::AccountExpired => "Remove the expiry date of the account bind_dn in the directory.",
        Cause::Disabled => "Enable the account bind_dn in the directory.",
        Cause::Locked => {
            "Unlock the account bind_dn, then check bind_password: wrong ones (on another host, too) lock it."
        }
        Cause::Hours => "Allow the account bind_dn to log on at any hour.",
        Cause::Workstation => "Allow the account bind_dn to log on from this host.",
        Cause::LogonType => "Grant the account bind_dn the right to log on over the network.",
        Cause::Restricted => "Remove the restriction of the account bind_dn in the directory.",
        Cause::Unnamed => UNNAMED,
    };
    (cause.text(), remedy)
}

const UNNAMED: &str = "Look at the directory's log: it says why bind_dn may not bind.";
const TLS: &str = "Use ldaps:// in [ldap] uris, or start_tls = true.";

const fn of_code(code: u32) -> Words {
    match code {
        answer::INVALID_CREDENTIALS => (
            "wrong name or password",
            "Check bind_dn and bind_password (or bind_password_file) in [ldap].",
        ),
        answer::STRONGER_AUTH_REQUIRED => (
            "the server requires TLS, or signing, for a simple bind",
            TLS,
        ),
        answer::CONFIDENTIALITY_REQUIRED => ("the server requires TLS", TLS),
        answer::INAPPROPRIATE_AUTHENTICATION => (
            "the entry has no password, or may not bind with one",
            "Give the entry bind_dn a password, and allow it simple bind.",
        ),
        answer::AUTH_METHOD_NOT_SUPPORTED => (
            "the server does not allow simple bind",
            "Allow simple bind over TLS in the server.",
        ),
        answer::NO_SUCH_OBJECT | answer::INVALID_DN_SYNTAX => (
            "there is no such entry",
            "Check bind_dn in [ldap]: it is the whole name, as in uid=pam,ou=services,dc=example,dc=org.",
        ),
        answer::REFERRAL => (
            "this server does not hold the entry",
            "Check bind_dn in [ldap], or name a server that holds it in uris.",
        ),
        answer::CONSTRAINT_VIOLATION
        | answer::INSUFFICIENT_ACCESS_RIGHTS
        | answer::UNWILLING_TO_PERFORM => (Cause::Unnamed.text(), UNNAMED),
        _ => ("the server refuses it", UNNAMED),
    }
}

#[cfg(test)]
mod tests {
    use ldap3::controls::{Control, RawControl};

    use super::*;

    const PASSWORD: &str = "obviously-fake";

    fn bind(code: u32, text: &str, policy: Option<&[u8]>) -> Result<(), Miss> {
        let control = policy.map(|value| {
            let control = RawControl {
                ctype: "1.3.6.1.4.1.42.2.27.8.5.1".to_owned(),
                crit: false,
                val: Some(value.to_vec()),
            };
            Control(None, control)
        });
        let result = LdapResult {
            rc: code,
            matched: String::new(),
            text: text.to_owned(),
            refs: vec![],
            ctrls: control.into_iter().collect(),
        };
        judge(&result, "ldaps://ldap.example.org:636", PASSWORD)
    }

    /// What is said, and what to do.
    fn refused(outcome: Result<(), Miss>) -> (String, &'static str) {
        match outcome {
            Err(
                Miss::Next(Error::Refused { what, remedy })
                | Miss::End(Error::Refused { what, remedy }),
            ) => (what, remedy),
            Err(Miss::Next(other) | Miss::End(other)) => panic!("{other:?}"),
            Ok(()) => panic!("in"),
        }
    }

    fn active_directory(data: &str) -> String {
        format!(
            "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v4563"
        )
    }

    #[test]
    fn active_directory_names_the_reason() {
        for (data, why, what_to_do) in [
            ("52e", "wrong name or password", "Check bind_dn"),
            ("525", "wrong name or password", "Check bind_dn"),
            ("530", "no logon allowed at this hour", "at any hour"),
            ("531", "no logon allowed from here", "from this host"),
            ("532", "the password has expired", "exempt the account"),
            ("533", "the account is disabled", "Enable the account"),
            ("569", "this kind of logon", "over the network"),
            ("701", "the account has expired", "expiry date"),
            (
                "773",
                "the password must be changed",
                "once as that account",
            ),
            ("775", "the account is locked", "Unlock the account"),
        ] {
            let (what, remedy) = refused(bind(49, &active_directory(data), None));
            let begins = format!("ldaps://ldap.example.org:636: the service account's bind: {why}");
            assert!(what.starts_with(&begins), "{data}: {what}");
            assert!(remedy.contains(what_to_do), "{data}: {remedy}");
        }
    }

    #[test]
    fn the_password_policy_control_names_the_reason() {
        for (code, value, why) in [
            (49, &[0x30, 3, 0x81, 1, 0][..], Cause::PasswordExpired),
            (49, &[0x30, 3, 0x81, 1, 1], Cause::Locked),
            (53, &[0x30, 3, 0x81, 1, 1], Cause::Locked),
            // It may bind, and then change its password and nothing else.
            (0, &[0x30, 3, 0x81, 1, 2], Cause::MustChange),
        ] {
            let (what, remedy) = refused(bind(code, "", Some(value)));
            assert!(what.contains(why.text()), "{what}");
            assert_eq!(remedy, of_cause(why).1);
        }
        // Still good for a while, or for some more logins.
        for value in [
            &[0x30, 5, 0xa0, 3, 0x80, 1, 60][..],
            &[0x30, 5, 0xa0, 3, 0x81, 1, 2],
        ] {
            assert!(bind(0, "", Some(value)).is_ok());
        }
        let odd = bind(49, "", Some(b"expired"));
        assert!(matches!(odd, Err(Miss::Next(Error::Outage(_)))));
    }

    #[test]
    fn each_code_has_its_sentence_and_no_other_server_is_asked() {
        for (code, why, what_to_do) in [
            (7, "simple bind", "Allow simple bind"),
            (8, "requires TLS, or signing", "ldaps://"),
            (13, "requires TLS", "start_tls"),
            (10, "does not hold", "uris"),
            (19, "not bind", "log"),
            (32, "no such entry", "bind_dn"),
            (34, "no such entry", "bind_dn"),
            (48, "no password", "simple bind"),
            (49, "wrong name or password", "bind_password"),
            (50, "not bind", "log"),
            (53, "not bind", "log"),
            (80, "refuses", "log"),
        ] {
            let outcome = bind(code, "", None);
            assert!(matches!(outcome, Err(Miss::End(_))), "{code}");
            let (what, remedy) = refused(outcome);
            assert!(what.contains(why), "{code}: {what}");
            assert!(remedy.contains(what_to_do), "{code}: {remedy}");
        }
        for code in [3, 51, 52] {
            let outcome = bind(code, &active_directory("775"), None);
            assert!(
                matches!(outcome, Err(Miss::Next(Error::Outage(_)))),
                "{code}"
            );
        }
        assert!(bind(0, &active_directory("775"), None).is_ok());
    }

    #[test]
    fn the_remedy_stands_within_what_the_log_keeps_and_no_password_in_it() {
        let long = format!("{}{}", active_directory("532"), "\u{e4}".repeat(300));
        let (what, remedy) = refused(bind(49, &long, None));
        let mut line = String::new();
        protocol::logfmt::field(&mut line, "detail", format!("{what}: {remedy}").as_bytes());
        assert!(line.ends_with(&format!("{remedy}\"")), "{line}");
        let (what, _) = refused(bind(49, &format!("you sent {PASSWORD}"), None));
        assert!(!what.contains(PASSWORD), "{what}");
    }
}
