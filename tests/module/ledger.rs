//! Limits and new numbers, with this host's own ledger.

mod locks;

use super::login::{
    ASKS, BAD_NUMBER, LATER, Login, NEW_PHONE, NOT_SENT, Say, Seen, Someone, someone,
};
use super::remembered::remembered_seen;
use crate::Case;
use crate::skipped::skip;
use lab::Lab;
use lab::pamhost::code;
use lab::twilio::{Broken, Case as TwilioCase};
use locks::{disabled_until_unlocked, killed_at_the_prompt, wrong_codes_lock};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

pub const CASES: &[Case] = &[
    ("module::ledger::made_on_first_use", made_on_first_use),
    ("module::ledger::sms_per_user", sms_per_user),
    ("module::ledger::sms_per_phone", sms_per_phone),
    ("module::ledger::sms_in_all", sms_in_all),
    ("module::ledger::one_user_by_any_name", one_user_by_any_name),
    (
        "module::ledger::the_pause_between_sms",
        the_pause_between_sms,
    ),
    (
        "module::ledger::a_rejected_sms_is_not_counted",
        a_rejected_sms_is_not_counted,
    ),
    ("module::ledger::wrong_codes_lock", wrong_codes_lock),
    (
        "module::ledger::disabled_until_unlocked",
        disabled_until_unlocked,
    ),
    ("module::ledger::killed_at_the_prompt", killed_at_the_prompt),
    ("module::ledger::a_new_number_waits", a_new_number_waits),
    ("module::ledger::allowed_prefixes", allowed_prefixes),
    ("module::ledger::a_damaged_file", a_damaged_file),
];

const LIMITED: &str = "denied first=password reason=limited";
/// The log line of a login that is refused by a lock.
const LOCKED: &str = "denied first=password reason=locked";

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];
const PASSWORD_ONLY: &[Say] = &[Say::Password];

/// Sets up a login of a user with a ledger of its own.
pub fn with_ledger<'b>(lab: &'b Lab, case: &'static str, who: &Someone) -> Login<'b> {
    let login = Login::new(lab, case).of(who);
    let path = folder(&login);
    login.text("ledger.path", path.to_str().expect("a path"))
}

/// The folder in which [`with_ledger`] puts the ledger.
pub fn folder(login: &Login) -> PathBuf {
    login.folder.join("ledger")
}

/// A refusal before any SMS is sent; the user is shown when to try again.
fn refused_until_later(line: &str) -> Seen {
    Seen::unsent(code::MAXTRIES, LATER, line)
}

fn made_on_first_use(lab: &Lab) {
    let alice = someone(lab, "first-use");
    let login = with_ledger(lab, "first-use", &alice);
    login.sees(
        "a wrong password",
        &[Say::Text("wrong")],
        &Seen::refused(code::AUTH_ERR, "denied reason=wrong-password"),
    );
    login.sees("the first login", PASSWORD_AND_CODE, &Seen::granted());
    let mode_and_owner = |path: PathBuf| {
        let metadata = std::fs::metadata(path).expect("the file exists");
        (metadata.permissions().mode() & 0o7777, metadata.uid())
    };
    let me = rustix::process::geteuid().as_raw();
    assert_eq!(mode_and_owner(folder(&login)), (0o700, me));
    assert_eq!(mode_and_owner(folder(&login).join("ledger")), (0o600, me));
    assert_eq!(mode_and_owner(folder(&login).join("prefetch")), (0o600, me));
    let inside: Vec<_> = std::fs::read_dir(folder(&login))
        .expect("the folder")
        .flatten()
        .collect();
    assert_eq!(inside.len(), 2, "{inside:?}");
    // It contains no user name and no phone number.
    let bytes = std::fs::read(folder(&login).join("ledger")).expect("the ledger");
    for secret in ["first-use", alice.number.as_str(), &alice.number[3..]] {
        let found = bytes
            .windows(secret.len())
            .any(|bytes| bytes == secret.as_bytes());
        assert!(!found, "{secret} is in the ledger");
    }
}

