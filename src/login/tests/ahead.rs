//! What is done while the password is typed, and for whom.
#![forbid(unsafe_code)]

use super::*;

const ASK: &str = "Password: ";
const ASK_CODE: &str = "Code sent to +1*******42. Verification code: ";

fn order(told: Told) -> Vec<String> {
    tell(told).order
}

#[test]
fn directory_and_carrier_are_begun_before_the_prompt() {
    let seen = tell(Told {
        user: b"known",
        script: vec![Do::Say(PASSWORD), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!(seen.pam, Pam::Success);
    let expected = [
        "begin known",
        "begin carrier",
        ASK,
        "find known",
        "bind",
        "send",
        ASK_CODE,
    ];
    assert_eq!(seen.order, expected);
}

/// Bots try names; those that the directory alone knows are like those that nobody knows.
#[test]
fn for_a_name_that_nss_does_not_know_nothing_is_begun() {
    for user in [&b"alice"[..], b"nobody-knows"] {
        let seen = order(Told {
            user,
            script: vec![Do::HangUp],
            ..Told::default()
        });
        assert_eq!(seen, [ASK]);
    }
}

/// Whoever is refused without the directory is asked for a password like everybody else.
#[test]
fn what_is_wrong_with_a_name_counts_after_the_prompt() {
    for (user, pam, reason) in [
        (&b"root"[..], Pam::UserUnknown, "system-user"),
        (b"\xff\xfe", Pam::UserUnknown, "no-such-user"),
        (b"broken", Pam::ServiceErr, "local"),
    ] {
        let told = |answer| Told {
            user,
            script: vec![after(3, answer)],
            ..Told::default()
        };
        let seen = tell(told(Do::Say(PASSWORD)));
        assert_eq!((seen.pam, seen.reason), (pam, reason));
        assert_eq!(seen.order, [ASK]);
        // What the answer itself decides comes first.
        for (answer, reason) in [
            (Do::HangUp, "cancelled"),
            (
                Do::Bytes(b"\x08\n\r\x7fINCORRECT".to_vec()),
                "wrong-password",
            ),
        ] {
            assert_eq!(tell(told(answer)).reason, reason);
        }
    }
}

#[test]
fn without_a_password_to_type_both_are_begun_side_by_side() {
    let known = |settings, ssh| {
        order(Told {
            user: b"known",
            more_settings: settings,
            ssh,
            script: vec![Do::Code(0)],
            ..Told::default()
        })
    };
    let expected = [
        "begin known",
        "begin carrier",
        "find known",
        "send",
        ASK_CODE,
    ];
    let key = b"publickey ssh-ed25519 AAAA\n";
    assert_eq!(known("[password]\nsource = \"ssh\"", &key[..]), expected);
    assert_eq!(known("[password]\nsource = \"auto\"", key), expected);
    assert_eq!(known("[password]\nsource = \"stack\"", b""), expected);
}

#[test]
fn nothing_is_begun_that_cannot_be_of_use() {
    let no_first_factor = order(Told {
        user: b"known",
        more_settings: "[password]\nsource = \"ssh\"",
        ..Told::default()
    });
    assert!(no_first_factor.is_empty());
    let no_sms_left = order(Told {
        user: b"known",
        counts: Counts {
            sms: 3,
            ..Counts::default()
        },
        script: vec![Do::Say(PASSWORD)],
        ..Told::default()
    });
    assert_eq!(no_sms_left, ["begin known", ASK, "find known", "bind"]);
}

#[test]
fn without_a_permit_nothing_is_begun_and_the_login_goes_on() {
    let seen = tell(Told {
        user: b"known",
        no_permit: true,
        script: vec![Do::Say(PASSWORD), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!(seen.pam, Pam::Success);
    let expected = [ASK, "find known", "bind", "send", ASK_CODE];
    assert_eq!(seen.order, expected);
}

#[test]
fn what_was_begun_is_closed_where_nobody_answers() {
    let seen = tell(Told {
        user: b"known",
        script: vec![Do::Idle(Box::new(Do::Say(PASSWORD))), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!(seen.pam, Pam::Success);
    let expected = [
        "begin known",
        "begin carrier",
        "close directory",
        "close ledger",
        "close carrier",
        ASK,
        "find known",
        "bind",
        "send",
        ASK_CODE,
    ];
    assert_eq!(seen.order, expected);
}
