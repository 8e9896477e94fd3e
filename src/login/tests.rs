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
use stage::{Do, LOGIN, PASSWORD, Told, after, codes, script, tell};

const NOT_VERIFIED: &str =
    "No verified phone number on file. Ask your administrator. (login 7f3a9c21)";

const NO_CODE: &str = "No code was entered. (login 7f3a9c21)";

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
    assert_eq!((seen.sms.len(), seen.detail.as_str()), (1, ""));
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
        (Pam::MaxTries, "no-code", 1)
    );
}

#[test]
fn the_pause_is_kept_over_all_calls_on_a_handle() {
    let call = |counts, script| {
        tell(Told {
            counts,
            change: |settings| settings.limits.pause = Duration::from_secs(30),
            script,
            ..Told::default()
        })
    };
    let first = call(Counts::default(), vec![Do::Say(PASSWORD), Do::HangUp]);
    assert_eq!((first.reason, first.sms.len()), ("abandoned", 1));
    let counts = Counts::read(&first.counts.write()).unwrap();
    let seen = call(counts, vec![after(5, Do::Say(PASSWORD))]);
    assert_eq!((seen.pam, seen.reason), (Pam::MaxTriesForNow, "limited"));
    assert_eq!(
        seen.text,
        "Too many codes. Try again in 25 s. (login 7f3a9c21)"
    );
    assert!(seen.detail.contains("limits.pause"), "{}", seen.detail);
    assert_eq!((seen.sms.len(), seen.counts.sms, seen.asked), (0, 1, 0));
    let seen = call(seen.counts, vec![after(30, Do::Say(PASSWORD)), Do::Code(0)]);
    assert_eq!((seen.pam, seen.sms.len()), (Pam::Success, 1));
    // A resend in the further call waits for the same pause.
    let seen = call(
        counts,
        vec![
            after(30, Do::Say(PASSWORD)),
            after(1, Do::Say("r")),
            Do::Code(0),
        ],
    );
    assert_eq!(seen.prompts[2], "Another SMS in 29 s. Verification code: ");
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

#[test]
fn another_spelling_of_a_system_user_is_refused_before_the_bind() {
    let login = |user: &'static [u8], script: &[Do]| {
        tell(Told {
            user,
            script: script.to_vec(),
            ..Told::default()
        })
    };
    let root = login(b"ROOT", &[Do::Say(PASSWORD)]);
    let code = (root.pam, root.reason, root.first, root.binds);
    assert_eq!(code, (Pam::AuthErr, "system-user", None, 0));
    let says = "another name in the entry (ldap.filter): uid 0 is below policy.min_uid";
    assert_eq!(root.detail, says);
    // A look-up that fails is not one that finds nothing.
    let failed = login(b"alias", &[Do::Say(PASSWORD)]);
    let code = (failed.pam, failed.reason, failed.binds);
    assert_eq!(code, (Pam::ServiceErr, "local", 0));
    let backup = login(b"Backup", &[Do::Say(PASSWORD), Do::Code(0)]);
    assert_eq!((backup.pam, backup.binds), (Pam::Success, 1));
}

/// What a refusal could have been, and what it was.
#[test]
fn the_log_says_which_cause_a_refusal_has() {
    for (user, detail) in [
        (&b"root"[..], "uid 0 is below policy.min_uid"),
        (b"\xff\xfe", "the name is not UTF-8"),
        (b"nobody-knows", "no entry in the directory"),
        (b"unverified", "phoneNumberVerified: FALSE"),
        (
            b"unreadable",
            "mobile: contains letters; telephoneNumber: no value",
        ),
    ] {
        let user = user.to_vec().leak();
        let seen = tell(Told {
            user,
            script: vec![Do::Say(PASSWORD)],
            ..Told::default()
        });
        assert_eq!(seen.detail, detail);
        // Of who hangs up before, nothing is said that is not so.
        let seen = tell(Told {
            user,
            script: vec![Do::HangUp],
            ..Told::default()
        });
        assert_eq!((seen.reason, &*seen.detail), ("cancelled", ""));
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
