//! Input at the code prompt, and SMS that are sent again.
#![forbid(unsafe_code)]

use protocol::Code as Pam;

use super::scenario::{PASSWORD, Reply, Scenario, after, run, run_codes, run_replies};

const NO_CODE: &str = "No code was entered. (login 7f3a9c21)";

#[test]
fn wrong_codes_are_counted_until_the_tries_are_used_up() {
    let seen = run_codes(&[Reply::WrongCode, Reply::WrongCode, Reply::WrongCode]);
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

    let seen = run_codes(&[Reply::WrongCode, Reply::WrongCode, Reply::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 2));
}

#[test]
fn malformed_input_is_not_an_attempt_and_the_third_ends_the_login() {
    let long: Vec<u8> = vec![b'1'; 10_000];
    let seen = run_codes(&[Reply::Text("hunter2"), Reply::Bytes(long), Reply::Code(0)]);
    assert_eq!((seen.pam, seen.counts.wrong), (Pam::Success, 0));
    assert_eq!(
        seen.prompts[2],
        "That is not a 6-digit code. Verification code: "
    );

    let seen = run_codes(&[
        Reply::Text("letters"),
        Reply::TooLong,
        Reply::Bytes(vec![0xff]),
    ]);
    assert_eq!(
        (seen.pam, seen.reason, seen.counts.malformed),
        (Pam::MaxTries, "no-code", 3)
    );
    assert_eq!(seen.text, NO_CODE);
    let why = "three inputs that are not a code";
    assert_eq!((seen.sms.len(), seen.detail.as_str()), (1, why));
}

#[test]
fn a_client_that_repeats_password_or_name_gets_no_further_prompt() {
    let pasted = b"\x1b[200~correct horse\x1b[201~".to_vec();
    for (reply, what) in [
        (Reply::Text(PASSWORD), "the password"),
        (Reply::Bytes(pasted.clone()), "the password"),
        (Reply::Text("alice"), "the login name"),
    ] {
        let seen = run_codes(&[reply]);
        assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "no-code"));
        let detail = format!("the client answers every prompt with {what}");
        assert_eq!((seen.detail, seen.text.as_str()), (detail, NO_CODE));
        assert_eq!((seen.prompts.len(), seen.sms.len()), (2, 1));
    }
    // A password pasted at the password prompt: the directory receives it without the brackets.
    let seen = run_replies(&[Reply::Bytes(pasted), Reply::Code(0)]);
    assert_eq!((seen.pam, seen.binds), (Pam::Success, 1));
    // A password in another case, and the name of another user, are typing errors.
    let seen = run_codes(&[
        Reply::Text("Correct horse"),
        Reply::Text("known"),
        Reply::Code(0),
    ]);
    assert_eq!(seen.pam, Pam::Success);
    // If sshd has verified the first factor, only the name is recognized.
    let ssh = |replies: &[Reply]| {
        run(Scenario {
            extra_settings: "[password]\nsource = \"ssh\"",
            ssh: b"publickey ssh-ed25519 AAAA\n",
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    assert_eq!(ssh(&[Reply::Text("alice")]).reason, "no-code");
    assert_eq!(
        ssh(&[Reply::Text(PASSWORD), Reply::Code(0)]).pam,
        Pam::Success
    );
}

/// A user may have the name `r`.
#[test]
fn a_request_for_another_sms_may_equal_the_login_name() {
    let seen = run(Scenario {
        user: b"r",
        replies: vec![Reply::Text(PASSWORD), Reply::Text("r"), Reply::Code(0)],
        ..Scenario::default()
    });
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 2));
}

#[test]
fn the_same_code_is_sent_again_within_the_resends() {
    let seen = run_codes(&[
        Reply::Text(""),
        Reply::Text("r"),
        Reply::Text("R"),
        Reply::Code(0),
    ]);
    assert_eq!(seen.pam, Pam::Success);
    let prompts = [
        "Code sent again. Verification code: ",
        "Code sent again. Verification code: ",
        "No more SMS in this login. Verification code: ",
    ];
    assert_eq!(seen.prompts[2..], prompts);
    assert_eq!(seen.sms.len(), 3);
    assert!(seen.sms.iter().all(|sms| sms[..6] == seen.sms[0][..6]));

    let seen = run_codes(&[
        Reply::Text(""),
        Reply::Text(""),
        Reply::Text(""),
        Reply::Text(""),
        Reply::Text(""),
    ]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "no-code", 3)
    );
}

#[test]
fn in_the_last_minute_a_new_code_is_sent() {
    let seen = run_codes(&[after(241, Reply::Text("r")), after(100, Reply::Code(1))]);
    assert_eq!(seen.pam, Pam::Success);
    assert_eq!(
        seen.prompts[2],
        "The code has expired; a new one was sent. Verification code: "
    );
    assert_ne!(seen.sms[0], seen.sms[1]);

    let seen = run_codes(&[after(240, Reply::Text("r")), Reply::Code(0)]);
    assert!(seen.sms[1].contains("expires in 1 minute") && seen.sms[1][..6] == seen.sms[0][..6]);
}

#[test]
fn an_expired_code_is_not_an_attempt_and_is_replaced() {
    let seen = run_codes(&[after(300, Reply::Code(0)), Reply::Code(0), Reply::Code(1)]);
    // The old code is wrong now.
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
fn an_expired_code_without_a_resend_left_ends_the_login() {
    let late = || after(300, Reply::Text("123456"));
    let seen = run_codes(&[late(), late(), late()]);
    assert_eq!(
        (seen.pam, seen.reason, seen.sms.len()),
        (Pam::MaxTries, "expired-code", 3)
    );
    assert_eq!(seen.text, "The code has expired. (login 7f3a9c21)");

    let seen = run_codes(&[late(), late(), after(300, Reply::Text("r"))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTries, "expired-code"));
}

#[test]
fn after_a_failed_resend_the_code_remains_valid() {
    let seen = run(Scenario {
        sms_before_outage: 1,
        replies: vec![Reply::Text(PASSWORD), Reply::Text("r"), Reply::Code(0)],
        ..Scenario::default()
    });
    assert_eq!((seen.pam, seen.warnings), (Pam::Success, vec!["twilio"]));
    assert_eq!(
        seen.prompts[2],
        "No more SMS in this login. Verification code: "
    );

    let seen = run(Scenario {
        sms_before_outage: 1,
        replies: vec![Reply::Text(PASSWORD), after(300, Reply::Code(0))],
        ..Scenario::default()
    });
    assert_eq!((seen.pam, seen.reason), (Pam::AuthinfoUnavail, "outage"));
}

/// After a timeout the SMS may have been sent: the pause applies to it as well.
#[test]
fn an_sms_that_may_have_been_sent_begins_the_pause() {
    let seen = run(Scenario {
        sms_before_outage: 1,
        change: |settings| settings.limits.pause = std::time::Duration::from_secs(30),
        replies: vec![
            Reply::Text(PASSWORD),
            after(31, Reply::Text("r")),
            Reply::Text("r"),
            Reply::Code(0),
        ],
        ..Scenario::default()
    });
    assert_eq!((seen.pam, seen.warnings), (Pam::Success, vec!["twilio"]));
    assert_eq!(seen.prompts[3], "Another SMS in 30 s. Verification code: ");
}

#[test]
fn disconnecting_after_the_sms_is_abandoned() {
    for end in [Reply::Disconnect, Reply::Missing] {
        let seen = run_codes(&[end]);
        assert_eq!(
            (seen.pam, seen.reason, seen.first),
            (Pam::ConvErr, "abandoned", Some("password"))
        );
        assert_eq!(seen.text, "");
    }
}
