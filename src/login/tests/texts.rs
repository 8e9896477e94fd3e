//! The last text of a refused login, and what accompanies a granted one.

use protocol::Code as Pam;

use super::stage::{Do, PASSWORD, Told, script, tell};

const NOT_VERIFIED: &str =
    "No verified phone number on file. Ask your administrator. (login 7f3a9c21)";

#[test]
fn after_the_first_factor_the_person_is_told_plainly() {
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
        let seen = tell(Told {
            user,
            script: vec![Do::Say(password)],
            ..Told::default()
        });
        assert_eq!(
            (seen.pam, seen.reason, seen.text.as_str()),
            (Pam::MaxTries, reason, text)
        );
        assert_eq!((seen.first, seen.sms.len()), (Some("password"), 0));
    }
    let prefix = tell(Told {
        more_settings: "[limits]\nallowed_prefixes = [\"+44\"]",
        script: vec![Do::Say(PASSWORD)],
        ..Told::default()
    });
    assert_eq!(
        (prefix.pam, prefix.reason, prefix.text.as_str()),
        (Pam::MaxTries, "prefix", bad_number)
    );
}

/// After `ssh` and `stack`, as the password prompt would not tell names apart.
#[test]
fn whom_the_directory_does_not_know_reads_so_after_a_first_factor() {
    for (user, pam, reason) in [
        (&b"nobody-knows"[..], Pam::UserUnknown, "no-such-user"),
        (b"twins", Pam::AuthErr, "ambiguous"),
    ] {
        let seen = tell(Told {
            user,
            more_settings: "[password]\nsource = \"ssh\"",
            ssh: b"publickey ssh-ed25519 AAAA\n",
            ..Told::default()
        });
        assert_eq!((seen.pam, seen.reason), (pam, reason));
        assert_eq!(
            (seen.first, seen.text.as_str()),
            (Some("ssh"), NOT_VERIFIED)
        );
    }
}

#[test]
fn a_grace_login_opens_and_says_how_many_are_left() {
    for (password, notice) in [
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
        let seen = script(&[Do::Say(password), Do::WrongCode, Do::Code(0)]);
        assert_eq!((seen.pam, seen.notice.as_str()), (Pam::Success, notice));
        assert_eq!(
            (seen.prompts[2].as_str(), seen.text.as_str()),
            ("Wrong code, 2 tries left. Verification code: ", "")
        );
        // It accompanies a granted login only.
        let seen = script(&[Do::Say(password), Do::HangUp]);
        assert_eq!((seen.pam, seen.notice.as_str()), (Pam::ConvErr, ""));
    }
    let own = tell(Told {
        more_settings: "[messages]\ngrace = \"noch {left}\"",
        script: vec![Do::Say("last grace"), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!(own.notice, "noch 0 more logins");
}
