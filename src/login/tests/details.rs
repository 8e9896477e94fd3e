//! What the log says of a refusal that can have several causes.
#![forbid(unsafe_code)]

use super::{
    Duration, Settings,
    stage::{Do, PASSWORD, Told, after, codes, tell},
};

fn password(answer: Do) -> (&'static str, String) {
    let seen = tell(Told {
        script: vec![answer],
        ..Told::default()
    });
    (seen.reason, seen.detail)
}

#[test]
fn a_password_is_wrong_in_several_ways() {
    for (answer, why) in [
        (Do::Say("wrong"), "the directory refuses it"),
        (Do::Say(""), "empty"),
        (Do::Bytes(b"\xff\xfe".to_vec()), "not UTF-8"),
        (Do::TooLong, "longer than a password can be"),
        (
            Do::Missing,
            "no earlier module has left one, and none may be asked for",
        ),
        (
            Do::Bytes(b"\x08\n\r\x7fINCORRECT\x08\n".to_vec()),
            "sshd's own answer for a user that it refuses",
        ),
    ] {
        assert_eq!(password(answer), ("wrong-password", why.to_owned()));
    }
}

#[test]
fn sshd_has_proved_nothing_in_two_ways() {
    for (ssh, why) in [
        (&b""[..], "SSH_AUTH_INFO_0 is not there or empty"),
        (
            b"keyboard-interactive\n",
            "SSH_AUTH_INFO_0 names no method that counts",
        ),
    ] {
        let seen = tell(Told {
            more_settings: "[password]\nsource = \"ssh\"",
            ssh,
            script: vec![],
            ..Told::default()
        });
        assert_eq!((seen.reason, &*seen.detail), ("no-first-factor", why));
    }
}

#[test]
fn a_code_expires_in_several_ways() {
    let expired = |change: fn(&mut Settings)| {
        let seen = tell(Told {
            change,
            script: vec![Do::Say(PASSWORD), after(6, Do::Code(0))],
            ..Told::default()
        });
        assert_eq!(seen.reason, "expired-code");
        seen.detail
    };
    let why = expired(|settings| {
        settings.code.lifetime = Duration::from_secs(5);
        settings.code.resends = 0;
    });
    assert_eq!(why, "no SMS is left in this login (code.resends)");
    let why = expired(|settings| {
        settings.code.lifetime = Duration::from_secs(5);
        settings.limits.pause = Duration::from_secs(30);
    });
    assert_eq!(why, "the next SMS has to wait (limits.pause)");
}

#[test]
fn what_is_no_code_is_said_in_two_ways() {
    let x = || Do::Say("x");
    let seen = codes(&[x(), x(), x()]);
    let why = "three answers that are no code";
    assert_eq!((seen.reason, &*seen.detail), ("no-code", why));
    let seen = codes(&[Do::Say(PASSWORD)]);
    let why = "the client answers every prompt with the password";
    assert_eq!((seen.reason, &*seen.detail), ("no-code", why));
}
