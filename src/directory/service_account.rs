//! The service account's bind, and why a directory refuses it.
#![forbid(unsafe_code)]

use ldap3::LdapResult;

use super::{
    bind_result,
    failover::ServerFailure,
    failures,
    password_policy::{self, Cause, Restriction},
    result_code::{self, INAPPROPRIATE_AUTHENTICATION, INVALID_CREDENTIALS, SUCCESS},
    sanitize,
    session::Session,
};
use crate::{net::Timeouts, secret::Secret};

/// Binds as the account that searches, with the password policy control if `policy`.
pub async fn bind(
    session: &mut Session,
    dn: &str,
    password: &Secret,
    policy: bool,
    timeouts: Timeouts,
) -> Result<(), ServerFailure> {
    let password = password.reveal();
    let control = password_policy::request(policy);
    let result = session.bind(dn, password, control, timeouts).await?;
    evaluate(&result, &session.server, password)
}

/// Returns whether the account may search now.
fn evaluate(result: &LdapResult, server: &str, password: &str) -> Result<(), ServerFailure> {
    let code = result.rc;
    let description =
        result_code::describe(code, &sanitize::without_secret(password, &result.text));
    let failure = |cause| failures::service_bind(server, code, cause, &description);
    if result_code::is_outage(code) {
        return Err(failure(None).into());
    }
    let restriction = password_policy::restriction(&result.ctrls)
        .map_err(|_| failures::malformed_policy(server))?;
    let cause = match (code, restriction) {
        // A grace login is a bind that succeeds.
        (SUCCESS, None | Some(Restriction::Grace(_))) => return Ok(()),
        (_, Some(Restriction::Expired(cause) | Restriction::Locked(cause))) => Some(cause),
        (_, None | Some(Restriction::Grace(_))) => of_text(code, &result.text),
    };
    // Another server would refuse it too, and count one more wrong password.
    Err(ServerFailure::Final(failure(cause)))
}

/// Returns the cause that Active Directory gives in its text.
fn of_text(code: u32, text: &str) -> Option<Cause> {
    match (code, bind_result::active_directory(text)?) {
        (
            INVALID_CREDENTIALS | INAPPROPRIATE_AUTHENTICATION,
            Restriction::Expired(cause) | Restriction::Locked(cause),
        ) => Some(cause),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ldap3::controls::{Control, RawControl};

    use super::*;
    use crate::failure::FailureKind;

    const PASSWORD: &str = "obviously-fake";

    fn bind(code: u32, text: &str, policy: Option<&[u8]>) -> Result<(), ServerFailure> {
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
        evaluate(&result, "ldaps://ldap.example.org:636", PASSWORD)
    }

    /// The text and the remedy.
    fn refused(outcome: Result<(), ServerFailure>) -> (String, Cow<'static, str>) {
        match outcome {
            Err(ServerFailure::TryNext(failure) | ServerFailure::Final(failure)) => {
                assert_eq!(failure.kind, FailureKind::Refused);
                (failure.what, failure.remedy)
            }
            Ok(()) => panic!("not refused"),
        }
    }

    fn is_outage(outcome: &Result<(), ServerFailure>) -> bool {
        match outcome {
            Err(ServerFailure::TryNext(failure)) => failure.kind == FailureKind::Outage,
            Err(ServerFailure::Final(_)) | Ok(()) => false,
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
            ("530", "logon is not allowed at this hour", "at any hour"),
            (
                "531",
                "logon is not allowed from this host",
                "from this host",
            ),
            ("532", "the password has expired", "exempt the account"),
            ("533", "the account is disabled", "Enable the account"),
            ("569", "this type of logon", "over the network"),
            ("701", "the account has expired", "expiry date"),
            (
                "773",
                "the password must be changed",
                "once as that account",
            ),
            ("775", "the account is locked", "Unlock the account"),
        ] {
            let (what, remedy) = refused(bind(49, &active_directory(data), None));
            let begins =
                format!("ldaps://ldap.example.org:636: the service account's bind failed: {why}");
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
            // The account may bind, but only to change its password.
            (0, &[0x30, 3, 0x81, 1, 2], Cause::MustChange),
        ] {
            let (what, remedy) = refused(bind(code, "", Some(value)));
            assert!(what.contains(failures::of_cause(why).0), "{what}");
            assert_eq!(remedy, failures::of_cause(why).1);
        }
        // The password is valid for some time, or for some logins.
        for value in [
            &[0x30, 5, 0xa0, 3, 0x80, 1, 60][..],
            &[0x30, 5, 0xa0, 3, 0x81, 1, 2],
        ] {
            assert!(bind(0, "", Some(value)).is_ok());
        }
        let malformed = bind(49, "", Some(b"expired"));
        assert!(is_outage(&malformed));
    }

    #[test]
    fn each_code_has_its_text_and_no_other_server_is_asked() {
        for (code, why, what_to_do) in [
            (7, "simple bind", "Allow simple bind"),
            (8, "requires TLS, or signing", "ldaps://"),
            (13, "requires TLS", "start_tls"),
            (10, "does not hold", "uris"),
            (19, "refuses binds", "log"),
            (32, "no such entry", "bind_dn"),
            (34, "no such entry", "bind_dn"),
            (48, "no password", "simple bind"),
            (49, "wrong name or password", "bind_password"),
            (50, "refuses binds", "log"),
            (53, "refuses binds", "log"),
            (80, "refuses", "log"),
        ] {
            let outcome = bind(code, "", None);
            assert!(matches!(outcome, Err(ServerFailure::Final(_))), "{code}");
            let (what, remedy) = refused(outcome);
            assert!(what.contains(why), "{code}: {what}");
            assert!(remedy.contains(what_to_do), "{code}: {remedy}");
        }
        for code in [3, 51, 52] {
            let outcome = bind(code, &active_directory("775"), None);
            assert!(is_outage(&outcome), "{code}");
        }
        assert!(bind(0, &active_directory("775"), None).is_ok());
    }

    #[test]
    fn the_remedy_is_within_what_the_log_keeps_and_the_password_is_not_repeated() {
        let long = format!("{}{}", active_directory("532"), "\u{e4}".repeat(300));
        let (what, remedy) = refused(bind(49, &long, None));
        let mut line = String::new();
        protocol::logfmt::field(&mut line, "detail", format!("{what}: {remedy}").as_bytes());
        assert!(line.ends_with(&format!("{remedy}\"")), "{line}");
        let (what, _) = refused(bind(49, &format!("you sent {PASSWORD}"), None));
        assert!(!what.contains(PASSWORD), "{what}");
    }
}
