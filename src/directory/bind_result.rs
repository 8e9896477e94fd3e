//! The meaning of a server's response to the user's own bind.
#![forbid(unsafe_code)]

use ldap3::LdapResult;

use super::{
    PasswordError, failures,
    password_policy::{self, Cause, Restriction},
    result_code::{
        self, CONSTRAINT_VIOLATION, INAPPROPRIATE_AUTHENTICATION, INSUFFICIENT_ACCESS_RIGHTS,
        INVALID_CREDENTIALS, SUCCESS, UNWILLING_TO_PERFORM,
    },
    sanitize,
};
use crate::{config::Grace, failure::Failure};

/// Returns whether the bind has verified the password, and how many grace logins remain if it has
/// expired. `server` is named in the texts.
pub fn evaluate(
    result: &LdapResult,
    server: &str,
    password: &str,
    grace: Grace,
) -> Result<Option<u32>, PasswordError> {
    let code = result.rc;
    let description =
        result_code::describe(code, &sanitize::without_secret(password, &result.text));
    let restriction = match code {
        SUCCESS
        | INVALID_CREDENTIALS
        | INAPPROPRIATE_AUTHENTICATION
        | CONSTRAINT_VIOLATION
        | INSUFFICIENT_ACCESS_RIGHTS
        | UNWILLING_TO_PERFORM => password_policy::restriction(&result.ctrls)
            .map_err(|_| failures::malformed_policy(server))?,
        _ => return Err(failures::user_bind(server, code, &description).into()),
    };
    let restriction = match code {
        // These codes are not about the password, so a control about it is ignored.
        CONSTRAINT_VIOLATION | INSUFFICIENT_ACCESS_RIGHTS | UNWILLING_TO_PERFORM => {
            Some(Restriction::Locked(match restriction {
                Some(Restriction::Locked(cause)) => cause,
                Some(Restriction::Expired(_) | Restriction::Grace(_)) | None => Cause::Unnamed,
            }))
        }
        SUCCESS => restriction,
        // A grace login is a bind that succeeds.
        _ => restriction
            .filter(|restriction| !matches!(restriction, Restriction::Grace(_)))
            .or_else(|| active_directory(&result.text)),
    };
    let detail = |why: &str| format!("{why}, {description}");
    let of_cause = |cause| detail(failures::of_cause(cause).0);
    match restriction {
        Some(Restriction::Expired(cause)) => Err(PasswordError::Expired(of_cause(cause))),
        Some(Restriction::Locked(cause)) => Err(PasswordError::Locked(of_cause(cause))),
        Some(Restriction::Grace(remaining)) => match grace {
            Grace::Allow => Ok(Some(remaining)),
            Grace::Deny => Err(PasswordError::Expired(detail(
                "the password has expired, and ldap.grace is \"deny\"",
            ))),
        },
        None if code == SUCCESS => Ok(None),
        None => Err(PasswordError::Wrong),
    }
}

