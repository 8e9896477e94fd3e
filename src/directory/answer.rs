//! What the directory's answer to a person's own bind means.
#![forbid(unsafe_code)]

use ldap3::LdapResult;

use super::{
    Error, Unproved,
    passwordpolicy::{self, Cause, Objection},
    said,
};
use crate::config::Grace;

/// Result codes (RFC 4511 appendix A) that this room knows by name.
pub const SUCCESS: u32 = 0;
pub const OPERATIONS_ERROR: u32 = 1;
pub const TIME_LIMIT_EXCEEDED: u32 = 3;
pub const SIZE_LIMIT_EXCEEDED: u32 = 4;
pub const AUTH_METHOD_NOT_SUPPORTED: u32 = 7;
pub const STRONGER_AUTH_REQUIRED: u32 = 8;
pub const REFERRAL: u32 = 10;
pub const CONFIDENTIALITY_REQUIRED: u32 = 13;
pub const CONSTRAINT_VIOLATION: u32 = 19;
pub const NO_SUCH_OBJECT: u32 = 32;
pub const INVALID_DN_SYNTAX: u32 = 34;
pub const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
pub const INVALID_CREDENTIALS: u32 = 49;
pub const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
pub const BUSY: u32 = 51;
pub const UNAVAILABLE: u32 = 52;
pub const UNWILLING_TO_PERFORM: u32 = 53;

/// Whether a server says that it cannot answer now, and so another one may be asked.
pub const fn is_outage(code: u32) -> bool {
    matches!(code, BUSY | UNAVAILABLE | TIME_LIMIT_EXCEEDED)
}

/// A result code in words.
pub fn named(code: u32) -> String {
    let name = match code {
        SUCCESS => "success",
        OPERATIONS_ERROR => "operationsError",
        2 => "protocolError",
        TIME_LIMIT_EXCEEDED => "timeLimitExceeded",
        SIZE_LIMIT_EXCEEDED => "sizeLimitExceeded",
        AUTH_METHOD_NOT_SUPPORTED => "authMethodNotSupported",
        STRONGER_AUTH_REQUIRED => "strongerAuthRequired",
        REFERRAL => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        CONFIDENTIALITY_REQUIRED => "confidentialityRequired",
        14 => "saslBindInProgress",
        CONSTRAINT_VIOLATION => "constraintViolation",
        NO_SUCH_OBJECT => "noSuchObject",
        INVALID_DN_SYNTAX => "invalidDNSyntax",
        INAPPROPRIATE_AUTHENTICATION => "inappropriateAuthentication",
        INVALID_CREDENTIALS => "invalidCredentials",
        INSUFFICIENT_ACCESS_RIGHTS => "insufficientAccessRights",
        BUSY => "busy",
        UNAVAILABLE => "unavailable",
        UNWILLING_TO_PERFORM => "unwillingToPerform",
        80 => "other",
        _ => return format!("result {code}"),
    };
    format!("{name} ({code})")
}

/// A result in words: its code, and what the server adds (already fit for a log).
pub fn told(code: u32, text: &str) -> String {
    if text.is_empty() {
        named(code)
    } else {
        format!("{}: {text}", named(code))
    }
}

/// Whether the bind has verified the password, and how many grace logins are left if it has expired.
/// `server` is for the log.
pub fn judge(
    result: &LdapResult,
    server: &str,
    password: &str,
    grace: Grace,
) -> Result<Option<u32>, Unproved> {
    let code = result.rc;
    let told = told(code, &said::without(password, &result.text));
    if is_outage(code) {
        return Err(Error::Outage(format!("{server}: {told}")).into());
    }
    let objection = match code {
        SUCCESS
        | INVALID_CREDENTIALS
        | INAPPROPRIATE_AUTHENTICATION
        | CONSTRAINT_VIOLATION
        | INSUFFICIENT_ACCESS_RIGHTS
        | UNWILLING_TO_PERFORM => passwordpolicy::objection(&result.ctrls).map_err(|_| {
            Error::Outage(format!(
                "{server}: its password policy control is malformed"
            ))
        })?,
        _ => {
            return Err(Error::Refused {
                what: format!("{server}: the person's bind: {told}"),
                remedy: "Check that people may bind there with their passwords (simple bind).",
            }
            .into());
        }
    };
    let objection = match code {
        // They say nothing of the password, so nor does what stands beside them.
        CONSTRAINT_VIOLATION | INSUFFICIENT_ACCESS_RIGHTS | UNWILLING_TO_PERFORM => {
            Some(Objection::Locked(match objection {
                Some(Objection::Locked(why)) => why,
                Some(Objection::Expired(_) | Objection::Grace(_)) | None => Cause::Unnamed,
            }))
        }
        SUCCESS => objection,
        // A grace login is one that succeeds.
        _ => objection
            .filter(|objection| !matches!(objection, Objection::Grace(_)))
            .or_else(|| active_directory(&result.text)),
    };
    let expired = |why: &str| Err(Unproved::Expired(format!("{why}, {told}")));
    match objection {
        Some(Objection::Expired(why)) => expired(why.text()),
        Some(Objection::Locked(why)) => Err(Unproved::Locked(format!("{}, {told}", why.text()))),
        Some(Objection::Grace(left)) => match grace {
            Grace::Allow => Ok(Some(left)),
            Grace::Deny => expired("the password has expired, and ldap.grace is \"deny\""),
        },
        None if code == SUCCESS => Ok(None),
        None => Err(Unproved::Wrong),
    }
}

