//! What a directory says about a password beside its result code.
//!
//! Two dialects: the password policy response control (draft-behera-ldap-password-policy-10 §6.2:
//! `OpenLDAP`, 389 Directory Server, `OpenDJ` and its heirs, so Gluu's too) and the two older
//! Netscape controls (draft-vchu-ldap-pwd-policy-00).
#![forbid(unsafe_code)]

use ldap3::controls::{Control, RawControl};

use super::ber::{Elements, Malformed, SEQUENCE};

/// Of the request and of its answer.
const POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// Netscape: the password has expired (or must be changed: result 0, and nothing else allowed).
const NETSCAPE_EXPIRED: &str = "2.16.840.1.113730.3.4.4";

/// Why a password that may well be right is none to log in with. The later ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Objection {
    /// It has expired, and this many more logins are left.
    Grace(u32),
    Expired(Cause),
    Locked(Cause),
}

/// What exactly is wrong.
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
    /// The directory does not say.
    Unnamed,
}

impl Cause {
    /// In words, for the log.
    pub const fn text(self) -> &'static str {
        match self {
            Self::PasswordExpired => "the password has expired",
            Self::MustChange => "the password must be changed",
            Self::AccountExpired => "the account has expired",
            Self::Disabled => "the account is disabled",
            Self::Locked => "the account is locked",
            Self::Hours => "no logon allowed at this hour",
            Self::Workstation => "no logon allowed from here",
            Self::LogonType => "this kind of logon is not granted",
            Self::Restricted => "the account is restricted",
            Self::Unnamed => "the directory lets this entry not bind",
        }
    }
}

/// Asks for the control, unless the settings leave it out (`ldap.password_policy`). Not critical: a server
/// that does not know it answers without.
pub fn request(wanted: bool) -> Option<RawControl> {
    wanted.then(|| RawControl {
        ctype: POLICY.to_owned(),
        crit: false,
        val: None,
    })
}

/// What the controls of an answer object.
pub fn objection(controls: &[Control]) -> Result<Option<Objection>, Malformed> {
    let mut found = None;
    for Control(_, control) in controls {
        let objection = match control.ctype.as_str() {
            POLICY => policy(control.val.as_deref().unwrap_or_default())?,
            NETSCAPE_EXPIRED => Some(Objection::Expired(Cause::PasswordExpired)),
            // …4.5, how long it is still good for, is nobody's objection.
            _ => None,
        };
        found = found.max(objection);
    }
    Ok(found)
}

/// `PasswordPolicyResponseValue`. Some servers send no value when they have nothing to say.
fn policy(value: &[u8]) -> Result<Option<Objection>, Malformed> {
    if value.is_empty() {
        return Ok(None);
    }
    let mut outer = Elements::of(value);
    let mut parts = Elements::of(outer.take(SEQUENCE)?);
    outer.done()?;
    let mut objection = None;
    if parts.is_next(0xa0) {
        let mut warning = Elements::of(parts.take(0xa0)?);
        if warning.is_next(0x81) {
            // graceAuthNsRemaining
            objection = Some(Objection::Grace(warning.number(0x81)?));
        } else {
            warning.number(0x80)?; // timeBeforeExpiration: still good
        }
        warning.done()?;
    }
    if parts.is_next(0x81) {
        objection = Some(match parts.number(0x81)? {
            0 => Objection::Expired(Cause::PasswordExpired),
            1 => Objection::Locked(Cause::Locked),
            2 => Objection::Expired(Cause::MustChange),
            // 3 to 8 are about new passwords and no answer to a bind.
            _ => return Err(Malformed),
        });
    }
    parts.done()?;
    Ok(objection)
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
            objection(&[control(POLICY, Some(value))]),
            Ok(Some(Objection::Expired(_)))
        )
    }

    #[test]
    fn nothing_to_object() {
        for value in [
            None,
            Some(&b""[..]),
            Some(&[0x30, 0]),
            Some(&[0x30, 5, 0xa0, 3, 0x80, 1, 60]),
            Some(&[0x30, 7, 0xa0, 5, 0x80, 3, 1, 2, 3]),
        ] {
            assert_eq!(objection(&[control(POLICY, value)]), Ok(None));
        }
        assert_eq!(objection(&[]), Ok(None));
        let expiring = control("2.16.840.1.113730.3.4.5", Some(b"3600"));
        let foreign = control("1.2.3.4", Some(b"\xff\xff"));
        assert_eq!(objection(&[expiring, foreign]), Ok(None));
    }

    #[test]
    fn a_must_change_beside_a_grace_login_wins() {
        let changed = Ok(Some(Objection::Expired(Cause::MustChange)));
        let expired = Ok(Some(Objection::Expired(Cause::PasswordExpired)));
        // 389 Directory Server sends both in one control.
        let both = control(POLICY, Some(&[0x30, 8, 0xa0, 3, 0x81, 1, 2, 0x81, 1, 2]));
        assert_eq!(objection(std::slice::from_ref(&both)), changed);
        // And Netscape's control beside a grace login.
        let grace = control(POLICY, Some(&[0x30, 5, 0xa0, 3, 0x81, 1, 2]));
        let netscape = control(NETSCAPE_EXPIRED, Some(b"0"));
        for both in [[grace.clone(), netscape.clone()], [netscape, grace]] {
            assert_eq!(objection(&both), expired);
        }
    }

    #[test]
    fn grace_logins_are_counted() {
        for (value, left) in [
            (&[0x30, 5, 0xa0, 3, 0x81, 1, 4][..], 4),
            (&[0x30, 5, 0xa0, 3, 0x81, 1, 0], 0),
            (&[0x30, 6, 0xa0, 4, 0x81, 2, 1, 0], 256),
        ] {
            let found = objection(&[control(POLICY, Some(value))]);
            assert_eq!(found, Ok(Some(Objection::Grace(left))));
        }
    }

    #[test]
    fn each_objection() {
        assert!(expired(&[0x30, 3, 0x81, 1, 0]), "expired");
        assert!(expired(&[0x30, 3, 0x81, 1, 2]), "to be changed");
        assert!(expired(&[0x30, 8, 0xa0, 3, 0x80, 1, 9, 0x81, 1, 2]));
        let locked = Ok(Some(Objection::Locked(Cause::Locked)));
        let lock = control(POLICY, Some(&[0x30, 3, 0x81, 1, 1]));
        assert_eq!(objection(std::slice::from_ref(&lock)), locked);
        let netscape = control(NETSCAPE_EXPIRED, Some(b"0"));
        assert!(matches!(
            objection(std::slice::from_ref(&netscape)),
            Ok(Some(Objection::Expired(_)))
        ));
        for both in [[lock.clone(), netscape.clone()], [netscape, lock]] {
            assert_eq!(objection(&both), locked);
        }
    }

    #[test]
    fn what_is_not_the_control_is_no_consent() {
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
            assert_eq!(objection(&[control(POLICY, Some(value))]), Err(Malformed));
        }
    }
}