impl From<Failure> for PasswordError {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Returns the reason that Active Directory and Samba give in their text, a Windows error code in
/// hexadecimal:
/// `80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 773, v2580`
/// (Windows error codes 1317 to 1909, "System Error Codes", learn.microsoft.com).
pub fn active_directory(text: &str) -> Option<Restriction> {
    let (before, rest) = text.split_once(", comment: AcceptSecurityContext error, data ")?;
    if !before.contains(": LdapErr: ") {
        return None;
    }
    let (data, _) = rest.split_once(',')?;
    if data.is_empty() || data.len() > 8 || !data.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some(match u32::from_str_radix(data, 16).ok()? {
        0x52f => Restriction::Locked(Cause::Restricted),
        0x530 => Restriction::Locked(Cause::Hours),
        0x531 => Restriction::Locked(Cause::Workstation),
        0x532 => Restriction::Expired(Cause::PasswordExpired),
        0x533 => Restriction::Locked(Cause::Disabled),
        0x569 => Restriction::Locked(Cause::LogonType),
        0x701 => Restriction::Locked(Cause::AccountExpired),
        0x773 => Restriction::Expired(Cause::MustChange),
        0x775 => Restriction::Locked(Cause::Locked),
        // 525 no such user, 52e wrong password, and unknown codes.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::controls::{Control, RawControl};

    const PASSWORD: &str = "correct horse";

    fn bind(rc: u32, text: &str, policy: Option<&[u8]>) -> Result<Option<u32>, PasswordError> {
        bind_with_grace(rc, text, policy, Grace::Allow)
    }

    fn bind_with_grace(
        rc: u32,
        text: &str,
        policy: Option<&[u8]>,
        grace: Grace,
    ) -> Result<Option<u32>, PasswordError> {
        let ctrls = policy.map(|value| {
            let control = RawControl {
                ctype: String::from("1.3.6.1.4.1.42.2.27.8.5.1"),
                crit: false,
                val: Some(value.to_vec()),
            };
            Control(None, control)
        });
        let result = LdapResult {
            rc,
            matched: String::new(),
            text: text.to_owned(),
            refs: vec![],
            ctrls: ctrls.into_iter().collect(),
        };
        evaluate(&result, "ldaps://ldap.example.org:636", PASSWORD, grace)
    }

    fn kind(outcome: &Result<Option<u32>, PasswordError>) -> &'static str {
        match outcome {
            Ok(None) => "proof",
            Ok(Some(_)) => "grace",
            Err(PasswordError::Wrong) => "wrong",
            Err(PasswordError::Expired(_)) => "expired",
            Err(PasswordError::Locked(_)) => "locked",
            Err(PasswordError::Failed(failure)) => failure.kind.reason(),
        }
    }

    #[test]
    fn every_result_code() {
        for code in 0..=130 {
            let expected = match code {
                0 => "proof",
                48 | 49 => "wrong",
                19 | 50 | 53 => "locked",
                3 | 51 | 52 => "outage",
                _ => "refused",
            };
            assert_eq!(kind(&bind(code, "", None)), expected, "{code}");
        }
    }

    #[test]
    fn the_policy_control_names_the_reason() {
        let cases: [(&[u8], [&str; 5]); 7] = [
            // results:              0          49         53        51        1
            (
                &[0x30, 0],
                ["proof", "wrong", "locked", "outage", "refused"],
            ),
            (
                &[0x30, 3, 0x81, 1, 0],
                ["expired", "expired", "locked", "outage", "refused"],
            ),
            (
                &[0x30, 3, 0x81, 1, 1],
                ["locked", "locked", "locked", "outage", "refused"],
            ),
            (
                &[0x30, 3, 0x81, 1, 2],
                ["expired", "expired", "locked", "outage", "refused"],
            ),
            (
                &[0x30, 5, 0xa0, 3, 0x81, 1, 1],
                ["grace", "wrong", "locked", "outage", "refused"],
            ),
            (
                &[0x30, 8, 0xa0, 3, 0x81, 1, 1, 0x81, 1, 2],
                ["expired", "expired", "locked", "outage", "refused"],
            ),
            (
                &[0x30, 3, 0x81, 1, 9],
                ["outage", "outage", "outage", "outage", "refused"],
            ),
        ];
        for (control, expected) in cases {
            let found = [0, 49, 53, 51, 1].map(|code| kind(&bind(code, "", Some(control))));
            assert_eq!(found, expected, "{control:x?}");
        }
    }

    #[test]
    fn active_directory_names_the_reason() {
        let text = |data: &str| {
            format!(
                "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {data}, v2580\0"
            )
        };
        for (data, expected) in [
            ("525", "wrong"),
            ("52e", "wrong"),
            ("52f", "locked"),
            ("530", "locked"),
            ("531", "locked"),
            ("532", "expired"),
            ("533", "locked"),
            ("569", "locked"),
            ("701", "locked"),
            ("773", "expired"),
            ("775", "locked"),
            ("00000775", "locked"),
            ("", "wrong"),
            ("0x775", "wrong"),
            ("+775", "wrong"),
            ("775 ", "wrong"),
            ("100000775", "wrong"),
            ("zzz", "wrong"),
        ] {
            assert_eq!(kind(&bind(49, &text(data), None)), expected, "{data}");
            assert_eq!(kind(&bind(48, &text(data), None)), expected, "{data}");
            // The text changes neither a success nor an outage.
            assert_eq!(kind(&bind(0, &text(data), None)), "proof");
            assert_eq!(kind(&bind(51, &text(data), None)), "outage");
        }
        assert_eq!(kind(&bind(49, "data 775, v2580", None)), "wrong");
    }

    #[test]
    fn grace_logins_are_allowed_unless_the_settings_deny_them() {
        for left in [0_u8, 1, 7] {
            let control = [0x30, 5, 0xa0, 3, 0x81, 1, left];
            let allowed = bind(0, "", Some(&control));
            assert_eq!(allowed, Ok(Some(u32::from(left))));
            let denied = bind_with_grace(0, "", Some(&control), Grace::Deny);
            let Err(PasswordError::Expired(why)) = denied else {
                panic!("{denied:?}");
            };
            assert!(why.contains("ldap.grace is \"deny\""), "{why}");
        }
    }

    #[test]
    fn a_server_cannot_forge_log_lines() {
        let Err(PasswordError::Locked(text)) = bind(53, "\x1b]0;x\x07\r\nforged line", None) else {
            panic!("not locked");
        };
        assert!(
            text.ends_with("unwillingToPerform (53): ?]0;x???forged line"),
            "{text}"
        );
        let echo = bind(80, "you sent correct horse", None);
        assert!(!format!("{echo:?}").contains(PASSWORD), "{echo:?}");
    }
}