impl From<Error> for Unproved {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// The reason in Active Directory's text (Samba's too), a Windows error code in hexadecimal:
/// `80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 773, v2580`
/// (Windows error codes 1317 to 1909, "System Error Codes", learn.microsoft.com).
pub fn active_directory(text: &str) -> Option<Objection> {
    let (before, rest) = text.split_once(", comment: AcceptSecurityContext error, data ")?;
    if !before.contains(": LdapErr: ") {
        return None;
    }
    let (data, _) = rest.split_once(',')?;
    if data.is_empty() || data.len() > 8 || !data.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some(match u32::from_str_radix(data, 16).ok()? {
        0x52f => Objection::Locked(Cause::Restricted),
        0x530 => Objection::Locked(Cause::Hours),
        0x531 => Objection::Locked(Cause::Workstation),
        0x532 => Objection::Expired(Cause::PasswordExpired),
        0x533 => Objection::Locked(Cause::Disabled),
        0x569 => Objection::Locked(Cause::LogonType),
        0x701 => Objection::Locked(Cause::AccountExpired),
        0x773 => Objection::Expired(Cause::MustChange),
        0x775 => Objection::Locked(Cause::Locked),
        // 525 no such user, 52e wrong password, and what we do not know.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ldap3::controls::{Control, RawControl};

    /// A person's, in these tests.
    const PASSWORD: &str = "correct horse";

    fn bind(rc: u32, text: &str, policy: Option<&[u8]>) -> Result<Option<u32>, Unproved> {
        bind_with(rc, text, policy, Grace::Allow)
    }

    fn bind_with(
        rc: u32,
        text: &str,
        policy: Option<&[u8]>,
        grace: Grace,
    ) -> Result<Option<u32>, Unproved> {
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
        judge(&result, "ldaps://ldap.example.org:636", PASSWORD, grace)
    }

    fn kind(outcome: &Result<Option<u32>, Unproved>) -> &'static str {
        match outcome {
            Ok(None) => "proof",
            Ok(Some(_)) => "grace",
            Err(Unproved::Wrong) => "wrong",
            Err(Unproved::Expired(_)) => "expired",
            Err(Unproved::Locked(_)) => "locked",
            Err(Unproved::Error(Error::Outage(_))) => "outage",
            Err(Unproved::Error(Error::Refused { .. })) => "refused",
            Err(Unproved::Error(Error::Local(_))) => "local",
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

    /// RFC 4511 section 4.1.9.
    #[test]
    fn codes_have_the_names_of_the_protocol() {
        for (code, name) in [
            (0, "success"),
            (1, "operationsError"),
            (2, "protocolError"),
            (3, "timeLimitExceeded"),
            (4, "sizeLimitExceeded"),
            (7, "authMethodNotSupported"),
            (8, "strongerAuthRequired"),
            (10, "referral"),
            (11, "adminLimitExceeded"),
            (12, "unavailableCriticalExtension"),
            (13, "confidentialityRequired"),
            (14, "saslBindInProgress"),
            (19, "constraintViolation"),
            (32, "noSuchObject"),
            (34, "invalidDNSyntax"),
            (48, "inappropriateAuthentication"),
            (49, "invalidCredentials"),
            (50, "insufficientAccessRights"),
            (51, "busy"),
            (52, "unavailable"),
            (53, "unwillingToPerform"),
            (80, "other"),
        ] {
            assert_eq!(named(code), format!("{name} ({code})"));
        }
        assert_eq!(named(123), "result 123");
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
            // The text is no authority over a success or an outage.
            assert_eq!(kind(&bind(0, &text(data), None)), "proof");
            assert_eq!(kind(&bind(51, &text(data), None)), "outage");
        }
        assert_eq!(kind(&bind(49, "data 775, v2580", None)), "wrong");
    }

    #[test]
    fn grace_logins_are_let_in_unless_the_settings_deny_them() {
        for left in [0_u8, 1, 7] {
            let control = [0x30, 5, 0xa0, 3, 0x81, 1, left];
            let allowed = bind(0, "", Some(&control));
            assert_eq!(allowed, Ok(Some(u32::from(left))));
            let denied = bind_with(0, "", Some(&control), Grace::Deny);
            let Err(Unproved::Expired(why)) = denied else {
                panic!("{denied:?}");
            };
            assert!(why.contains("ldap.grace is \"deny\""), "{why}");
        }
    }

    #[test]
    fn a_server_cannot_write_into_the_log() {
        let Err(Unproved::Locked(text)) = bind(53, "\x1b]0;x\x07\r\nforged line", None) else {
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
