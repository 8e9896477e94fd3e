//! The story, told by scripted people, directories and carriers. Everything here is in memory;
//! that the real ones behave the same is for the real runs to show.

mod ahead;
mod ledger;
mod panics;
mod stage;

use std::time::Duration;

use wire::Code as Pam;

use super::*;
use crate::directory::PasswordProof;
use stage::{Do, LOGIN, PASSWORD, Told, after, codes, tell};

#[test]
fn a_right_password_and_a_right_code_open() {
    let seen = codes(&[Do::Code(0)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.first),
        (Pam::Success, "granted", Some("password"))
    );
    assert_eq!(
        seen.prompts,
        [
            "Password: ",
            "Code sent to +1*******42. Verification code: "
        ]
    );
    assert_eq!((seen.sms.len(), seen.binds, seen.counts.wrong), (1, 1, 0));
    assert!(seen.sms[0].ends_with(
        " is your login code for web1. It expires in 5 minutes. Not you? Change your password."
    ));
    assert_eq!(seen.text, "");
}

/// Everything that ends before the first factor is proved: silent, without an SMS.
#[test]
fn before_the_first_factor_nothing_is_said_and_nothing_sent() {
    let cases: &[(&[u8], Do, Pam, &str, u32)] = &[
        (
            b"alice",
            Do::Say("wrong"),
            Pam::AuthErr,
            "wrong-password",
            1,
        ),
        (b"alice", Do::Say(""), Pam::AuthErr, "wrong-password", 0),
        (b"alice", Do::Missing, Pam::AuthErr, "wrong-password", 0),
        (b"alice", Do::TooLong, Pam::AuthErr, "wrong-password", 0),
        (
            b"alice",
            Do::Bytes(b"\xff\xfe".to_vec()),
            Pam::AuthErr,
            "wrong-password",
            0,
        ),
        (
            b"alice",
            Do::Bytes(b"\x08\n\r\x7fINCORRECT\x08\n".to_vec()),
            Pam::AuthErr,
            "wrong-password",
            0,
        ),
        (
            b"down",
            Do::Bytes(b"\x08\n\r".to_vec()),
            Pam::AuthErr,
            "wrong-password",
            0,
        ),
        (
            b"alice",
            Do::Say("expired"),
            Pam::AuthErr,
            "password-expired",
            1,
        ),
        (
            b"alice",
            Do::Say("locked"),
            Pam::AuthErr,
            "directory-locked",
            1,
        ),
        (b"alice", Do::Say("cut"), Pam::AuthinfoUnavail, "outage", 1),
        (b"alice", Do::HangUp, Pam::ConvErr, "cancelled", 0),
        (
            b"nobody-knows",
            Do::Say(PASSWORD),
            Pam::UserUnknown,
            "no-such-user",
            0,
        ),
        (
            b"\xff\xfe",
            Do::Say(PASSWORD),
            Pam::UserUnknown,
            "no-such-user",
            0,
        ),
        (
            b"root",
            Do::Say(PASSWORD),
            Pam::UserUnknown,
            "system-user",
            0,
        ),
        (b"twins", Do::Say(PASSWORD), Pam::AuthErr, "ambiguous", 0),
        (
            b"down",
            Do::Say(PASSWORD),
            Pam::AuthinfoUnavail,
            "outage",
            0,
        ),
        (
            b"misconfigured",
            Do::Say(PASSWORD),
            Pam::ServiceErr,
            "refused",
            0,
        ),
        (b"broken", Do::Say(PASSWORD), Pam::ServiceErr, "local", 0),
    ];
    for (user, answer, pam, reason, binds) in cases {
        let seen = tell(Told {
            user,
            script: vec![answer.clone()],
            ..Told::default()
        });
        assert_eq!((seen.pam, seen.reason, seen.binds), (*pam, *reason, *binds));
        assert_eq!(seen.prompts, ["Password: "], "{reason}");
        assert_eq!(
            (seen.text.as_str(), seen.first, seen.sms.len()),
            ("", None, 0),
            "{reason}"
        );
    }
}

#[test]
fn after_the_first_factor_the_person_is_told_plainly() {
    let not_verified = "No verified phone number on file. Ask your administrator. (login 7f3a9c21)";
    let not_sent = "The code could not be sent. Try again later. (login 7f3a9c21)";
    for (user, pam, reason, text) in [
        (
            &b"unverified"[..],
            Pam::AuthErr,
            "not-verified",
            not_verified,
        ),
        (b"unreadable", Pam::AuthErr, "no-number", not_verified),
        (b"refused", Pam::AuthErr, "number-refused", not_sent),
    ] {
        let seen = tell(Told {
            user,
            script: vec![Do::Say(PASSWORD)],
            ..Told::default()
        });
        assert_eq!(
            (seen.pam, seen.reason, seen.text.as_str()),
            (pam, reason, text)
        );
        assert_eq!((seen.first, seen.sms.len()), (Some("password"), 0));
    }
}

