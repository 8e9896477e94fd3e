//! Limits, locks, remembered logins and new numbers, with the file ledger.

use super::login::{
    ASKS, BAD_NUMBER, LATER, Login, NEW_PHONE, NOT_SENT, SENT, Say, Seen, Someone, TOO_MANY,
    someone,
};
use super::remembered::remembered_seen;
use crate::Case;
use crate::skipped::skip;
use lab::Lab;
use lab::pamhost::code;
use lab::twilio::{Broken, Case as TwilioSays};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::time::Duration;

pub const CASES: &[Case] = &[
    ("module::ledger::made_on_first_use", made_on_first_use),
    ("module::ledger::sms_per_user", sms_per_user),
    ("module::ledger::sms_per_phone", sms_per_phone),
    ("module::ledger::sms_in_all", sms_in_all),
    ("module::ledger::one_user_by_any_name", one_user_by_any_name),
    ("module::ledger::the_pause", the_pause),
    ("module::ledger::released_or_not", released_or_not),
    ("module::ledger::wrong_codes_lock", wrong_codes_lock),
    (
        "module::ledger::disabled_until_unlocked",
        disabled_until_unlocked,
    ),
    ("module::ledger::killed_at_the_prompt", killed_at_the_prompt),
    ("module::ledger::a_new_number", a_new_number),
    ("module::ledger::prefixes", prefixes),
    ("module::ledger::a_damaged_file", a_damaged_file),
];

const LIMITED: &str = "denied first=password reason=limited";
const LOCKED: &str = "denied first=password reason=locked";

/// Password and code.
const IN: &[Say] = &[Say::Password, Say::Code];
/// The password alone.
const KNOCK: &[Say] = &[Say::Password];

/// A login with its own ledger.
pub fn with_ledger<'b>(lab: &'b Lab, case: &'static str, who: &Someone) -> Login<'b> {
    let login = Login::new(lab, case).of(who);
    let path = folder(&login);
    login.text("ledger.path", path.to_str().expect("a path"))
}

/// The directory of the ledger of [`with_ledger`].
pub fn folder(login: &Login) -> PathBuf {
    login.folder.join("ledger")
}

/// Refused before any SMS, with the text that gives the wait.
fn later(line: &str) -> Seen {
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
    login.sees("the first login", IN, &Seen::granted());
    let is = |path: PathBuf| {
        let metadata = std::fs::metadata(path).expect("it is there");
        (metadata.permissions().mode() & 0o7777, metadata.uid())
    };
    let me = rustix::process::geteuid().as_raw();
    assert_eq!(is(folder(&login)), (0o700, me));
    assert_eq!(is(folder(&login).join("ledger")), (0o600, me));
    assert_eq!(is(folder(&login).join("prefetch")), (0o600, me));
    let inside: Vec<_> = std::fs::read_dir(folder(&login))
        .expect("it")
        .flatten()
        .collect();
    assert_eq!(inside.len(), 2, "{inside:?}");
    // It contains no name and no number.
    let bytes = std::fs::read(folder(&login).join("ledger")).expect("it");
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
    login.sees("the first", IN, &Seen::granted());
    login.sees("the second", IN, &Seen::granted());
    login.sees("the third", KNOCK, &later(LIMITED));
    std::thread::sleep(Duration::from_secs(5));
    login.sees("when it is over", IN, &Seen::granted());
}

fn sms_per_phone(lab: &Lab) {
    let (one, mut other) = (someone(lab, "phone-one"), someone(lab, "phone-two"));
    lab.slapd().replace(&other.person, "mobile", &[&one.number]);
    other.number.clone_from(&one.number);
    let rules = "[\"2/10m\"]";
    let login = with_ledger(lab, "phone-limit", &one).set("limits.sms", rules);
    login.sees("the first", IN, &Seen::granted());
    let login = login.of(&other);
    login.sees("another's, to the same phone", IN, &Seen::granted());
    let (transcript, seen) = login.run(KNOCK, 1);
    assert_eq!(seen, later(LIMITED));
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
    let people = [
        someone(lab, "all-one"),
        someone(lab, "all-two"),
        someone(lab, "all-three"),
    ];
    let mut login = with_ledger(lab, "all-limit", &people[0]).text("limits.sms_total", "2/1d");
    for person in &people[..2] {
        login = login.of(person);
        login.sees("within", IN, &Seen::granted());
    }
    let login = login.of(&people[2]);
    login.sees("beyond", KNOCK, &later(LIMITED));
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
    login.sees("as it is written", IN, &Seen::granted());
    let login = login.user("CAROL-of-many-NAMES");
    login.sees("in capitals", IN, &Seen::granted());
    let login = login.user(mail);
    login.sees("by mail", KNOCK, &later(LIMITED));
}

