//! The first factor: verified by the directory, by sshd or by the stack, and who is refused before it.
#![forbid(unsafe_code)]

use super::*;

/// A correct password changes nothing of these.
const REFUSED: &[(&[u8], Pam, &str)] = &[
    (b"unknown", Pam::UserUnknown, "no-such-user"),
    (b"\xff\xfe", Pam::UserUnknown, "no-such-user"),
    (b"root", Pam::UserUnknown, "system-user"),
    (b"twins", Pam::AuthErr, "ambiguous"),
    (b"down", Pam::AuthinfoUnavail, "outage"),
    (b"misconfigured", Pam::ServiceErr, "refused"),
    (b"broken", Pam::ServiceErr, "local"),
];

/// Everything that ends before the first factor is verified shows no text and sends no SMS.
#[test]
fn before_the_first_factor_nothing_is_shown_or_sent() {
    let refused = |user: &'static [u8], reply: Reply, pam, reason, binds| {
        let seen = run(Scenario {
            user,
            replies: vec![reply],
            ..Scenario::default()
        });
        assert_eq!((seen.pam, seen.reason, seen.binds), (pam, reason, binds));
        assert_eq!(seen.prompts, ["Password: "], "{reason}");
        assert_eq!(
            (seen.text.as_str(), seen.first, seen.sms.len()),
            ("", None, 0),
            "{reason}"
        );
    };
    let bytes = |bytes: &[u8]| Reply::Bytes(bytes.to_vec());
    let junk = bytes(b"\x08\n\r\x7fINCORRECT\x08\n");
    let not_utf8 = bytes(b"\xff\xfe");
    for reply in [
        Reply::Text(""),
        Reply::Missing,
        Reply::TooLong,
        not_utf8,
        junk,
    ] {
        refused(b"alice", reply, Pam::AuthErr, "wrong-password", 0);
    }
    let short_junk = bytes(b"\x08\n\r");
    refused(b"down", short_junk, Pam::AuthErr, "wrong-password", 0);
    for (password, pam, reason) in [
        ("wrong", Pam::AuthErr, "wrong-password"),
        ("locked", Pam::AuthErr, "directory-locked"),
        ("cut", Pam::AuthinfoUnavail, "outage"),
    ] {
        refused(b"alice", Reply::Text(password), pam, reason, 1);
    }
    refused(b"alice", Reply::Disconnect, Pam::ConvErr, "cancelled", 0);
    for (user, pam, reason) in REFUSED {
        refused(user, Reply::Text(PASSWORD), *pam, reason, 0);
    }
}

#[test]
fn a_method_that_sshd_verified_is_a_first_factor() {
    let ssh = |source, ssh, replies: &[Reply]| {
        run(Scenario {
            extra_settings: source,
            ssh,
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    let (only, auto) = (
        "[password]\nsource = \"ssh\"",
        "[password]\nsource = \"auto\"",
    );
    let key = b"publickey ssh-ed25519 AAAA\n";
    for source in [only, auto] {
        let seen = ssh(source, key, &[Reply::Code(0)]);
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
        &[Reply::Text(PASSWORD), Reply::Code(0)],
    );
    assert_eq!((seen.pam, seen.first), (Pam::Success, Some("password")));
}

#[test]
fn with_subject_caller_the_second_factor_is_the_callers() {
    let caller = |caller, replies: &[Reply]| {
        run(Scenario {
            user: b"root",
            caller,
            extra_settings: "[password]\nsource = \"stack\"\n[policy]\nsubject = \"caller\"",
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    let seen = caller(1000, &[Reply::Code(0)]);
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

/// Most directories answer a bind as an alias entry in the same way as a wrong password.
#[test]
fn an_alias_or_referral_is_reported() {
    for (user, password, reason, detail) in [
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
        let seen = run(Scenario {
            user,
            replies: vec![Reply::Text(password)],
            ..Scenario::default()
        });
        assert_eq!(seen.reason, reason);
        assert!(seen.detail.contains(detail), "{}", seen.detail);
    }
}

#[test]
fn another_spelling_of_a_system_user_is_refused_before_the_bind() {
    let login = |user: &'static [u8], replies: &[Reply]| {
        run(Scenario {
            user,
            replies: replies.to_vec(),
            ..Scenario::default()
        })
    };
    let root = login(b"ROOT", &[Reply::Text(PASSWORD)]);
    let code = (root.pam, root.reason, root.first, root.binds);
    assert_eq!(code, (Pam::AuthErr, "system-user", None, 0));
    let detail = "another name in the entry (ldap.filter): uid 0 is below policy.min_uid";
    assert_eq!(root.detail, detail);
    // A failed lookup is not an unknown name.
    let failed = login(b"alias", &[Reply::Text(PASSWORD)]);
    let code = (failed.pam, failed.reason, failed.binds);
    assert_eq!(code, (Pam::ServiceErr, "local", 0));
    let backup = login(b"Backup", &[Reply::Text(PASSWORD), Reply::Code(0)]);
    assert_eq!((backup.pam, backup.binds), (Pam::Success, 1));
}
