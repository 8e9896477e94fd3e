//! The code prompt: what may be typed there, and what becomes of it.

use protocol::Code as Pam;

use super::stage::{Do, PASSWORD, Told, after, codes, script, tell};

const NO_CODE: &str = "No code was entered. (login 7f3a9c21)";

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
    let seen = codes(&[Do::Say("hunter2"), Do::Bytes(long), Do::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 0));
    assert_eq!(
        seen.prompts[2],
        "That is not a 6-digit code. Verification code: "
    );

    let seen = codes(&[Do::Say("letters"), Do::TooLong, Do::Bytes(vec![0xff])]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.no_code),
        (Pam::MaxTries, "no-code", 3)
    );
    assert_eq!(seen.text, NO_CODE);
    let why = "three answers that are no code";
    assert_eq!((seen.sms.len(), seen.detail.as_str()), (1, why));
}

#[test]
fn a_client_that_repeats_password_or_name_is_asked_no_more() {
    let pasted = b"\x1b[200~correct horse\x1b[201~".to_vec();
    for (answer, what) in [
        (Do::Say(PASSWORD), "the password"),
        (Do::Bytes(pasted.clone()), "the password"),
        (Do::Say("alice"), "the login name"),
    ] {
        let seen = codes(&[answer]);
        assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "no-code"));
        let detail = format!("the client answers every prompt with {what}");
        assert_eq!((seen.detail, seen.text.as_str()), (detail, NO_CODE));
        assert_eq!((seen.prompts.len(), seen.sms.len()), (2, 1));
    }
    // Typed as it is pasted: the directory gets it without the brackets.
    let seen = script(&[Do::Bytes(pasted), Do::Code(0)]);
    assert_eq!((seen.pam, seen.binds), (Pam::Success, 1));
    // A password of another case, and somebody else's name, are slips of the keys.
    let seen = codes(&[Do::Say("Correct horse"), Do::Say("known"), Do::Code(0)]);
    assert_eq!(seen.pam, Pam::Success);
    // Without a password of ours only the name tells.
    let ssh = |answers: &[Do]| {
        tell(Told {
            more_settings: "[password]\nsource = \"ssh\"",
            ssh: b"publickey ssh-ed25519 AAAA\n",
            script: answers.to_vec(),
            ..Told::default()
        })
    };
    assert_eq!(ssh(&[Do::Say("alice")]).reason, "no-code");
    assert_eq!(ssh(&[Do::Say(PASSWORD), Do::Code(0)]).pam, Pam::Success);
}

/// Whose name is an answer that means something else is understood as that.
#[test]
fn a_wish_for_another_sms_is_one_whatever_the_name_is() {
    let seen = tell(Told {
        user: b"r",
        script: vec![Do::Say(PASSWORD), Do::Say("r"), Do::Code(0)],
        ..Told::default()
    });
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 2));
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
        (Pam::MaxTries, "no-code", 3)
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

/// A code that timed out on its way may have been sent: the pause applies to it as well.
#[test]
fn an_sms_that_may_have_been_sent_begins_the_pause() {
    let seen = tell(Told {
        carrier_lasts: 1,
        change: |settings| settings.limits.pause = std::time::Duration::from_secs(30),
        script: vec![
            Do::Say(PASSWORD),
            after(31, Do::Say("r")),
            Do::Say("r"),
            Do::Code(0),
        ],
        ..Told::default()
    });
    assert_eq!((seen.pam, seen.trouble), (Pam::Success, vec!["twilio"]));
    assert_eq!(seen.prompts[3], "Another SMS in 30 s. Verification code: ");
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
