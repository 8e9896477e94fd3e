//! What a directory reports about a password and an account beside the result code of a bind.
//!
//! There are two dialects: the password policy response control (draft-behera-ldap-password-policy-10
//! §6.2: `OpenLDAP`, 389 Directory Server, `OpenDJ` and its successors, Gluu's among them) and the two older
//! Netscape controls (draft-vchu-ldap-pwd-policy-00).
#![forbid(unsafe_code)]

use ldap3::controls::{Control, RawControl};

use super::ber::{Elements, Malformed, SEQUENCE};

/// OID of the control, in the request and in the response.
const POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// Netscape: the password has expired, or must be changed (with result 0; nothing else is allowed then).
const NETSCAPE_EXPIRED: &str = "2.16.840.1.113730.3.4.4";

/// Why a login is restricted or refused though the password may be right. Of several, the last in this
/// order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Restriction {
    /// The password has expired, and this many logins remain.
    Grace(u32),
    Expired(Cause),
    Locked(Cause),
}

/// The exact cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    PasswordExpired,
    MustChange,
    AccountExpired,
    Disabled,
    Locked,
    /// Logon hours, workstations, logon rights, or another restriction.
    Hours,
    Workstation,
    LogonType,
    Restricted,
    /// The directory gives no reason.
    Unnamed,
}

/// Returns the request control, unless the settings disable it (`ldap.password_policy`). It is not
/// critical: a server that does not support it ignores it.
pub fn request(is_enabled: bool) -> Option<RawControl> {
    is_enabled.then(|| RawControl {
        ctype: POLICY.to_owned(),
        crit: false,
        val: None,
    })
}

/// Returns the restriction that the controls of a response report.
pub fn restriction(controls: &[Control]) -> Result<Option<Restriction>, Malformed> {
    let mut found = None;
    for Control(_, control) in controls {
        let restriction = match control.ctype.as_str() {
            POLICY => policy(control.val.as_deref().unwrap_or_default())?,
            NETSCAPE_EXPIRED => Some(Restriction::Expired(Cause::PasswordExpired)),
            // Netscape's other control, …4.5, gives the time until the password expires.
            _ => None,
        };
        found = found.max(restriction);
    }
    Ok(found)
}

