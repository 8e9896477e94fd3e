//! Connections that are opened while the user types the password.
#![forbid(unsafe_code)]

use super::*;

const PASSWORD_PROMPT: &str = "Password: ";
const CODE_PROMPT: &str = "Code sent to +1*******42. Verification code: ";

fn order(scenario: Scenario) -> Vec<String> {
    run(scenario).order
}

#[test]
fn directory_and_provider_are_connected_before_the_prompt() {
    let seen = run(Scenario {
        user: b"known",
        replies: vec![Reply::Text(PASSWORD), Reply::Code(0)],
        ..Scenario::default()
    });
    assert_eq!(seen.pam, Pam::Success);
    let expected = [
        "begin known",
        "begin carrier",
        PASSWORD_PROMPT,
        "find known",
        "bind",
        "send",
        CODE_PROMPT,
    ];
    assert_eq!(seen.order, expected);
}

/// A name that only the directory has is treated as one that exists nowhere: bots try names.
#[test]
fn for_a_name_that_nss_does_not_have_nothing_is_connected() {
    for user in [&b"alice"[..], b"unknown"] {
        let seen = order(Scenario {
            user,
            replies: vec![Reply::Disconnect],
            ..Scenario::default()
        });
        assert_eq!(seen, [PASSWORD_PROMPT]);
    }
}

/// The prompt is the same for a user who is refused without the directory.
#[test]
fn a_name_is_refused_only_after_the_prompt() {
    for (user, pam, reason) in [
        (&b"root"[..], Pam::UserUnknown, "system-user"),
        (b"\xff\xfe", Pam::UserUnknown, "no-such-user"),
        (b"broken", Pam::ServiceErr, "local"),
    ] {
        let scenario = |reply| Scenario {
            user,
            replies: vec![after(3, reply)],
            ..Scenario::default()
        };
        let seen = run(scenario(Reply::Text(PASSWORD)));
        assert_eq!((seen.pam, seen.reason), (pam, reason));
        assert_eq!(seen.order, [PASSWORD_PROMPT]);
        // A reply that ends the login takes precedence.
        for (reply, reason) in [
            (Reply::Disconnect, "cancelled"),
            (
                Reply::Bytes(b"\x08\n\r\x7fINCORRECT".to_vec()),
                "wrong-password",
            ),
        ] {
            assert_eq!(run(scenario(reply)).reason, reason);
        }
    }
}

#[test]
fn without_a_password_prompt_both_are_connected_at_the_same_time() {
    let known = |settings, ssh| {
        order(Scenario {
            user: b"known",
            extra_settings: settings,
            ssh,
            replies: vec![Reply::Code(0)],
            ..Scenario::default()
        })
    };
    let expected = [
        "begin known",
        "begin carrier",
        "find known",
        "send",
        CODE_PROMPT,
    ];
    let key = b"publickey ssh-ed25519 AAAA\n";
    assert_eq!(known("[password]\nsource = \"ssh\"", &key[..]), expected);
    assert_eq!(known("[password]\nsource = \"auto\"", key), expected);
    assert_eq!(known("[password]\nsource = \"stack\"", b""), expected);
}

#[test]
fn nothing_is_connected_that_cannot_be_used() {
    let no_first_factor = order(Scenario {
        user: b"known",
        extra_settings: "[password]\nsource = \"ssh\"",
        ..Scenario::default()
    });
    assert!(no_first_factor.is_empty());
    let no_sms_left = order(Scenario {
        user: b"known",
        counts: Counts {
            sms: 3,
            ..Counts::default()
        },
        replies: vec![Reply::Text(PASSWORD)],
        ..Scenario::default()
    });
    assert_eq!(
        no_sms_left,
        ["begin known", PASSWORD_PROMPT, "find known", "bind"]
    );
}

#[test]
fn without_a_permit_nothing_is_connected_and_the_login_goes_on() {
    let seen = run(Scenario {
        user: b"known",
        has_no_permit: true,
        replies: vec![Reply::Text(PASSWORD), Reply::Code(0)],
        ..Scenario::default()
    });
    assert_eq!(seen.pam, Pam::Success);
    let expected = [PASSWORD_PROMPT, "find known", "bind", "send", CODE_PROMPT];
    assert_eq!(seen.order, expected);
}

#[test]
fn connections_are_closed_if_the_prompt_is_idle() {
    let seen = run(Scenario {
        user: b"known",
        replies: vec![Reply::Idle(Box::new(Reply::Text(PASSWORD))), Reply::Code(0)],
        ..Scenario::default()
    });
    assert_eq!(seen.pam, Pam::Success);
    let expected = [
        "begin known",
        "begin carrier",
        "close directory",
        "close ledger",
        "close carrier",
        PASSWORD_PROMPT,
        "find known",
        "bind",
        "send",
        CODE_PROMPT,
    ];
    assert_eq!(seen.order, expected);
}
