//! The user is shown how many wrong codes were entered in other logins.

use super::ledger::with_ledger;
use super::login::{ASKS, GRANTED, Login, SENT, Say, Seen, someone};
use super::remembered::remembered_seen;
use super::shared_ledger;
use crate::Case;
use lab::Lab;
use lab::pamhost::{SILENT, code};
use lab::redis::Redis;

pub const CASES: &[Case] = &[
    ("module::guesses::in_a_file", in_a_file),
    ("module::guesses::in_redis", in_redis),
];

const PASSWORD_AND_CODE: &[Say] = &[Say::Password, Say::Code];
const PASSWORD_ONLY: &[Say] = &[Say::Password];

fn in_a_file(lab: &Lab) {
    let who = someone(lab, "guessed");
    check_shown(lab, &|| with_ledger(lab, "guessed", &who));
}

fn in_redis(lab: &Lab) {
    let redis = Redis::start();
    let url = shared_ledger::plain(&redis);
    let who = someone(lab, "guessed-redis");
    check_shown(lab, &|| {
        shared_ledger::host(lab, "guessed-redis", &who, &url)
    });
}

/// Checks that wrong codes of other logins are shown once, and with `plain`'s ledger.
fn check_shown<'b>(lab: &'b Lab, plain: &dyn Fn() -> Login<'b>) {
    let login = || {
        plain()
            .set("limits.sms", "[\"50/1h\"]")
            .set("limits.failures", "4")
            .rhost("192.0.2.7")
    };
    let wrong = Say::WrongCode;
    let guess = |answers: &[Say]| {
        let (_, seen) = login().run(answers, 2);
        assert_ne!(seen.codes(), [code::SUCCESS]);
    };
    let text = |text: &str| {
        let text = format!("-{text} entered since your last login.");
        Seen::new(&[code::SUCCESS], &[ASKS, SENT, &text], GRANTED, 1)
    };
    // A wrong code before the right one in the same login is not reported.
    let (_, seen) = login().run(&[Say::Password, wrong, Say::Code], 2);
    assert_eq!(seen.codes(), [code::SUCCESS]);
    assert_eq!(seen.screen().len(), 3);
    guess(&[Say::Password, wrong, Say::HangUp]);
    guess(&[Say::Password, wrong, wrong, wrong]);
    // `unlock` ends the lock, but keeps the count of wrong codes to show.
    let config = login().config();
    let name = login().case;
    let unlock = ["--config", config.to_str().expect("a path"), "unlock", name];
    let (status, _, error) = lab.sms_otp(&unlock);
    assert_eq!((status, error.as_str()), (0, ""));
    let silent = login().host(|host| host.flags(SILENT));
    silent.sees("sudo shows no texts", PASSWORD_AND_CODE, &Seen::granted());
    let remembering = || login().text("policy.remember", "1h");
    let remembered = remembering();
    remembered.sees("shown", PASSWORD_AND_CODE, &text("4 wrong codes were"));
    guess(&[Say::Password, wrong, Say::HangUp]);
    remembering().sees(
        "a remembered login shows nothing",
        PASSWORD_ONLY,
        &remembered_seen(),
    );
    login().sees("shown once", PASSWORD_AND_CODE, &text("1 wrong code was"));
    login().sees("and not again", PASSWORD_AND_CODE, &Seen::granted());
}
