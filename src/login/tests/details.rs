//! The details of refusals that can have several causes.
#![forbid(unsafe_code)]

use super::{
    Duration, Settings,
    scenario::{PASSWORD, Reply, Scenario, after, run, run_codes},
};

fn password(reply: Reply) -> (&'static str, String) {
    let seen = run(Scenario {
        replies: vec![reply],
        ..Scenario::default()
    });
    (seen.reason, seen.detail)
}

#[test]
fn a_wrong_password_has_several_details() {
    for (reply, why) in [
        (Reply::Text("wrong"), "refused by the directory"),
        (Reply::Text(""), "empty"),
        (Reply::Bytes(b"\xff\xfe".to_vec()), "not UTF-8"),
        (Reply::TooLong, "longer than a password can be"),
        (
            Reply::Missing,
            "no earlier module has left a password, and prompting is not allowed",
        ),
        (
            Reply::Bytes(b"\x08\n\r\x7fINCORRECT\x08\n".to_vec()),
            "sshd's placeholder for a user that it refuses",
        ),
    ] {
        assert_eq!(password(reply), ("wrong-password", why.to_owned()));
    }
}

#[test]
fn no_first_factor_has_two_details() {
    for (ssh, why) in [
        (&b""[..], "SSH_AUTH_INFO_0 is missing or empty"),
        (
            b"keyboard-interactive\n",
            "SSH_AUTH_INFO_0 has no accepted method",
        ),
    ] {
        let seen = run(Scenario {
            extra_settings: "[password]\nsource = \"ssh\"",
            ssh,
            replies: vec![],
            ..Scenario::default()
        });
        assert_eq!((seen.reason, &*seen.detail), ("no-first-factor", why));
    }
}

#[test]
fn an_expired_code_has_several_details() {
    let expired = |change: fn(&mut Settings)| {
        let seen = run(Scenario {
            change,
            replies: vec![Reply::Text(PASSWORD), after(6, Reply::Code(0))],
            ..Scenario::default()
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
fn no_code_has_two_details() {
    let x = || Reply::Text("x");
    let seen = run_codes(&[x(), x(), x()]);
    let why = "three inputs that are not a code";
    assert_eq!((seen.reason, &*seen.detail), ("no-code", why));
    let seen = run_codes(&[Reply::Text(PASSWORD)]);
    let why = "the client answers every prompt with the password";
    assert_eq!((seen.reason, &*seen.detail), ("no-code", why));
}

#[test]
fn the_detail_names_the_cause_of_a_refusal() {
    for (user, detail) in [
        (&b"root"[..], "uid 0 is below policy.min_uid"),
        (b"\xff\xfe", "the name is not UTF-8"),
        (b"unknown", "no entry in the directory"),
        (b"unverified", "phoneNumberVerified: FALSE"),
        (
            b"unreadable",
            "mobile: contains letters; telephoneNumber: no value",
        ),
    ] {
        let user = user.to_vec().leak();
        let seen = run(Scenario {
            user,
            replies: vec![Reply::Text(PASSWORD)],
            ..Scenario::default()
        });
        assert_eq!(seen.detail, detail);
        // A user who disconnects before that is refused without a detail.
        let seen = run(Scenario {
            user,
            replies: vec![Reply::Disconnect],
            ..Scenario::default()
        });
        assert_eq!((seen.reason, &*seen.detail), ("cancelled", ""));
    }
}
