//! The story, told by scripted people, directories and carriers. Everything here is in memory;
//! that the real ones behave the same is for the real runs to show.

mod ahead;
mod details;
mod ledger;
mod panics;
mod prompt;
mod stage;
mod texts;

use std::time::Duration;

use protocol::Code as Pam;

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

/// Most directories answer a bind as an alias as they answer a wrong password.
#[test]
fn an_entry_that_only_points_to_another_is_named() {
    for (user, password, reason, says) in [
        (
            &b"pointer"[..],
            "wrong",
            "wrong-password",
            "the entry is an alias",
        ),
        (
            b"pointer",
            PASSWORD,
            "not-verified",
            "the entry is an alias",
        ),
        (
            b"elsewhere",
            PASSWORD,
            "no-such-user",
            "referrals to other servers",
        ),
    ] {
        let seen = tell(Told {
            user,
            script: vec![Do::Say(password)],
            ..Told::default()
        });
        assert_eq!(seen.reason, reason);
        assert!(seen.detail.contains(says), "{}", seen.detail);
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
