//! Wrong codes lock an account, and disable it until it is unlocked.

use super::{LOCKED, PASSWORD_AND_CODE, PASSWORD_ONLY, refused_until_later, with_ledger};
use crate::module::login::{ASKS, LATER, SENT, Say, Seen, TOO_MANY, someone};
use lab::Lab;
use lab::pamhost::code;
use std::time::Duration;

pub fn wrong_codes_lock(lab: &Lab) {
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
    // The limit of four counts over all logins.
    let (_, seen) = login.run(wrong, 2);
    assert_eq!(seen.codes(), [code::MAXTRIES]);
    assert_eq!(seen.log()[1], LOCKED);
    assert!(
        seen.screen().last().expect("a text").starts_with(LATER),
        "{seen:?}"
    );
    login.sees("locked", PASSWORD_ONLY, &refused_until_later(LOCKED));
    std::thread::sleep(Duration::from_secs(4));
    // The next wrong code locks at once, for twice as long.
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
    // The first lock lasted four seconds.
    assert!((5..=8).contains(&left), "{status}");
    std::thread::sleep(Duration::from_secs(left));
    let guesses = "-5 wrong codes were entered since your last login.";
    let granted = ["sent", "granted"];
    let seen = Seen::new(&[code::SUCCESS], &[ASKS, SENT, guesses], &granted, 1);
    login.sees("the right code", PASSWORD_AND_CODE, &seen);
    let (_, seen) = login.run(&[Say::Password, Say::WrongCode, Say::Code], 2);
    assert_eq!(seen.codes(), [code::SUCCESS], "the count was cleared");
}

pub fn disabled_until_unlocked(lab: &Lab) {
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
        "two wrong codes",
        &[Say::Password, Say::WrongCode, Say::WrongCode],
        &seen,
    );
    login.sees(
        "disabled",
        PASSWORD_ONLY,
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
    login.sees("after the unlock", PASSWORD_AND_CODE, &seen);
}

/// A login that is killed between prompt and answer counts no attempt, and takes no counted attempt back.
pub fn killed_at_the_prompt(lab: &Lab) {
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
