//! The final text of a refused login, and the text that accompanies a granted one.
#![forbid(unsafe_code)]

use protocol::Code as Pam;

use super::scenario::{PASSWORD, Reply, Scenario, run, run_replies};

const NOT_VERIFIED: &str =
    "No verified phone number on file. Ask your administrator. (login 7f3a9c21)";

#[test]
fn after_the_first_factor_the_text_names_the_cause() {
    let bad_number = "This phone cannot receive codes. Ask your administrator. (login 7f3a9c21)";
    let stopped = "This phone has blocked our messages. Send START to the sender, then log in \
                   again. (login 7f3a9c21)";
    for (user, password, reason, text) in [
        (&b"unverified"[..], PASSWORD, "not-verified", NOT_VERIFIED),
        (b"unreadable", PASSWORD, "no-number", NOT_VERIFIED),
        (b"refused", PASSWORD, "number-refused", bad_number),
        (b"stopped", PASSWORD, "number-refused", stopped),
        (
            b"alice",
            "expired",
            "password-expired",
            "Your password has expired. Change it, then log in again. (login 7f3a9c21)",
        ),
    ] {
        let seen = run(Scenario {
            user,
            replies: vec![Reply::Text(password)],
            ..Scenario::default()
        });
        assert_eq!(
            (seen.pam, seen.reason, seen.text.as_str()),
            (Pam::MaxTries, reason, text)
        );
        assert_eq!((seen.first, seen.sms.len()), (Some("password"), 0));
    }
    let prefix = run(Scenario {
        extra_settings: "[limits]\nallowed_prefixes = [\"+44\"]",
        replies: vec![Reply::Text(PASSWORD)],
        ..Scenario::default()
    });
    assert_eq!(
        (prefix.pam, prefix.reason, prefix.text.as_str()),
        (Pam::MaxTries, "prefix", bad_number)
    );
}

/// After `ssh` and `stack` only: before a password is verified, texts would show which names exist.
#[test]
fn after_a_first_factor_the_text_may_report_a_missing_entry() {
    for (user, pam, reason) in [
        (&b"unknown"[..], Pam::UserUnknown, "no-such-user"),
        (b"twins", Pam::AuthErr, "ambiguous"),
    ] {
        let seen = run(Scenario {
            user,
            extra_settings: "[password]\nsource = \"ssh\"",
            ssh: b"publickey ssh-ed25519 AAAA\n",
            ..Scenario::default()
        });
        assert_eq!((seen.pam, seen.reason), (pam, reason));
        assert_eq!(
            (seen.first, seen.text.as_str()),
            (Some("ssh"), NOT_VERIFIED)
        );
    }
}

#[test]
fn a_grace_login_is_granted_and_shows_how_many_are_left() {
    for (password, info) in [
        (
            "two graces",
            "Your password has expired; 2 more logins until you must change it.",
        ),
        (
            "one grace",
            "Your password has expired; 1 more login until you must change it.",
        ),
        (
            "last grace",
            "This was the last login with your expired password. Change it now.",
        ),
    ] {
        let seen = run_replies(&[Reply::Text(password), Reply::WrongCode, Reply::Code(0)]);
        assert_eq!((seen.pam, seen.info.as_str()), (Pam::Success, info));
        assert_eq!(
            (seen.prompts[2].as_str(), seen.text.as_str()),
            ("Wrong code, 2 tries left. Verification code: ", "")
        );
        // The text accompanies a granted login only.
        let seen = run_replies(&[Reply::Text(password), Reply::Disconnect]);
        assert_eq!((seen.pam, seen.info.as_str()), (Pam::ConvErr, ""));
    }
    let own = run(Scenario {
        extra_settings: "[messages]\ngrace = \"noch {left}\"",
        replies: vec![Reply::Text("last grace"), Reply::Code(0)],
        ..Scenario::default()
    });
    assert_eq!(own.info, "noch 0 more logins");
}