fn the_pause(lab: &Lab) {
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

/// An SMS that Twilio refused is released; one that it may have accepted stays counted.
fn released_or_not(lab: &Lab) {
    for (name, answer, is_released) in [
        (
            "refused-number",
            TwilioSays::Refused {
                http: 400,
                code: 21211,
            },
            true,
        ),
        (
            "refused-limit",
            TwilioSays::Refused {
                http: 429,
                code: 20429,
            },
            true,
        ),
        (
            "server-error",
            TwilioSays::Refused {
                http: 503,
                code: 20503,
            },
            false,
        ),
        ("no-answer", TwilioSays::Broken(Broken::Close), false),
    ] {
        let who = someone(lab, name);
        lab.twilio().on(&who.number, &[answer]);
        let login = with_ledger(lab, name, &who).set("limits.sms", "[\"1/1h\"]");
        login.run(KNOCK, 1);
        let (_, second) = login.run(KNOCK, 1);
        assert_eq!(second == later(LIMITED), !is_released, "{name}: {second:?}");
    }
}

fn wrong_codes_lock(lab: &Lab) {
    let eve = someone(lab, "locked");
    let login = with_ledger(lab, "locked", &eve)
        .set("limits.failures", "4")
        .text("limits.lock", "4s");
    let wrong = &[
        Say::Password,
        Say::WrongCode,
        Say::WrongCode,
        Say::WrongCode,
    ];
    let (_, seen) = login.run(wrong, 2);
    assert_eq!(seen.log()[1], "denied first=password reason=wrong-code");
    // The fourth wrong code over all logins.
    let (_, seen) = login.run(wrong, 2);
    assert_eq!(seen.codes(), [code::MAXTRIES]);
    assert_eq!(seen.log()[1], LOCKED);
    assert!(
        seen.screen().last().expect("a text").starts_with(LATER),
        "{seen:?}"
    );
    login.sees("locked", KNOCK, &later(LOCKED));
    std::thread::sleep(Duration::from_secs(4));
    // The next wrong code locks again, for twice as long.
    let (_, seen) = login.run(wrong, 2);
    assert_eq!(seen.log()[1], LOCKED);
    let config = login.config();
    let config = config.to_str().expect("a path");
    let (_, status, _) = lab.sms_otp(&["--config", config, "status", "locked"]);
    let left = status
        .split("lock              for ")
        .nth(1)
        .expect("a lock");
    let left: u64 = left
        .split(' ')
        .next()
        .and_then(|n| n.parse().ok())
        .expect("seconds");
    // The first lock was 4 s.
    assert!((5..=8).contains(&left), "{status}");
    std::thread::sleep(Duration::from_secs(left));
    let guesses = "-5 wrong codes were entered since your last login.";
    let granted = ["sent", "granted"];
    let seen = Seen::new(&[code::SUCCESS], &[ASKS, SENT, guesses], &granted, 1);
    login.sees("a right one", IN, &seen);
    let (_, seen) = login.run(&[Say::Password, Say::WrongCode, Say::Code], 2);
    assert_eq!(seen.codes(), [code::SUCCESS], "the count was cleared");
}

fn disabled_until_unlocked(lab: &Lab) {
    let finn = someone(lab, "disabled");
    let login = with_ledger(lab, "disabled", &finn)
        .set("limits.disable_after", "2")
        .set("code.tries", "2");
    let seen = Seen::new(
        &[code::MAXTRIES],
        &[
            ASKS,
            SENT,
            ">Wrong code, 1 try left. Verification code: ",
            TOO_MANY,
        ],
        &["sent", "denied first=password reason=wrong-code"],
        1,
    );
    login.sees(
        "two",
        &[Say::Password, Say::WrongCode, Say::WrongCode],
        &seen,
    );
    login.sees(
        "out",
        KNOCK,
        &Seen::unsent(code::MAXTRIES, TOO_MANY, LOCKED),
    );
    let config = login.config();
    let config = config.to_str().expect("a path");
    let unlock = lab.sms_otp(&["--config", config, "unlock", "disabled"]);
    assert_eq!(
        unlock,
        (
            0,
            "this host's ledger: 2 wrong codes forgiven\n".into(),
            String::new()
        )
    );
    let guesses = "-2 wrong codes were entered since your last login.";
    let granted = ["sent", "granted"];
    let seen = Seen::new(&[code::SUCCESS], &[ASKS, SENT, guesses], &granted, 1);
    login.sees("in again", IN, &seen);
}

/// Killing the helper between prompt and answer neither counts an attempt nor reverts one.
fn killed_at_the_prompt(lab: &Lab) {
    let gina = someone(lab, "killed");
    let login = with_ledger(lab, "killed", &gina).set("limits.failures", "2");
    for _ in 0..3 {
        login.run(&[Say::Password, Say::Die], 2);
    }
    let config = login.config();
    let config = config.to_str().expect("a path");
    let (_, status, _) = lab.sms_otp(&["--config", config, "status", "killed"]);
    assert!(status.contains("wrong codes       0"), "{status}");
    assert!(status.contains("SMS               3 of"), "{status}");
    let (_, seen) = login.run(&[Say::Password, Say::WrongCode, Say::Die], 2);
    assert_eq!(seen.sms(), 1);
    let (_, status, _) = lab.sms_otp(&["--config", config, "status", "killed"]);
    assert!(status.contains("wrong codes       1"), "{status}");
}

fn a_new_number(lab: &Lab) {
    if lab.machine_error().is_some() {
        skip("a number waits only if the system log takes its line");
    }
    let mut kurt = someone(lab, "moved");
    let login = with_ledger(lab, "moved", &kurt)
        .text("policy.remember", "1h")
        .text("policy.new_phone", "4s")
        .rhost("192.0.2.7");
    login.sees("the first number does not wait", IN, &Seen::granted());
    login.sees("and is remembered", KNOCK, &remembered_seen());
    kurt.number = lab.number();
    lab.slapd().replace(&kurt.person, "mobile", &[&kurt.number]);
    let login = login.of(&kurt);
    let denied = "denied first=password reason=new-phone";
    let lines = ["phone-changed", denied];
    login.sees(
        "a new one",
        KNOCK,
        &Seen::new(&[code::MAXTRIES], &[ASKS, NEW_PHONE], &lines, 0),
    );
    login.sees(
        "again",
        KNOCK,
        &Seen::unsent(code::MAXTRIES, NEW_PHONE, denied),
    );
    std::thread::sleep(Duration::from_secs(4));
    login.sees("when it has waited", IN, &Seen::granted());
}

fn prefixes(lab: &Lab) {
    let lena = someone(lab, "prefixes");
    let login = with_ledger(lab, "prefixes", &lena).set("limits.allowed_prefixes", "[\"+1\"]");
    let denied = "denied first=password reason=prefix";
    let outside = Seen::unsent(code::MAXTRIES, BAD_NUMBER, denied);
    login.sees("outside", KNOCK, &outside);
    // A new number is announced there, too.
    let mut moved = lena;
    moved.number = lab.number();
    lab.slapd()
        .replace(&moved.person, "mobile", &[&moved.number]);
    let login = login.of(&moved);
    let lines = ["phone-changed", denied];
    let noticed = Seen::new(&[code::MAXTRIES], &[ASKS, BAD_NUMBER], &lines, 0);
    login.sees("another one", KNOCK, &noticed);
    let login = login.set("limits.allowed_prefixes", "[\"+1\", \"+447700\"]");
    login.sees("inside", IN, &Seen::granted());
}

fn a_damaged_file(lab: &Lab) {
    let mona = someone(lab, "damaged");
    let login = with_ledger(lab, "damaged", &mona);
    login.sees("intact", IN, &Seen::granted());
    let file = folder(&login).join("ledger");
    let whole = std::fs::read(&file).expect("the ledger");
    for (what, bytes) in [
        ("cut off", &whole[..whole.len() / 2]),
        ("other content", &b"#!/bin/sh\n"[..]),
    ] {
        std::fs::write(&file, bytes).expect("written");
        let local = "failed stage=ledger reason=local";
        login.sees(
            what,
            KNOCK,
            &Seen::unsent(code::SERVICE_ERR, NOT_SENT, local),
        );
        let line = login.newest_line();
        assert!(
            line.contains("mv ") && line.contains("ledger"),
            "{what}: {line}"
        );
    }
    std::fs::remove_file(&file).expect("moved away");
    login.sees("with a new file", IN, &Seen::granted());
}