/// Parses a `PasswordPolicyResponseValue`. Some servers send no value if there is nothing to report.
fn policy(value: &[u8]) -> Result<Option<Restriction>, Malformed> {
    if value.is_empty() {
        return Ok(None);
    }
    let mut outer = Elements::of(value);
    let mut parts = Elements::of(outer.take(SEQUENCE)?);
    outer.done()?;
    let mut restriction = None;
    if parts.is_next(0xa0) {
        let mut warning = Elements::of(parts.take(0xa0)?);
        if warning.is_next(0x81) {
            // graceAuthNsRemaining
            restriction = Some(Restriction::Grace(warning.number(0x81)?));
        } else {
            warning.number(0x80)?; // timeBeforeExpiration
        }
        warning.done()?;
    }
    if parts.is_next(0x81) {
        restriction = Some(match parts.number(0x81)? {
            0 => Restriction::Expired(Cause::PasswordExpired),
            1 => Restriction::Locked(Cause::Locked),
            2 => Restriction::Expired(Cause::MustChange),
            // 3 to 8 are about new passwords, not about a bind.
            _ => return Err(Malformed),
        });
    }
    parts.done()?;
    Ok(restriction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(ctype: &str, val: Option<&[u8]>) -> Control {
        Control(
            None,
            RawControl {
                ctype: ctype.to_owned(),
                crit: false,
                val: val.map(<[u8]>::to_vec),
            },
        )
    }

    fn expired(value: &[u8]) -> bool {
        matches!(
            restriction(&[control(POLICY, Some(value))]),
            Ok(Some(Restriction::Expired(_)))
        )
    }

    #[test]
    fn no_restriction() {
        for value in [
            None,
            Some(&b""[..]),
            Some(&[0x30, 0]),
            Some(&[0x30, 5, 0xa0, 3, 0x80, 1, 60]),
            Some(&[0x30, 7, 0xa0, 5, 0x80, 3, 1, 2, 3]),
        ] {
            assert_eq!(restriction(&[control(POLICY, value)]), Ok(None));
        }
        assert_eq!(restriction(&[]), Ok(None));
        let expiring = control("2.16.840.1.113730.3.4.5", Some(b"3600"));
        let unknown = control("1.2.3.4", Some(b"\xff\xff"));
        assert_eq!(restriction(&[expiring, unknown]), Ok(None));
    }

    #[test]
    fn a_must_change_beside_a_grace_login_wins() {
        let must_change = Ok(Some(Restriction::Expired(Cause::MustChange)));
        let expired = Ok(Some(Restriction::Expired(Cause::PasswordExpired)));
        // 389 Directory Server sends both in one control.
        let both = control(POLICY, Some(&[0x30, 8, 0xa0, 3, 0x81, 1, 2, 0x81, 1, 2]));
        assert_eq!(restriction(std::slice::from_ref(&both)), must_change);
        // And Netscape's control beside a grace login.
        let grace = control(POLICY, Some(&[0x30, 5, 0xa0, 3, 0x81, 1, 2]));
        let netscape = control(NETSCAPE_EXPIRED, Some(b"0"));
        for both in [[grace.clone(), netscape.clone()], [netscape, grace]] {
            assert_eq!(restriction(&both), expired);
        }
    }

    #[test]
    fn grace_logins_are_counted() {
        for (value, left) in [
            (&[0x30, 5, 0xa0, 3, 0x81, 1, 4][..], 4),
            (&[0x30, 5, 0xa0, 3, 0x81, 1, 0], 0),
            (&[0x30, 6, 0xa0, 4, 0x81, 2, 1, 0], 256),
        ] {
            let found = restriction(&[control(POLICY, Some(value))]);
            assert_eq!(found, Ok(Some(Restriction::Grace(left))));
        }
    }

    #[test]
    fn each_restriction() {
        assert!(expired(&[0x30, 3, 0x81, 1, 0]), "expired");
        assert!(expired(&[0x30, 3, 0x81, 1, 2]), "to be changed");
        assert!(expired(&[0x30, 8, 0xa0, 3, 0x80, 1, 9, 0x81, 1, 2]));
        let locked = Ok(Some(Restriction::Locked(Cause::Locked)));
        let lock = control(POLICY, Some(&[0x30, 3, 0x81, 1, 1]));
        assert_eq!(restriction(std::slice::from_ref(&lock)), locked);
        let netscape = control(NETSCAPE_EXPIRED, Some(b"0"));
        assert!(matches!(
            restriction(std::slice::from_ref(&netscape)),
            Ok(Some(Restriction::Expired(_)))
        ));
        for both in [[lock.clone(), netscape.clone()], [netscape, lock]] {
            assert_eq!(restriction(&both), locked);
        }
    }

    #[test]
    fn a_malformed_control_is_an_error() {
        for value in [
            &[0x30][..],
            &[0x30, 1],
            &[0x31, 0],
            &[0x30, 0, 0],
            &[0x30, 3, 0x81, 1, 3],
            &[0x30, 3, 0x81, 1, 0xff],
            &[0x30, 2, 0x81, 0],
            &[0x30, 2, 0xa0, 0],
            &[0x30, 5, 0xa0, 3, 0x82, 1, 1],
            &[0x30, 6, 0x81, 1, 0, 0x81, 1, 0],
            &[0x30, 8, 0x81, 1, 2, 0xa0, 3, 0x80, 1, 9],
            b"expired",
        ] {
            assert_eq!(restriction(&[control(POLICY, Some(value))]), Err(Malformed));
        }
    }
}
