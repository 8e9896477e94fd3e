//! Remembered logins: when no code is requested, and what ends that.

use super::ledger::with_ledger;
use super::login::{ASKS, NOT_VERIFIED, Say, Seen, someone};
use crate::Case;
use lab::Lab;
use lab::pamhost::code;

pub const CASES: &[Case] = &[
    (
        "module::remembered::from_the_same_origin",
        from_the_same_origin,
    ),
    ("module::remembered::behind_a_stack", behind_a_stack),
    (
        "module::remembered::a_changed_password_forgets",
        a_changed_password_forgets,
    ),
    (
        "module::remembered::a_number_no_longer_verified_is_refused",
        a_number_no_longer_verified_is_refused,
    ),
];

const REMEMBERED: &str = "skipped reason=remembered";

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];
const PASSWORD_ONLY: &[Say] = &[Say::Password];

/// A login that was granted without a code because an earlier one is remembered.
pub fn remembered_seen() -> Seen {
    Seen::new(&[code::SUCCESS], &[ASKS], &[REMEMBERED], 0)
}

fn from_the_same_origin(lab: &Lab) {
    let hans = someone(lab, "remembered");
    let login = with_ledger(lab, "remembered", &hans)
        .text("policy.remember", "1h")
        .rhost("192.0.2.7");
    login.sees("the first", PASSWORD_AND_CODE, &Seen::granted());
    let earned = login.newest_field("login");
    login.sees("the second", PASSWORD_ONLY, &remembered_seen());
    assert_eq!(login.newest_field("earned"), earned);
    // The password is still requested and verified.
    login.sees(
        "with a wrong password",
        &[Say::Text("wrong")],
        &Seen::refused(code::AUTH_ERR, "denied reason=wrong-password"),
    );
    for other_origin in ["192.0.2.8", "client.example.org"] {
        let login = with_ledger(lab, "remembered", &hans)
            .text("policy.remember", "1h")
            .rhost(other_origin);
        login.sees("from another origin", PASSWORD_AND_CODE, &Seen::granted());
    }
    let config = login.config();
    let config = config.to_str().expect("a path");
    let (code, text, _) = lab.sms_otp(&["--config", config, "unlock", "remembered", "--forget"]);
    assert_eq!(code, 0);
    assert!(text.contains("2 remembered logins forgotten"), "{text}");
    login.sees("after unlock --forget", PASSWORD_AND_CODE, &Seen::granted());
}

fn behind_a_stack(lab: &Lab) {
    let ines = someone(lab, "stack-remembered");
    let login = with_ledger(lab, "stack-remembered", &ines)
        .text("policy.remember", "1h")
        .rhost("2001:db8::7")
        .arguments("password=stack")
        .stack("auth [success=ok default=die] pam_permit.so\nauth required {}\n");
    login.sees("the first", &[Say::Code], &Seen::granted_by_code());
    let seen = Seen::new(&[code::SUCCESS], &[], &[REMEMBERED], 0);
    login.sees("left to the stack", &[], &seen);
    // Without a module that verifies the password, the login is refused.
    let login = login.stack("auth required {}\n");
    let (_, seen) = login.run(&[], 1);
    assert_eq!(
        (seen.codes(), seen.log()),
        (&[code::PERM_DENIED][..], &[REMEMBERED.to_owned()][..])
    );
}

fn a_changed_password_forgets(lab: &Lab) {
    let jana = someone(lab, "changed-password");
    let login = with_ledger(lab, "changed-password", &jana)
        .text("policy.remember", "1h")
        .rhost("192.0.2.7");
    lab.slapd()
        .replace(&jana.person, "pwdChangedTime", &["20260101000000Z"]);
    login.sees("the first", PASSWORD_AND_CODE, &Seen::granted());
    login.sees("the second", PASSWORD_ONLY, &remembered_seen());
    lab.slapd()
        .replace(&jana.person, "pwdChangedTime", &["20260102000000Z"]);
    login.sees(
        "after a password change",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
}

/// A number that is no longer verified ends remembered logins until it is verified again.
fn a_number_no_longer_verified_is_refused(lab: &Lab) {
    let nora = someone(lab, "unverified-later");
    let login = with_ledger(lab, "unverified-later", &nora)
        .text("policy.remember", "1h")
        .rhost("192.0.2.7");
    login.sees("the first", PASSWORD_AND_CODE, &Seen::granted());
    login.sees("the second", PASSWORD_ONLY, &remembered_seen());
    let slapd = lab.slapd();
    slapd.replace(&nora.person, "phoneNumberVerified", &["FALSE"]);
    let denied = "denied first=password reason=not-verified";
    let refused = Seen::unsent(code::MAXTRIES, NOT_VERIFIED, denied);
    login.sees("without a verified number", PASSWORD_ONLY, &refused);
    slapd.replace(&nora.person, "phoneNumberVerified", &["TRUE"]);
    login.sees("with one again", PASSWORD_ONLY, &remembered_seen());
}