#[test]
fn wrong_codes_are_counted_until_the_tries_are_used_up() {
    let seen = codes(&[Do::WrongCode, Do::WrongCode, Do::WrongCode]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "wrong-code"));
    assert_eq!(
        seen.prompts[2..],
        [
            "Wrong code, 2 tries left. Verification code: ",
            "Wrong code, 1 try left. Verification code: "
        ]
    );
    assert_eq!(seen.text, "Too many wrong codes. (login 7f3a9c21)");
    assert_eq!((seen.counts.wrong, seen.sms.len()), (3, 1));

    let seen = codes(&[Do::WrongCode, Do::WrongCode, Do::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 2));
}

#[test]
fn what_is_no_code_is_no_try_and_the_third_ends_it() {
    let long: Vec<u8> = vec![b'1'; 10_000];
    let seen = codes(&[Do::Say(PASSWORD), Do::Bytes(long), Do::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 0));
    assert_eq!(
        seen.prompts[2],
        "That is not a 6-digit code. Verification code: "
    );

    let seen = codes(&[Do::Say("letters"), Do::TooLong, Do::Bytes(vec![0xff])]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.no_code),
        (Pam::AuthErr, "no-code", 3)
    );
    assert_eq!(seen.sms.len(), 1);
}

#[test]
fn the_same_code_is_sent_again_within_the_resends() {
    let seen = codes(&[Do::Say(""), Do::Say("r"), Do::Say("R"), Do::Code(0)]);
    assert_eq!(seen.pam, Pam::Success);
    let prompts = [
        "Code sent again. Verification code: ",
        "Code sent again. Verification code: ",
        "No more SMS in this login. Verification code: ",
    ];
    assert_eq!(seen.prompts[2..], prompts);
    assert_eq!(seen.sms.len(), 3);
    assert!(seen.sms.iter().all(|sms| sms[..6] == seen.sms[0][..6]));

    let seen = codes(&[
        Do::Say(""),
        Do::Say(""),
        Do::Say(""),
        Do::Say(""),
        Do::Say(""),
    ]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::AuthErr, "no-code", 3)
    );
}

#[test]
fn in_the_last_minute_a_new_code_is_sent() {
    let seen = codes(&[after(241, Do::Say("r")), after(100, Do::Code(1))]);
    assert_eq!(seen.pam, Pam::Success);
    assert_eq!(
        seen.prompts[2],
        "The code has expired; a new one was sent. Verification code: "
    );
    assert_ne!(seen.sms[0], seen.sms[1]);

    let seen = codes(&[after(240, Do::Say("r")), Do::Code(0)]);
    assert!(seen.sms[1].contains("expires in 1 minute") && seen.sms[1][..6] == seen.sms[0][..6]);
}

#[test]
fn an_expired_code_is_no_try_and_is_replaced() {
    let seen = codes(&[after(300, Do::Code(0)), Do::Code(0), Do::Code(1)]);
    // The old code is a wrong one by now.
    assert_eq!(
        (seen.pam, seen.counts.wrong, seen.sms.len()),
        (Pam::Success, 1, 2)
    );
    let prompts = [
        "The code has expired; a new one was sent. Verification code: ",
        "Wrong code, 2 tries left. Verification code: ",
    ];
    assert_eq!(seen.prompts[2..], prompts);
}

#[test]
fn an_expired_code_without_a_resend_left_ends_it() {
    let late = || after(300, Do::Say("123456"));
    let seen = codes(&[late(), late(), late()]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "expired-code", 3)
    );
    assert_eq!(seen.text, "The code has expired. (login 7f3a9c21)");

    let seen = codes(&[late(), late(), after(300, Do::Say("r"))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "expired-code"));
}