fn sms_per_user(lab: &Lab) {
    let bob = someone(lab, "limited");
    let login = with_ledger(lab, "limited", &bob).set("limits.sms", "[\"2/5s\", \"20/1d\"]");
    login.sees("the first", PASSWORD_AND_CODE, &Seen::granted());
    login.sees("the second", PASSWORD_AND_CODE, &Seen::granted());
    login.sees("the third", PASSWORD_ONLY, &refused_until_later(LIMITED));
    std::thread::sleep(Duration::from_secs(5));
    login.sees("after the window", PASSWORD_AND_CODE, &Seen::granted());
}

fn sms_per_phone(lab: &Lab) {
    let (one, mut other) = (someone(lab, "phone-one"), someone(lab, "phone-two"));
    lab.slapd().replace(&other.person, "mobile", &[&one.number]);
    other.number.clone_from(&one.number);
    let rules = "[\"2/10m\"]";
    let login = with_ledger(lab, "phone-limit", &one).set("limits.sms", rules);
    login.sees("the first", PASSWORD_AND_CODE, &Seen::granted());
    let login = login.of(&other);
    login.sees(
        "another user, the same phone",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
    let (transcript, seen) = login.run(PASSWORD_ONLY, 1);
    assert_eq!(seen, refused_until_later(LIMITED));
    assert!(
        transcript
            .texts()
            .iter()
            .any(|text| text.contains("10 minutes"))
    );
    let line = login.newest_line();
    assert!(line.contains("for this phone"), "{line}");
}

fn sms_in_all(lab: &Lab) {
    let users = [
        someone(lab, "all-one"),
        someone(lab, "all-two"),
        someone(lab, "all-three"),
    ];
    let mut login = with_ledger(lab, "all-limit", &users[0]).text("limits.sms_total", "2/1d");
    for user in &users[..2] {
        login = login.of(user);
        login.sees("within the limit", PASSWORD_AND_CODE, &Seen::granted());
    }
    let login = login.of(&users[2]);
    login.sees(
        "above the limit",
        PASSWORD_ONLY,
        &refused_until_later(LIMITED),
    );
    let line = login.newest_line();
    assert!(line.contains("2/1d SMS for the whole ledger"), "{line}");
}

fn one_user_by_any_name(lab: &Lab) {
    let carol = someone(lab, "carol-of-many-names");
    let login = with_ledger(lab, "any-name", &carol)
        .text("ldap.filter", "(|(uid={user})(mail={user}))")
        .set("limits.sms", "[\"2/1h\"]");
    let mail = "carol@example.org";
    lab.slapd().replace(&carol.person, "mail", &[mail]);
    login.sees("as in the directory", PASSWORD_AND_CODE, &Seen::granted());
    let login = login.user("CAROL-of-many-NAMES");
    login.sees("in capitals", PASSWORD_AND_CODE, &Seen::granted());
    let login = login.user(mail);
    login.sees("by mail", PASSWORD_ONLY, &refused_until_later(LIMITED));
}

fn the_pause_between_sms(lab: &Lab) {
    let dora = someone(lab, "pause");
    let login = with_ledger(lab, "pause", &dora).text("limits.pause", "5m");
    let (transcript, seen) = login.run(&[Say::Password, Say::Text("r"), Say::Code], 2);
    assert_eq!((seen.codes(), seen.sms()), (&[code::SUCCESS][..], 1));
    let wait = transcript.texts()[2];
    assert!(
        wait.starts_with("Another SMS in ") && wait.ends_with(". Verification code: "),
        "{wait}"
    );
}

/// An SMS that Twilio refused does not count; one that it may have accepted does.
fn a_rejected_sms_is_not_counted(lab: &Lab) {
    for (name, response, is_released) in [
        (
            "refused-number",
            TwilioCase::Refused {
                http: 400,
                code: 21211,
            },
            true,
        ),
        (
            "refused-limit",
            TwilioCase::Refused {
                http: 429,
                code: 20429,
            },
            true,
        ),
        (
            "server-error",
            TwilioCase::Refused {
                http: 503,
                code: 20503,
            },
            false,
        ),
        ("no-answer", TwilioCase::Broken(Broken::Close), false),
    ] {
        let who = someone(lab, name);
        lab.twilio().on(&who.number, &[response]);
        let login = with_ledger(lab, name, &who).set("limits.sms", "[\"1/1h\"]");
        login.run(PASSWORD_ONLY, 1);
        let (_, second) = login.run(PASSWORD_ONLY, 1);
        assert_eq!(
            second == refused_until_later(LIMITED),
            !is_released,
            "{name}: {second:?}"
        );
    }
}

fn a_new_number_waits(lab: &Lab) {
    if lab.machine_error().is_some() {
        skip("a number waits only where the system's log takes its line");
    }
    let mut kurt = someone(lab, "moved");
    let login = with_ledger(lab, "moved", &kurt)
        .text("policy.remember", "1h")
        .text("policy.new_phone", "4s")
        .rhost("192.0.2.7");
    login.sees(
        "the first number does not wait",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
    login.sees("the login is remembered", PASSWORD_ONLY, &remembered_seen());
    kurt.number = lab.number();
    lab.slapd().replace(&kurt.person, "mobile", &[&kurt.number]);
    let login = login.of(&kurt);
    let denied = "denied first=password reason=new-phone";
    let lines = ["phone-changed", denied];
    login.sees(
        "a new number",
        PASSWORD_ONLY,
        &Seen::new(&[code::MAXTRIES], &[ASKS, NEW_PHONE], &lines, 0),
    );
    login.sees(
        "the new number again",
        PASSWORD_ONLY,
        &Seen::unsent(code::MAXTRIES, NEW_PHONE, denied),
    );
    std::thread::sleep(Duration::from_secs(4));
    login.sees("after the wait", PASSWORD_AND_CODE, &Seen::granted());
}

fn allowed_prefixes(lab: &Lab) {
    let lena = someone(lab, "prefixes");
    let login = with_ledger(lab, "prefixes", &lena).set("limits.allowed_prefixes", "[\"+1\"]");
    let denied = "denied first=password reason=prefix";
    let outside = Seen::unsent(code::MAXTRIES, BAD_NUMBER, denied);
    login.sees("outside", PASSWORD_ONLY, &outside);
    // A new number is logged there, too.
    let mut moved = lena;
    moved.number = lab.number();
    lab.slapd()
        .replace(&moved.person, "mobile", &[&moved.number]);
    let login = login.of(&moved);
    let lines = ["phone-changed", denied];
    let logged = Seen::new(&[code::MAXTRIES], &[ASKS, BAD_NUMBER], &lines, 0);
    login.sees("another number outside", PASSWORD_ONLY, &logged);
    let login = login.set("limits.allowed_prefixes", "[\"+1\", \"+447700\"]");
    login.sees("inside", PASSWORD_AND_CODE, &Seen::granted());
}

fn a_damaged_file(lab: &Lab) {
    let mona = someone(lab, "damaged");
    let login = with_ledger(lab, "damaged", &mona);
    login.sees("undamaged", PASSWORD_AND_CODE, &Seen::granted());
    let file = folder(&login).join("ledger");
    let whole = std::fs::read(&file).expect("the ledger");
    for (what, bytes) in [
        ("truncated", &whole[..whole.len() / 2]),
        ("another file format", &b"#!/bin/sh\n"[..]),
    ] {
        std::fs::write(&file, bytes).expect("written");
        let local = "failed stage=ledger reason=local";
        login.sees(
            what,
            PASSWORD_ONLY,
            &Seen::unsent(code::SERVICE_ERR, NOT_SENT, local),
        );
        let line = login.newest_line();
        assert!(
            line.contains("mv ") && line.contains("ledger"),
            "{what}: {line}"
        );
    }
    std::fs::remove_file(&file).expect("moved away");
    login.sees(
        "after the damaged file was moved away",
        PASSWORD_AND_CODE,
        &Seen::granted(),
    );
}
