//! Responses to a bind.

use ldap3::{
    LdapResult,
    asn1::parse_tag,
    controls::{Control, RawControl},
};

use crate::directory::{
    PasswordError, bind_result,
    password_policy::{self, Restriction},
    sanitize,
    validate::{Request, check, message_length, start_tls_result},
};
use crate::{config::Grace, failure::FailureKind};

const PASSWORD: &str = "correct horse";

const POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";

/// The bytes are a whole message, which the library can parse if it passes the check; or a result code, the
/// length of a password policy control, the control, and the server's text. Only success without a restriction
/// is a proof, and the text is repeated on one line, without the password.
pub fn bind(bytes: &[u8]) {
    if bytes.first() == Some(&0x30) {
        return message(bytes);
    }
    let (code, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let (length, rest) = rest.split_first().unwrap_or((&0, &[]));
    let (control, text) = rest.split_at(usize::from(*length).min(rest.len()));
    let value = Control(
        None,
        RawControl {
            ctype: POLICY.to_owned(),
            crit: false,
            val: Some(control.to_vec()),
        },
    );
    let restriction = password_policy::restriction(std::slice::from_ref(&value));
    let text = String::from_utf8_lossy(text).into_owned();
    texts(&text);
    let result = LdapResult {
        rc: u32::from(*code),
        matched: String::new(),
        text,
        refs: Vec::new(),
        ctrls: vec![value],
    };
    let server = "ldaps://ldap.example.org:636";
    let strict = bind_result::evaluate(&result, server, PASSWORD, Grace::Deny);
    let detail = match bind_result::evaluate(&result, server, PASSWORD, Grace::Allow) {
        Ok(None) => {
            assert!(strict == Ok(None));
            return assert!(result.rc == 0 && restriction == Ok(None));
        }
        Ok(Some(left)) => {
            assert!(matches!(strict, Err(PasswordError::Expired(_))));
            return assert!(result.rc == 0 && restriction == Ok(Some(Restriction::Grace(left))));
        }
        Err(PasswordError::Wrong) => return assert!(matches!(result.rc, 48 | 49)),
        Err(PasswordError::Expired(detail) | PasswordError::Locked(detail)) => detail,
        Err(PasswordError::Failed(failure)) => {
            let is_outage = matches!(result.rc, 3 | 51 | 52) || restriction.is_err();
            assert!(
                is_outage || failure.kind != FailureKind::Outage,
                "{failure:?}"
            );
            failure.what
        }
    };
    one_line(&detail);
    assert!(!detail.contains(PASSWORD), "{detail}");
}

fn message(bytes: &[u8]) {
    if let Ok(Some(length)) = message_length(bytes) {
        if let Some(message) = bytes.get(..length) {
            if check(message, Request::Bind).is_ok() {
                let read = parse_tag(message);
                assert!(read.is_ok_and(|(rest, _)| rest.is_empty()));
                assert!(check(message, Request::Search).is_err());
            }
            let _ = start_tls_result(message, 1).map(|code| assert!(i32::try_from(code).is_ok()));
        }
    }
}

/// Texts of a server, sanitized for the log.
fn texts(text: &str) {
    let shown = sanitize::printable(text);
    one_line(&shown);
    assert!(shown.chars().count() <= 203, "{shown}");
    for logged in [
        sanitize::without_secret(PASSWORD, text),
        sanitize::without_name(PASSWORD, text),
    ] {
        one_line(&logged);
        assert!(
            !logged.to_lowercase().contains(PASSWORD) || !text.contains(PASSWORD),
            "{logged}"
        );
    }
    for max in [0, 3, 40, 400] {
        let short = sanitize::cut(&shown, max);
        let mut line = String::new();
        protocol::logfmt::field(&mut line, "x", short.as_bytes());
        // The key, the equals sign, and two quotes.
        assert!(line.len() <= max.max(3).saturating_add(5), "{line}");
        assert!(
            shown.starts_with(short.strip_suffix("...").unwrap_or(&short)),
            "{short}"
        );
    }
}

fn one_line(text: &str) {
    let is_forbidden =
        |letter: char| letter != ' ' && !letter.is_ascii_graphic() && !letter.is_alphanumeric();
    assert!(!text.contains(is_forbidden), "{text:?}");
}