#[test]
fn a_resend_that_fails_leaves_the_living_code() {
    let seen = tell(Told {
        carrier_lasts: 1,
        script: vec![Do::Say(PASSWORD), Do::Say("r"), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!((seen.pam, seen.trouble), (Pam::Success, vec!["twilio"]));
    assert_eq!(
        seen.prompts[2],
        "No more SMS in this login. Verification code: "
    );

    let seen = tell(Told {
        carrier_lasts: 1,
        script: vec![Do::Say(PASSWORD), after(300, Do::Code(0))],
        ..Told::default()
    });
    assert_eq!((seen.pam, seen.reason), (Pam::AuthinfoUnavail, "outage"));
}

#[test]
fn who_hangs_up_after_the_sms_has_abandoned_it() {
    for end in [Do::HangUp, Do::Missing] {
        let seen = codes(&[end]);
        assert_eq!(
            (seen.pam, seen.reason, seen.first),
            (Pam::ConvErr, "abandoned", Some("password"))
        );
        assert_eq!(seen.text, "");
    }
}

#[test]
fn one_handle_has_one_set_of_counts() {
    let told = |counts, script| {
        tell(Told {
            counts,
            script,
            ..Told::default()
        })
    };
    // Two wrong codes before: one try is left.
    let before = Counts {
        wrong: 2,
        sms: 1,
        ..Counts::default()
    };
    let seen = told(before, vec![Do::Say(PASSWORD), Do::WrongCode]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.sms),
        (Pam::MaxTries, "wrong-code", 2)
    );
    // All SMS are used: none goes out.
    let before = Counts {
        sms: 3,
        ..Counts::default()
    };
    let seen = told(before, vec![Do::Say(PASSWORD)]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "limited", 0)
    );
    // The first SMS of a further login is a resend.
    let before = Counts {
        sms: 2,
        no_code: 2,
        ..Counts::default()
    };
    let seen = told(before, vec![Do::Say(PASSWORD), Do::Say("r")]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::AuthErr, "no-code", 1)
    );
}

#[test]
fn what_sshd_has_proved_is_a_first_factor() {
    let ssh = |source, ssh, script: &[Do]| {
        tell(Told {
            more_settings: source,
            ssh,
            script: script.to_vec(),
            ..Told::default()
        })
    };
    let (only, auto) = (
        "[password]\nsource = \"ssh\"",
        "[password]\nsource = \"auto\"",
    );
    let key = b"publickey ssh-ed25519 AAAA\n";
    for source in [only, auto] {
        let seen = ssh(source, key, &[Do::Code(0)]);
        assert_eq!(
            (seen.pam, seen.first, seen.binds),
            (Pam::Success, Some("ssh"), 0)
        );
        assert_eq!(seen.prompts.len(), 1);
    }
    let seen = ssh(only, b"", &[]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::AuthErr, "no-first-factor", 0)
    );
    let seen = ssh(
        auto,
        b"keyboard-interactive\n",
        &[Do::Say(PASSWORD), Do::Code(0)],
    );
    assert_eq!((seen.pam, seen.first), (Pam::Success, Some("password")));
}

#[test]
fn the_caller_proves_himself_where_the_stack_has_proved_the_target() {
    let caller = |caller, script: &[Do]| {
        tell(Told {
            user: b"root",
            caller,
            more_settings: "[password]\nsource = \"stack\"\n[policy]\nsubject = \"caller\"",
            script: script.to_vec(),
            ..Told::default()
        })
    };
    let seen = caller(1000, &[Do::Code(0)]);
    assert_eq!(
        (seen.pam, seen.first, seen.binds),
        (Pam::Success, Some("stack"), 0)
    );
    for (uid, reason) in [
        (0, "system-user"),
        (65534, "system-user"),
        (4711, "no-such-user"),
    ] {
        let seen = caller(uid, &[]);
        assert_eq!(
            (seen.pam, seen.reason, seen.sms.len()),
            (Pam::AuthErr, reason, 0)
        );
    }
}

/// A right code of the login [`LOGIN`].
fn right_code() -> Second {
    let now = Moment::at(Duration::from_secs(1));
    let code = crate::code::Code::draw(6, Duration::from_secs(60), LOGIN, now).unwrap();
    let crate::code::Answer::Code(typed) = crate::code::read(code.digits().as_bytes(), 6) else {
        panic!("a code is a code");
    };
    let Ok(proof) = code.check(&typed, now) else {
        panic!("the right code is right");
    };
    Second::Code(proof)
}

#[test]
fn proofs_of_different_logins_open_nothing() {
    let other = LoginId([9; 4]);
    let first = First::Password(PasswordProof::for_a_test(other));
    assert!(Granted::new(LOGIN, &first, right_code()).is_none());
    assert!(Granted::new(other, &first, right_code()).is_none());
    let first = First::Password(PasswordProof::for_a_test(LOGIN));
    assert!(Granted::new(LOGIN, &first, right_code()).is_some());
}

#[test]
fn waiting_is_added_up_over_a_handle() {
    let before = Counts {
        waited: Duration::from_secs(7),
        ..Counts::default()
    };
    let seen = tell(Told {
        counts: before,
        script: vec![after(20, Do::Say(PASSWORD)), after(30, Do::Code(0))],
        ..Told::default()
    });
    // Typing is not waiting, and this directory and carrier take no time.
    assert_eq!(seen.counts.waited, Duration::from_secs(7));
}
